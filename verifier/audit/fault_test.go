package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/audit"
)

// lies are what an operator may put into a log, signed and with right tiles. Each
// returns the first leaf that is wrong. They are told before and after an audit of
// what was right.
var lies = map[string]struct {
	tell func(t *testing.T, m *made) uint64
	rule string
}{
	"an index that lacks a label": {func(t *testing.T, m *made) uint64 {
		m.entries(t, 3)
		m.pending = m.pending[1:]
		m.state(t, nil)
		return m.edge.Size() - 1
	}, "labels"},
	"an index with another value": {func(t *testing.T, m *made) uint64 {
		m.entries(t, 3)
		m.pending[2].Value[0] ^= 1
		m.state(t, nil)
		return m.edge.Size() - 1
	}, "another root of the index"},
	"a number of labels": {func(t *testing.T, m *made) uint64 {
		m.state(t, func(s *events.State) { s.MapEntries++ })
		return m.edge.Size() - 1
	}, "labels"},
	"a label twice in a leaf": {func(t *testing.T, m *made) uint64 {
		m.entries(t, 2)
		l := m.draw()
		m.entry(l, m.draw(), l, m.draw())
		m.state(t, nil)
		return m.edge.Size() - 2
	}, "slot 2 has a label"},
	"a label twice between two states": {func(t *testing.T, m *made) uint64 {
		l := m.draw()
		m.entry(l, m.draw())
		m.entries(t, 2)
		m.entry(m.draw(), l)
		m.state(t, nil)
		return m.edge.Size() - 2
	}, "slot 1 has a label"},
	"an old label again": {func(t *testing.T, m *made) uint64 {
		l := m.draw()
		m.entry(l, m.draw())
		m.state(t, nil)
		m.entries(t, 5)
		m.entry(l, m.draw())
		m.state(t, nil)
		m.state(t, nil)
		return m.edge.Size() - 3
	}, "slot 0 has a label"},
	"a time that goes back": {func(t *testing.T, m *made) uint64 {
		m.timeMS -= minute
		m.entries(t, 1)
		m.state(t, nil)
		return m.edge.Size() - 2
	}, "before that of the leaf"},
	"a time off the grain": {func(t *testing.T, m *made) uint64 {
		m.timeMS++
		m.entries(t, 1)
		m.state(t, nil)
		return m.edge.Size() - 2
	}, "grain"},
	"a state off the grain": {func(t *testing.T, m *made) uint64 {
		m.timeMS += 59_999
		m.state(t, nil)
		return m.edge.Size() - 1
	}, "grain"},
	"a foreign leaf with a time": {func(t *testing.T, m *made) uint64 {
		m.append((&events.Leaf{Kind: events.KindForeign, TimeMS: m.timeMS + minute, Body: m.draw()}).Marshal())
		m.timeMS += minute
		m.state(t, nil)
		return m.edge.Size() - 2
	}, "not the ledger's"},
	"no leaf": {func(t *testing.T, m *made) uint64 {
		m.append([]byte("hello"))
		m.state(t, nil)
		return m.edge.Size() - 2
	}, "malformed"},
	"another VRF key": {func(t *testing.T, m *made) uint64 {
		m.state(t, func(s *events.State) { s.VRFKey[5]++ })
		return m.edge.Size() - 1
	}, "VRF"},
	"another state before": {func(t *testing.T, m *made) uint64 {
		m.state(t, func(s *events.State) { s.PrevState[5]++ })
		return m.edge.Size() - 1
	}, "names another one before"},
	"a state of another place": {func(t *testing.T, m *made) uint64 {
		m.state(t, func(s *events.State) { s.Covered++ })
		return m.edge.Size() - 1
	}, "covers"},
	"rules that nobody sees": {func(t *testing.T, m *made) uint64 {
		m.state(t, func(s *events.State) { s.RulesHash[0]++ })
		return m.edge.Size() - 1
	}, "not beside the tiles"},
	"rules that replace": {func(t *testing.T, m *made) uint64 {
		rules := events.DefaultRules()
		first := events.RulesHash(m.rules)
		rules.Version, rules.Previous, rules.GrainMS = 2, &first, 1
		m.rules = rules.Marshal()
		m.writer.AddRules(m.rules)
		m.state(t, nil)
		return m.edge.Size() - 1
	}, "only add"},
	"a leaf after the end": {func(t *testing.T, m *made) uint64 {
		m.state(t, func(s *events.State) { s.Final, s.Successor = true, []byte("next.example/log") })
		m.state(t, nil)
		return m.edge.Size() - 1
	}, "final"},
	"a size without a state": {func(t *testing.T, m *made) uint64 {
		m.entries(t, 2)
		return m.edge.Size() - 1
	}, "not a state leaf"},
}

