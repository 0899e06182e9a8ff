// Package ledgertest opens real ledgers for tests, and audits them from outside.
//
// Nothing is faked: an embedded event store behind the official client, stock
// Trillian over SQLite, a keystore, all in a temporary directory. Faults are put
// between them by wrapping the real parts (Config.Store, Config.Log).
//
// Check is to be called after every step of a test. It reads everything the
// ledger stored and judges it by the formats alone; of package ledger it trusts
// nothing but the reports, which it has verified.
package ledgertest

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/trillianlog"
	trillian "github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

const (
	// ID and Origin name every ledger of this package.
	ID     = "test"
	Origin = "sharetrail.example/test"
)

// Config says how a ledger of a test differs from the usual one.
type Config struct {
	Dir    string                          // empty: a temporary directory
	Store  func(ledger.Store) ledger.Store // wraps the event store; nil: as it is
	Log    func(ledger.Log) ledger.Log     // wraps the log; nil: as it is
	Tick   time.Duration                   // 0: an hour, so that only waiting publishes
	Now    func() time.Time                // nil: time.Now
	Logger *zap.Logger                     // nil: silence
	Rules  *events.Rules                   // of a new ledger; nil: the usual ones
	// AcceptClock vouches for a clock far ahead of the last leaf.
	AcceptClock bool
	Patience    time.Duration // with cosigners; 0: ten seconds
	// Of a ledger that continues another one.
	Origin       string // empty: Origin
	Predecessor  string
	Predecessors []string
	Authorities  []string // of a new ledger: those under whose orders it seals
}

// Parts is what a ledger runs on.
type Parts struct {
	Store   *esdb.Store
	Log     *trillianlog.Log
	Keys    *keystore.Store
	Dir     string
	opened  bool // a ledger keeps its state in Dir
	closers []func() error
}

// Close closes the parts in the reverse order of their opening.
func (p *Parts) Close() (err error) {
	for i := len(p.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, p.closers[i]())
	}
	p.closers = nil
	return err
}

// OpenParts opens or creates the parts in a directory.
func OpenParts(ctx context.Context, dir string, log *zap.Logger) (*Parts, error) {
	return openParts(ctx, dir, Origin, log)
}

func openParts(ctx context.Context, dir, origin string, log *zap.Logger) (*Parts, error) {
	p := &Parts{Dir: dir}
	if err := p.open(ctx, dir, origin, log); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Parts) open(ctx context.Context, dir, origin string, log *zap.Logger) (err error) {
	if p.Keys, err = keystore.Open(ctx, dir); err != nil {
		return err
	}
	p.closers = append(p.closers, p.Keys.Close)
	if _, err := p.Keys.Origin(ctx); errors.Is(err, keystore.ErrNoLedger) {
		err = p.Keys.Create(ctx, origin)
		if err != nil {
			return err
		}
	}
	node, err := embedded.Open(ctx, embedded.Config{Path: filepath.Join(dir, "events.db"), Logger: log})
	if err != nil {
		return err
	}
	p.closers = append(p.closers, node.Close)
	if p.Store, err = esdb.Open(ctx, esdb.Config{Target: node.Target(), Logger: log}); err != nil {
		return err
	}
	p.closers = append(p.closers, p.Store.Close)
	server, err := trillian.Open(ctx, trillian.Config{Path: filepath.Join(dir, "log.db"), Logger: log})
	if err != nil {
		return err
	}
	p.closers = append(p.closers, server.Close)
	p.Log, err = trillianlog.Open(ctx, trillianlog.Config{
		Conn: server.Conn(), TreeName: ID, Logger: log,
		Integrate: func(ctx context.Context, tree int64) error {
			_, err := server.Integrate(ctx, tree)
			return err
		},
	})
	return err
}

// OpenLedger opens a ledger on parts, which another ledger may share. The first
// one keeps its state beside them. Closing the parts closes it; it must have
// stopped.
func (p *Parts) OpenLedger(ctx context.Context, c Config) (*ledger.Ledger, error) {
	cfg := ledger.Config{ID: ID, Store: p.Store, Log: p.Log, Keys: p.Keys, Tick: c.Tick, Now: c.Now, Logger: c.Logger, AcceptClock: c.AcceptClock, Rules: c.Rules,
		Publication: filepath.Join(p.Dir, "publication.json"), Patience: c.Patience,
		Predecessor: c.Predecessor, Predecessors: c.Predecessors, Authorities: c.Authorities}
	if c.Store != nil {
		cfg.Store = c.Store(p.Store)
	}
	if c.Log != nil {
		cfg.Log = c.Log(p.Log)
	}
	if cfg.Tick == 0 {
		cfg.Tick = time.Hour
	}
	if !p.opened {
		cfg.Index = filepath.Join(p.Dir, "index")
		cfg.State, cfg.Tiles = filepath.Join(p.Dir, "state.db"), p.TilesDir()
	}
	l, err := ledger.Open(ctx, cfg)
	if err == nil {
		p.opened = true
		p.closers = append(p.closers, l.Close)
	}
	return l, err
}

