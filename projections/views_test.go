package projections_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
	"github.com/sharetrail/sharetrail/verifier"
)

// views is the running read model of a ledger of the test.
type views struct {
	model  *projections.ReadModel
	runner *projections.Runner
	stop   func() error
}

func openViews(t *testing.T, l *ledgertest.Ledger, p projectionstest.Place) *views {
	t.Helper()
	store, closeStore, err := p.Open(t.Context(), ledgertest.Origin)
	if err != nil {
		t.Fatal(err)
	}
	m, err := projections.OpenReadModel(t.Context(), store, l.Keys)
	if err != nil {
		t.Fatal(err)
	}
	m.ReadHeaders(l.Store, ledger.Stream(ledgertest.ID))
	v := &views{model: m}
	v.runner, err = projections.NewRunner(projections.Config{
		Source: l.Store, Stream: ledger.Stream(ledgertest.ID), PageSize: 3, Backoff: none,
		Head: func(context.Context) (uint64, error) { return l.Status().Accepted, nil },
	}, m)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- v.runner.Run(ctx) }()
	stopped := false
	v.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return errors.Join(<-done, m.Close(), closeStore())
	}
	t.Cleanup(func() {
		if err := v.stop(); err != nil {
			t.Errorf("closing the read models: %v", err)
		}
	})
	return v
}

// catchUp waits until the read models have everything.
func (v *views) catchUp(t *testing.T, l *ledgertest.Ledger) {
	t.Helper()
	if err := v.runner.WaitFor(t.Context(), l.Status().Accepted-1); err != nil {
		t.Fatal(err)
	}
}

func person(t *testing.T, l *ledgertest.Ledger, name string) events.Identity {
	t.Helper()
	return identity(t, l, ledgertest.Email(name))
}

func identity(t *testing.T, l *ledgertest.Ledger, text string) events.Identity {
	t.Helper()
	id, err := l.ParseIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustList(t *testing.T, m *projections.ReadModel, id events.Identity) []projections.Disclosure {
	t.Helper()
	return mustListAs(t, m, events.RoleSubject, id)
}

func mustListAs(t *testing.T, m *projections.ReadModel, role events.Role, id events.Identity) []projections.Disclosure {
	t.Helper()
	l, err := m.List(t.Context(), role, id, projections.ListQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return l.Disclosures
}

func TestRowsAreWhatWasRecorded(t *testing.T) {
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		l := ledgertest.New(t, ledgertest.Config{})
		v := openViews(t, l, e.New(t))
		commands := []ledger.Command{ledgertest.Share("one", "ada", "grace"), ledgertest.Share("two", "ada")}
		first, second := l.MustRecord(t, commands[0]), l.MustRecord(t, commands[1])
		l.MustRecord(t, commands[1]) // a repeat stores nothing
		v.catchUp(t, l)

		row := func(number uint64, a ledger.Accepted, cmd ledger.Command, about string) projections.Disclosure {
			d := projections.Disclosure{
				Number: number, Index: a.Index, EventID: a.ID, Type: events.TypeDisclosureRecorded,
				Share: cmd.Record.(*decide.RecordDisclosure).Disclosure, Status: projections.DisclosureStatus{State: projections.StateRecorded},
			}
			d.Share.Extent = events.Extent{Subjects: uint64(len(cmd.Record.(*decide.RecordDisclosure).Subjects))}
			if about != "" {
				d.Private = &events.Private{Description: "order of " + about}
			}
			return d
		}
		northwind := identity(t, l, "org:northwind")
		for name, c := range map[string]struct{ want, got []projections.Disclosure }{
			"ada": {[]projections.Disclosure{row(0, first, commands[0], "ada"), row(1, second, commands[1], "ada")},
				mustList(t, v.model, person(t, l, "ada"))},
			"grace":  {[]projections.Disclosure{row(0, first, commands[0], "grace")}, mustList(t, v.model, person(t, l, "grace"))},
			"nobody": {[]projections.Disclosure{}, mustList(t, v.model, person(t, l, "nobody"))},
			"northwind": {[]projections.Disclosure{row(0, first, commands[0], ""), row(1, second, commands[1], "")},
				mustListAs(t, v.model, events.RoleRecipient, northwind)},
		} {
			for i := range c.got {
				if at := c.got[i].Recorded; at.IsZero() || time.Since(at) > time.Hour {
					t.Errorf("%s: recorded at %v", name, at)
				}
				c.got[i].Recorded = time.Time{}
			}
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("rows about %s (-want +got):\n%s", name, diff)
			}
		}
		page, err := v.model.Recipients(t.Context(), projections.RecipientQuery{Limit: 10})
		if err != nil || len(page.Recipients) != 1 {
			t.Fatalf("the register: %+v, %v", page, err)
		}
		r := page.Recipients[0]
		if r.Recipient != commands[0].Record.(*decide.RecordDisclosure).Disclosure.Recipient || r.Shares != 2 || r.Subjects != 3 ||
			r.FirstIndex != first.Index || r.LastIndex != second.Index || page.AsOf < second.Index+1 {
			t.Errorf("the register has %+v", r)
		}
	})
}