// TestLies: each is found, at its leaf, and what was right before it is kept.
func TestLies(t *testing.T) {
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			m := newLog(t, 4, 90) // more than one bundle
			a := open(t, t.TempDir(), m.trust)
			if _, err := a.Audit(t.Context(), m.source(), m.publish(t)); err != nil {
				t.Fatal(err)
			}
			before := a.Size()
			want := lie.tell(t, m)
			c := m.publish(t)
			fresh := open(t, t.TempDir(), m.trust)
			for what, a := range map[string]*audit.Auditor{"going on": a, "from the beginning": fresh} {
				for range 2 { // a fault stays one
					var f *audit.Fault
					if _, err := a.Audit(t.Context(), m.source(), c); !errors.As(err, &f) || f.Index != want || !strings.Contains(f.Rule, lie.rule) || f.Next == "" {
						t.Errorf("%s: %v; it is leaf %d", what, err, want)
					}
				}
				if size := a.Size(); size < before || size > want {
					t.Errorf("%s: %d leaves are kept, %d were right", what, size, want)
				}
			}
		})
	}
}

// TestSubstituted: tiles that are not what was signed are found, and nothing of them
// is kept.
func TestSubstituted(t *testing.T) {
	good := newLog(t, 3, 200)
	c := good.publish(t)
	other := newLog(t, 0, 0)
	for name, change := range map[string]func(t *testing.T, dir string){
		"an entry": func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "tile/entries/001"), func(b []byte) { b[100] ^= 1 })
		},
		"a leaf hash": func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "tile/0/001"), func(b []byte) { b[40] ^= 1 })
		},
		"an upper hash": func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "tile/1/000.p/2"), func(b []byte) { b[40] ^= 1 })
		},
		"a missing bundle": func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "tile/entries/000")) },
		"a missing tile":   func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "tile/0/000")) },
		"a cut bundle": func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, "tile/entries/000"), 100); err != nil {
				t.Fatal(err)
			}
		},
		"the rules": func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, tiles.RulesPath(events.RulesHash(good.rules))), func(b []byte) { b[3]++ })
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(good.dir)); err != nil {
				t.Fatal(err)
			}
			change(t, dir)
			a := open(t, t.TempDir(), good.trust)
			var f *audit.Fault
			if _, err := a.Audit(t.Context(), tiles.Dir(dir), c); !errors.As(err, &f) {
				t.Fatalf("%v", err)
			}
			if _, err := a.Audit(t.Context(), tiles.Dir(dir), c); !errors.As(err, &f) {
				t.Errorf("the second time: %v", err)
			}
			if found, err := a.Audit(t.Context(), good.source(), c); err != nil || found.Leaves != c.Size {
				t.Errorf("the log itself, after that: %+v, %v", found, err)
			}
		})
	}
	t.Run("a whole other history", func(t *testing.T) {
		a := open(t, t.TempDir(), good.trust)
		var f *audit.Fault
		forged := verifier.Checkpoint{Origin: origin, Size: c.Size, Root: events.Hash{1}}
		if _, err := a.Audit(t.Context(), good.source(), forged); !errors.As(err, &f) || a.Size() != 0 {
			t.Errorf("leaves under another root: %v, %d kept", err, a.Size())
		}
		other.trust.Genesis[0]++
		if _, err := open(t, t.TempDir(), other.trust).Audit(t.Context(), other.source(), other.publish(t)); !errors.As(err, &f) || f.Index != 0 {
			t.Errorf("another genesis: %v", err)
		}
	})
}

