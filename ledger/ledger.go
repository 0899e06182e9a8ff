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
	"github.com/sharetrail/sharetrail/ledger/tiles"
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
	// Consistency proves that a size the log has reached continues a smaller one.
	Consistency(ctx context.Context, from, to uint64) ([][32]byte, error)
}

// Config says which ledger to open and on what.
type Config struct {
	ID    string // the stream is sharetrail-<ID>, the checkpoints' sharetrail-<ID>-checkpoints
	Store Store
	Log   Log
	Keys  *keystore.Store // must hold this ledger's secrets
	// Authorities are those under whose orders a new ledger can seal records,
	// namespace:local each. They stand in its rules and never change.
	Authorities []string
	State       string           // path of state.db, made if it is missing; empty means that each start reads the whole stream
	Index       string           // directory of the label index, made if it is missing; empty means that it is in memory
	Tiles       string           // directory of the log's tiles, made if it is missing; empty means that none are written
	Tick        time.Duration    // between publications; 0 means one second
	Now         func() time.Time // nil means time.Now
	Logger      *zap.Logger      // nil means no logging
	// Rules are those that a new ledger begins with, but for the authorities; nil means
	// events.DefaultRules. A ledger that has begun keeps its own.
	Rules *events.Rules
	// Predecessor is the body of the last checkpoint of the ledger that this one
	// continues, and Predecessors the trust files of it and of those before it
	// (verifier.Trust.Succeed). Empty for a ledger that continues none.
	Predecessor  string
	Predecessors []string
	// AcceptClock vouches for a clock that is more than 366 days ahead of the last
	// leaf; without it nothing is recorded then.
	AcceptClock bool
	// Publication is the path of the file that says whose signatures what is published
	// needs (SetPublication writes it); without a file nobody cosigns. Empty means that
	// SetPublication lasts until the end of the process.
	Publication string
	// Patience is how long a publication waits for its cosigners before the policy says
	// what is done without; 0 means ten seconds.
	Patience time.Duration
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
	// See Config.
	acceptClock  bool
	firstRules   *events.Rules // of leaf 0, if it is not there yet
	predecessor  string
	predecessors []string
	file         *stateFile    // nil if the state is not kept
	labels       *index.Store  // all labels; the writer commits to it, its versions are read by all
	indexDir     string        // empty if the labels are in memory
	tilesDir     string        // empty if no tiles are written
	tilesFailed  atomic.Bool   // a proof could not be read from them, which was told
	tiles        *tiles.Writer // nil if no tiles are written, and before start
	listed       []string      // authorities of a new ledger
	registers    registers

	queue   chan *request
	publish chan struct{} // capacity 1: somebody waits for a publication
	behind  chan struct{} // capacity 1: the sequencer met what the writer does not know
	stopped chan struct{}
	looking chan struct{} // a token for each recorded share that callers open at once

	completing completions // of records with continuations, by callers

	mu    sync.RWMutex // guards state, seen and met; the writer alone changes state
	state *state
	seen  map[uint64][32]byte // digests of events that only one of writer and sequencer knows yet
	met   uint64              // how many events the sequencer has met
	stale bool                // writer only: the stream may be ahead of the state
	built *index.Tree         // writer only, while it folds a batch of its own: the index it made for it

	sequenced edge                   // sequencer only, after Open
	known     map[uint64]events.Hash // sequencer only: roots that were logged or published before, by size
	guarded   map[uint64]*guarded    // sequencer only, after Open: what cosigners have signed, by size
	progress  *progress              // what the other goroutines may know of the sequencer's work

	blocked   atomic.Pointer[error] // why the log takes no leaves now; set by the sequencer
	published atomic.Pointer[Published]
	publishMu sync.Mutex
	waiters   chan struct{}   // closed and replaced at each publication, under publishMu
	ckptHead  events.Expected // publisher only, after Open
	pending   *Published      // publisher only, after Open: signed, and waits for cosignatures
	ckptStale bool            // publisher only: the checkpoint stream may be ahead of ckptHead
	tiled     tiled           // publisher only, after Open
	// publishedAt is when something was shown last; publisher only, after Open.
	publishedAt time.Time

	publicationFile string // see Config
	patience        time.Duration
	publication     atomic.Pointer[Publication]
	cosigners       atomic.Pointer[cosigners] // the publisher replaces them
	lacking         atomic.Pointer[lacking]   // nil while the quorum is met
	alarms          atomic.Uint64
	waiting         atomic.Uint64 // size of pending, for Status
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
		secrets: secrets, tick: cfg.Tick, now: cfg.Now, log: cfg.Logger, acceptClock: cfg.AcceptClock, firstRules: cfg.Rules, tilesDir: cfg.Tiles,
		predecessor: cfg.Predecessor, predecessors: append([]string{}, cfg.Predecessors...),
		listed: cfg.Authorities, registers: registers{all: map[keystore.PartyID][]sealStep{}},
		queue: make(chan *request), publish: make(chan struct{}, 1), behind: make(chan struct{}, 1), stopped: make(chan struct{}),
		looking:         make(chan struct{}, maxLooking),
		indexDir:        cfg.Index,
		publicationFile: cfg.Publication, patience: cfg.Patience,
		state: newState(), seen: map[uint64][32]byte{}, progress: newProgress(), waiters: make(chan struct{}),
	}
	if l.firstRules == nil {
		l.firstRules = events.DefaultRules()
	}
	if l.tick == 0 {
		l.tick = time.Second
	}
	if l.patience == 0 {
		l.patience = defaultPatience
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = zap.NewNop()
	}
	if l.labels, err = index.Open(index.Config{}); err != nil { // until start
		return nil, fmt.Errorf("opening the ledger %s: %w", l.origin, err)
	}
	if err := l.readPublication(); err != nil {
		return nil, fmt.Errorf("opening the ledger %s: %w", l.origin, err)
	}
	if cfg.State != "" {
		if l.file, err = openStateFile(ctx, cfg.State, secrets, l.log); err != nil {
			return nil, fmt.Errorf("opening the ledger %s: %w", l.origin, err)
		}
	}
	return l, nil
}

