package projections_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
	"github.com/sharetrail/sharetrail/verifier"
)

// lose takes the keys of subjects out of the keystore's file, as an older backup
// would lack them, and returns what puts them back.
func lose(t *testing.T, s *projectionstest.Stream, names ...string) (restore func()) {
	t.Helper()
	execute := func(statement string, args ...any) {
		t.Helper()
		db, err := sql.Open("sqlite", filepath.Join(s.Dir, "keys.db")+"?_pragma=busy_timeout(5000)")
		if err == nil {
			_, err = db.ExecContext(t.Context(), statement, args...)
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	execute("CREATE TABLE lost AS SELECT * FROM party WHERE 0")
	for _, name := range names {
		p, _, err := s.Keys.Party(t.Context(), events.RoleSubject, projectionstest.Subject(name))
		if err != nil {
			t.Fatal(err)
		}
		execute("INSERT INTO lost SELECT * FROM party WHERE id = ?", int64(p.ID))
		execute("DELETE FROM party WHERE id = ?", int64(p.ID))
	}
	s.Keys.Forget()
	return func() { execute("INSERT INTO party SELECT * FROM lost; DROP TABLE lost") }
}

func numbers(rows []projections.Disclosure) []uint64 {
	var all []uint64
	for _, r := range rows {
		all = append(all, r.Number)
	}
	return all
}

// TestOnePartyIsParked: what is wrong with one party's events stops that party
// alone, and once it is put right the rows are as if nothing had happened.
func TestOnePartyIsParked(t *testing.T) {
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		s := projectionstest.NewStream(t)
		store := e.New(t).MustOpen(t, projectionstest.Origin)
		m := open(t, store, s)
		s.Enrol(events.RoleSubject, "ada", "grace")
		s.Enrol(events.RoleRecipient, "northwind")
		s.Share("northwind", "ada", "grace")
		apply(t, m, s, 2)
		restore := lose(t, s, "ada")
		failed := s.Share("northwind", "ada", "grace")
		for range 5 {
			s.Share("northwind", "grace", "ada")
		}
		apply(t, m, s, 2)

		ada, grace := projectionstest.Subject("ada"), projectionstest.Subject("grace")
		parked := m.Parked()
		if len(parked) != 1 || parked[0].Index != failed || parked[0].Class != projections.ClassKey || parked[0].Since.IsZero() {
			t.Fatalf("parked: %+v", parked)
		}
		if rows := mustList(t, m, grace); len(rows) != 7 {
			t.Errorf("grace has %d rows", len(rows))
		}
		if still, err := m.Retry(t.Context(), s.Log, projectionstest.StreamName); err != nil || len(still) != 1 || still[0].Index != failed {
			t.Errorf("a retry without the key: %+v, %v", still, err)
		}
		restore()
		var refused *projections.ParkedError
		if _, err := m.List(t.Context(), events.RoleSubject, ada, projections.ListQuery{Limit: 10}); !errors.As(err, &refused) || refused.Index != failed || !errors.Is(err, projections.ErrParked) {
			t.Errorf("listing a parked party: %v", err)
		}
		s.Share("northwind", "ada") // the key is back, but its turn has not come
		apply(t, m, s, 100)
		if still, err := m.Retry(t.Context(), s.Log, projectionstest.StreamName); err != nil || len(still) != 0 {
			t.Fatalf("a retry with the key: %+v, %v", still, err)
		}
		if got := numbers(mustList(t, m, ada)); !cmp.Equal(got, []uint64{0, 1, 2, 3, 4, 5, 6, 7}) {
			t.Errorf("ada has the entries %v", got)
		}
		s.Share("northwind", "ada", "grace")
		apply(t, m, s, 100)
		checkFold(t, s, store)
	})
}

