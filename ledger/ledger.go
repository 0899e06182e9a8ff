package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/ledger/trillianlog"
	"github.com/sharetrail/sharetrail/verifier"
)

// ErrStopped says that the ledger no longer takes commands.
var ErrStopped = errors.New("the ledger has stopped")

// Store is the event store the ledger writes to and follows.
type Store interface {
	// Append adds all events or none, at the expected revision; when it returns
	// nil they are durable. It returns the revision of the last.
	Append(ctx context.Context, stream string, expected events.Expected, evs ...events.Proposed) (uint64, error)
	// Read yields events in order, beginning with revision from; a missing
	// stream yields none.
	Read(ctx context.Context, stream string, from, count uint64) iter.Seq2[events.Recorded, error]
	// Pages follows a stream from a revision on, in order and without a gap.
	Pages(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error]
	// Last returns the newest event of a stream, if there is one.
	Last(ctx context.Context, stream string) (events.Recorded, bool, error)
}

// Log is the verifiable log. It is checked, not believed.
type Log interface {
	// Add puts leaves at first, first+1, ...; when it returns nil they are in
	// the tree. Adding the same leaves again changes nothing.
	Add(ctx context.Context, first uint64, leaves []trillianlog.Leaf) error
	// Root returns the log's newest size and root.
	Root(ctx context.Context) (size uint64, root [32]byte, err error)
	// Inclusions proves leaves under a size the log has reached.
	Inclusions(ctx context.Context, indices []uint64, size uint64) ([][][32]byte, error)
}

// Config says which ledger to open and on what.
type Config struct {
	ID     string // the stream is sharetrail-<ID>, the checkpoints' sharetrail-<ID>-checkpoints
	Store  Store
	Log    Log
	Keys   *keystore.Store  // must hold this ledger's secrets
	State  string           // path of state.db, made if it is missing; empty means that each start reads the whole stream
	Tick   time.Duration    // between publications; 0 means one second
	Now    func() time.Time // nil means time.Now
	Logger *zap.Logger      // nil means no logging
	// AcceptClock vouches for a clock that is more than 366 days ahead of the last
	// leaf; without it nothing is recorded then.
	AcceptClock bool
}

// Ledger is one ledger: one stream, one log, one order.
type Ledger struct {
	origin  string
	stream  string
	store   Store
	trees   Log
	keys    *keystore.Store
	secrets *keystore.Secrets
	tick    time.Duration
	now     func() time.Time
	log     *zap.Logger
	// acceptClock: see Config.
	acceptClock bool
	file        *stateFile // nil if the state is not kept

	queue   chan *request
	publish chan struct{} // capacity 1: somebody waits for a publication
	behind  chan struct{} // capacity 1: the sequencer met what the writer does not know
	stopped chan struct{}
	looking chan struct{} // a token for each recorded share that callers open at once

	mu    sync.RWMutex // guards state, seen and met; the writer alone changes state
	state *state
	seen  map[uint64][32]byte // digests of events that only one of writer and sequencer knows yet
	met   uint64              // how many events the sequencer has met
	stale bool                // writer only: the stream may be ahead of the state
	built *index.Tree         // writer only, while it folds a batch of its own: the index it made for it

	sequenced edge                   // sequencer only, after Open
	known     map[uint64]events.Hash // sequencer only: roots that were logged or published before, by size
	progress  *progress              // what the other goroutines may know of the sequencer's work

	blocked   atomic.Pointer[error] // why the log takes no leaves now; set by the sequencer
	published atomic.Pointer[Published]
	publishMu sync.Mutex
	waiters   chan struct{}   // closed and replaced at each publication, under publishMu
	ckptHead  events.Expected // publisher only, after Open
	ckptStale bool            // publisher only: the checkpoint stream may be ahead of ckptHead
}

// Stream is the name of a ledger's event stream.
func Stream(id string) string { return "sharetrail-" + id }

// Open folds the stream, from its beginning or from where state.db ends, checks
// it against the keystore, the log and the last checkpoint, and writes the
// genesis of a new ledger. Run must be called for anything to happen afterwards,
// and Close at the end.
func Open(ctx context.Context, cfg Config) (*Ledger, error) {
	l, err := newLedger(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the ledger %s: %w", l.origin, err), l.Close())
	}
	return l, nil
}

