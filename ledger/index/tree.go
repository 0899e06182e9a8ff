// Package index is the tree of all labels of a ledger, with proofs that a label
// is in it or is not.
//
// A report is complete because the label that would come next is proven absent,
// so absence must be as cheap to prove as membership, at any published state,
// while the writer goes on. Hence a tree whose versions live side by side:
// inserting a batch makes a new Tree that shares all untouched nodes with the
// old one.
//
// A large ledger has more labels than memory has room for. A Store keeps them in
// a directory: the sorted entries in one file (generation.go), what came since in
// a log (log.go). In memory are the hashes of the upper nodes, and the entries
// that came since the file was written. Whatever is read from the file is hashed
// and compared with the node above it, so a file that was changed gives an error
// and never a false proof.
//
// What always holds: a Tree never changes; its root depends only on the set of
// entries, not on batches or order (hashing: verifier/index.go); a label is
// inserted once and never removed. All methods of a Tree may be called
// concurrently. The tree is a function of the log's leaves and is rebuilt from
// them.
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

// ErrDamaged: what the files of a Store hold is not what was written. Discard
// them and build the index anew.
var ErrDamaged = errors.New("the index on disk is damaged")

// Entry is a label and what the index says of it (verifier.IndexValue).
type Entry struct {
	Label, Value events.Hash
}

// Tree is one version of the index. The zero Tree is empty.
type Tree struct {
	root *node // nil if empty
	size uint64
	kept kept
	// after counts the commits of the Store that this version follows upon.
	after uint64
}

// Empty returns a tree without labels, which keeps all in memory.
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
	next, _, err := t.InsertEach([][]Entry{entries})
	return next, err
}

// Lookup returns the value of label, and whether the tree holds it.
func (t *Tree) Lookup(label events.Hash) (value events.Hash, ok bool, err error) {
	n := t.root
	for depth := 0; n != nil && !n.isBucket(); depth++ {
		n, _ = n.children(label, depth)
	}
	if n == nil {
		return value, false, nil
	}
	// What was added since is checked by nothing and needs it not; an answer that
	// rests on the file is proven first.
	if e, found := find(n.added(), label); found {
		return e.Value, true, nil
	}
	if n.base.count() == 0 {
		return value, false, nil
	}
	_, end, err := t.path(label)
	if err != nil || end == nil || end.Label != label {
		return value, false, err
	}
	return end.Value, true, nil
}

func find(sorted []Entry, label events.Hash) (Entry, bool) {
	i, found := slices.BinarySearchFunc(sorted, label, func(e Entry, l events.Hash) int { return bytes.Compare(e.Label[:], l[:]) })
	if !found {
		return Entry{}, false
	}
	return sorted[i], true
}

func byLabel(a, b Entry) int { return bytes.Compare(a.Label[:], b.Label[:]) }

func duplicate(label events.Hash) error {
	return fmt.Errorf("inserting label %s: %w", label, ErrDuplicate)
}
