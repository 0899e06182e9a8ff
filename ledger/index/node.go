package index

import (
	"bytes"
	"sort"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// bucketSize is how many labels a subtree may hold and still be one bucket, whose
// inner hashes are computed when asked for. A smaller bucket costs memory (nodes),
// a larger one time (hashing).
const bucketSize = 16

// node is a subtree of at least one label: a bucket if it holds at most
// bucketSize of them, else an inner node. It never changes once made, and is one
// line of the processor's cache.
//
// The entries of a bucket lie in two places: those of the file, and those that
// were inserted since it was written.
type node struct {
	hash        events.Hash
	left, right *node    // inner: one may be nil; bucket: both are
	base        span     // bucket: its entries in the file
	more        *[]Entry // bucket: those since, sorted; nil if there are none
}

func newInner(left, right *node) *node {
	return &node{hash: verifier.IndexNodeHash(left.sum(), right.sum()), left: left, right: right}
}

func (n *node) isBucket() bool { return n.left == nil && n.right == nil }

func (n *node) added() []Entry {
	if n.more == nil {
		return nil
	}
	return *n.more
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

// build makes the subtree of the entries of the file at a span and of others,
// both sorted, no label in both. It keeps neither slice: a bucket must not keep
// a whole batch alive.
func build(base []Entry, at span, more []Entry, depth int) *node {
	switch n := len(base) + len(more); {
	case n == 0:
		return nil
	case n <= bucketSize:
		var room [bucketSize]Entry
		return newBucket(at, more, hash(mergeInto(room[:0], base, more), depth))
	}
	zeros, ones := split(base, depth)
	low, high := split(more, depth)
	left := build(zeros, at.part(0, len(zeros)), low, depth+1)
	right := build(ones, at.part(len(zeros), len(ones)), high, depth+1)
	return newInner(left, right)
}

func newBucket(base span, more []Entry, hash events.Hash) *node {
	n := &node{hash: hash, base: base}
	if len(more) > 0 {
		own := make([]Entry, len(more))
		copy(own, more)
		n.more = &own
	}
	return n
}

// mergeInto appends the entries of both sorted slices to out, in order.
func mergeInto(out, a, b []Entry) []Entry {
	for len(a) > 0 && len(b) > 0 {
		if bytes.Compare(a[0].Label[:], b[0].Label[:]) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
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
	if len(entries) <= bucketSize {
		for i := range entries {
			if bit(&entries[i].Label, depth) == 1 {
				return entries[:i], entries[i:]
			}
		}
		return entries, nil
	}
	i := sort.Search(len(entries), func(i int) bool { return bit(&entries[i].Label, depth) == 1 })
	return entries[:i], entries[i:]
}

func bit(label *events.Hash, depth int) byte {
	return label[depth/8] >> (7 - depth%8) & 1
}
