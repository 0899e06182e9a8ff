package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
)

const (
	demoID     = "demo"
	demoOrigin = "sharetrail.example/demo"
)

type demoFlags struct {
	data       string
	serve      bool
	network    listenFlags
	logLevel   string
	eventStore string
	logServer  string
	views      string
}

func demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Record eleven shares, write a person's report, verify it, and see a forgery refused",
		Long: `Runs a whole ledger in this process: an event store, a Trillian log, projections.
It needs nothing but a directory. Running it again on the same directory goes on
with the same ledger.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.network.check(); err != nil {
				return err
			}
			if f.network.listen != "" && !f.serve {
				return &events.FieldError{Field: "--listen", Rule: "needs --serve", Next: "add it, so that the demo keeps running"}
			}
			return demo(cmd.Context(), cmd.OutOrStdout(), f)
		},
	}
	cmd.Flags().StringVar(&f.data, "data", "sharetrail-demo", "data `directory`")
	f.network.register(cmd)
	cmd.Flags().BoolVar(&f.serve, "serve", false, "keep running; serve /v1 on the Unix socket in the data directory")
	cmd.Flags().StringVar(&f.logLevel, "log-level", "warn", "debug, info, warn or error; logs go to stderr")
	cmd.Flags().StringVar(&f.eventStore, "eventstore", "", "`connection` string of an EventStoreDB, instead of the embedded one")
	cmd.Flags().StringVar(&f.views, "views", "", "`URL` of a PostgreSQL for the read models, instead of files")
	cmd.Flags().StringVar(&f.logServer, "trillian", "", "`host:port` of a Trillian log server, instead of the embedded one")
	return cmd
}

func demo(ctx context.Context, out io.Writer, f demoFlags) error {
	log, err := newLogger(f.logLevel)
	if err != nil {
		return err
	}
	defer log.Sync()
	verify, cleanup, err := findVerifier(ctx)
	if err != nil {
		return err
	}
	defer cleanup()
	watchers := &neighbours{dir: filepath.Join(f.data, "demo-neighbours"), tiles: filepath.Join(f.data, tilesName), verify: verify}
	defer watchers.stop()
	in, err := openInstance(ctx, instanceConfig{
		dir: f.data, id: demoID, origin: demoOrigin, create: true, log: log, eventStore: f.eventStore, logServer: f.logServer, views: f.views,
		network: f.network,
		locked:  watchers.again, // what they have seen is compared when the ledger is opened
	})
	if err != nil {
		return err
	}
	// So that the other verbs work on the demo's ledger too.
	names := settings{ID: demoID, Origin: demoOrigin, EventStore: f.eventStore, Trillian: f.logServer, Views: f.views}
	if err := names.write(f.data); err != nil {
		return errors.Join(err, in.close())
	}
	if err := watchers.first(ctx, in.ledger.Trust().Marshal()); err != nil {
		return errors.Join(err, in.close())
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	g, running := errgroup.WithContext(running)
	g.Go(func() error { return in.run(running) })
	g.Go(func() error {
		defer stop()
		s := &story{out: out, dir: f.data, client: api.NewClient(f.data), verify: verify, watchers: watchers}
		if err := s.tell(running); err != nil || !f.serve {
			return err
		}
		if in.url != "" {
			s.say("\nPages and /v1, for actors with a token (sharetrail actor add NAME --role counsel --data %s): %s", f.data, in.url)
		}
		s.say("\nServing /v1 on %s. Stop with Ctrl-C.", filepath.Join(f.data, "api.sock"))
		<-running.Done()
		return nil
	})
	return errors.Join(g.Wait(), in.close())
}

// story is the demo as a user of the API sees it.
type story struct {
	out      io.Writer
	dir      string
	client   *api.Client
	verify   []string // how to run sharetrail-verify
	watchers *neighbours
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *story) tell(ctx context.Context) error {
	before, err := s.client.Status(ctx)
	if err != nil {
		return err
	}
	s.say("Ledger %s in %s: %d leaves accepted, %d published.\n", before.Origin, s.dir, before.Accepted, before.Published)
	if err := s.watched(ctx); err != nil {
		return err
	}
	if err := s.record(ctx); err != nil {
		return err
	}
	report, trust, err := s.report(ctx)
	if err != nil {
		return err
	}
	return s.check(ctx, report, trust)
}

func (s *story) record(ctx context.Context) error {
	s.say("1. Shares of personal data are recorded, one for each reason of the privacy statement")
	for _, situation := range situations(time.Now()) {
		start := time.Now()
		p, err := s.client.Record(ctx, situation.key, "accepted", situation.share)
		var problem *api.ProblemError
		switch {
		case errors.As(err, &problem) && problem.Status == 409:
			s.say("   known    %s (recorded by an earlier run)", situation.title)
			continue
		case err != nil:
			return fmt.Errorf("recording %q: %w", situation.title, err)
		case p.Repeat:
			s.say("   known    leaf %-3d %s (recorded by an earlier run; nothing was stored)", p.Index, situation.title)
		default:
			s.say("   %s leaf %-3d %s (%s)", p.State, p.Index, situation.title, time.Since(start).Round(100*time.Microsecond))
		}
	}
	return nil
}

// report has the report written, once everything recorded is published.
func (s *story) report(ctx context.Context) (report, trust string, err error) {
	written, err := s.client.WriteReport(ctx, demoSubject)
	if err != nil {
		return "", "", err
	}
	file, err := s.client.Report(ctx, written.ID)
	if err != nil {
		return "", "", err
	}
	pins, err := s.client.Trust(ctx)
	if err != nil {
		return "", "", err
	}
	report, trust = filepath.Join(s.dir, "ada.sharetrail"), filepath.Join(s.dir, "trust.json")
	if before, err := os.ReadFile(trust); err == nil && !bytes.Equal(before, pins) {
		return "", "", fmt.Errorf("%s pins another ledger than the one running here: move it away if you know why", trust)
	}
	if err := errors.Join(os.WriteFile(report, file, 0o600), os.WriteFile(trust, pins, 0o600)); err != nil {
		return "", "", err
	}
	s.say("\n2. The report about %s is written: %d entries under a checkpoint of %d leaves, %d bytes\n   %s",
		demoSubject, written.Entries, written.Size, len(file), report)
	return report, trust, nil
}

// check runs the verifier, a program that shares nothing with this one but the
// file, and then runs it on a forgery.
func (s *story) check(ctx context.Context, report, trust string) error {
	s.say("\n3. A separate program verifies it, offline, against the pinned trust file\n")
	code, err := s.runVerifier(ctx, report, trust)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("the verifier refused the report (exit %d)", code)
	}
	s.say("\n4. One byte of the file is flipped, and the same program refuses it\n")
	b, err := os.ReadFile(report)
	if err != nil {
		return err
	}
	forged := slices.Clone(b)
	forged[len(forged)*2/3] ^= 1
	path := filepath.Join(s.dir, "forged.sharetrail")
	if err := os.WriteFile(path, forged, 0o600); err != nil {
		return err
	}
	code, err = s.runVerifier(ctx, path, trust)
	if err != nil {
		return err
	}
	if code == 0 {
		return errors.New("the verifier accepted a forged report")
	}
	s.say("   refused with exit status %d\n", code)
	s.say("Check it yourself:\n   go run ./cmd/sharetrail-verify report --trust %s --id %s %s", trust, demoSubject, report)
	return nil
}
