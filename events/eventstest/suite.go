// Package eventstest holds the one suite of tests for event stores: what
// sharetrail relies on, and nothing else. It runs over the embedded node always
// and over a real cluster when there is one, so that both keep the same
// promises.
package eventstest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
)

// patience ends a test that hangs. No test waits for it otherwise.
const patience = 3 * time.Minute

// Store is an event store as the suite sees it. The promises are those of
// package events/esdb.
type Store interface {
	Append(ctx context.Context, stream string, expected events.Expected, evs ...events.Proposed) (last uint64, err error)
	Read(ctx context.Context, stream string, from, count uint64) iter.Seq2[events.Recorded, error]
	Follow(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error]
	Pages(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error]
	Head(ctx context.Context, stream string) (events.Expected, error)
	Last(ctx context.Context, stream string) (events.Recorded, bool, error)

	All(ctx context.Context, from esdb.Position, max int, prefixes ...string) iter.Seq2[esdb.AllPage, error]

	SetStreamMetadata(ctx context.Context, stream string, expected events.Expected, m esdb.Metadata) error
	StreamMetadata(ctx context.Context, stream string) (esdb.Metadata, events.Expected, error)
	Delete(ctx context.Context, stream string, expected events.Expected) error
	Tombstone(ctx context.Context, stream string, expected events.Expected) error

	CreateGroup(ctx context.Context, g esdb.Group, c esdb.GroupConfig) error
	UpdateGroup(ctx context.Context, g esdb.Group, c esdb.GroupConfig) error
	DeleteGroup(ctx context.Context, g esdb.Group) error
	ReplayParked(ctx context.Context, g esdb.Group) error
	Group(ctx context.Context, g esdb.Group) (esdb.GroupInfo, error)
	Consume(ctx context.Context, g esdb.Group, buffer uint32) iter.Seq2[*esdb.Delivery, error]
}

// TestStore runs the suite. open returns a store, the same or another each
// time, which the suite may share with others: every case uses streams of its
// own.
func TestStore(t *testing.T, open func(t *testing.T) Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{
		{"Append and read back", testAppendRead},
		{"Read a part", testReadPart},
		{"Missing stream", testMissing},
		{"Head and last", testHead},
		{"Empty data", testEmptyData},
		{"Conflicts", testConflicts},
		{"Repeats", testRepeats},
		{"Repeats in part", testPartialRepeats},
		{"Id is not unique", testSameIDAgain},
		{"All or nothing", testAtomic},
		{"Too large", testTooLarge},
		{"Refused before sending", testRefused},
		{"One winner per revision", testOneWinner},
		{"Follow from the start", testFollow},
		{"Follow from the middle while appending", testFollowMiddle},
		{"Follow a stream to come", testFollowMissing},
		{"Follow until cancelled", testFollowCancel},
		{"Pages", testPages},
		{"Pages at once", testPagesAtOnce},
		{"Metadata hide events", testMetadata},
		{"Metadata of no stream", testMetadataFirst},
		{"Delete and append again", testDelete},
		{"Tombstone", testTombstone},
		{"Tombstone under a follower", testTombstoneFollowed},
		{"All in order", testAllOrder},
		{"All from a position", testAllResume},
		{"All behind a filter", testAllCheckpoint},
		{"All with system events", testAllSystem},
		{"Group handles each event", testGroup},
		{"Group is managed", testGroupManaged},
		{"Group shares", testGroupShares},
		{"Group retries and parks", testGroupRetries},
		{"Group parks, skips, replays", testGroupParks},
		{"Group times out", testGroupTimeout},
		{"Group on all", testGroupAll},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c.run(t, &bench{Store: open(t), t: t, ctx: ctx, stream: "suite-" + uuid.NewString()})
		})
	}
}

// bench is a store and a stream of its own, with failures fatal.
type bench struct {
	Store
	t      *testing.T
	ctx    context.Context // of the test
	stream string
}

// Event returns an event whose id and content follow from a name, so that the
// same name proposes the same event again.
func Event(name string) events.Proposed {
	hash := sha256.Sum256([]byte(name))
	return events.Proposed{
		ID: events.ID(hash[:16]), Type: "Tested",
		Data: []byte("data of " + name), Metadata: []byte("metadata of " + name),
	}
}

// Events returns n events called prefix-0, prefix-1, ...
func Events(prefix string, n int) []events.Proposed {
	evs := make([]events.Proposed, n)
	for i := range evs {
		evs[i] = Event(fmt.Sprintf("%s-%d", prefix, i))
	}
	return evs
}

// events returns events that no other test has.
func (b *bench) events(prefix string, n int) []events.Proposed {
	return Events(b.stream+prefix, n)
}

func (b *bench) append(expected events.Expected, evs ...events.Proposed) {
	b.t.Helper()
	last, err := b.Append(b.ctx, b.stream, expected, evs...)
	if err != nil {
		b.t.Fatal(err)
	}
	if want := uint64(int64(expected) + int64(len(evs))); last != want {
		b.t.Fatalf("append at %d answered revision %d, want %d", expected, last, want)
	}
}

// fill appends n events to the empty stream in appends of ten.
func (b *bench) fill(n int) []events.Proposed {
	b.t.Helper()
	all := b.events("", n)
	for at := 0; at < n; at += 10 {
		b.append(events.Expected(at-1), all[at:min(at+10, n)]...)
	}
	return all
}

// check reads the whole stream and compares it with what it must hold.
func (b *bench) check(want []events.Proposed) {
	b.t.Helper()
	b.compare(b.collect(b.Read(b.ctx, b.stream, 0, math.MaxUint64)), want, 0)
}

// compare compares recorded events with the proposed ones, the first of which
// has revision from.
func (b *bench) compare(got []events.Recorded, want []events.Proposed, from uint64) {
	b.t.Helper()
	if len(got) != len(want) {
		b.t.Fatalf("got %d events, want %d", len(got), len(want))
	}
	for i, e := range want {
		g := got[i]
		expect := events.Recorded{
			ID: e.ID, Type: e.Type, Data: e.Data, Metadata: e.Metadata,
			Stream: b.stream, Revision: from + uint64(i), Created: g.Created,
		}
		// cmp looks at each byte by reflection, which a large event feels.
		if !bytes.Equal(g.Data, e.Data) || !bytes.Equal(g.Metadata, e.Metadata) {
			b.t.Fatalf("revision %d has other data: %.80q and %.80q, want %.80q and %.80q", g.Revision, g.Data, g.Metadata, e.Data, e.Metadata)
		}
		expect.Data, expect.Metadata, g.Data, g.Metadata = nil, nil, nil, nil
		if diff := cmp.Diff(expect, g); diff != "" || g.Created.IsZero() {
			b.t.Fatalf("event differs (-want +got):\n%s", diff)
		}
	}
}

func (b *bench) collect(seq iter.Seq2[events.Recorded, error]) []events.Recorded {
	b.t.Helper()
	var out []events.Recorded
	for e, err := range seq {
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// take returns the first n events of a sequence that need not end.
func (b *bench) take(seq iter.Seq2[events.Recorded, error], n int) []events.Recorded {
	b.t.Helper()
	var out []events.Recorded
	for e, err := range seq {
		if err != nil {
			b.t.Fatal(err)
		}
		if out = append(out, e); len(out) == n {
			break
		}
	}
	return out
}
