package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/verifier"
)

// process is a sharetrail that serves a data directory.
type process struct {
	t      *testing.T
	dir    string
	url    string // of the pages, if it listens
	cmd    *exec.Cmd
	client *api.Client
	stderr bytes.Buffer // until it has ended
	ended  chan error
}

// serve starts sharetrail demo --serve and returns once it serves.
func serve(t *testing.T, dir string, more ...string) *process {
	t.Helper()
	p, ok := tryServe(t, dir, more...)
	if !ok {
		t.Fatalf("it ended: %v\n%s", <-p.ended, &p.stderr)
	}
	return p
}

func tryServe(t *testing.T, dir string, more ...string) (p *process, ok bool) {
	t.Helper()
	p = &process{t: t, dir: dir, client: api.NewClient(dir), ended: make(chan error, 1)}
	p.cmd = exec.Command("sharetrail", append([]string{"demo", "--serve", "--data", dir, "--log-level", "debug"}, more...)...)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	serving := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "Pages and /v1") {
				p.url = lines.Text()[strings.LastIndex(lines.Text(), " ")+1:]
			}
			if strings.HasPrefix(lines.Text(), "Serving /v1 on ") {
				serving <- true
			}
		}
		close(serving)
		p.ended <- p.cmd.Wait()
	}()
	return p, <-serving
}

// patience tells a process that hangs from one that a busy machine delays.
const patience = 3 * time.Minute

// signal ends the process and returns how it ended.
func (p *process) signal(s os.Signal) error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		p.t.Fatalf("it does not end on %s", s)
		return nil
	}
}

// share is a share about one person.
func share(subject, description string) api.Record {
	return api.Record{
		DisclosureRecorded: events.DisclosureRecorded{
			Occurred: events.Occurred{At: "2026-01-02T00:00:00Z", Precision: "day"},
			Reasons:  []events.Reason{events.VendorOnBehalf},
			Recipient: events.Recipient{ID: "org:tailspin-support", LegalName: "Tailspin Support (sample)",
				Country: "IN", Category: "processor"},
			Data:       events.SharedData{Categories: []string{"name"}},
			Promise:    events.Promise{Statement: "privacy-statement/2026-01"},
			Provenance: events.Provenance{Grade: "native"},
		},
		Subjects: []decide.Subject{{ID: subject, Private: events.Private{Description: description}}},
	}
}

