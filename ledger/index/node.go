package index

import (
	"bytes"
	"slices"
	"sort"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// bucketSize is how many labels a subtree may hold and still be one sorted
// slice, whose inner hashes are computed when asked for. Buckets are free of
// pointers, so the garbage collector does not walk the labels. A smaller bucket
// costs memory (nodes), a larger one time (rehashing).
const bucketSize = 8

// node is a subtree of at least one label: a bucket if it holds at most
// bucketSize of them, else an inner node. It never changes once made.
type node struct {
	hash        events.Hash
	left, right *node   // inner: one may be nil
	bucket      []Entry // sorted; nil in an inner node
}

func newInner(left, right *node) *node {
	return &node{hash: verifier.IndexNodeHash(left.sum(), right.sum()), left: left, right: right}
}

// newBucket keeps entries.
func newBucket(entries []Entry, depth int) *node {
	return &node{hash: hash(entries, depth), bucket: entries}
}

func (n *node) sum() events.Hash {
	if n == nil {
		return events.Hash{}
	}
	return n.hash
}

// children returns the child of inner node n, at depth, towards label and the
// other one.
func (n *node) children(label events.Hash, depth int) (next, other *node) {
	if bit(&label, depth) == 0 {
		return n.left, n.right
	}
	return n.right, n.left
}

// insert returns n with batch, which is sorted and free of duplicates. It copies
// each node that the batch touches once, and n stays as it was.
func insert(n *node, batch []Entry, depth int) (*node, error) {
	switch {
	case len(batch) == 0:
		return n, nil
	case n == nil:
		return build(batch, depth), nil
	case n.bucket != nil:
		merged, err := merge(n.bucket, batch)
		if err != nil {
			return nil, err
		}
		if len(merged) <= bucketSize {
			return newBucket(merged, depth), nil
		}
		return build(merged, depth), nil
	}
	zeros, ones := split(batch, depth)
	left, err := insert(n.left, zeros, depth+1)
	if err != nil {
		return nil, err
	}
	right, err := insert(n.right, ones, depth+1)
	if err != nil {
		return nil, err
	}
	return newInner(left, right), nil
}

// build makes the subtree of entries. It copies them: a bucket must not keep the
// whole batch alive.
func build(entries []Entry, depth int) *node {
	switch {
	case len(entries) == 0:
		return nil
	case len(entries) <= bucketSize:
		return newBucket(slices.Clone(entries), depth)
	}
	zeros, ones := split(entries, depth)
	return newInner(build(zeros, depth+1), build(ones, depth+1))
}

func merge(a, b []Entry) ([]Entry, error) {
	merged := make([]Entry, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := bytes.Compare(a[0].Label[:], b[0].Label[:]); {
		case c < 0:
			merged, a = append(merged, a[0]), a[1:]
		case c > 0:
			merged, b = append(merged, b[0]), b[1:]
		default:
			return nil, duplicate(a[0].Label)
		}
	}
	return append(append(merged, a...), b...), nil
}

// hash computes the subtree hash of sorted entries that agree on their first
// depth bits. At depth 0 it is the root, which is never a leaf.
func hash(entries []Entry, depth int) events.Hash {
	switch {
	case len(entries) == 0 && depth > 0:
		return events.Hash{}
	case len(entries) == 1 && depth > 0:
		return verifier.IndexLeafHash(entries[0].Label, entries[0].Value)
	}
	zeros, ones := split(entries, depth)
	return verifier.IndexNodeHash(hash(zeros, depth+1), hash(ones, depth+1))
}

// split cuts sorted entries that agree on their first depth bits at the first
// whose next bit is 1.
func split(entries []Entry, depth int) (zeros, ones []Entry) {
	i := sort.Search(len(entries), func(i int) bool { return bit(&entries[i].Label, depth) == 1 })
	return entries[:i], entries[i:]
}

func bit(label *events.Hash, depth int) byte {
	return label[depth/8] >> (7 - depth%8) & 1
}
