package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/trillianlog"
)

const (
	pageSize     = 1000
	waitingPages = 4 // between the stream and the log

	// An integration costs about as much as a hundred leaves. restTime is well
	// below the time that waiting for a publication may take.
	restLeaves = 64
	restTime   = 20 * time.Millisecond
)

// edge is the right edge of our own Merkle tree over the stream.
type edge struct {
	tree   *compact.Range
	timeMS uint64
}

func newEdge() edge {
	factory := &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	return edge{tree: factory.NewEmptyRange(0)}
}

func (e *edge) append(h events.Hash, timeMS uint64) error {
	e.timeMS = timeMS
	return e.tree.Append(h[:], nil)
}

// clone is an edge that grows by itself.
func (e *edge) clone() edge {
	factory := &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	tree, err := factory.NewRange(0, e.tree.End(), slices.Clone(e.tree.Hashes()))
	if err != nil {
		panic(err) // only for another number of hashes than the size has
	}
	return edge{tree: tree, timeMS: e.timeMS}
}

func (e *edge) size() uint64 { return e.tree.End() }

func (e *edge) root() events.Hash {
	if e.tree.End() == 0 {
		return sha256.Sum256(nil)
	}
	b, err := e.tree.GetRootHash(nil)
	if err != nil {
		panic(err) // only for a range that does not begin at 0
	}
	return events.Hash(b)
}

// hashes are the perfect subtree roots the edge consists of.
func (e *edge) hashes() []events.Hash {
	var out []events.Hash
	for _, h := range e.tree.Hashes() {
		out = append(out, events.Hash(h))
	}
	return out
}

// signable is a size that ends with a state leaf, with our root and edge there.
type signable struct {
	size uint64
	root events.Hash
	edge []events.Hash
}

// progress is what the sequencer tells the others: how far the log agrees with
// us, and which sizes can be signed.
type progress struct {
	mu      sync.Mutex
	agreed  uint64 // size at which the log's root was last found equal to ours
	ready   map[uint64]signable
	changed chan struct{} // closed and replaced whenever agreed grows
	hurry   chan struct{} // capacity 1: somebody waits
}

func newProgress() *progress {
	return &progress{ready: map[uint64]signable{}, changed: make(chan struct{}), hurry: make(chan struct{}, 1)}
}

func (p *progress) size() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.agreed
}

func (p *progress) offer(s signable) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready[s.size] = s
}

// forget drops the sizes up to the published one. No earlier: a smaller size may
// yet have to be compared with what another instance published.
func (p *progress) forget(published uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.ready, func(size uint64, _ signable) bool { return size <= published })
}

func (p *progress) agree(size uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agreed = size
	close(p.changed)
	p.changed = make(chan struct{})
}