// Run writes, sequences and publishes until ctx ends or a fault makes going on
// unsafe, which it returns.
func (l *Ledger) Run(ctx context.Context) error {
	defer close(l.stopped)
	if open, err := l.Unfinished(ctx); err == nil && len(open) > 0 {
		l.log.Error("records are open: not all of their people have their entries; repeat the commands they come from, with their keys", zap.Int("records", len(open)))
	}
	g, ctx := errgroup.WithContext(ctx)
	if l.file != nil {
		g.Go(func() error { l.file.write(ctx); return nil })
	}
	g.Go(func() error { return l.write(ctx) })
	g.Go(func() error { return l.sequence(ctx) })
	g.Go(func() error { return l.publishLoop(ctx) })
	g.Go(func() error { return l.endWindows(ctx) })
	if err := g.Wait(); err != nil {
		l.log.Error("ledger stopped", zap.Error(err))
		return err
	}
	return nil
}

// Close gives back what Open took, after Run has ended. What the state file lacks
// is written; what cannot be is folded again at the next start.
func (l *Ledger) Close() error {
	err := l.labels.Close()
	if l.file == nil {
		return err
	}
	return errors.Join(err, l.file.close())
}

// Origin is the ledger's name in checkpoints and reports.
func (l *Ledger) Origin() string { return l.origin }

// TilesDir is the directory of the log's tiles, empty if none are written.
func (l *Ledger) TilesDir() string { return l.tilesDir }

// Public reports whether the rules publish the log for everybody.
func (l *Ledger) Public() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.rules != nil && l.state.rules.Publication == events.PublicationPublic
}

// Stream is the name of the ledger's event stream.
func (l *Ledger) Stream() string { return l.stream }

func (l *Ledger) vrfKey() events.Hash { return events.Hash(l.secrets.VRF.PublicKey().Bytes()) }

// Trust is what a reader of reports pins.
func (l *Ledger) Trust() *verifier.Trust {
	l.mu.RLock()
	defer l.mu.RUnlock()
	t := l.trust(l.publication.Load().policy)
	t.Genesis = l.state.genesis
	return t
}

// trust is the trust file under a policy, but for the genesis, which a new ledger
// does not have yet.
func (l *Ledger) trust(policy *verifier.Policy) *verifier.Trust {
	return &verifier.Trust{
		Suite: 1, Origin: l.origin, Log: l.secrets.LogVerifier, Policy: policy.Public().String(),
		VRF: l.vrfKey(), Genesis: events.Hash{1},
		Report: l.secrets.ReportVerifier, Predecessors: l.predecessors,
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
	Finished  string `json:"finished,omitempty" doc:"that the ledger is closed for good, and where to record instead"`
	// Of cosigners.
	Pending   uint64           `json:"pending,omitempty" doc:"leaves under a signed checkpoint that waits for cosignatures and is not published"`
	SeenAt    string           `json:"seen_at,omitempty" doc:"since when the quorum of cosigners had seen what is published, and nothing newer"`
	Lacking   string           `json:"lacking,omitempty" doc:"what the quorum of cosigners lacks now"`
	Missing   string           `json:"missing,omitempty" doc:"what is done meanwhile: wait, publish or stop"`
	Alarms    uint64           `json:"alarms,omitempty" doc:"how often a cosigner refused this ledger's history; must be 0"`
	Cosigners []CosignerStatus `json:"cosigners,omitempty"`
	Waiting   string           `json:"waiting,omitempty" doc:"why the log does not answer: what is recorded waits to be logged and published"`
}

// Status returns how far the ledger is.
func (l *Ledger) Status() Status {
	l.mu.RLock()
	s := Status{Origin: l.origin, Accepted: l.state.next, Foreign: l.state.foreign}
	if err := l.state.finished(); err != nil {
		s.Finished = err.Error()
	}
	l.mu.RUnlock()
	s.Logged = l.progress.size()
	if p := l.published.Load(); p != nil {
		s.Published = p.Size
	}
	l.cosignerStatus(&s)
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

// Find returns the leaf index of an event of ours. What is under seal is not
// found: it is answered as what never was.
func (l *Ledger) Find(id events.ID) (index uint64, found bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.unsealed(id)
}

// place is Find, for the ledger itself: also of what is under seal.
func (l *Ledger) place(id events.ID) (index uint64, found bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.place(id)
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
