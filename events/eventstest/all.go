package eventstest

import (
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
)

// located takes n events of $all behind a position. Positions must grow, and
// every page must say where it ends.
func (b *bench) located(from esdb.Position, n int, prefixes ...string) []esdb.Located {
	b.t.Helper()
	var all []esdb.Located
	last := from
	for page, err := range b.All(b.ctx, from, 50, prefixes...) {
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range page.Events {
			if e.Position.Commit <= last.Commit {
				b.t.Fatalf("position %v came behind %v", e.Position, last)
			}
			last = e.Position
		}
		if page.Next.Commit < last.Commit {
			b.t.Fatalf("a page up to %v says it ends at %v", last, page.Next)
		}
		if all = append(all, page.Events...); len(all) >= n {
			return all[:n]
		}
	}
	b.t.Fatal("following $all ended without an error")
	return nil
}

// interleave appends to two streams in turn and returns the ids in order.
func (b *bench) interleave(n int) (ids []events.ID) {
	b.t.Helper()
	for i := range n {
		for _, suffix := range []string{"-a", "-b"} {
			e := Event(b.stream + suffix + string(rune('0'+i)))
			if _, err := b.Append(b.ctx, b.stream+suffix, events.Expected(i-1), e); err != nil {
				b.t.Fatal(err)
			}
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func testAllOrder(t *testing.T, b *bench) {
	ids := b.interleave(8)
	for i, e := range b.located(esdb.Position{}, len(ids), b.stream) {
		if e.ID != ids[i] || e.Revision != uint64(i/2) {
			t.Fatalf("place %d of $all holds %s at %d, want %s", i, e.ID, e.Revision, ids[i])
		}
	}
	for i, e := range b.located(esdb.Position{}, len(ids)/2, "no such stream", b.stream+"-b") {
		if e.ID != ids[2*i+1] {
			t.Fatalf("place %d of the filtered $all holds %s, want %s", i, e.ID, ids[2*i+1])
		}
	}
}

// testAllResume resumes behind each event, and goes on into what is new.
func testAllResume(t *testing.T, b *bench) {
	ids := b.interleave(4)
	all := b.located(esdb.Position{}, len(ids), b.stream)
	for i := range len(all) - 1 {
		if next := b.located(all[i].Position, 1, b.stream); next[0].ID != ids[i+1] {
			t.Fatalf("behind %v comes %s, want %s", all[i].Position, next[0].ID, ids[i+1])
		}
	}
	late := Event(b.stream + "late")
	at := 0
	for page, err := range b.All(b.ctx, all[len(all)-2].Position, 10, b.stream) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if want := []events.ID{ids[len(ids)-1], late.ID}[at]; e.ID != want {
				t.Fatalf("got %s, want %s", e.ID, want)
			}
			if at++; at == 2 {
				return
			}
			if _, err := b.Append(b.ctx, b.stream+"-c", events.NoStream, late); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// testAllCheckpoint waits for the server to say how far it has looked when no
// event passes the filter, and resumes from there.
func testAllCheckpoint(t *testing.T, b *bench) {
	first := Event(b.stream + "first")
	if _, err := b.Append(b.ctx, b.stream+"-x", events.NoStream, first); err != nil {
		t.Fatal(err)
	}
	start := b.located(esdb.Position{}, 1, b.stream+"-x")[0].Position
	for i := range 3 {
		if _, err := b.Append(b.ctx, b.stream, events.Expected(i*500-1), b.events("", 1500)[i*500:(i+1)*500]...); err != nil {
			t.Fatal(err)
		}
	}
	for page, err := range b.All(b.ctx, start, 10, b.stream+"-x") {
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Events) > 0 {
			t.Fatalf("the filter let %s pass", page.Events[0].Stream)
		}
		if page.Next.Commit <= start.Commit {
			t.Fatalf("the checkpoint %v is not behind %v", page.Next, start)
		}
		second := Event(b.stream + "second")
		if _, err := b.Append(b.ctx, b.stream+"-x", 0, second); err != nil {
			t.Fatal(err)
		}
		if got := b.located(page.Next, 1, b.stream+"-x"); got[0].ID != second.ID {
			t.Fatalf("behind the checkpoint comes %s", got[0].ID)
		}
		return
	}
}

func testAllSystem(t *testing.T, b *bench) {
	b.fill(1)
	start := b.located(esdb.Position{}, 1, b.stream)[0].Position
	b.describe(events.NoStream, esdb.Metadata{MaxCount: 9})
	if err := b.Tombstone(b.ctx, b.stream, 0); err != nil {
		t.Fatal(err)
	}
	wanted := map[[2]string]bool{{"$$" + b.stream, "$metadata"}: true, {b.stream, "$streamDeleted"}: true}
	for page, err := range b.All(b.ctx, start, 100) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			delete(wanted, [2]string{e.Stream, e.Type})
		}
		if len(wanted) == 0 {
			return
		}
	}
}
