package projections_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
)

func rebuildOf(s *projectionstest.Stream) projections.Rebuild {
	return projections.Rebuild{
		Source: s.Log, Stream: projectionstest.StreamName, PageSize: 5,
		Head: func(context.Context) (uint64, error) { return s.Head(), nil },
	}
}

func shares(s *projectionstest.Stream, n int) {
	for range n {
		s.Share("northwind", "ada", "grace")
	}
}

// TestRebuild damages a version, builds the next one beside it while the stream
// goes on and pages are applied, is interrupted, goes on, and swaps.
func TestRebuild(t *testing.T) {
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		s := projectionstest.NewStream(t)
		p := e.New(t)
		store := p.MustOpen(t, projectionstest.Origin)
		m := open(t, store, s)
		s.Enrol(events.RoleSubject, "ada", "grace")
		s.Enrol(events.RoleRecipient, "northwind")
		shares(s, 20)
		apply(t, m, s, 7)
		p.Exec(t, projections.Name, 1, "DELETE FROM entry WHERE number = 3")
		ada := projectionstest.Subject("ada")

		// The first try is cut off in the middle.
		ctx, cancel := context.WithCancel(t.Context())
		cfg := rebuildOf(s)
		now := time.Unix(0, 0)
		cfg.Now = func() time.Time { now = now.Add(time.Second); return now }
		var seen []projections.Progress
		cfg.Progress = func(p projections.Progress) {
			if seen = append(seen, p); len(seen) == 2 {
				cancel()
			}
		}
		if _, err := m.Rebuild(ctx, cfg); !errors.Is(err, context.Canceled) || m.Version() != 1 {
			t.Fatalf("a rebuild cut off: %v, version %d", err, m.Version())
		}
		if got := seen[1]; got.Version != 2 || got.Next != 10 || got.Head != 22 || got.Rate != 5 || got.ETA != 2400*time.Millisecond {
			t.Errorf("progress is %+v", got)
		}
		// The second goes on where it was. Meanwhile the version in use follows the
		// stream and answers, with the row missing.
		seen = nil
		cfg.Progress = func(p projections.Progress) {
			seen = append(seen, p)
			if len(seen) < 4 {
				shares(s, 2)
				apply(t, m, s, 100)
				if rows := mustList(t, m, ada); len(rows) != 19+2*len(seen) {
					t.Errorf("%d rows during the rebuild", len(rows))
				}
			}
		}
		version, err := m.Rebuild(t.Context(), cfg)
		if err != nil || version != 2 || m.Version() != 2 || seen[0].Next != 15 {
			t.Fatalf("Rebuild() = %d, %v; in use is %d; it began at %+v", version, err, m.Version(), seen[0])
		}
		shares(s, 3)
		apply(t, m, s, 100)
		checkFold(t, s, store)
		// The next process finds the new version; the old one can be put back, or go.
		again := open(t, store, s)
		if again.Version() != 2 {
			t.Errorf("version %d is in use", again.Version())
		}
		if err := m.Drop(t.Context(), 2); !errors.Is(err, projections.ErrInUse) {
			t.Errorf("dropping the version in use: %v", err)
		}
		cfg = rebuildOf(s)
		cfg.Version = 2
		if _, err := m.Rebuild(t.Context(), cfg); err == nil {
			t.Error("building the version in use must be refused")
		}
		cfg.Version = 1
		if _, err := m.Rebuild(t.Context(), cfg); err != nil || m.Version() != 1 {
			t.Fatalf("going back: %v, version %d", err, m.Version())
		}
		if rows := mustList(t, m, ada); len(rows) != 28 {
			t.Errorf("the damaged version has %d rows", len(rows))
		}
		if err := m.Drop(t.Context(), 2); err != nil {
			t.Error(err)
		}
	})
}

// TestRebuildRefusesParked: a version that lacks somebody's rows does not take
// the place of one that has them.
func TestRebuildRefusesParked(t *testing.T) {
	s := projectionstest.NewStream(t)
	m := open(t, projectionstest.Place(t.TempDir()).MustOpen(t, projectionstest.Origin), s)
	s.Enrol(events.RoleSubject, "ada", "grace")
	s.Enrol(events.RoleRecipient, "northwind")
	s.ShareWith(func(name string, d *keystore.Draw) {
		if name == "ada" {
			d.Key = [32]byte{}
		}
	}, "northwind", "ada", "grace")
	apply(t, m, s, 100)
	if _, err := m.Rebuild(t.Context(), rebuildOf(s)); !errors.Is(err, projections.ErrParked) || m.Version() != 1 {
		t.Errorf("Rebuild() = %v, version %d", err, m.Version())
	}
}
