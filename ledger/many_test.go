package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
)

// TestTenThousandPeople records a share with ten thousand new people, checks
// everything that is stored and reports of some of them, and that what one of them is
// given does not grow with the others.
func TestTenThousandPeople(t *testing.T) {
	n := 10_000
	switch {
	case raced:
		n = 1_000
	case os.Getenv("SHARETRAIL_LONG") == "1":
		n = 100_000
	}
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("one", "ada"))
	cmd := ledgertest.Share("many", ledgertest.People("p", n)...)
	began := time.Now()
	a := l.MustRecord(t, cmd)
	took := time.Since(began)
	if a.Continuations != uint64(n+63)/64 || a.Repeat {
		t.Errorf("got %+v", a)
	}
	if b := l.MustRecord(t, cmd); !b.Repeat || b.Index != a.Index || b.Continuations != a.Continuations {
		t.Errorf("the same again gave %+v", b)
	}
	l.Publish(t)
	one, many := reportSize(t, l, "ada"), reportSize(t, l, fmt.Sprintf("p-%d", n/2))
	// Beside the header, two leaves of 64 labels in the place of two of 2.
	if many > one+16_000 {
		t.Errorf("the report about one of %d has %d bytes, that about one alone %d", n, many, one)
	}
	info, err := os.Stat(filepath.Join(l.Dir, "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d new people: recorded in %s, %.0f a second; %d bytes each in the event store; a report of %d bytes, one alone %d",
		n, took.Round(time.Millisecond), float64(n)/took.Seconds(), info.Size()/int64(n), many, one)
	l.Check(t)
	l.Reopen(t, ledgertest.Config{})
	l.Check(t)
}