// newLedger returns a ledger that knows nothing yet.
func newLedger(ctx context.Context, cfg Config) (*Ledger, error) {
	secrets, err := cfg.Keys.Secrets(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	l := &Ledger{
		origin: secrets.Log.Name(), stream: Stream(cfg.ID), store: cfg.Store, trees: cfg.Log, keys: cfg.Keys,
		secrets: secrets, tick: cfg.Tick, now: cfg.Now, log: cfg.Logger, acceptClock: cfg.AcceptClock,
		queue: make(chan *request), publish: make(chan struct{}, 1), behind: make(chan struct{}, 1), stopped: make(chan struct{}),
		looking: make(chan struct{}, maxLooking),
		state:   newState(), seen: map[uint64][32]byte{}, progress: newProgress(), waiters: make(chan struct{}),
	}
	if l.tick == 0 {
		l.tick = time.Second
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = zap.NewNop()
	}
	if cfg.State != "" {
		if l.file, err = openStateFile(ctx, cfg.State, secrets, l.log); err != nil {
			return nil, fmt.Errorf("opening the ledger %s: %w", l.origin, err)
		}
	}
	return l, nil
}

// start folds the stream and refuses to go on from anything that is not what
// was logged and published before.
func (l *Ledger) start(ctx context.Context) error {
	last, err := l.lastCheckpoint(ctx)
	if err != nil {
		return err
	}
	logged, root, err := l.trees.Root(ctx)
	if err != nil {
		return fmt.Errorf("asking the log for its root: %w", err)
	}
	l.sequenced, l.known, l.met = newEdge(), map[uint64]events.Hash{}, logged
	if logged > 0 {
		l.known[logged] = root
	}
	if last != nil {
		if r, ok := l.known[last.Size]; ok && r != last.Root {
			return fmt.Errorf("the log's root at %d is not the published one: %w", last.Size, ErrCorrupt)
		}
		l.known[last.Size] = last.Root
		l.state.shown = last.Size
	}
	if err := l.recall(ctx, logged); err != nil {
		return err
	}
	if err := l.checkMark(ctx, last); err != nil {
		return err
	}
	if n := max(logged, l.state.shown); n > l.state.next {
		return fmt.Errorf("the stream has %d events, but %d were logged or published: the event store is older than they are; bring back the newer one: %w",
			l.state.next, n, ErrCorrupt)
	}
	if l.state.next == 0 {
		return l.genesis(ctx)
	}
	if last != nil {
		snap, ok := l.state.snapshots[last.Size]
		if !ok {
			return fmt.Errorf("the last checkpoint's size %d does not end with a state leaf: %w", last.Size, ErrCorrupt)
		}
		if err := l.show(ctx, last, snap); err != nil {
			return err
		}
	}
	l.progress.agree(logged)
	return nil
}

// replay folds what the state does not know of the stream; our own tree grows with it as far as the log
// has come, the rest is the sequencer's.
func (l *Ledger) replay(ctx context.Context, logged uint64) error {
	for e, err := range l.store.Read(ctx, l.stream, l.state.next, 1<<62) {
		if err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		if err := l.fold(ctx, e, l.keys.ByLabel); err != nil {
			return err
		}
		if e.Revision < logged {
			if _, err := l.advance(e); err != nil {
				return err
			}
		}
		if l.file != nil && l.state.next%replayFlush == 0 {
			if err := l.file.flush(ctx); err != nil {
				l.log.Warn("the state was not written", zap.Error(err))
			}
		}
	}
	return nil
}

// replayFlush is after how many events a replay writes the state: it may be long
// and be killed.
const replayFlush = 1 << 16

// checkMark compares what was recalled with what the keystore remembers of the
// ledger. An event store that is empty or older would otherwise be continued
// under the same keys, and sizes signed twice.
func (l *Ledger) checkMark(ctx context.Context, last *Published) error {
	mark, found, err := l.keys.Mark(ctx)
	if err != nil || !found {
		return err
	}
	switch {
	case l.state.next == 0:
		return fmt.Errorf("the event store has no events of this ledger, whose keys are here: it is another one or an empty one; bring back the ledger's: %w", ErrCorrupt)
	case l.state.genesis != mark.Genesis:
		return fmt.Errorf("the stream begins with another genesis than the ledger of these keys: %w", ErrCorrupt)
	case mark.Size > 0 && (last == nil || last.Size < mark.Size):
		return fmt.Errorf("size %d was published and the event store does not know it: it is an older copy; bring back the newer one: %w", mark.Size, ErrCorrupt)
	case last != nil && last.Size == mark.Size && last.Root != mark.Root:
		return fmt.Errorf("another root was published at size %d: %w", mark.Size, ErrCorrupt)
	}
	return nil
}

// genesis appends leaf 0.
func (l *Ledger) genesis(ctx context.Context) error {
	req := &request{reply: make(chan reply, 1)}
	undecided, err := l.writeBatch(ctx, []*request{req})
	if err != nil {
		return err
	}
	if len(undecided) > 0 { // another instance was first
		if err := l.catchUp(ctx); err != nil {
			return err
		}
		return l.keys.SetMark(ctx, keystore.Mark{Genesis: l.state.genesis})
	}
	r := <-req.reply
	if r.err != nil {
		return fmt.Errorf("writing the genesis: %w", r.err)
	}
	l.log.Info("ledger created", zap.String("origin", l.origin))
	return l.keys.SetMark(ctx, keystore.Mark{Genesis: l.state.genesis})
}

// Run writes, sequences and publishes until ctx ends or a fault makes going on
// unsafe, which it returns.
func (l *Ledger) Run(ctx context.Context) error {
	defer close(l.stopped)
	g, ctx := errgroup.WithContext(ctx)
	if l.file != nil {
		g.Go(func() error { l.file.write(ctx); return nil })
	}
	g.Go(func() error { return l.write(ctx) })
	g.Go(func() error { return l.sequence(ctx) })
	g.Go(func() error { return l.publishLoop(ctx) })
	if err := g.Wait(); err != nil {
		l.log.Error("ledger stopped", zap.Error(err))
		return err
	}
	return nil
}

// Close gives back what Open took, after Run has ended. What the state file lacks
// is written; what cannot be is folded again at the next start.
func (l *Ledger) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.close()
}