// status waits for everything accepted to be published, so that nothing moves
// by itself afterwards.
func (p *process) status() api.Status {
	p.t.Helper()
	for {
		s, err := p.client.Status(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		projected := !slices.ContainsFunc(s.Projections, func(r api.ProjectionStatus) bool { return r.Next < s.Accepted })
		if s.Published == s.Accepted && projected {
			return s
		}
		if err := p.awaitAll(); err != nil {
			p.t.Fatal(err)
		}
	}
}

// awaitAll waits until the newest share of the test is published.
func (p *process) awaitAll() error {
	_, err := p.client.Record(p.t.Context(), "key-1", "published", share(person, description))
	return err
}

// report fetches and checks a person's report.
func (p *process) report(subject string) *verifier.Verdict {
	p.t.Helper()
	ctx := p.t.Context()
	written, err := p.client.WriteReport(ctx, subject)
	if err != nil {
		p.t.Fatal(err)
	}
	file, err := p.client.Report(ctx, written.ID)
	if err != nil {
		p.t.Fatal(err)
	}
	pins, err := p.client.Trust(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	trust, err := verifier.ParseTrust(pins)
	if err != nil {
		p.t.Fatal(err)
	}
	v, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, subject), trust)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

func (p *process) record(key string, s api.Record) api.Position {
	p.t.Helper()
	pos, err := p.client.Record(p.t.Context(), key, "published", s)
	if err != nil {
		p.t.Fatal(err)
	}
	return pos
}

const (
	person      = "email:canary.person@example.com"
	stranger    = "phone:+15550123456"
	description = "canary description: a parcel to Nowhere Street"
)

// personal are the words of which no log may hold one.
var personal = []string{"canary", "15550123456", "Nowhere", "ada@example", "grace@example", "order 1070", "support case 88", "sign-in times of October"}

// TestServe is a session over the socket: every answer the API promises, then a
// stop with Ctrl-C, then the logs.
func TestServe(t *testing.T) {
	p := serve(t, filepath.Join(t.TempDir(), "data"))
	info, err := os.Stat(filepath.Join(p.dir, "api.sock"))
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	t.Run("record", p.inTest(testRecord))
	t.Run("refuse", p.inTest(testRefuse))
	t.Run("reports", p.inTest(testReports))
	t.Run("a second one", p.inTest(testSecond))
	t.Run("stop", func(t *testing.T) {
		if err := p.signal(os.Interrupt); err != nil {
			t.Errorf("after Ctrl-C: %v\n%s", err, &p.stderr)
		}
		if _, err := os.Stat(filepath.Join(p.dir, "api.sock")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
	t.Run("logs", func(t *testing.T) {
		if !strings.Contains(p.stderr.String(), `"msg":"published"`) {
			t.Errorf("it logged nothing:\n%s", &p.stderr)
		}
		for line := range strings.Lines(p.stderr.String()) {
			for _, word := range personal {
				if strings.Contains(line, word) {
					t.Errorf("the log holds %q: %s", word, line)
				}
			}
		}
	})
}

// inTest makes a part of a session a subtest.
func (p *process) inTest(f func(*testing.T, *process)) func(*testing.T) {
	return func(t *testing.T) {
		outer := p.t
		p.t = t
		defer func() { p.t = outer }()
		f(t, p)
	}
}

func testRecord(t *testing.T, p *process) {
	first := p.record("key-1", share(person, description))
	if first.Repeat || first.State != "published" && first.State != "projected" {
		t.Errorf("recorded: %+v", first)
	}
	before := p.status()
	again := p.record("key-1", share(person, description))
	if !again.Repeat || again.ID != first.ID || again.Index != first.Index {
		t.Errorf("repeated: %+v, first %+v", again, first)
	}
	for name, other := range map[string]api.Record{
		"description": share(person, description+"!"), "person": share(stranger, description),
	} {
		_, err := p.client.Record(t.Context(), "key-1", "accepted", other)
		wantProblem(t, name, err, http.StatusConflict, "Idempotency-Key", "use a new key")
	}
	if diff := cmp.Diff(before, p.status()); diff != "" {
		t.Errorf("something was stored:\n%s", diff)
	}
	found, err := p.client.Disclosure(t.Context(), first.ID.String())
	if err != nil || found.Index != first.Index {
		t.Errorf("by id: %+v, %v", found, err)
	}
	_, err = p.client.Disclosure(t.Context(), events.ID{1}.String())
	wantProblem(t, "unknown id", err, http.StatusNotFound, "no share has this id", "use the id")
}

func wantProblem(t *testing.T, name string, err error, status int, words ...string) {
	t.Helper()
	var problem *api.ProblemError
	if !errors.As(err, &problem) || problem.Status != status {
		t.Errorf("%s: %v, want status %d", name, err, status)
		return
	}
	for _, w := range words {
		if !strings.Contains(problem.Error(), w) {
			t.Errorf("%s: %q does not say %q", name, problem.Error(), w)
		}
	}
}

func testRefuse(t *testing.T, p *process) {
	before := p.status()
	for name, c := range map[string]struct {
		change func(*api.Record)
		words  []string
	}{
		"unknown term":      {func(r *api.Record) { r.Reasons = []events.Reason{"whim"} }, []string{"reasons", `is not one of its values`, "use one of consent, "}},
		"future date":       {func(r *api.Record) { r.Occurred.At = "2999-01-01T00:00:00Z" }, []string{"occurred.at", "lies in the future", "when it has happened"}},
		"local time":        {func(r *api.Record) { r.Occurred.At = "2026-01-02T00:00:00+05:00" }, []string{"occurred.at", "UTC", "write it like"}},
		"unknown namespace": {func(r *api.Record) { r.Subjects[0].ID = "canary:1" }, []string{"subjects[0].id", "namespace", "use one of account, email, org, phone"}},
		"no namespace":      {func(r *api.Record) { r.Subjects[0].ID = "canary" }, []string{"subjects[0].id", "must be namespace:local", "put the namespace in front"}},
		"somebody twice":    {func(r *api.Record) { r.Subjects = append(r.Subjects, r.Subjects[0]) }, []string{"subjects[1].id", "twice"}},
		"nobody":            {func(r *api.Record) { r.Subjects = []decide.Subject{} }, []string{"subjects", "must name"}},
		"country":           {func(r *api.Record) { r.Recipient.Country = "Ireland" }, []string{"recipient.country", "two capital letters"}},
		"escape in a text":  {func(r *api.Record) { r.Subjects[0].Description = "canary\x1b[2J" }, []string{"description", "control characters"}},
	} {
		r := share(person, description)
		c.change(&r)
		_, err := p.client.Record(t.Context(), "refused", "accepted", r)
		wantProblem(t, name, err, http.StatusUnprocessableEntity, c.words...)
	}
	_, err := p.client.Record(t.Context(), "", "accepted", share(person, description))
	wantProblem(t, "no key", err, http.StatusUnprocessableEntity, "Idempotency-Key")
	honest, err := json.Marshal(share(person, description))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body   string
		status int
		words  []string
	}{
		"unknown member":           {strings.Replace(string(honest), `"reasons"`, `"colour":"canary","reasons"`, 1), 422, []string{`"colour"`, "unexpected property"}},
		"unknown member of member": {strings.Replace(string(honest), `"country"`, `"colour":"canary","country"`, 1), 422, []string{`"recipient.colour"`, "unexpected property"}},
		"missing member":           {strings.Replace(string(honest), `"promise"`, `"promises"`, 1), 422, []string{`"promises"`, "promise"}},
		"another type":             {strings.Replace(string(honest), `["vendor_on_behalf"]`, `"vendor_on_behalf"`, 1), 422, []string{`"reasons"`, "array"}},
		"no JSON":                  {"canary", 400, nil},
	} {
		resp, answer := p.post(c.body)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %s\n%s", name, resp.Status, answer)
		}
		for _, w := range c.words {
			if !strings.Contains(answer, w) {
				t.Errorf("%s: %s does not say %q", name, answer, w)
			}
		}
	}
	_, err = p.client.Record(t.Context(), "large", "accepted", share(person, strings.Repeat("canary", 400_000)))
	wantProblem(t, "more than a megabyte", err, http.StatusRequestEntityTooLarge, "send less at once")
	if diff := cmp.Diff(before, p.status()); diff != "" {
		t.Errorf("something was stored:\n%s", diff)
	}
}

// post sends any bytes as a share.
func (p *process) post(body string) (*http.Response, string) {
	p.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(p.dir, "api.sock"))
	}}}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://sharetrail/v1/disclosures", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "raw")
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, string(b)
}

