// Package index is the tree of all labels of a ledger, with proofs that a label
// is in it or is not.
//
// A report is complete because the label that would come next is proven absent,
// so absence must be as cheap to prove as membership, at any published state,
// while the writer goes on. Hence a tree whose versions live side by side:
// inserting a batch makes a new Tree that shares all untouched nodes with the
// old one.
//
// What always holds: a Tree never changes; its root depends only on the set of
// entries, not on batches or order (hashing: verifier/index.go); a label is
// inserted once and never removed. All methods may be called concurrently. The
// tree is a function of the log's leaves and is rebuilt from them.
package index

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// ErrDuplicate: a label is inserted that the batch or the tree holds already.
// In a log this is a public fault.
var ErrDuplicate = errors.New("duplicate label")

// Entry is a label and what the index says of it (verifier.IndexValue).
type Entry struct {
	Label, Value events.Hash
}

// Tree is one version of the index. The zero Tree is empty.
type Tree struct {
	root *node // nil if empty
	size uint64
}

// Empty returns a tree without labels.
func Empty() *Tree { return new(Tree) }

// Len is the number of labels.
func (t *Tree) Len() uint64 { return t.size }

// Root is the hash that a state leaf carries as map_root.
func (t *Tree) Root() events.Hash {
	if t.root == nil {
		return verifier.EmptyIndexRoot()
	}
	return t.root.hash
}

// Insert returns the tree that holds the entries of t and the given ones, which
// may be in any order and are not changed. A label that is there twice gives an
// error that wraps ErrDuplicate, names the label, and comes without a tree.
func (t *Tree) Insert(entries []Entry) (*Tree, error) {
	if len(entries) == 0 {
		return t, nil
	}
	batch := slices.Clone(entries)
	slices.SortFunc(batch, func(a, b Entry) int { return bytes.Compare(a.Label[:], b.Label[:]) })
	for i := 1; i < len(batch); i++ {
		if batch[i].Label == batch[i-1].Label {
			return nil, duplicate(batch[i].Label)
		}
	}
	root, err := insert(t.root, batch, 0)
	if err != nil {
		return nil, err
	}
	return &Tree{root: root, size: t.size + uint64(len(batch))}, nil
}

// Lookup returns the value of label, and whether the tree holds it.
func (t *Tree) Lookup(label events.Hash) (value events.Hash, ok bool) {
	n := t.root
	for depth := 0; n != nil && n.bucket == nil; depth++ {
		n, _ = n.children(label, depth)
	}
	if n == nil {
		return value, false
	}
	for i := range n.bucket {
		if n.bucket[i].Label == label {
			return n.bucket[i].Value, true
		}
	}
	return value, false
}

func duplicate(label events.Hash) error {
	return fmt.Errorf("inserting label %s: %w", label, ErrDuplicate)
}