// reach returns once the log agrees with us at a size: until then, after its
// tree was lost, it cannot prove what was published before.
func (p *progress) reach(ctx context.Context, size uint64, stopped <-chan struct{}) error {
	for {
		p.mu.Lock()
		agreed, changed := p.agreed, p.changed
		p.mu.Unlock()
		if agreed >= size {
			return nil
		}
		select {
		case <-changed:
		case <-stopped:
			return ErrStopped
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// await returns the signable size once the log agrees with it.
func (p *progress) await(ctx context.Context, size uint64) (signable, error) {
	for {
		p.mu.Lock()
		s, ok := p.ready[size]
		agreed, changed := p.agreed, p.changed
		p.mu.Unlock()
		switch {
		case agreed >= size && ok:
			return s, nil
		case agreed >= size: // sizes are offered before they are agreed on
			return signable{}, fmt.Errorf("size %d does not end with a state leaf: %w", size, ErrCorrupt)
		}
		select {
		case p.hurry <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return signable{}, context.Cause(ctx)
		}
	}
}

// rest waits for a time, or until somebody waits for the log.
func (p *progress) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.hurry:
	case <-ctx.Done():
	}
}

// sequence is the sequencer: one goroutine follows the stream from where the
// log stands and lets the writer compare, one hands the leaves to the log.
func (l *Ledger) sequence(ctx context.Context) error {
	pages := make(chan []events.Recorded, waitingPages)
	g, ctx := errgroup.WithContext(ctx)
	from := l.sequenced.size()
	g.Go(func() error { return stopping(ctx, l.followStream(ctx, from, pages)) })
	g.Go(func() error {
		if err := l.catchUpTiles(ctx, from); err != nil {
			return stopping(ctx, err)
		}
		return stopping(ctx, l.logPages(ctx, pages))
	})
	return g.Wait()
}

func (l *Ledger) followStream(ctx context.Context, next uint64, pages chan<- []events.Recorded) error {
	for page, err := range l.store.Pages(ctx, l.stream, next, pageSize) {
		if err != nil {
			return fmt.Errorf("following the stream: %w", err)
		}
		for _, e := range page {
			if e.Revision != next {
				return fmt.Errorf("following the stream: revision %d instead of %d: %w", e.Revision, next, ErrCorrupt)
			}
			if err := l.meet(e); err != nil {
				return err
			}
			next++
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return fmt.Errorf("following the stream: it ended: %w", ErrCorrupt)
}

// logPages logs what has come. After a few leaves it rests: what comes one by one
// is logged by a few at a time, unless somebody waits for it.
func (l *Ledger) logPages(ctx context.Context, pages <-chan []events.Recorded) error {
	for {
		var page []events.Recorded
		select {
		case page = <-pages:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for more := true; more && len(page) < waitingPages*pageSize; {
			select {
			case next := <-pages:
				page = append(page, next...)
			default:
				more = false
			}
		}
		if err := l.sequencePage(ctx, page); err != nil {
			return err
		}
		if len(page) < restLeaves && l.sequenced.size() >= l.shown() { // a log that was lost is rebuilt at once
			l.progress.rest(ctx, restTime)
		}
	}
}

// stopping hides the error of work cut short because the ledger stops.
func stopping(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (l *Ledger) sequencePage(ctx context.Context, page []events.Recorded) error {
	first := l.sequenced.size()
	leaves := make([]trillianlog.Leaf, 0, len(page))
	made := make([]leafed, 0, len(page))
	for _, e := range page {
		leaf, err := l.advance(e)
		if err != nil {
			return err
		}
		leaves, made = append(leaves, trillianlog.Leaf{Value: leaf.entry, EventID: e.ID}), append(made, leaf)
	}
	if err := l.addLeaves(ctx, first, leaves); err != nil {
		return fmt.Errorf("logging leaves %d to %d: %w", first, first+uint64(len(leaves))-1, err)
	}
	if err := l.compareRoots(ctx); err != nil {
		return err
	}
	return l.tile(first, made)
}

// advance grows our own tree by one event of the stream, compares its root
// where one is known already, and offers sizes that end with a state leaf.
func (l *Ledger) advance(e events.Recorded) (leafed, error) {
	entry, leaf, stored := leafOf(l.secrets, e, l.sequenced.timeMS)
	hash := events.LeafHash(entry)
	if err := l.advanceHash(hash, leaf.TimeMS); err != nil {
		return leafed{}, err
	}
	size := l.sequenced.size()
	delete(l.known, size)
	if leaf.Kind == events.KindState && size > l.shown() {
		l.progress.offer(signable{size, l.sequenced.root(), l.sequenced.hashes()})
	}
	return leafed{entry, leaf, stored, hash}, nil
}

// advanceHash grows our own tree by a leaf and compares its root where one is
// known already. It forgets none: what is restored may have to be read again.
func (l *Ledger) advanceHash(leaf events.Hash, timeMS uint64) error {
	if err := l.sequenced.append(leaf, timeMS); err != nil {
		return fmt.Errorf("growing the tree: %w", err)
	}
	size := l.sequenced.size()
	if root, known := l.known[size]; known && root != l.sequenced.root() {
		if g := l.guarded[size]; g != nil {
			return otherRoot(g)
		}
		return fmt.Errorf("the stream's root at %d is not the one that was logged or published: %w", size, ErrCorrupt)
	}
	return nil
}

// compareRoots demands that the log's root is ours before anything is signed.
func (l *Ledger) compareRoots(ctx context.Context) error {
	size, root, err := l.trees.Root(ctx)
	if err != nil {
		return fmt.Errorf("asking the log for its root: %w", err)
	}
	if known, ok := l.known[size]; size > l.sequenced.size() && (!ok || known == root) {
		// Another instance added what we have not read yet. Nothing is signed
		// until our own tree has got there and its root is this one (advance).
		l.known[size] = root
		l.log.Warn("the log is ahead of this instance", zap.Uint64("log_size", size), zap.Uint64("own_size", l.sequenced.size()))
		return nil
	}
	if size != l.sequenced.size() || events.Hash(root) != l.sequenced.root() {
		l.log.Error("the log's root is not ours; publication stops",
			zap.Uint64("log_size", size), zap.Uint64("own_size", l.sequenced.size()))
		return fmt.Errorf("the log answers another root at size %d than the stream gives at %d: %w",
			size, l.sequenced.size(), ErrCorrupt)
	}
	l.progress.agree(size)
	return nil
}