func testReports(t *testing.T, p *process) {
	v := p.report(person)
	if !v.Enrolled || len(v.Entries) != 1 || v.Entries[0].Private.Description != description {
		t.Errorf("about the person: %+v", v)
	}
	before := p.status()
	v = p.report(stranger)
	if v.Enrolled || len(v.Entries) != 0 || !strings.Contains(v.Sentence, "holds nothing about "+stranger) {
		t.Errorf("about a stranger: %+v", v)
	}
	_, err := p.client.WriteReport(t.Context(), "canary")
	wantProblem(t, "no identity", err, http.StatusUnprocessableEntity, "must be namespace:local", "put the namespace in front")
	for _, id := range []string{"canary", strings.Repeat("0", 32), "..%2f..%2fwrap.key"} {
		_, err = p.client.Report(t.Context(), id)
		wantProblem(t, "no report", err, http.StatusNotFound, "no report has this id", "POST /v1/reports")
	}
	if diff := cmp.Diff(before, p.status()); diff != "" {
		t.Errorf("asking stored something:\n%s", diff)
	}
}

// testSecond: one process works on a data directory.
func testSecond(t *testing.T, p *process) {
	out, err := exec.CommandContext(t.Context(), "sharetrail", "demo", "--data", p.dir).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitUsage ||
		!strings.Contains(string(out), "another sharetrail runs on "+p.dir+"; stop it, or name another directory with --data") {
		t.Errorf("%v: %s", err, out)
	}
	p.status()
}