func checkFold(t *testing.T, s *projectionstest.Stream, store projections.Store) {
	t.Helper()
	_, active, err := store.Versions(t.Context(), projections.Name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := store.Open(t.Context(), projections.Name, active)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	pureFold(t, s.Keys, projectionstest.Origin, streamed(t, s)).check(t, v, s.Head())
}

func streamed(t testing.TB, s *projectionstest.Stream) (all []events.Recorded) {
	for page := range s.Log.Pages(t.Context(), projectionstest.StreamName, 0, 1000) {
		if all = append(all, page...); uint64(len(all)) == s.Head() {
			break
		}
	}
	return all
}

// TestClasses: events as no ledger writes them, each of which would otherwise
// halt everybody.
func TestClasses(t *testing.T) {
	other := [32]byte{1}
	number := uint64(99)
	for class, change := range map[string]func(d *keystore.Draw){
		projections.ClassCiphertext: func(d *keystore.Draw) { d.Key = other },
		projections.ClassContents:   func(d *keystore.Draw) { d.Content.Number = &number },
	} {
		t.Run(class, func(t *testing.T) {
			s := projectionstest.NewStream(t)
			m := open(t, projectionstest.Place(t.TempDir()).MustOpen(t, projectionstest.Origin), s)
			s.Enrol(events.RoleSubject, "ada", "grace")
			s.Enrol(events.RoleRecipient, "northwind")
			s.Share("northwind", "ada", "grace")
			at := s.ShareWith(func(name string, d *keystore.Draw) {
				if name == "ada" {
					change(d)
				}
			}, "northwind", "ada", "grace")
			s.Share("northwind", "ada", "grace")
			apply(t, m, s, 100) // all in one page
			if p := m.Parked(); len(p) != 1 || p[0].Index != at || p[0].Class != class {
				t.Errorf("parked: %+v", p)
			}
			if rows := mustList(t, m, projectionstest.Subject("grace")); len(rows) != 3 {
				t.Errorf("grace has %d rows", len(rows))
			}
			next, err := m.Position(t.Context())
			if err != nil || next != s.Head() {
				t.Errorf("at %d, %v", next, err)
			}
		})
	}
}

// TestTypeOfAnother: an event that is not for a party of that role has no row, and
// is not passed over.
func TestTypeOfAnother(t *testing.T) {
	s := projectionstest.NewStream(t)
	m := open(t, projectionstest.Place(t.TempDir()).MustOpen(t, projectionstest.Origin), s)
	s.Enrol(events.RoleSubject, "ada", "grace")
	s.Enrol(events.RoleRecipient, "northwind")
	at := s.Tell(new(events.StatementPublished), "ada")
	s.Share("northwind", "ada", "grace")
	apply(t, m, s, 100)
	if p := m.Parked(); len(p) != 1 || p[0].Index != at || p[0].Class != projections.ClassType {
		t.Errorf("parked: %+v", p)
	}
	if rows := mustList(t, m, projectionstest.Subject("grace")); len(rows) != 1 {
		t.Errorf("grace has %d rows", len(rows))
	}
}

// TestTooManyParked: a lost keystore is nobody's own trouble.
func TestTooManyParked(t *testing.T) {
	s := projectionstest.NewStream(t)
	m := open(t, projectionstest.Place(t.TempDir()).MustOpen(t, projectionstest.Origin), s)
	var people []string
	for i := range 1001 {
		people = append(people, fmt.Sprint("p", i))
	}
	s.Enrol(events.RoleRecipient, "northwind")
	for part := people; len(part) > 0; part = part[min(200, len(part)):] {
		s.Enrol(events.RoleSubject, part[:min(200, len(part))]...)
	}
	apply(t, m, s, 100)
	before := s.Head()
	restore := lose(t, s, people...)
	for part := people; len(part) > 0; part = part[min(200, len(part)):] {
		s.Share("northwind", part[:min(200, len(part))]...)
	}
	err := errors.New("no page")
	for page := range s.Log.Pages(t.Context(), projectionstest.StreamName, before, 100) {
		err = m.Apply(t.Context(), page)
		break
	}
	if !errors.Is(err, projections.ErrTooManyParked) || len(m.Parked()) != 0 {
		t.Errorf("Apply() = %v, %d parked", err, len(m.Parked()))
	}
	restore()
	apply(t, m, s, 100)
	if rows := mustList(t, m, projectionstest.Subject("p7")); len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
}

// cut is a source that ends after some pages, as a lost connection ends it.
type cut struct {
	*projectionstest.Stream
	pages int
}

var errCut = errors.New("connection lost")

func (c *cut) Pages(ctx context.Context, stream string, from uint64, _ int) iter.Seq2[[]events.Recorded, error] {
	return func(yield func([]events.Recorded, error) bool) {
		for page, err := range c.Log.Pages(ctx, stream, from, 2) {
			if c.pages--; c.pages < 0 {
				yield(nil, errCut)
				return
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

// TestRetryGoesOn: a retry that ends early is gone on with, while the stream
// grows, and somebody who fails again later waits there.
func TestRetryGoesOn(t *testing.T) {
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		s := projectionstest.NewStream(t)
		p := e.New(t)
		store := p.MustOpen(t, projectionstest.Origin)
		m := open(t, store, s)
		s.Enrol(events.RoleSubject, "ada", "grace", "edsger")
		s.Enrol(events.RoleRecipient, "northwind")
		apply(t, m, s, 100)
		restore := lose(t, s, "ada", "grace")
		for range 6 {
			s.Share("northwind", "ada", "grace", "edsger")
		}
		apply(t, m, s, 4)
		if len(m.Parked()) != 2 {
			t.Fatalf("parked: %+v", m.Parked())
		}
		restore()
		for tries := 0; len(m.Parked()) > 0; tries++ {
			if tries > 20 {
				t.Fatal("the retry gets nowhere")
			}
			s.Share("northwind", "edsger", "ada")
			apply(t, m, s, 100)
			// Another process opens the same version each time.
			again := open(t, p.MustOpen(t, projectionstest.Origin), s)
			if _, err := again.Retry(t.Context(), &cut{s, 2}, projectionstest.StreamName); err != nil && !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			apply(t, m, s, 100)
			s.Share("northwind", "grace")
			apply(t, m, s, 100)
		}
		checkFold(t, s, store)
	})
}

// nothing proves an empty state under which nothing is projected.
type nothing struct{ verifier.Evidence }

func (n nothing) Prove(context.Context, verifier.Query) (verifier.Evidence, error) {
	return n.Evidence, nil
}

func TestNoReportAboutParkedParties(t *testing.T) {
	s := projectionstest.NewStream(t)
	m := open(t, projectionstest.Place(t.TempDir()).MustOpen(t, projectionstest.Origin), s)
	s.Enrol(events.RoleSubject, "ada")
	s.Enrol(events.RoleRecipient, "northwind")
	at := s.ShareWith(func(name string, d *keystore.Draw) {
		if name == "ada" {
			d.Key = [32]byte{}
		}
	}, "northwind", "ada")
	runner, stop := startOn(t, projections.Config{Source: s.Log, Stream: projectionstest.StreamName}, m)
	var evidence nothing
	evidence.State.Index = at
	evidence.Names = []verifier.Name{{ID: projectionstest.Subject("ada").String()}}
	reports := &projections.Reports{Prover: evidence, Rows: m, Runner: runner}
	q := verifier.Query{Role: events.RoleSubject, IDs: []events.Identity{projectionstest.Subject("ada")}}
	if _, err := reports.Write(t.Context(), q); !errors.Is(err, projections.ErrParked) {
		t.Errorf("Write() = %v", err)
	}
	if status := runner.Status()[0]; len(status.Parked) != 1 || status.Err != nil || status.Next != s.Head() {
		t.Errorf("status is %+v", status)
	}
	mustStop(t, stop)
}