func TestForeignEventsAreNotProjected(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("one", "ada"))
	last, _, err := l.Store.Last(t.Context(), ledger.Stream(ledgertest.ID))
	if err != nil {
		t.Fatal(err)
	}
	// A replay of our own share at another revision is foreign too.
	_, err = l.Store.Append(t.Context(), ledger.Stream(ledgertest.ID), events.Expected(last.Revision),
		events.Proposed{ID: events.ID{1}, Type: last.Type, Data: last.Data, Metadata: last.Metadata})
	if err != nil {
		t.Fatal(err)
	}
	l.Foreign++
	v := openViews(t, l, projectionstest.Place(t.TempDir()))
	l.MustRecord(t, ledgertest.Share("two", "ada"))
	v.catchUp(t, l)
	if rows := mustList(t, v.model, person(t, l, "ada")); len(rows) != 2 {
		t.Errorf("%d rows instead of 2", len(rows))
	}
}

func newReports(t *testing.T, l *ledgertest.Ledger, v *views) *projections.Reports {
	t.Helper()
	secrets, err := l.Keys.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &projections.Reports{
		Prover: l.Running.Ledger, Rows: v.model, Runner: v.runner, Trust: l.Trust, Key: secrets.Report, Now: time.Now,
	}
}

// TestReportRefusesWhatTheLogDoesNotSay: whoever changes the read model gets no
// report, rather than a false one.
func TestReportRefusesWhatTheLogDoesNotSay(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("one", "ada"))
	l.MustRecord(t, ledgertest.Share("two", "ada"))
	l.Publish(t)
	ada := verifier.Query{Role: events.RoleSubject, IDs: []events.Identity{person(t, l, "ada")}}
	northwind := verifier.Query{Role: events.RoleRecipient, IDs: []events.Identity{identity(t, l, "org:northwind")}}
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		p := e.New(t)
		v := openViews(t, l, p)
		v.catchUp(t, l)
		reports := newReports(t, l, v)
		for _, q := range []verifier.Query{ada, northwind} {
			report, err := reports.Write(t.Context(), q)
			if err != nil || len(report.Verdict.Entries) != 2 {
				t.Fatalf("Write() about a %s = %+v, %v", q.Role, report, err)
			}
		}
		const entry, fact = "entry", "fact" // of ada, and of the share
		for _, tamper := range []struct{ table, statement string }{
			{entry, "UPDATE entry SET leaf_index = leaf_index - 1 WHERE number = 1 AND private <> ''"},
			{entry, "UPDATE entry SET about = 0 WHERE number = 1 AND private <> ''"},
			{entry, "UPDATE entry SET private = '' WHERE number = 1"},
			{entry, "DELETE FROM entry WHERE number = 1 AND private <> ''"},
			{fact, "UPDATE fact SET recipient = 'Somebody else'"},
			{fact, "UPDATE fact SET occurred_at = '2020-01-01T00:00:00Z'"},
			{fact, "UPDATE fact SET facts = replace(facts, 'card token', 'name')"},
			{fact, "UPDATE fact SET recorded_ms = recorded_ms + 1"},
			{fact, "DELETE FROM fact"},
		} {
			p.Exec(t, projections.Name, 1, fmt.Sprintf("CREATE TABLE kept AS SELECT * FROM %s; %s", tamper.table, tamper.statement))
			if _, err := reports.Write(t.Context(), ada); !errors.Is(err, projections.ErrDisagree) {
				t.Errorf("after %s: Write() = %v, want ErrDisagree", tamper.statement, err)
			}
			if _, err := reports.Write(t.Context(), northwind); errors.Is(err, projections.ErrDisagree) != (tamper.table == fact) {
				t.Errorf("after %s: Write() about the recipient = %v", tamper.statement, err)
			}
			p.Exec(t, projections.Name, 1, fmt.Sprintf("DELETE FROM %s; INSERT INTO %s SELECT * FROM kept; DROP TABLE kept", tamper.table, tamper.table))
		}
		if _, err := reports.Write(t.Context(), ada); err != nil {
			t.Errorf("after all was put right: %v", err)
		}
	})
}