// TestKill ends the process in the middle of its work, with no chance to tidy
// up: whatever it had acknowledged is in the report exactly once, at the leaf it
// had named, and what it had not is there once or not at all.
func TestKill(t *testing.T) {
	p := serve(t, filepath.Join(t.TempDir(), "data"))
	const clients, enough = 4, 25
	var mu sync.Mutex
	acknowledged := map[string]api.Position{}
	var done atomic.Bool
	reached, failed := make(chan struct{}), make(chan error, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := 0; !done.Load(); i++ {
				key := fmt.Sprintf("kill-%d-%d", c, i)
				pos, err := p.client.Record(t.Context(), key, "accepted", share(person, key))
				if err != nil {
					failed <- err // of the kill, or too early
					return
				}
				mu.Lock()
				acknowledged[key] = pos
				if len(acknowledged) == enough {
					close(reached)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-reached:
	case err := <-failed:
		t.Fatalf("recording before the kill: %v", err)
	}
	p.signal(syscall.SIGKILL)
	done.Store(true)
	wg.Wait()

	p = serve(t, p.dir)
	for key, pos := range acknowledged {
		again := p.record(key, share(person, key))
		if !again.Repeat || again.Index != pos.Index || again.ID != pos.ID {
			t.Errorf("%s is at %+v, acknowledged at %+v", key, again, pos)
		}
	}
	at := map[string]uint64{}
	v := p.report(person)
	for _, e := range v.Entries {
		key := e.Private.Description
		if _, twice := at[key]; twice {
			t.Errorf("%s is in the report twice", key)
		}
		at[key] = e.Index
	}
	for key, pos := range acknowledged {
		if index, found := at[key]; !found || index != pos.Index {
			t.Errorf("%s was acknowledged at leaf %d and is in the report at %d (%v)", key, pos.Index, index, found)
		}
	}
	if len(at) > len(acknowledged)+clients {
		t.Errorf("%d entries, but %d were acknowledged to %d clients", len(at), len(acknowledged), clients)
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, &p.stderr)
	}
}

// TestRebuilt deletes what can be made again from stream and keystore: the log's
// tree and the read model. The checkpoint and the report stay what they were.
func TestRebuilt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := serve(t, dir)
	p.record("key-1", share(person, description))
	status, want := p.status(), p.report(person)
	checkpoint, err := p.client.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for _, lost := range [][]string{{"log.db"}, {"views"}, {"log.db", "views"}} {
		for _, name := range lost {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		p := serve(t, dir)
		again, err := p.client.Checkpoint(t.Context())
		if err != nil || !bytes.Equal(again, checkpoint) {
			t.Errorf("without %v: the checkpoint is\n%s, %v; it was\n%s", lost, again, err, checkpoint)
		}
		found := p.report(person)
		found.Statement = want.Statement // it says when the report was made
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("without %v: the verdict (-before +after):\n%s", lost, diff)
		}
		if diff := cmp.Diff(status, p.status()); diff != "" {
			t.Errorf("without %v: the status (-before +after):\n%s", lost, diff)
		}
		// The rebuilt tree is the one that grows on.
		next := p.record("after-"+strings.Join(lost, "-"), share(person, description))
		if next.Index < status.Accepted {
			t.Errorf("without %v: recorded at %d of %d", lost, next.Index, status.Accepted)
		}
		status, want = p.status(), p.report(person)
		if checkpoint, err = p.client.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.signal(os.Interrupt); err != nil {
			t.Errorf("without %v: %v\n%s", lost, err, &p.stderr)
		}
	}
}