// reportSize is the length of the report file about a person.
func reportSize(t *testing.T, l *ledgertest.Ledger, name string) int {
	t.Helper()
	evidence, err := l.Prove(t.Context(), verifier.Query{Role: events.RoleSubject, IDs: []events.Identity{events.Identity("email\x00" + name + "@example.com")}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := events.MarshalJSON(evidence)
	if err != nil {
		t.Fatal(err)
	}
	return len(text)
}

// crowd are people beyond what one event holds.
func crowd(n int) (subjects []decide.Subject, parties []decide.Party) {
	for _, name := range ledgertest.People("c", n) {
		subjects = append(subjects, decide.Subject{ID: ledgertest.Email(name)})
		parties = append(parties, decide.Party{Role: events.RoleSubject, ID: events.Identity("email\x00" + name + "@example.com")})
	}
	return subjects, parties
}

func aboutAll(index uint64, parties ...decide.Party) (all []decide.Party) {
	for _, p := range parties {
		p.About = &decide.Reference{Index: index}
		all = append(all, p)
	}
	return all
}

// TestCrowd records whatever can become of a share to many: each event reaches all of
// them, in continuations of its own, and a report shows each about the record.
func TestCrowd(t *testing.T) {
	f := &family{Ledger: ledgertest.New(t, ledgertest.Config{}), t: t}
	share := ledgertest.Share("crowd").Record.(*decide.RecordDisclosure).Disclosure
	northwind := decide.Party{Role: events.RoleRecipient, ID: "org\x00northwind"}
	all, parties := crowd(700)
	subjects, people := all[:600], parties[:600:600]
	recorded := share
	recorded.Extent = events.Extent{Subjects: 600, Continuations: 10}
	a := f.do("share", &decide.RecordDisclosure{Disclosure: share, Subjects: subjects}, &recorded, append(people, northwind)...)
	everybody := aboutAll(a.Index, append(people, northwind)...)
	if a.Continuations != 10 {
		t.Errorf("it has %d continuations", a.Continuations)
	}
	at := "2026-01-05T00:00:00Z"
	amended := share
	amended.Data = events.SharedData{Categories: []string{"name"}}
	f.do("amend", &decide.Amend{ID: a.ID, Kind: "correct", Reason: "less", Changes: []byte(`{"data":{"categories":["name"]}}`)},
		&events.DisclosureAmended{DisclosureRecorded: amended, Amendment: events.Amendment{Version: 1, Kind: "correct", Reason: "less", Changed: []string{"data"}}}, everybody...)
	one := decide.Dispute{ID: a.ID, Dispute: events.Dispute{By: "subject", Ground: "not_me", At: at}, Subject: subjects[3]}
	d := f.do("dispute of one", &one, &events.DisclosureDisputed{Dispute: one.Dispute}, aboutAll(a.Index, people[3], northwind)...)
	resolution := events.Resolution{Outcome: "rejected", Reason: "it was", At: at}
	f.do("resolution for one", &decide.ResolveDispute{ID: d.ID, Resolution: resolution}, &events.DisputeResolved{Resolution: resolution}, aboutAll(d.Index, people[3], northwind)...)
	whole := events.Dispute{By: "recipient", Ground: "inaccurate", At: at}
	d = f.do("dispute of all", &decide.Dispute{ID: a.ID, Dispute: whole}, &events.DisclosureDisputed{Dispute: whole}, everybody...)
	f.do("resolution for all", &decide.ResolveDispute{ID: d.ID, Resolution: resolution}, &events.DisputeResolved{Resolution: resolution}, aboutAll(d.Index, append(people, northwind)...)...)
	received := events.Acknowledgement{Outcome: "received", At: at}
	f.do("acknowledgement", &decide.Acknowledge{ID: a.ID, Acknowledgement: received}, &events.DisclosureAcknowledged{Acknowledgement: received}, everybody...)
	second := decide.Party{Role: events.RoleRecipient, ID: "org\x00second"}
	onward := events.OnwardReported{Onward: events.Onward{By: "org:northwind", At: at}, Reasons: []events.Reason{events.VendorOnBehalf},
		Recipient: events.Recipient{ID: "org:second", LegalName: "Second", Country: "US", Category: "subprocessor"},
		Data:      events.SharedData{Categories: []string{"name"}}}
	f.do("onward", &decide.ReportOnward{ID: a.ID, Onward: onward}, &onward, append(everybody, second)...)

	// A hundred more, who get what is known now; then seven of the first are taken out.
	grown := amended
	grown.Extent = events.Extent{Subjects: 100}
	added := f.do("add", &decide.AddSubjects{ID: a.ID, Subjects: all[600:]}, &events.SubjectsAdded{DisclosureRecorded: grown},
		append(aboutAll(a.Index, northwind), parties[600:]...)...)
	f.do("retract seven", &decide.Retract{ID: a.ID, Ground: "wrong_person", Subjects: subjects[:7]},
		&events.DisclosureRetracted{Retraction: events.Retraction{Ground: "wrong_person", Scope: "part", People: 7}}, aboutAll(a.Index, append(people[:7:7], northwind)...)...)
	gone := f.do("retract all", &decide.Retract{ID: a.ID, Ground: "duplicate"},
		&events.DisclosureRetracted{Retraction: events.Retraction{Ground: "duplicate", Scope: "whole", People: 593}}, aboutAll(a.Index, append(people[7:], northwind)...)...)
	f.also(gone, &events.DisclosureRetracted{Retraction: events.Retraction{Ground: "duplicate", Scope: "whole", People: 100}},
		aboutAll(added.Index, append(parties[600:], northwind)...)...)
	f.refuse("id", &decide.Acknowledge{ID: a.ID, Acknowledgement: received})

	f.Publish(t)
	f.repeat()
	f.MaxReports = 30
	f.Check(t)
	f.Reopen(t, ledgertest.Config{})
	f.repeat()
	f.Check(t)
	if err := f.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, f.Ledger)
}

// TestCrowdOfEveryKind records the other records that may concern many.
func TestCrowdOfEveryKind(t *testing.T) {
	f := &family{Ledger: ledgertest.New(t, ledgertest.Config{}), t: t}
	share := ledgertest.Share("crowd").Record.(*decide.RecordDisclosure).Disclosure
	northwind := decide.Party{Role: events.RoleRecipient, ID: "org\x00northwind"}
	subjects, people := crowd(1_100)
	extent := func(n, parts uint64) events.Extent { return events.Extent{Subjects: n, Continuations: parts} }

	series := events.SeriesOpened{DisclosureRecorded: share, Series: events.Series{First: "2025-01-01T00:00:00Z"}}
	series.Occurred, series.Conveyance.Recurrence = events.Occurred{}, "daily"
	want := series
	want.Extent = extent(512, 8)
	s := f.do("series", &decide.OpenSeries{Series: series, Subjects: subjects[:512]}, &want, append(people[:512:512], northwind)...)
	progress := events.SeriesProgress{Count: 3, Last: "2025-01-03T00:00:00Z"}
	f.do("update", &decide.UpdateSeries{ID: s.ID, Progress: progress}, &events.SeriesUpdated{Progress: progress}, aboutAll(s.Index, append(people[:512:512], northwind)...)...)
	closing := events.SeriesClosing{Reason: "the contract ended"}
	f.do("close", &decide.UpdateSeries{ID: s.ID, Progress: progress, Closing: &closing}, &events.SeriesClosed{Progress: progress, Closing: closing},
		aboutAll(s.Index, append(people[:512:512], northwind)...)...)

	possible := events.PossibleRecorded{DisclosureRecorded: share, Period: events.Period{From: "2025-01-01T00:00:00Z", To: "2025-02-01T00:00:00Z"}}
	possible.Occurred = events.Occurred{}
	possible.Research = &events.Study{Protocol: "P-7", Purpose: "sleep", Sponsor: "Institute, Cork", Researcher: "Dr. Doe, Cork"}
	wantPossible := possible
	wantPossible.Extent = extent(1_000, 16)
	f.do("possible", &decide.RecordPossible{Possible: possible, Subjects: subjects[:1_000]}, &wantPossible, append(people[:1_000:1_000], northwind)...)

	first := share
	first.Extent = extent(1, 0)
	a := f.do("small", &decide.RecordDisclosure{Disclosure: share, Subjects: subjects[:1]}, &first, people[0], northwind)
	grown := share
	grown.Extent = extent(1_099, 18)
	f.do("add many", &decide.AddSubjects{ID: a.ID, Subjects: subjects[1:]}, &events.SubjectsAdded{DisclosureRecorded: grown},
		append(aboutAll(a.Index, northwind), people[1:]...)...)
	f.Publish(t)
	f.repeat()
	f.Check(t)
}

// TestLongTexts: of whom much is said stand together, in continuations of fewer.
func TestLongTexts(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	cmd := ledgertest.Share("long", ledgertest.People("p", 200)...)
	subjects := cmd.Record.(*decide.RecordDisclosure).Subjects
	text := strings.Repeat("x", 2000)
	for i := range subjects {
		switch {
		case i%40 == 0:
			subjects[i].Private = events.Private{Description: text, Reference: text, Consent: text, LegalRequest: text}
		case i%3 == 0:
			subjects[i].Description = text
		}
	}
	if a := l.MustRecord(t, cmd); a.Continuations < 4 {
		t.Errorf("got %+v", a)
	}
	if a := l.MustRecord(t, cmd); !a.Repeat {
		t.Errorf("the same again gave %+v", a)
	}
	l.Publish(t)
	l.MaxReports = 40
	l.Check(t)
}

// failing is an event store that dies at some appends: before it stores anything, or
// when it has.
type failing struct {
	ledger.Store
	mu   sync.Mutex
	left int  // appends that succeed
	late bool // the one that fails has stored what it was given
}

var errDied = errors.New("it died")

func (f *failing) Append(ctx context.Context, stream string, expected events.Expected, evs ...events.Proposed) (uint64, error) {
	f.mu.Lock()
	left := f.left
	f.left--
	f.mu.Unlock()
	if left > 0 {
		return f.Store.Append(ctx, stream, expected, evs...)
	}
	if f.late && left == 0 {
		if _, err := f.Store.Append(ctx, stream, expected, evs...); err != nil {
			return 0, err
		}
	}
	return 0, errDied
}

// TestResumed stops a share to many between any two of its appends, before or after
// one was stored, starts the ledger anew and repeats the command, until it is
// complete: every person is recorded once, and meanwhile nothing else can be said of
// the record, nor recorded under its key.
func TestResumed(t *testing.T) {
	if os.Getenv("SHARETRAIL_LONG") == "1" && !raced {
		rapid.Check(t, func(r *rapid.T) {
			resumed(t, rapid.IntRange(512, 900).Draw(r, "people"), func() stop {
				return stop{rapid.IntRange(0, 3).Draw(r, "appends"), rapid.Bool().Draw(r, "late")}
			})
		})
	}
	for _, stops := range [][]stop{{{0, false}, {1, false}}, {{0, true}, {0, true}}, {{2, true}, {0, false}}} {
		resumed(t, 600, func() (next stop) {
			if next = (stop{9, false}); len(stops) > 0 {
				next, stops = stops[0], stops[1:]
			}
			return next
		})
	}
}

// stop says after how many appends a ledger dies, and whether another one is stored.
type stop struct {
	appends int
	late    bool
}

func resumed(t *testing.T, people int, stops func() stop) {
	cmd := ledgertest.Share("many", ledgertest.People("p", people)...)
	other := ledgertest.Share("many", ledgertest.People("p", people-1)...)
	l := ledgertest.New(t, ledgertest.Config{})
	for done := false; !done; {
		next := stops()
		f := &failing{left: next.appends, late: next.late}
		restartWith(t, l, ledgertest.Config{Store: func(s ledger.Store) ledger.Store { f.Store = s; return f }})
		_, err := l.Record(t.Context(), cmd)
		if done = err == nil; !done && !errors.Is(err, errDied) {
			t.Fatalf("got %v", err)
		}
		restartWith(t, l, ledgertest.Config{})
		stillOpen(t, l, people, done, other)
	}
	if a := l.MustRecord(t, cmd); !a.Repeat {
		t.Fatalf("got %+v", a)
	}
	l.Publish(t)
	l.MaxReports = 3
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
	l.Open(t, ledgertest.Config{})
}

// stillOpen checks what can be done with a record that is not complete.
func stillOpen(t *testing.T, l *ledgertest.Ledger, people int, done bool, other ledger.Command) {
	t.Helper()
	open, err := l.Unfinished(t.Context())
	if err != nil || len(open) > 1 || done && len(open) > 0 {
		t.Fatalf("open are %+v, %v", open, err)
	}
	if len(open) == 0 {
		return
	}
	if open[0].Parts == 0 || open[0].Parts >= open[0].Of || open[0].Of != uint64((people+63)/64) {
		t.Errorf("%+v", open[0])
	}
	about := &decide.Acknowledge{ID: open[0].ID, Acknowledgement: events.Acknowledgement{Outcome: "received", At: "2026-01-05T00:00:00Z"}}
	_, err = l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: "about", Record: about})
	if refused := (*events.FieldError)(nil); !errors.As(err, &refused) || !strings.Contains(refused.Rule, "open") {
		t.Errorf("something is said of an open record: %v", err)
	}
	if _, err := l.Record(t.Context(), other); !errors.Is(err, ledger.ErrKeyReused) {
		t.Errorf("somebody is left out: %v", err)
	}
}

