package eventstest

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
)

// shown reads the stream from a revision and wants these events to stand there.
// A reader that begins before it is told of the gap.
func (b *bench) shown(from uint64, want []events.Proposed) {
	b.t.Helper()
	b.compare(b.collect(b.Read(b.ctx, b.stream, from, math.MaxUint64)), want, from)
	if from == 0 || len(want) == 0 {
		return
	}
	for _, err := range b.Read(b.ctx, b.stream, 0, math.MaxUint64) {
		if !errors.Is(err, esdb.ErrGap) {
			b.t.Fatalf("reading over hidden events answered %v", err)
		}
	}
}

func (b *bench) describe(expected events.Expected, m esdb.Metadata) {
	b.t.Helper()
	if err := b.SetStreamMetadata(b.ctx, b.stream, expected, m); err != nil {
		b.t.Fatal(err)
	}
	got, at, err := b.StreamMetadata(b.ctx, b.stream)
	if err != nil || at != expected+1 {
		b.t.Fatalf("metadata stand at %d, %v; want %d", at, err, expected+1)
	}
	if m.Others == nil {
		m.Others = map[string]json.RawMessage{}
	}
	if diff := cmp.Diff(m, got); diff != "" {
		b.t.Fatalf("metadata differ (-want +got):\n%s", diff)
	}
}

func testMetadata(t *testing.T, b *bench) {
	all := append(b.fill(10), b.events("more", 1)...)
	b.describe(events.NoStream, esdb.Metadata{MaxCount: 3, Others: map[string]json.RawMessage{"$acl": json.RawMessage(`{"$d":"nobody"}`), "owner": json.RawMessage(`"us"`)}})
	b.shown(7, all[7:10])
	b.append(9, all[10])
	b.shown(8, all[8:])
	if err := b.SetStreamMetadata(b.ctx, b.stream, events.NoStream, esdb.Metadata{}); !errors.Is(err, events.ErrConflict) {
		t.Fatalf("metadata at the wrong revision: %v", err)
	}
	b.describe(0, esdb.Metadata{TruncateBefore: 10})
	b.shown(10, all[10:])
	b.describe(1, esdb.Metadata{TruncateBefore: 11})
	b.shown(0, nil) // the stream exists and shows nothing
	b.describe(2, esdb.Metadata{MaxAge: time.Hour})
	b.shown(0, all)
	b.describe(3, esdb.Metadata{MaxCount: 2, TruncateBefore: 3})
	b.shown(9, all[9:])
	b.describe(4, esdb.Metadata{})
	b.check(all)
}

func testMetadataFirst(t *testing.T, b *bench) {
	if m, at, err := b.StreamMetadata(b.ctx, b.stream); err != nil || at != events.NoStream || m.MaxCount != 0 {
		t.Fatalf("metadata before any: %v at %d, %v", m, at, err)
	}
	b.describe(events.NoStream, esdb.Metadata{MaxCount: 1})
	b.check(nil)
	all := b.fill(3)
	b.shown(2, all[2:])
}

func testDelete(t *testing.T, b *bench) {
	if err := b.Delete(b.ctx, b.stream, 0); !errors.Is(err, events.ErrConflict) {
		t.Fatalf("deleting what is not there: %v", err)
	}
	all := b.fill(3)
	b.describe(events.NoStream, esdb.Metadata{MaxCount: 100})
	for _, wrong := range []events.Expected{events.NoStream, 1, 3} {
		if err := b.Delete(b.ctx, b.stream, wrong); !errors.Is(err, events.ErrConflict) {
			t.Fatalf("deleting at %d: %v", wrong, err)
		}
	}
	if err := b.Delete(b.ctx, b.stream, 2); err != nil {
		t.Fatal(err)
	}
	b.check(nil)
	b.wantHead(events.NoStream)
	b.conflict(7, b.events("wrong", 1)...)
	more := b.events("more", 3)
	b.append(2, more...) // revisions go on
	b.append(2, more...) // a repeat
	b.shown(3, more)
	b.wantHead(5)
	m, at, err := b.StreamMetadata(b.ctx, b.stream)
	if err != nil || at != 2 || m.TruncateBefore != 3 || m.MaxCount != 100 {
		t.Fatalf("the metadata of a stream that came back are %+v at %d, %v", m, at, err)
	}
	// Nothing is gone from the log of all streams.
	located := b.located(esdb.Position{}, 6, b.stream)
	for i, e := range append(all, more...) {
		if located[i].ID != e.ID || located[i].Revision != uint64(i) {
			t.Fatalf("$all shows %s at %d, want %s", located[i].ID, located[i].Revision, e.ID)
		}
	}
}

func testTombstone(t *testing.T, b *bench) {
	b.fill(3)
	if err := b.Tombstone(b.ctx, b.stream, 1); !errors.Is(err, events.ErrConflict) {
		t.Fatalf("ending at the wrong revision: %v", err)
	}
	for range 2 { // the second finds it done
		if err := b.Tombstone(b.ctx, b.stream, 2); err != nil {
			t.Fatal(err)
		}
	}
	calls := map[string]func() error{
		"delete":   func() error { return b.Delete(b.ctx, b.stream, 2) },
		"describe": func() error { return b.SetStreamMetadata(b.ctx, b.stream, events.NoStream, esdb.Metadata{}) },
		"head":     func() error { _, err := b.Head(b.ctx, b.stream); return err },
		"read": func() error {
			for _, err := range b.Read(b.ctx, b.stream, 0, 10) {
				return err
			}
			return nil
		},
		"follow": func() error {
			for _, err := range b.Follow(b.ctx, b.stream, 0) {
				return err
			}
			return nil
		},
	}
	for _, expected := range []events.Expected{events.NoStream, 2, 3, 9} {
		calls["append"] = func() error {
			_, err := b.Append(b.ctx, b.stream, expected, b.events("late", 1)...)
			return err
		}
		if err := calls["append"](); !errors.Is(err, esdb.ErrDeleted) {
			t.Errorf("append at %d answered %v", expected, err)
		}
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, esdb.ErrDeleted) {
			t.Errorf("%s answered %v", name, err)
		}
	}
}

func testTombstoneFollowed(t *testing.T, b *bench) {
	b.fill(2)
	next := 0
	for _, err := range b.Follow(b.ctx, b.stream, 0) {
		if err != nil {
			if next != 2 || !errors.Is(err, esdb.ErrDeleted) {
				t.Fatalf("after %d events: %v", next, err)
			}
			return
		}
		if next++; next == 2 {
			if err := b.Tombstone(b.ctx, b.stream, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Fatal("following ended without an error")
}
