package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/audit"
	"github.com/sharetrail/sharetrail/verifier/watch"
)

// watchFlags is how somebody watches a log.
type watchFlags struct {
	where, trust, report, id, role, handle, state, token string
	from                                                 uint64
	every                                                time.Duration
	json                                                 bool
}

func parseWatch(args []string) (f watchFlags, err error) {
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&f.trust, "trust", "", "")
	flags.StringVar(&f.report, "report", "", "")
	flags.StringVar(&f.id, "id", "", "")
	flags.StringVar(&f.role, "role", events.RoleSubject.String(), "")
	flags.StringVar(&f.handle, "handle-file", "", "")
	flags.StringVar(&f.state, "state", "", "")
	flags.StringVar(&f.token, "token-file", "", "")
	flags.Uint64Var(&f.from, "from", 0, "")
	flags.DurationVar(&f.every, "every", 0, "")
	flags.BoolVar(&f.json, "json", false, "")
	logs, err := parse(flags, args)
	switch {
	case err != nil:
		return f, fmt.Errorf("%w; run sharetrail-verify help", err)
	case len(logs) != 1:
		return f, fmt.Errorf("one log must be named, its directory or URL, not %d; run sharetrail-verify help", len(logs))
	case f.trust == "":
		return f, errors.New("--trust: is required; name the ledger's trust file")
	case (f.report == "") == (f.handle == ""):
		return f, errors.New("--report: name your newest report, with --id; or --handle-file with a file that holds the handle, - for stdin")
	case f.report != "" && f.id == "":
		return f, errors.New("--id: is required with --report; say who it is about, such as email:ada@example.com")
	case f.report != "" && f.from != 0:
		return f, errors.New("--from: is for --handle-file; a report says itself from where on")
	case f.every != 0 && f.every < time.Second:
		return f, errors.New("--every: must be at least 1s; leave it out to look once")
	}
	f.where = logs[0]
	return f, nil
}

