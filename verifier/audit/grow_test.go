package audit_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier/audit"
)

// TestAtOnce: however many labels are inserted at once, an audit finds the same,
// names the same fault, keeps what is before that, and goes on from there.
func TestAtOnce(t *testing.T) {
	m := newLog(t, 0, 0)
	for i := range 30 {
		m.entries(t, i%4)
		m.state(t, nil)
	}
	whole := m.edge.Size()
	first := m.publish(t)
	for range 9 {
		m.entries(t, 3)
		m.state(t, nil)
	}
	good := m.edge.Size()
	m.entries(t, 2)
	m.state(t, func(s *events.State) { s.MapRoot[5] ^= 1 })
	wrong := m.edge.Size() - 1
	for range 9 {
		m.entries(t, 3)
		m.state(t, nil)
	}
	var want audit.Found
	for i, labels := range []int{1 << 20, 1, 7, 20, 60} {
		cfg := audit.Config{Trust: m.trust, Dir: t.TempDir()}.AtOnce(labels)
		a, err := audit.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		found, err := a.Audit(t.Context(), m.source(), first)
		if i == 0 {
			want = found
		}
		if err != nil || found != want || found.States != 31 || a.Size() != whole {
			t.Fatalf("%d at once: %+v, %v", labels, found, err)
		}
		last := m.publish(t)
		var f *audit.Fault
		if _, err := a.Audit(t.Context(), m.source(), last); !errors.As(err, &f) || f.Index != wrong || a.Size() != good {
			t.Errorf("%d at once: %v, and kept %d of %d", labels, err, a.Size(), good)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if a, err = audit.Open(cfg); err != nil || a.Size() != good {
			t.Fatalf("%d at once: opened again at %d of %d, %v", labels, a.Size(), good, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStopped: an audit that is stopped has kept what was whole, and goes on.
func TestStopped(t *testing.T) {
	m := newLog(t, 40, 20)
	c := m.publish(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	cfg := audit.Config{Trust: m.trust, Dir: t.TempDir(), Progress: func(done, total uint64) {
		if done > total/2 {
			stop()
		}
	}}.AtOnce(50)
	a, err := audit.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Audit(ctx, m.source(), c); !errors.Is(err, context.Canceled) {
		t.Fatalf("the audit was stopped: %v", err)
	}
	before := a.Size()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = open(t, cfg.Dir, m.trust)
	if a.Size() != before {
		t.Fatalf("opened again at %d of %d", a.Size(), before)
	}
	if found, err := a.Audit(t.Context(), m.source(), c); err != nil || found.Leaves != c.Size || found.New != c.Size-before {
		t.Fatalf("%+v, %v", found, err)
	}
}