// TilesDir is where the first ledger writes the log's tiles.
func (p *Parts) TilesDir() string { return filepath.Join(p.Dir, "tiles") }

// Verify verifies the ledger that has run on the parts and has stopped.
func (p *Parts) Verify(ctx context.Context) (ledger.Verified, error) {
	return ledger.Verify(ctx, ledger.Config{
		ID: ID, Store: p.Store, Log: p.Log, Keys: p.Keys, State: filepath.Join(p.Dir, "state.db"), Index: filepath.Join(p.Dir, "index"), Tiles: p.TilesDir(),
	}, nil)
}

// Running is a ledger at work.
type Running struct {
	*ledger.Ledger
	stop context.CancelFunc
	done chan error
}

// Run starts a ledger's work.
func Run(ctx context.Context, l *ledger.Ledger) *Running {
	ctx, stop := context.WithCancel(ctx)
	r := &Running{Ledger: l, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- l.Run(ctx) }()
	return r
}

// Stop ends the work and returns what Run returned. It may be called once more.
func (r *Running) Stop() error {
	r.stop()
	return r.Wait()
}

// Wait returns what Run returned, when it has ended by itself.
func (r *Running) Wait() error {
	err := <-r.done
	r.done <- err
	return err
}

// Ledger is a running ledger of a test, with a model of what was recorded.
type Ledger struct {
	*Running
	*Parts
	Dir     string
	Foreign int // events in the stream that are not ours, and are known to the test
	Model   *Model
	// MaxReports bounds how many parties Check has reports written for, drawn at
	// random when there are more. Their labels are checked for all.
	MaxReports int
}

// New opens a new ledger, or the one in Config.Dir, and runs it until the test
// ends.
func New(t testing.TB, c Config) *Ledger {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	l := &Ledger{Dir: c.Dir, Model: newModel(), MaxReports: 12}
	l.Open(t, c)
	t.Cleanup(func() {
		if l.Running == nil {
			return
		}
		if err := l.Running.Stop(); err != nil && !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("the ledger ended with: %v", err)
		}
		if err := l.Parts.Close(); err != nil {
			t.Errorf("closing the ledger's parts: %v", err)
		}
	})
	return l
}

// TryOpen opens the ledger in Dir after Close, and returns why that fails.
func (l *Ledger) TryOpen(t testing.TB, c Config) error {
	t.Helper()
	parts, err := openParts(t.Context(), l.Dir, cmp.Or(c.Origin, Origin), nil)
	if err != nil {
		return err
	}
	opened, err := parts.OpenLedger(t.Context(), c)
	if err != nil {
		return errors.Join(err, parts.Close())
	}
	// The context of a test ends before its cleanups, which stop the ledger.
	l.Parts, l.Running = parts, Run(context.WithoutCancel(t.Context()), opened)
	return nil
}

// Open is TryOpen that must succeed.
func (l *Ledger) Open(t testing.TB, c Config) {
	t.Helper()
	if err := l.TryOpen(t, c); err != nil {
		t.Fatalf("opening the ledger: %v", err)
	}
}

// Close stops the ledger and closes its parts. It returns what Run returned.
func (l *Ledger) Close(t testing.TB) error {
	t.Helper()
	err := l.Running.Stop()
	if closing := l.Parts.Close(); closing != nil {
		t.Fatalf("closing the ledger's parts: %v", closing)
	}
	l.Running = nil
	return err
}

// Reopen closes the ledger, which must have run without a fault, and opens it
// again.
func (l *Ledger) Reopen(t testing.TB, c Config) {
	t.Helper()
	if err := l.Close(t); err != nil {
		t.Fatalf("the ledger ended with: %v", err)
	}
	l.Open(t, c)
}

// Publish waits until everything accepted so far is published.
func (l *Ledger) Publish(t testing.TB) *ledger.Published {
	t.Helper()
	p, err := l.WaitPublished(t.Context(), l.Status().Accepted-1)
	if err != nil {
		t.Fatalf("waiting for a publication: %v", err)
	}
	return p
}