// runWatch looks for new entries, once or until it is stopped.
func runWatch(args []string, stdout, stderr io.Writer) int {
	f, err := parseWatch(args)
	if err != nil {
		return fail(stderr, err)
	}
	trust, err := readTrust(f.trust)
	if err != nil {
		return fail(stderr, fmt.Errorf("--trust: %w", err))
	}
	source, err := openLog(f.where, f.token)
	if err != nil {
		return fail(stderr, err)
	}
	handle, w, err := f.begin(trust, os.Stdin)
	if err != nil {
		return fail(stderr, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for {
		err := f.look(ctx, stdout, source, trust, handle, w)
		var at *audit.Fault
		switch {
		case ctx.Err() != nil:
			return verified
		case err != nil && (f.every == 0 || errors.As(err, &at)):
			return logAnswer(stdout, stderr, err)
		case err != nil:
			fmt.Fprintln(stderr, "sharetrail-verify: will look again:", err)
		case f.every == 0:
			return verified
		}
		timer := time.NewTimer(f.every)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return verified
		}
	}
}

// begin returns the handle, and the watch from the state file or a new one.
func (f watchFlags) begin(trust *verifier.Trust, stdin io.Reader) (handle events.Hash, w *watch.Watch, err error) {
	var next, from uint64
	if f.report != "" {
		handle, next, from, err = f.fromReport(trust)
	} else {
		from = f.from
		handle, next, err = f.fromFile(stdin)
	}
	if err != nil {
		return handle, nil, err
	}
	w = watch.Start(trust, handle, next, from)
	if f.state == "" {
		return handle, w, nil
	}
	b, err := readFile(f.state, 1<<16)
	if errors.Is(err, os.ErrNotExist) {
		return handle, w, nil
	}
	if err == nil {
		w, err = watch.Parse(b, trust, handle)
	}
	if err != nil {
		return handle, nil, fmt.Errorf("--state: %s: %w; name another file, or delete it to begin again", f.state, err)
	}
	return handle, w, nil
}

// fromReport takes the handle out of a report that is checked first.
func (f watchFlags) fromReport(trust *verifier.Trust) (handle events.Hash, next, from uint64, err error) {
	role, ok := events.ParseRole(f.role)
	if !ok {
		return handle, 0, 0, fmt.Errorf("--role: %q is not a role; use subject, recipient, authority or controller", f.role)
	}
	b, err := readFile(f.report, verifier.MaxReportSize)
	if err != nil {
		return handle, 0, 0, fmt.Errorf("--report: %w", err)
	}
	verdict, err := verifier.CheckReport(b, verifier.About(role, f.id), trust)
	if err != nil {
		return handle, 0, 0, fmt.Errorf("--report: %w", err)
	}
	if len(verdict.Open) == 0 {
		return handle, 0, 0, errors.New("--report: it shows no sequence that goes on: nothing was recorded under this name then, it is a copy for others, or the sequence was ended; get a new report")
	}
	s := verdict.Open[0]
	return s.Handle, s.Next, s.Size, nil
}

// fromFile reads a handle in base64, and after it the number of entries that came
// before, if there were any.
func (f watchFlags) fromFile(stdin io.Reader) (handle events.Hash, next uint64, err error) {
	var b []byte
	if f.handle == "-" {
		b, err = io.ReadAll(io.LimitReader(stdin, 1<<12))
	} else {
		b, err = readFile(f.handle, 1<<12)
	}
	if err != nil {
		return handle, 0, fmt.Errorf("--handle-file: %w", err)
	}
	fields := strings.Fields(string(b))
	if len(fields) < 1 || len(fields) > 2 || handle.UnmarshalText([]byte(fields[0])) != nil {
		return handle, 0, errors.New("--handle-file: must hold a handle of 32 bytes in base64, and after it how many entries came before; take both from a report")
	}
	if len(fields) == 2 {
		if next, err = strconv.ParseUint(fields[1], 10, 62); err != nil {
			return handle, 0, errors.New("--handle-file: the number of entries before must be a number")
		}
	}
	return handle, next, nil
}

// look looks once, tells what is new and keeps how far it got.
func (f watchFlags) look(ctx context.Context, stdout io.Writer, source tiles.Source, trust *verifier.Trust, handle events.Hash, w *watch.Watch) error {
	c, _, err := audit.Read(ctx, source, trust)
	if err != nil {
		return err
	}
	before := w.Size()
	show, end := progress("looking")
	found, err := w.Look(ctx, source, c, handle, show)
	end()
	if err != nil {
		return err
	}
	if err := f.tell(stdout, before, w, found); err != nil || f.state == "" {
		return err
	}
	staged := f.state + ".new"
	if err := os.WriteFile(staged, w.Marshal(), 0o600); err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return os.Rename(staged, f.state)
}

func (f watchFlags) tell(stdout io.Writer, before uint64, w *watch.Watch, found []watch.Entry) error {
	if f.json {
		var b bytes.Buffer
		if found == nil {
			found = []watch.Entry{}
		}
		if err := json.NewEncoder(&b).Encode(struct {
			Leaves uint64        `json:"leaves"`
			Looked uint64        `json:"looked"`
			New    []watch.Entry `json:"new"`
		}{w.Size(), w.Size() - before, found}); err != nil {
			return err
		}
		_, err := stdout.Write(b.Bytes())
		return err
	}
	for _, e := range found {
		fmt.Fprintf(stdout, "NEW: your entry %d is leaf %d, which the ledger dates %s.\n", e.Number+1, e.Index, minute(time.UnixMilli(int64(e.TimeMS)).UTC()))
	}
	switch {
	case len(found) > 0:
		fmt.Fprintln(stdout, "What it says is not in the log: ask the ledger's operator for a report.")
	case f.every == 0 || w.Size() > before:
		fmt.Fprintf(stdout, "Nothing new of yours in %d new leaves; the log has %d.\n", w.Size()-before, w.Size())
	}
	return nil
}