// TestHistory: what is shown later must continue what was audited before.
func TestHistory(t *testing.T) {
	m := newLog(t, 2, 20)
	early := m.publish(t)
	m.entries(t, 10)
	m.state(t, nil)
	c := m.publish(t)
	a := open(t, t.TempDir(), m.trust)
	if _, err := a.Audit(t.Context(), m.source(), c); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]struct {
		c    verifier.Checkpoint
		rule string
	}{
		"another past": {verifier.Checkpoint{Origin: origin, Size: early.Size, Root: events.Hash{1}}, "two histories"},
		"split view":   {verifier.Checkpoint{Origin: origin, Size: c.Size, Root: events.Hash{1}}, "two histories"},
		"nothing":      {verifier.Checkpoint{Origin: origin}, "nothing"},
	} {
		var f *audit.Fault
		if _, err := a.Audit(t.Context(), m.source(), bad.c); !errors.As(err, &f) || !strings.Contains(f.Rule, bad.rule) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.Audit(t.Context(), m.source(), early); !errors.Is(err, audit.ErrOlder) {
		t.Errorf("one that came late: %v", err)
	}
	old := newLog(t, 0, 0) // the tiles of fewer leaves
	var rolled *audit.Fault
	if _, err := a.Audit(t.Context(), old.source(), early); !errors.As(err, &rolled) || !strings.Contains(rolled.Rule, "fewer leaves") {
		t.Errorf("rolled back: %v", err)
	}
	// A ledger that was restored from a backup goes on from an earlier size.
	fork := begin(t, m.trust.VRF)
	fork.entries(t, 60)
	fork.state(t, nil)
	other := fork.publish(t)
	var f *audit.Fault
	if _, err := a.Audit(t.Context(), fork.source(), other); !errors.As(err, &f) || a.Size() != c.Size || !strings.Contains(f.Rule, "two histories") {
		t.Errorf("another history: %v", err)
	}
	if _, err := open(t, t.TempDir(), fork.trust).Audit(t.Context(), fork.source(), other); err != nil {
		t.Errorf("which alone is whole: %v", err)
	}
}

// TestLostIndex: an auditor whose index is lost or damaged reads all again, and
// still knows what was shown.
func TestLostIndex(t *testing.T) {
	m, dir := newLog(t, 3, 20), t.TempDir()
	a := open(t, dir, m.trust)
	c := m.publish(t)
	want, err := a.Audit(t.Context(), m.source(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Close(), os.RemoveAll(filepath.Join(dir, "index"))); err != nil {
		t.Fatal(err)
	}
	fork := begin(t, m.trust.VRF)
	fork.entries(t, 90)
	fork.state(t, nil)
	a = open(t, dir, m.trust)
	var f *audit.Fault
	if _, err := a.Audit(t.Context(), fork.source(), fork.publish(t)); !errors.As(err, &f) || f.Index != c.Size || a.Size() != 0 {
		t.Errorf("another history: %v", err)
	}
	found, err := a.Audit(t.Context(), m.source(), c)
	if want.New = 0; err != nil || found != want || a.Size() != c.Size {
		t.Errorf("%+v, %v", found, err)
	}
}

func edit(t *testing.T, path string, change func([]byte)) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		change(b)
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestRulesGrow: a version that only adds is taken, and kept for the next audit.
func TestRulesGrow(t *testing.T) {
	m := newLog(t, 2, 5)
	full := events.DefaultRules()
	hash := events.RulesHash(m.rules)
	full.Version, full.Previous = 2, &hash
	a := open(t, t.TempDir(), m.trust)
	for range 2 {
		m.rules = full.Marshal()
		m.writer.AddRules(m.rules)
		m.entries(t, 5)
		m.state(t, nil)
		if _, err := a.Audit(t.Context(), m.source(), m.publish(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoRules: a ledger may begin with a leaf that names no rules, and whoever pins it
// audits it.
func TestNoRules(t *testing.T) {
	m := newLog(t, 0, 0)
	s := &events.State{MapRoot: m.tree.Root(), VRFKey: events.Hash{1}}
	leaf := events.Leaf{Kind: events.KindState, TimeMS: m.timeMS, Ext: s.Marshal()}
	m.dir, m.edge = t.TempDir(), tiles.Edge{}
	var err error
	if m.writer, err = tiles.Open(m.dir, 0, m.edge.Root()); err != nil {
		t.Fatal(err)
	}
	m.trust.VRF, m.trust.Genesis = s.VRFKey, m.append(leaf.Marshal())
	var f *audit.Fault
	if _, err := open(t, t.TempDir(), m.trust).Audit(t.Context(), m.source(), m.publish(t)); !errors.As(err, &f) || f.Index != 0 {
		t.Errorf("%v", err)
	}
}