func TestReportAboutNobody(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("one", "ada"))
	l.Publish(t)
	v := openViews(t, l, projectionstest.Place(t.TempDir()))
	reports := newReports(t, l, v)
	for _, q := range []verifier.Query{
		{Role: events.RoleSubject, IDs: []events.Identity{person(t, l, "nobody")}}, {Role: events.RoleRecipient, IDs: []events.Identity{identity(t, l, "org:nobody")}},
		{Role: events.RoleRecipient, IDs: []events.Identity{person(t, l, "ada")}},
	} {
		report, err := reports.Write(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if report.Verdict.Enrolled || len(report.Verdict.Entries) != 0 {
			t.Errorf("verdict about a %s: %+v", q.Role, report.Verdict)
		}
	}
	if _, err := reports.Write(t.Context(), verifier.Query{Role: events.RoleAuthority, IDs: []events.Identity{person(t, l, "ada")}}); err == nil {
		t.Error("a report about an authority must be refused")
	}
}

func TestListingsOfOneMoment(t *testing.T) {
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		s := projectionstest.NewStream(t)
		m := open(t, e.New(t).MustOpen(t, projectionstest.Origin), s)
		s.Enrol(events.RoleSubject, "ada", "grace")
		s.Enrol(events.RoleRecipient, "northwind")
		for range 10 {
			s.Share("northwind", "ada", "grace")
		}
		apply(t, m, s, 100)
		ada := projectionstest.Subject("ada")
		var cursor projections.Cursor
		var seen []uint64
		for {
			l, err := m.List(t.Context(), events.RoleSubject, ada, projections.ListQuery{From: cursor, Limit: 4})
			if err != nil {
				t.Fatal(err)
			}
			if l.AsOf != 12 {
				t.Errorf("a page is as of %d", l.AsOf)
			}
			for _, d := range l.Disclosures {
				seen = append(seen, d.Number)
			}
			s.Share("northwind", "ada")
			apply(t, m, s, 100)
			if l.Next == nil {
				break
			}
			text, _ := l.Next.MarshalText()
			if err := cursor.UnmarshalText(text); err != nil {
				t.Fatal(err)
			}
		}
		if want := []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !cmp.Equal(want, seen) {
			t.Errorf("the pages have the entries %v", seen)
		}
		if all := mustList(t, m, ada); len(all) != 13 {
			t.Errorf("afterwards there are %d", len(all))
		}
	})
	for _, text := range []string{"", "1", "1-", "01-2", "1-2 ", "-1-2", "1-2-3", "99999999999999999999-1"} {
		if err := new(projections.Cursor).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("the cursor %q must be refused", text)
		}
	}
}

