package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/ledger/tiles"
)

// Labels are inserted for many state leaves at once, which costs far less than for
// one after the other, and the roots of all are compared. What was found whole is
// kept with it: so much is read again after a crash.
const (
	leastAtOnce  = 1 << 17 // labels, of 64 bytes
	mostAtOnce   = 1 << 19
	partAtOnce   = 4  // or so many-th of those in the index, for a larger tree is worth a longer wait
	batchesAhead = 16 // batches of labels that may wait for the index
)

// batch is what a state leaf speaks of: the labels since the one before.
type batch struct {
	state   *events.State
	after   *position
	entries []index.Entry
	counts  []int // of entries, by leaf from first on
	first   uint64
}

// growth is the index of an audit on its way.
type growth struct {
	*Auditor
	source  *tiles.Tree
	tree    *index.Tree   // with what was found whole
	last    *position     // of it
	entries []index.Entry // of it, that are not kept
}

// grow inserts the labels of all state leaves, and compares the index with what
// each says of it. A fault is the first one there is, and what is before it is kept.
func (a *Auditor) grow(ctx context.Context, source *tiles.Tree, batches <-chan batch) error {
	g := &growth{Auditor: a, source: source, tree: a.labels.Tree()}
	var waiting []batch
	labels := 0
	for b := range batches {
		waiting, labels = append(waiting, b), labels+len(b.entries)
		if labels < cmp.Or(a.cfg.atOnce, min(mostAtOnce, max(leastAtOnce, int(g.tree.Len()/partAtOnce)))) {
			continue
		}
		if err := g.take(ctx, waiting); err != nil {
			return err
		}
		waiting, labels = nil, 0
	}
	return g.take(ctx, waiting)
}

// take inserts and keeps some batches.
func (g *growth) take(ctx context.Context, batches []batch) error {
	found := g.insert(batches)
	if errors.Is(found, errOneByOne) {
		found = g.insertOneByOne(batches)
	}
	return errors.Join(found, g.keep(ctx))
}

// errOneByOne says that there is a fault in some batches, and not in which.
var errOneByOne = errors.New("there is a fault in one of the batches")

// insert takes all batches or none.
func (g *growth) insert(batches []batch) error {
	each, all := make([][]index.Entry, len(batches)), 0
	for i, b := range batches {
		each[i], all = b.entries, all+len(b.entries)
	}
	next, roots, err := g.tree.InsertEach(each)
	if errors.Is(err, index.ErrDuplicate) {
		return errOneByOne
	} else if err != nil {
		return err
	}
	size := g.tree.Len()
	for i, b := range batches {
		if size += uint64(len(b.entries)); size != b.state.MapEntries || roots[i] != b.state.MapRoot {
			return errOneByOne
		}
	}
	g.entries = make([]index.Entry, 0, all)
	for _, b := range batches {
		g.tree, g.last, g.entries = next, b.after, append(g.entries, b.entries...)
	}
	return nil
}

// insertOneByOne takes the batches before the first fault, and says what that is.
func (g *growth) insertOneByOne(batches []batch) error {
	for _, b := range batches {
		next, err := g.tree.Insert(b.entries)
		if errors.Is(err, index.ErrDuplicate) {
			return b.duplicate(g.tree)
		} else if err != nil {
			return err
		}
		at := b.state.Covered
		if next.Len() != b.state.MapEntries {
			return fault(at, "the state says that the index has %d labels and it has %d", b.state.MapEntries, next.Len())
		}
		if next.Root() != b.state.MapRoot {
			return fault(at, "the state has another root of the index than the leaves before it give")
		}
		g.tree, g.last, g.entries = next, b.after, append(g.entries, b.entries...)
	}
	return nil
}

// keep commits what was found whole, once it is known to be under the checkpoint: a
// log of somebody else's must not be continued.
func (g *growth) keep(ctx context.Context) error {
	if g.last == nil {
		return nil
	}
	size := g.last.edge.Size()
	switch edge, err := g.source.EdgeAt(ctx, size); {
	case errors.Is(err, tiles.ErrRefuted), errors.Is(err, fs.ErrNotExist):
		return &Fault{size, fmt.Sprintf("the tiles do not show what the checkpoint is made of there (%v)", err), nextAgain}
	case err != nil:
		return err
	case edge.Root() != g.last.edge.Root():
		return fault(size, "the leaves before it are not those under the checkpoint's root")
	}
	if err := g.labels.Commit(g.tree, g.entries, g.last.marshal(g.cfg.Trust.Genesis)); err != nil {
		return fmt.Errorf("keeping the index: %w", err)
	}
	g.at, g.tree, g.last, g.entries = g.last, g.labels.Tree(), nil, nil
	return nil
}

// duplicate finds the first leaf with a label that was there before.
func (b *batch) duplicate(tree *index.Tree) error {
	seen := map[events.Hash]bool{}
	entries := b.entries
	for i, n := range b.counts {
		for k, e := range entries[:n] {
			_, old, err := tree.Lookup(e.Label)
			if err != nil {
				return err
			}
			if old || seen[e.Label] {
				return fault(b.first+uint64(i), "its slot %d has a label that an earlier slot has", k)
			}
			seen[e.Label] = true
		}
		entries = entries[n:]
	}
	return fault(b.first, "a label comes twice")
}
