package audit_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier/audit"
)

// covered begins a ledger whose rules promise three entries between two state leaves.
func covered(t *testing.T) *made {
	t.Helper()
	var vrf events.Hash
	rand.Read(vrf[:])
	rules := events.DefaultRules()
	rules.Publication, rules.Cover = events.PublicationPublic, 3
	m := beginUnder(t, vrf, rules)
	m.window(t, 3)
	return m
}

// window adds entries of one time and the next minute's state leaf.
func (m *made) window(t *testing.T, entries int) {
	t.Helper()
	for range entries {
		m.entry(m.draw(), m.draw())
	}
	m.timeMS += minute
	m.state(t, nil)
}

// TestCover: a ledger that keeps what its rules promise is found whole, by an auditor
// who comes again too; one that does not is not.
func TestCover(t *testing.T) {
	m := covered(t)
	a := open(t, t.TempDir(), m.trust)
	for _, n := range []int{3, 5, 4} {
		if _, err := a.Audit(t.Context(), m.source(), m.publish(t)); err != nil {
			t.Fatal(err)
		}
		m.window(t, n)
	}
	for name, lie := range map[string]struct {
		tell func(m *made) uint64
		rule string
	}{
		"fewer entries than promised": {func(m *made) uint64 {
			m.window(t, 2)
			return m.edge.Size() - 1
		}, "promise 3"},
		"none": {func(m *made) uint64 {
			m.state(t, nil)
			return m.edge.Size() - 1
		}, "promise 3"},
		"an entry that no cover hides": {func(m *made) uint64 {
			m.entries(t, 4)
			m.timeMS += minute
			m.window(t, 1)
			return m.edge.Size() - 2
		}, "told from covers"},
	} {
		t.Run(name, func(t *testing.T) {
			m := covered(t)
			a := open(t, t.TempDir(), m.trust)
			if _, err := a.Audit(t.Context(), m.source(), m.publish(t)); err != nil {
				t.Fatal(err)
			}
			want := lie.tell(m)
			for what, a := range map[string]*audit.Auditor{"going on": a, "from the beginning": open(t, t.TempDir(), m.trust)} {
				wantFault(t, what, a, m, want, lie.rule)
			}
		})
	}
}

// TestLabelsWithoutEnd: an auditor keeps the labels behind a state leaf in memory, so
// a ledger must not put any number there.
func TestLabelsWithoutEnd(t *testing.T) {
	m := newLog(t, 1, 2)
	first := m.edge.Size()
	for range events.MaxUncovered/events.MaxSlots + 1 {
		labels := make([]events.Hash, events.MaxSlots)
		for i := range labels {
			labels[i] = m.draw()
		}
		m.entry(labels...)
	}
	m.state(t, nil)
	wantFault(t, "an audit", open(t, t.TempDir(), m.trust), m, first+events.MaxUncovered/events.MaxSlots, "since the last state leaf")
}

func wantFault(t *testing.T, what string, a *audit.Auditor, m *made, at uint64, rule string) {
	t.Helper()
	var f *audit.Fault
	if _, err := a.Audit(t.Context(), m.source(), m.publish(t)); !errors.As(err, &f) || f.Index != at || !strings.Contains(f.Rule, rule) || f.Next == "" {
		t.Errorf("%s: %v; it is leaf %d", what, err, at)
	}
}