func TestReadModelsArePrivate(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	dir := filepath.Join(t.TempDir(), "views")
	openViews(t, l, projectionstest.Place(dir))
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info, err)
	}
}

func TestLag(t *testing.T) {
	s := projectionstest.NewStream(t)
	m := open(t, projectionstest.Place(t.TempDir()).MustOpen(t, projectionstest.Origin), s)
	s.Enrol(events.RoleSubject, "ada")
	s.Enrol(events.RoleRecipient, "northwind")
	now := time.Unix(1000, 0) // the log stores event n at second n
	gate, begun := make(chan struct{}), make(chan struct{})
	runner, stop := startOn(t, projections.Config{
		Source: s.Log, Stream: projectionstest.StreamName, Now: func() time.Time { return now },
		Head: func(context.Context) (uint64, error) { return s.Head(), nil },
	}, gated{m, begun, gate})
	want := func(events uint64, age time.Duration) {
		t.Helper()
		lag, err := runner.Lag(t.Context())
		if err != nil || len(lag) != 1 || lag[0] != (projections.Lag{Name: m.Name(), Events: events, Age: age}) {
			t.Errorf("lag is %+v, %v; want %d events, %v", lag, err, events, age)
		}
	}
	<-begun
	want(2, 1000*time.Second)
	s.Share("northwind", "ada")
	want(3, 1000*time.Second)
	gate <- struct{}{}
	<-begun
	want(1, 998*time.Second)
	close(gate)
	if err := runner.WaitFor(t.Context(), 2, m.Name()); err != nil {
		t.Fatal(err)
	}
	want(0, 0)
	if err := runner.WaitFor(t.Context(), 2, "another"); err == nil {
		t.Error("waiting for a projection that does not run must be refused")
	}
	mustStop(t, stop)
}

// gated is a projection whose pages wait.
type gated struct {
	projections.Projection
	begun chan<- struct{}
	gate  <-chan struct{}
}

func (g gated) Apply(ctx context.Context, page []events.Recorded) error {
	g.begun <- struct{}{}
	<-g.gate
	return g.Projection.Apply(ctx, page)
}

func startOn(t *testing.T, cfg projections.Config, p projections.Projection) (*projections.Runner, func() error) {
	t.Helper()
	runner, err := projections.NewRunner(cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	return runner, func() error { cancel(); return <-ended }
}

// open opens the read model of a stream.
func open(t testing.TB, store projections.Store, s *projectionstest.Stream) *projections.ReadModel {
	t.Helper()
	m, err := projections.OpenReadModel(t.Context(), store, s.Keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("closing the read model: %v", err)
		}
	})
	return m
}

// apply applies what a read model lacks.
func apply(t testing.TB, m *projections.ReadModel, s *projectionstest.Stream, size int) {
	t.Helper()
	next, err := m.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if next == s.Head() {
		return
	}
	for page, err := range s.Log.Pages(t.Context(), projectionstest.StreamName, next, size) {
		if err == nil {
			err = m.Apply(t.Context(), page)
		}
		if err != nil {
			t.Fatal(err)
		}
		if page[len(page)-1].Revision+1 == s.Head() {
			return
		}
	}
}

// recorded reads a ledger's whole stream.
func recorded(t testing.TB, l *ledgertest.Ledger) []events.Recorded {
	t.Helper()
	var all []events.Recorded
	for e, err := range l.Store.Read(t.Context(), ledger.Stream(ledgertest.ID), 0, esdb.All) {
		if err != nil {
			t.Fatal(fmt.Errorf("reading the stream: %w", err))
		}
		all = append(all, e)
	}
	return all
}
