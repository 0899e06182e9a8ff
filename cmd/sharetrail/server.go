package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/internal/api"
)

// dataFlags say on which ledger a verb works.
type dataFlags struct {
	data     string
	logLevel string
	patience time.Duration
	// acceptClock vouches for a clock that is far ahead of the last leaf.
	acceptClock bool
}

func (f *dataFlags) register(cmd *cobra.Command) {
	dir := os.Getenv("SHARETRAIL_DATA")
	if dir == "" {
		dir = "sharetrail-data"
	}
	cmd.Flags().StringVar(&f.data, "data", dir, "data `directory`; the variable SHARETRAIL_DATA sets the default")
	cmd.Flags().StringVar(&f.logLevel, "log-level", "warn", "debug, info, warn or error; logs go to stderr")
	cmd.Flags().DurationVar(&f.patience, "patience", time.Minute,
		"how long to wait for another sharetrail that has the directory for itself, and for a log server that is away")
}

// registerWaiting is register for a verb that speaks /v1.
func (f *dataFlags) registerWaiting(cmd *cobra.Command) {
	f.register(cmd)
	f.registerClock(cmd)
}

// registerClock is for verbs that may start the ledger.
func (f *dataFlags) registerClock(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.acceptClock, "accept-clock", false, "record although the clock is more than 366 days ahead of the last leaf; once is enough")
}

// config is how the ledger of the data directory is opened.
func (f *dataFlags) config() (instanceConfig, error) {
	log, err := newLogger(f.logLevel)
	if err != nil {
		return instanceConfig{}, err
	}
	s, err := readSettings(f.data)
	if err != nil {
		return instanceConfig{}, err
	}
	return instanceConfig{
		dir: f.data, id: s.ID, origin: s.Origin, eventStore: s.EventStore, logServer: s.Trillian, views: s.Views, log: log,
		acceptClock: f.acceptClock, patience: f.patience, predecessor: s.Predecessor,
	}, nil
}

// withServer speaks /v1 to the server that runs on the data directory, or to one
// of its own for as long as do takes. It waits for another verb that has the
// directory for itself, and for a server that is just starting; for work beside a
// long import there is serve.
func (f *dataFlags) withServer(ctx context.Context, do func(context.Context, *api.Client) error) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	cfg.private = true
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	hint := time.After(2 * time.Second)
	for patience := time.After(f.patience); ; {
		if api.Reachable(ctx, f.data) {
			return do(ctx, api.NewClient(f.data))
		}
		in, err := openInstance(ctx, cfg)
		if err == nil {
			return in.during(ctx, do)
		}
		if !errors.Is(err, errBusy) {
			return err
		}
		select {
		case <-again.C:
		case <-hint:
			fmt.Fprintf(os.Stderr, "waiting for another sharetrail on %s to finish\n", f.data)
		case <-patience:
			return fmt.Errorf("waiting for %s (--patience): %w", f.patience, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// during serves for as long as do takes, and closes everything.
func (in *instance) during(ctx context.Context, do func(context.Context, *api.Client) error) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	g, running := errgroup.WithContext(running)
	g.Go(func() error { return in.run(running) })
	g.Go(func() error {
		defer stop()
		return do(running, api.NewClient(in.socket))
	})
	return errors.Join(g.Wait(), in.close())
}
