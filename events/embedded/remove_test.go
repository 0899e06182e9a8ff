package embedded_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/eventstest"
)

var (
	noStream = &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}}
	deleting = &streams.DeleteReq_Options{ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}}}
)

func revision(n uint64) *streams.AppendReq_Options {
	return &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: n}}
}

func describe(data string) events.Proposed {
	e := eventstest.Event(data)
	e.Type, e.Data = "$metadata", []byte(data)
	return e
}

func (w wire) delete(stream string) {
	w.t.Helper()
	o := &streams.DeleteReq_Options{StreamIdentifier: streamID(stream), ExpectedStreamRevision: deleting.ExpectedStreamRevision}
	resp, err := streams.NewStreamsClient(w.conn).Delete(w.t.Context(), &streams.DeleteReq{Options: o})
	if err != nil || resp.GetPosition().GetCommitPosition() == 0 {
		w.t.Fatalf("delete answered %v, %v", resp, err)
	}
}

// read returns the revisions of a stream from its start.
func (w wire) read(stream string) (revisions []uint64, found bool) {
	w.t.Helper()
	all, err := w.messages(&streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{StreamIdentifier: streamID(stream)}},
		CountOption:  &streams.ReadReq_Options_Count{Count: 100},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range all {
		if m.GetStreamNotFound() != nil {
			return nil, false
		}
		revisions = append(revisions, m.GetEvent().GetEvent().GetStreamRevision())
	}
	return revisions, true
}

func (w wire) wantRead(stream string, want ...uint64) {
	w.t.Helper()
	got, found := w.read(stream)
	if !found || len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
		w.t.Fatalf("%s shows %v, %v; want %v", stream, got, found, want)
	}
}

// TestRecreate brings deleted streams back in every way there is, with the
// expected revisions that the adapter does not offer too.
func TestRecreate(t *testing.T) {
	w := openWire(t)
	for name, expected := range map[string]*streams.AppendReq_Options{"any": anyRevision, "none": noStream, "revision": revision(1)} {
		evs := eventstest.Events(name, 4)
		w.success(name, noStream, evs[:2]...)
		w.delete(name)
		if _, found := w.read(name); found {
			t.Fatalf("%s is still there", name)
		}
		_, trailer, err := w.append(name, streamExists, evs[2])
		if status.Code(err) != codes.FailedPrecondition || trailer.Get("exception")[0] != "stream-deleted" || trailer.Get("stream-name")[0] != name {
			t.Fatalf("StreamExists on a deleted stream: %v, %v", err, trailer)
		}
		if end := w.success(name, expected, evs[2:]...); end.GetCurrentRevision() != 3 {
			t.Fatalf("%s came back at %v", name, end)
		}
		w.wantRead(name, 2, 3)
		w.wantRead("$$"+name, 1) // deletion and return
	}
	// Metadata bring a stream back too, empty.
	w.success("described", noStream, eventstest.Events("described", 2)...)
	w.delete("described")
	if end := w.success("$$described", revision(0), describe(`{"owner":"us"}`)); end.GetCurrentRevision() != 1 {
		t.Fatalf("metadata were written at %v", end)
	}
	w.wantRead("described")
}

// TestIdempotency repeats appends under the two expectations that are only a
// help, and sees where they stop helping.
func TestIdempotency(t *testing.T) {
	w := openWire(t)
	w.success("$$planned", noStream, describe(`{"$maxCount":10}`))
	evs := eventstest.Events("planned", 4)
	first := w.success("planned", streamExists, evs[:2]...) // metadata make it exist
	for _, expected := range []*streams.AppendReq_Options{anyRevision, streamExists, noStream} {
		again := w.success("planned", expected, evs[:2]...)
		if again.GetCurrentRevision() != 1 || again.GetPosition().GetCommitPosition() != first.GetPosition().GetCommitPosition() {
			t.Fatalf("a repeat answered %v, the original %v", again, first)
		}
	}
	w.success("planned", anyRevision, evs[2])
	if again := w.success("planned", revision(1), evs[2]); again.GetCurrentRevision() != 2 {
		t.Fatalf("a repeat under another expectation answered %v", again)
	}
	w.wantRead("planned", 0, 1, 2)
	// An append of nothing only looks.
	if end := w.success("planned", revision(2)); end.GetCurrentRevision() != 2 || end.GetPosition() != nil {
		t.Fatalf("nothing was appended: %v", end)
	}
	if end := w.success("empty", anyRevision); end.GetNoStream() == nil {
		t.Fatalf("nothing was appended to nothing: %v", end)
	}
	if resp, _, err := w.append("planned", revision(7)); err != nil || resp.GetWrongExpectedVersion() == nil {
		t.Fatalf("nothing at the wrong revision: %v, %v", resp, err)
	}
}

