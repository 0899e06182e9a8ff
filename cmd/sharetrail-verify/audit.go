package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/audit"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// auditFlags is how an audit is started.
type auditFlags struct {
	where, trust, state, key, token, listen, output string
	json, withStdin                                 bool
}

func parseAudit(args []string) (f auditFlags, err error) {
	flags := flag.NewFlagSet("audit", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&f.trust, "trust", "", "")
	flags.StringVar(&f.state, "state", "", "")
	flags.StringVar(&f.key, "key", "", "")
	flags.StringVar(&f.token, "token-file", "", "")
	flags.StringVar(&f.listen, "listen", "", "")
	flags.StringVar(&f.output, "output", "", "")
	flags.BoolVar(&f.json, "json", false, "")
	flags.BoolVar(&f.withStdin, "with-stdin", false, "")
	logs, err := parse(flags, args)
	switch {
	case err != nil:
		return f, fmt.Errorf("%w; run sharetrail-verify help", err)
	case len(logs) != 1:
		return f, fmt.Errorf("one log must be named, its directory or URL, not %d; run sharetrail-verify help", len(logs))
	case f.trust == "":
		return f, errors.New("--trust: is required; name the ledger's trust file")
	case f.state == "":
		return f, errors.New("--state: is required; name a directory that keeps what was audited, such as audit-state")
	case f.listen != "" && f.key == "":
		return f, errors.New("--listen: needs --key, with which checkpoints are cosigned; make one with sharetrail-verify keygen")
	case f.output != "" && (f.key == "" || f.listen != ""):
		return f, errors.New("--output: is for the cosigned checkpoint of one audit; name --key, and no --listen")
	}
	f.where = logs[0]
	return f, nil
}

// auditing is an audit with what it needs.
type auditing struct {
	auditFlags
	trust   *verifier.Trust
	source  tiles.Source
	key     *verifier.CosignerKey // nil: nothing is cosigned
	auditor *audit.Auditor
}

// runAudit replays a log, once or whenever it is asked to cosign.
func runAudit(args []string, stdout, stderr io.Writer, now time.Time) int {
	f, err := parseAudit(args)
	if err != nil {
		return fail(stderr, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	show, end := progress("auditing")
	a, err := openAudit(f, show)
	if err != nil {
		return fail(stderr, err)
	}
	defer a.auditor.Close()
	if f.withStdin {
		go func() { io.Copy(io.Discard, os.Stdin); stop() }()
	}
	c, note, err := audit.Read(ctx, a.source, a.trust)
	var found audit.Found
	if err == nil {
		found, err = a.auditor.Audit(ctx, a.source, c)
	}
	end()
	if err != nil && !(f.listen != "" && errors.Is(err, audit.ErrNone)) { // who listens may be there first
		return logAnswer(stdout, stderr, err)
	}
	if f.listen != "" {
		if found.Leaves > 0 {
			told(stdout, found)
		}
		if err := a.serve(ctx, stdout, stderr); err != nil {
			return fail(stderr, err)
		}
		return verified
	}
	if err := a.finish(stdout, found, c, string(note), now); err != nil {
		return fail(stderr, err)
	}
	return verified
}

func openAudit(f auditFlags, show func(done, total uint64)) (*auditing, error) {
	a := &auditing{auditFlags: f}
	var err error
	if a.trust, err = readTrust(f.trust); err != nil {
		return nil, fmt.Errorf("--trust: %w", err)
	}
	if a.source, err = openLog(f.where, f.token); err != nil {
		return nil, err
	}
	if f.key != "" {
		if a.key, err = readCosignerKey(f.key); err != nil {
			return nil, fmt.Errorf("--key: %w", err)
		}
	}
	a.auditor, err = audit.Open(audit.Config{Trust: a.trust, Dir: f.state, Progress: show})
	return a, err
}

// told says what an audit has found whole.
func told(out io.Writer, f audit.Found) {
	fmt.Fprintf(out, "WHOLE: %d leaves of %s, %d of them new; %d labels in the index, %d state leaves.\n", f.Leaves, f.Origin, f.New, f.Labels, f.States)
	fmt.Fprintf(out, "The ledger dated its last state %s, by its own clock.\n", minute(time.UnixMilli(int64(f.TimeMS)).UTC()))
	if f.Foreign > 0 {
		fmt.Fprintf(out, "%d leaves stand for events that are not the ledger's: ask its operator who wrote into its stream.\n", f.Foreign)
	}
	fmt.Fprintln(out, "Checked: each leaf's form and time, that no label comes twice, each state's index, keys, rules and order, the root, and that all of it continues what was audited before.")
	fmt.Fprintln(out, "Not checked, because no log can show it: that every share was recorded, and about the right people.")
}

// finish tells what was found, and cosigns if there is a key. Without --output or
// --json the cosigned checkpoint is all that goes to stdout.
func (a *auditing) finish(stdout io.Writer, found audit.Found, c verifier.Checkpoint, note string, now time.Time) error {
	var cosigned string
	if a.key != nil {
		line, err := a.key.Cosign(c, now)
		if err != nil {
			return err
		}
		cosigned = note + line
	}
	switch {
	case a.json:
		enc := json.NewEncoder(stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(struct {
			audit.Found
			Checkpoint string `json:"cosigned,omitempty"`
		}{found, cosigned}); err != nil {
			return err
		}
	case a.key == nil || a.output != "":
		told(stdout, found)
	default:
		told(os.Stderr, found)
		_, err := io.WriteString(stdout, cosigned)
		return err
	}
	if a.output == "" {
		return nil
	}
	if err := os.WriteFile(a.output, []byte(cosigned), 0o644); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	return nil
}

// serve cosigns what the ledger sends (c2sp.org/tlog-witness), after an audit of
// each.
func (a *auditing) serve(ctx context.Context, stdout, stderr io.Writer) error {
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	return serveWitness(ctx, a.listen, witness.Config{
		Key: a.key, Dir: filepath.Join(a.state, "cosigned"), Logger: logger,
		Logs: []witness.Log{{Origin: a.trust.Origin, Key: a.trust.Log}},
		Before: func(ctx context.Context, _ uint64, c verifier.Checkpoint, _ string) error {
			found, err := a.auditor.Audit(ctx, a.source, c)
			var f *audit.Fault
			switch {
			case errors.Is(err, audit.ErrOlder): // a part of what was audited
				return nil
			case errors.As(err, &f):
				logger.Error("the log is at fault; nothing more of it is cosigned", "leaf", f.Index, "rule", f.Rule, "next", f.Next)
				return fmt.Errorf("%w: %w", witness.ErrFault, err)
			case err != nil:
				logger.Warn("not audited; it will be tried again when the ledger asks again", "error", err)
				return err
			}
			logger.Info("audited", "leaves", found.Leaves, "new", found.New)
			return nil
		},
	}, stdout)
}
