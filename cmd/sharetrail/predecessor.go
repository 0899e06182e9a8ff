package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/verifier"
)

// predecessor is what a ledger's settings say of the one that it continues.
type predecessor struct {
	Data       string   `json:"data"`       // its data directory, from which reports take what it held
	Checkpoint string   `json:"checkpoint"` // the body of its last checkpoint, which leaf 0 repeats
	Trust      []string `json:"trust"`      // its trust file and those of the ledgers before it
}

// readPredecessor opens a closed ledger and returns what its successor of the given
// origin begins with.
func readPredecessor(ctx context.Context, dir, origin string, f *dataFlags) (*predecessor, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("--predecessor: %w", err)
	}
	old, err := openOld(ctx, abs, f)
	if err != nil {
		return nil, fmt.Errorf("--predecessor: %w", err)
	}
	defer old.close()
	successor, checkpoint, ok := old.ledger.Final()
	switch {
	case !ok:
		return nil, fmt.Errorf("--predecessor: the ledger %s goes on; end it first with: sharetrail close --data %s --successor %s", old.ledger.Origin(), dir, origin)
	case successor != origin:
		return nil, fmt.Errorf("--predecessor: the ledger %s named %q as its successor, not %s; make the ledger that it named", old.ledger.Origin(), successor, origin)
	}
	return &predecessor{Data: abs, Checkpoint: checkpoint, Trust: old.ledger.Trust().Succeed()}, nil
}

// openOld opens a ledger to be read: its keys, its events and its log, and no
// interface. It records nothing and publishes nothing.
func openOld(ctx context.Context, dir string, f *dataFlags) (*instance, error) {
	at := *f
	at.data = dir
	cfg, err := at.config()
	if err != nil {
		return nil, err
	}
	in := &instance{dir: dir, log: cfg.log}
	if err := in.openLedger(ctx, cfg); err != nil {
		return nil, explain(ctx, dir, errors.Join(err, in.close()))
	}
	return in, nil
}

// closedLedger proves what a closed ledger held. It is opened when the first report asks,
// and stays open: closed ledgers are many, reports about them few.
type closedLedger struct {
	dir   string
	flags dataFlags
	mu    sync.Mutex
	in    *instance // nil until it is asked
}

// Prove implements [projections.Prover].
func (o *closedLedger) Prove(ctx context.Context, q verifier.Query) (verifier.Evidence, error) {
	l, err := o.open(ctx)
	if err != nil {
		return verifier.Evidence{}, fmt.Errorf("opening the older ledger in %s: %w", o.dir, err)
	}
	return l.Prove(ctx, q)
}

func (o *closedLedger) open(ctx context.Context) (*ledger.Ledger, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.in == nil {
		in, err := openOld(context.WithoutCancel(ctx), o.dir, &o.flags)
		if err != nil {
			return nil, err
		}
		o.in = in
	}
	return o.in.ledger, nil
}

func (o *closedLedger) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.in == nil {
		return nil
	}
	return o.in.close()
}

// openBefore lists the ledgers that this one continues, the oldest first.
func (in *instance) openBefore(cfg instanceConfig) (before []projections.Prover, err error) {
	for at := cfg.predecessor; at != nil; {
		o := &closedLedger{dir: at.Data, flags: dataFlags{logLevel: "warn", patience: cfg.patience}}
		in.onClose(o.close)
		before = append([]projections.Prover{o}, before...)
		s, err := readSettings(at.Data)
		if err != nil {
			return nil, fmt.Errorf("reading the settings of the ledger that this one continues: %w", err)
		}
		at = s.Predecessor
	}
	return before, nil
}
