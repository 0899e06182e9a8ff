package index

import (
	"bytes"

	"github.com/sharetrail/sharetrail/events"
)

// checked returns the entries of a bucket, if they are those that were inserted.
func (k *kept) checked(n *node, depth int) ([]Entry, error) {
	if n == nil {
		return nil, nil
	}
	if n.base.count() == 0 {
		return n.added(), nil
	}
	var raw [bucketSize * entryBytes]byte
	base, err := k.read(n.base, raw[:], make([]Entry, 0, bucketSize))
	if err != nil {
		return nil, err
	}
	all := mergeInto(make([]Entry, 0, bucketSize), base, n.added())
	if !ascending(all) || !agree(all[0].Label, all[len(all)-1].Label, depth) || hash(all, depth) != n.hash {
		return nil, errBucket(n)
	}
	return all, nil
}

// ascending reports whether labels stand in order, none twice. Only such entries
// can be hashed: what a damaged file holds may be anything.
func ascending(entries []Entry) bool {
	for i := 1; i < len(entries); i++ {
		if bytes.Compare(entries[i-1].Label[:], entries[i].Label[:]) >= 0 {
			return false
		}
	}
	return true
}

// agree reports whether two labels have their first depth bits in common. Sorted
// ones do if the first and the last do.
func agree(first, last events.Hash, depth int) bool {
	whole := depth / 8
	if !bytes.Equal(first[:whole], last[:whole]) {
		return false
	}
	return depth%8 == 0 || (first[whole]^last[whole])>>(8-depth%8) == 0
}

// Check reads the whole tree and compares each bucket with its hash.
func (t *Tree) Check() error { return t.check(t.root, 0) }

func (t *Tree) check(n *node, depth int) error {
	switch {
	case n == nil:
		return nil
	case n.isBucket():
		_, err := t.kept.checked(n, depth)
		return err
	}
	if n.hash != newInner(n.left, n.right).hash {
		return errBucket(n)
	}
	if err := t.check(n.left, depth+1); err != nil {
		return err
	}
	return t.check(n.right, depth+1)
}