// TestMaxAge moves the clock, and nothing but the clock.
func TestMaxAge(t *testing.T) {
	var now atomic.Int64
	node := openNode(t, embedded.Config{Path: t.TempDir(), Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	w := wire{t, dial(t, node.Target())}
	w.success("$$old", noStream, describe(`{"$maxAge":60}`))
	for i, e := range eventstest.Events("old", 4) {
		now.Store(int64(30 * i))
		w.success("old", anyRevision, e)
	}
	w.wantRead("old", 1, 2, 3)
	now.Store(121)
	w.wantRead("old", 3)
	now.Store(1000)
	w.wantRead("old")
}

// TestRemovedAcrossRestart opens the file again and finds every stream as it
// was left.
func TestRemovedAcrossRestart(t *testing.T) {
	config := embedded.Config{Path: t.TempDir()}
	node := openNode(t, config)
	store := openStore(t, node.Target())
	for _, name := range []string{"short", "deleted", "ended"} {
		mustAppend(t, store, name, events.NoStream, eventstest.Events(name, 5)...)
	}
	ctx := t.Context()
	if err := errors.Join(store.SetStreamMetadata(ctx, "short", events.NoStream, esdb.Metadata{MaxCount: 2}),
		store.Delete(ctx, "deleted", 4), store.Tombstone(ctx, "ended", 4)); err != nil {
		t.Fatal(err)
	}
	closeNode(t, node)
	node = openNode(t, config)
	w := wire{t, dial(t, node.Target())}
	w.wantRead("short", 3, 4)
	if _, found := w.read("deleted"); found {
		t.Error("the deleted stream is back")
	}
	for _, name := range []string{"ended", "$$ended"} {
		if _, _, err := w.append(name, anyRevision, describe("{}")); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("append to %s answered %v", name, err)
		}
	}
	if end := w.success("deleted", noStream, eventstest.Events("again", 1)...); end.GetCurrentRevision() != 5 {
		t.Errorf("the deleted stream came back at %v", end)
	}
	w.wantRead("deleted", 5)
}

func TestDeletionTrailers(t *testing.T) {
	w := openWire(t)
	w.success("s", noStream, eventstest.Events("s", 2)...)
	client := streams.NewStreamsClient(w.conn)
	wrong := &streams.TombstoneReq_Options{StreamIdentifier: streamID("s"), ExpectedStreamRevision: &streams.TombstoneReq_Options_Revision{Revision: 9}}
	var trailer metadata.MD
	_, err := client.Tombstone(t.Context(), &streams.TombstoneReq{Options: wrong}, grpc.Trailer(&trailer))
	wantTrailers(t, err, codes.FailedPrecondition, trailer, "exception", "wrong-expected-version", "stream-name", "s", "expected-version", "9", "actual-version", "1")
	right := &streams.TombstoneReq_Options{StreamIdentifier: streamID("s"), ExpectedStreamRevision: &streams.TombstoneReq_Options_StreamExists{StreamExists: &shared.Empty{}}}
	if _, err := client.Tombstone(t.Context(), &streams.TombstoneReq{Options: right}); err != nil {
		t.Fatal(err)
	}
	_, err = client.Tombstone(t.Context(), &streams.TombstoneReq{Options: right}, grpc.Trailer(&trailer))
	wantTrailers(t, err, codes.FailedPrecondition, trailer, "exception", "stream-deleted", "stream-name", "s")
	_, trailer, err = w.append("$$s", anyRevision, describe("{}"))
	wantTrailers(t, err, codes.FailedPrecondition, trailer, "exception", "stream-deleted", "stream-name", "$$s")
}

func wantTrailers(t *testing.T, err error, code codes.Code, got metadata.MD, pairs ...string) {
	t.Helper()
	if status.Code(err) != code {
		t.Fatalf("got %v, want %v", err, code)
	}
	for i := 0; i < len(pairs); i += 2 {
		if v := got.Get(pairs[i]); len(v) != 1 || v[0] != pairs[i+1] {
			t.Errorf("trailer %s is %q, want %q", pairs[i], v, pairs[i+1])
		}
	}
}