// restartWith starts the ledger anew; what ended it does not matter.
func restartWith(t *testing.T, l *ledgertest.Ledger, c ledgertest.Config) {
	t.Helper()
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	l.Open(t, c)
}

// TestTwoResume: whoever repeats a command while it is being recorded finds the same
// record, and nobody is recorded twice. Others record meanwhile.
func TestTwoResume(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	cmd := ledgertest.Share("many", ledgertest.People("p", 1_500)...)
	var g errgroup.Group
	for range 4 {
		g.Go(func() error {
			_, err := l.TryRecord(t, cmd)
			return err
		})
	}
	for i := range 40 {
		g.Go(func() error {
			_, err := l.TryRecord(t, ledgertest.Share(fmt.Sprint("other ", i), "ada", fmt.Sprint("p-", i)))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	l.Publish(t)
	l.Check(t)
}

// TestOthersGoOn: while a share to many is recorded, a small one waits for a part of
// it and never for all.
func TestOthersGoOn(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	done := make(chan error, 1)
	go func() {
		_, err := l.TryRecord(t, ledgertest.Share("many", ledgertest.People("p", 5_000)...))
		done <- err
	}()
	between := 0
	for i, ended := 0, false; !ended; i++ {
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("small ", i), "ada"))
		open, err := l.Unfinished(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		between += len(open)
		select {
		case err := <-done:
			if ended = true; err != nil {
				t.Fatal(err)
			}
		default:
		}
	}
	if between < 3 {
		t.Errorf("only %d others were recorded meanwhile", between)
	}
	l.Publish(t)
	l.Check(t)
}
