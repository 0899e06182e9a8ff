package watch_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/audit"
	"github.com/sharetrail/sharetrail/verifier/watch"
)

// log is a log of entries with any labels.
type log struct {
	dir    string
	writer *tiles.Writer
	edge   tiles.Edge
	drawn  uint64
}

func newLog(t testing.TB) *log {
	t.Helper()
	l := &log{dir: t.TempDir()}
	var err error
	if l.writer, err = tiles.Open(l.dir, 0, l.edge.Root()); err != nil {
		t.Fatal(err)
	}
	return l
}

// add appends an entry with a label and a decoy.
func (l *log) add(label events.Hash) uint64 {
	l.drawn++
	decoy := events.EntryLabel(events.Hash{1}, l.drawn)
	if label.IsZero() {
		label = events.EntryLabel(events.Hash{2}, l.drawn)
	}
	leaf := events.Leaf{Kind: events.KindEntry, TimeMS: 60_000 * l.drawn, Event: decoy, Body: decoy, Blob: decoy,
		Slots: []events.Slot{{Label: decoy, Commit: decoy}, {Label: label, Commit: decoy}}}
	entry := leaf.Marshal()
	l.writer.Add(entry, events.LeafHash(entry), true)
	l.edge.Append(events.LeafHash(entry))
	return l.edge.Size() - 1
}

func (l *log) publish(t rapid.TB) verifier.Checkpoint {
	c := verifier.Checkpoint{Origin: "ledger.example", Size: l.edge.Size(), Root: l.edge.Root()}
	if err := l.writer.Sync(c.Size, c.Root); err != nil {
		t.Fatal(err)
	}
	return c
}

var trust = &verifier.Trust{Genesis: events.Hash{7}}

// TestLook: every entry is told once, in order, whatever is looked at between, and
// across restarts.
func TestLook(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l, handle := newLog(t), events.Hash{9}
		w := watch.Start(trust, handle, 0, 0)
		var want, got []uint64
		for range rapid.IntRange(1, 5).Draw(r, "looks") {
			for range rapid.IntRange(1, 300).Draw(r, "leaves") {
				if rapid.IntRange(0, 20).Draw(r, "mine") == 0 {
					want = append(want, l.add(events.EntryLabel(handle, uint64(len(want)))))
				} else {
					l.add(events.Hash{})
				}
			}
			found, err := w.Look(r.Context(), tiles.Dir(l.dir), l.publish(r), handle, nil)
			if err != nil {
				r.Fatal(err)
			}
			for _, e := range found {
				if e.Number != uint64(len(got)) || e.TimeMS != 60_000*(e.Index+1) {
					r.Fatalf("%+v after %d", e, len(got))
				}
				got = append(got, e.Index)
			}
			if !slices.Equal(got, want) {
				r.Fatalf("found %v of %v", got, want)
			}
			if w, err = watch.Parse(w.Marshal(), trust, handle); err != nil {
				r.Fatal(err)
			}
		}
	})
}

// TestFrom begins where a report ends.
func TestFrom(t *testing.T) {
	l, handle := newLog(t), events.Hash{9}
	for i := range uint64(300) {
		l.add(events.EntryLabel(handle, i))
	}
	w := watch.Start(trust, handle, 290, 290)
	found, err := w.Look(t.Context(), tiles.Dir(l.dir), l.publish(t), handle, nil)
	if err != nil || len(found) != 10 || found[0].Number != 290 || w.Next() != 300 {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestFaults: a log that changes what it showed, or skips an entry, is told, and the
// watch stays where it was.
func TestFaults(t *testing.T) {
	l, handle := newLog(t), events.Hash{9}
	l.add(events.EntryLabel(handle, 0))
	w := watch.Start(trust, handle, 0, 0)
	c := l.publish(t)
	if _, err := w.Look(t.Context(), tiles.Dir(l.dir), c, handle, nil); err != nil {
		t.Fatal(err)
	}
	kept := string(w.Marshal())
	other := newLog(t)
	for range 5 {
		other.add(events.Hash{})
	}
	skipping := newLog(t)
	skipping.add(events.EntryLabel(handle, 0))
	skipping.add(events.EntryLabel(handle, 3))
	forged := c
	forged.Root[0]++
	for name, look := range map[string]func() error{
		"another history": func() error {
			_, err := w.Look(t.Context(), tiles.Dir(other.dir), other.publish(t), handle, nil)
			return err
		},
		"another root": func() error { _, err := w.Look(t.Context(), tiles.Dir(l.dir), forged, handle, nil); return err },
		"a skipped entry": func() error {
			_, err := w.Look(t.Context(), tiles.Dir(skipping.dir), skipping.publish(t), handle, nil)
			return err
		},
		"lost tiles": func() error {
			grown := c
			grown.Size += 300
			_, err := w.Look(t.Context(), tiles.Dir(l.dir), grown, handle, nil)
			return err
		},
	} {
		var f *audit.Fault
		if err := look(); !errors.As(err, &f) {
			t.Errorf("%s: %v", name, err)
		}
		if string(w.Marshal()) != kept {
			t.Errorf("%s: the watch went on", name)
		}
	}
	older := verifier.Checkpoint{Size: 0}
	if _, err := w.Look(t.Context(), tiles.Dir(l.dir), older, handle, nil); err == nil {
		t.Error("a log of fewer leaves was taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(watch.Start(trust, events.Hash{9}, 3, 4).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := watch.Parse(b, trust, events.Hash{9})
		if err != nil {
			return
		}
		again, err := watch.Parse(w.Marshal(), trust, events.Hash{9})
		if err != nil || again.Size() != w.Size() || again.Next() != w.Next() {
			t.Errorf("%s: %v", b, err)
		}
	})
}
