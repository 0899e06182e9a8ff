package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
)

const (
	reading   = 8  // bundles that are read and parsed at once
	readAhead = 32 // bundles that may wait for their turn
)

// replay is one run over new leaves. Bundles are read and their leaves parsed and
// hashed side by side; one goroutine takes the leaves in order; another one grows
// the index and compares its root at each state leaf (grow.go).
type replay struct {
	trust  *verifier.Trust
	source *tiles.Tree
	at     *position // of the goroutine that takes leaves
	behind window
	levels levels
}

// window is what stands behind the last state leaf.
type window struct {
	timeMS          uint64 // of that leaf
	entries, labels int
}

// bundle is what became of one bundle of leaves.
type bundle struct {
	leaves []*parsed
	root   events.Hash // over all 256, if it is full and was read whole
	err    error
}

// replay returns the roots of the full tiles that it read the leaves of.
func (a *Auditor) replay(ctx context.Context, source *tiles.Tree) (*levels, error) {
	r := &replay{trust: a.cfg.Trust, source: source, at: a.at.clone(), behind: window{timeMS: a.at.timeMS}}
	first := r.at.edge.Size()
	if first > 0 && r.at.rules == nil {
		rules, err := r.readRules(ctx, first-1, r.at.rulesHash)
		if err != nil {
			return nil, err
		}
		r.at.rules = rules
	}
	grow, growing := errgroup.WithContext(ctx)
	batches := make(chan batch, batchesAhead)
	grow.Go(func() error { return a.grow(growing, r.source, batches) })
	taken := r.take256(growing, first, batches, a.cfg.Progress)
	close(batches)
	// The index is behind: what it finds stands before what ended the reading.
	if err := grow.Wait(); err != nil {
		return nil, err
	}
	if taken != nil {
		return nil, taken
	}
	if r.at.edge.Root() != source.Root {
		return nil, fault(source.Size, "the leaves do not have the checkpoint's root")
	}
	if a.labels.Mark() == nil || a.at.edge.Size() != source.Size {
		return nil, fault(source.Size-1, "the checkpoint's last leaf is not a state leaf")
	}
	return &r.levels, nil
}

// take256 takes all leaves from first on, a bundle at a time.
func (r *replay) take256(ctx context.Context, first uint64, batches chan<- batch, progress func(done, total uint64)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	queue := make(chan chan bundle, readAhead)
	readers := new(errgroup.Group)
	readers.SetLimit(reading + 1)
	defer readers.Wait()
	defer stop()
	readers.Go(func() error {
		defer close(queue)
		for n := first / tiles.Width; n*tiles.Width < r.source.Size; n++ {
			done := make(chan bundle, 1)
			select {
			case queue <- done:
			case <-ctx.Done():
				return nil
			}
			readers.Go(func() error { done <- r.read(ctx, n); return nil })
		}
		return nil
	})
	next := batch{first: first}
	for done := range queue {
		b := <-done
		skip := 0
		if at := r.at.edge.Size(); at == first {
			skip = int(first % tiles.Width)
		}
		if b.err == nil && skip == 0 && len(b.leaves) == tiles.Width {
			r.levels.add(r.at.edge.Size()/tiles.Width, b.root)
		}
		for _, p := range b.leaves[min(skip, len(b.leaves)):] {
			if err := r.take(ctx, p); err != nil {
				return err
			}
			next.entries, next.counts = append(next.entries, p.entries...), append(next.counts, len(p.entries))
			if p.state == nil {
				continue
			}
			next.state, next.after = p.state, r.at.clone()
			select {
			case batches <- next:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			next = batch{first: r.at.edge.Size()}
		}
		if b.err != nil {
			return b.err
		}
		if progress != nil {
			progress(r.at.edge.Size(), r.source.Size)
		}
	}
	return context.Cause(ctx)
}

// read reads and parses bundle n, and compares its leaves with their hashes in the
// tree. What comes before a fault is returned with it.
func (r *replay) read(ctx context.Context, n uint64) (b bundle) {
	first := n * tiles.Width
	width := int(min(tiles.Width, r.source.Size-first))
	entries, err := tiles.ReadEntries(ctx, r.source.Source, n, width)
	if err != nil {
		return bundle{err: unread(first, "leaves", err)}
	}
	hashes, err := tiles.ReadHashes(ctx, r.source.Source, tiles.Tile{Level: 0, N: n, Width: width})
	if err != nil {
		return bundle{err: unread(first, "hashes", err)}
	}
	for i, entry := range entries {
		p := parse(first+uint64(i), entry)
		if h := events.LeafHash(entry); !bytes.Equal(h[:], hashes[i*32:(i+1)*32]) {
			b.err = &Fault{first + uint64(i), "the tiles have another hash of it than it has", nextAgain}
			return b
		}
		b.leaves = append(b.leaves, p)
		if p == nil {
			return b
		}
	}
	if width == tiles.Width {
		b.root = tiles.TileRoot(hashes)
	}
	return b
}

// unread tells a log that does not show what it signed from one that could not be
// read.
func unread(first uint64, what string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, tiles.ErrBundle) || errors.Is(err, tiles.ErrTile) || errors.Is(err, tiles.ErrTooLarge) {
		return &Fault{first, fmt.Sprintf("the %s from here on are missing or malformed (%v)", what, err), nextAgain}
	}
	return err
}