// Origin is the ledger's name in checkpoints and reports.
func (l *Ledger) Origin() string { return l.origin }

// Stream is the name of the ledger's event stream.
func (l *Ledger) Stream() string { return l.stream }

func (l *Ledger) vrfKey() events.Hash { return events.Hash(l.secrets.VRF.PublicKey().Bytes()) }

// Trust is what a reader of reports pins.
func (l *Ledger) Trust() *verifier.Trust {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return &verifier.Trust{
		Suite: 1, Origin: l.origin, Log: l.secrets.LogVerifier, Policy: verifier.NoQuorum(l.secrets.LogVerifier),
		VRF: l.vrfKey(), Genesis: l.state.genesis,
		Report: l.secrets.ReportVerifier, Predecessors: []string{},
	}
}

// Status says how far the ledger is. Each figure counts leaves.
type Status struct {
	Origin    string `json:"origin"`
	Accepted  uint64 `json:"accepted"`
	Logged    uint64 `json:"logged"`
	Published uint64 `json:"published"`
	Foreign   uint64 `json:"foreign" doc:"events in the stream that are not ours; must be 0"`
	Blocked   string `json:"blocked,omitempty" doc:"why nothing is recorded now"`
	Waiting   string `json:"waiting,omitempty" doc:"why the log does not answer: what is recorded waits to be logged and published"`
}

// Status returns how far the ledger is.
func (l *Ledger) Status() Status {
	l.mu.RLock()
	s := Status{Origin: l.origin, Accepted: l.state.next, Foreign: l.state.foreign}
	l.mu.RUnlock()
	s.Logged = l.progress.size()
	if p := l.published.Load(); p != nil {
		s.Published = p.Size
	}
	if err := l.block(); err != nil {
		s.Blocked = err.Error()
	}
	if log, ok := l.trees.(interface{ Waiting() error }); ok {
		if err := log.Waiting(); err != nil {
			s.Waiting = err.Error()
		}
	}
	return s
}

// Find returns the leaf index of an event of ours.
func (l *Ledger) Find(id events.ID) (index uint64, found bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	index, found = l.state.indices[id]
	return index, found
}

// IdentityRules returns the identity rules in force, which never change.
func (l *Ledger) IdentityRules() []events.IdentityRule {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.rules.Identities
}

// ParseIdentity reads an identity under the ledger's rules.
func (l *Ledger) ParseIdentity(text string) (events.Identity, error) {
	return events.ParseIdentity(l.IdentityRules(), text)
}
