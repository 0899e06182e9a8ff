package eventstest

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/sharetrail/sharetrail/events"
)

func testAppendRead(t *testing.T, b *bench) {
	b.check(b.fill(35))
}

func testReadPart(t *testing.T, b *bench) {
	all := b.fill(20)
	for _, c := range []struct{ from, count, want uint64 }{
		{0, 1, 1}, {0, 20, 20}, {0, 21, 20}, {5, 3, 3}, {19, 1, 1}, {19, 5, 1},
		{5, math.MaxUint64, 15}, {20, 1, 0}, {1000, 10, 0}, {3, 0, 0},
	} {
		got := b.collect(b.Read(b.ctx, b.stream, c.from, c.count))
		if uint64(len(got)) != c.want {
			t.Fatalf("reading %d events from %d gave %d, want %d", c.count, c.from, len(got), c.want)
		}
		from := min(c.from, uint64(len(all)))
		b.compare(got, all[from:from+c.want], from)
	}
	// A consumer may leave, and read the sequence again.
	seq := b.Read(b.ctx, b.stream, 2, math.MaxUint64)
	b.compare(b.take(seq, 3), all[2:5], 2)
	b.compare(b.collect(seq), all[2:], 2)
}

func testMissing(t *testing.T, b *bench) {
	b.check(nil)
	if got := b.collect(b.Read(b.ctx, b.stream, 5, 10)); len(got) > 0 {
		t.Fatalf("a missing stream holds %d events", len(got))
	}
	b.wantHead(events.NoStream)
	if _, found, err := b.Last(b.ctx, b.stream); err != nil || found {
		t.Fatalf("last event of a missing stream: %v, %v", found, err)
	}
}

func (b *bench) wantHead(want events.Expected) {
	b.t.Helper()
	if head, err := b.Head(b.ctx, b.stream); err != nil || head != want {
		b.t.Fatalf("head is %d, %v; want %d", head, err, want)
	}
}

func testHead(t *testing.T, b *bench) {
	all := b.events("", 4)
	for i, e := range all {
		b.append(events.Expected(i-1), e)
		b.wantHead(events.Expected(i))
		last, found, err := b.Last(b.ctx, b.stream)
		if err != nil || !found {
			t.Fatalf("last event: %v, %v", found, err)
		}
		b.compare([]events.Recorded{last}, all[i:i+1], uint64(i))
	}
}

func testEmptyData(t *testing.T, b *bench) {
	all := b.events("", 3)
	all[0].Data, all[0].Metadata = nil, nil
	all[1].Data, all[1].Metadata = []byte{}, []byte{0, 0xff}
	b.append(events.NoStream, all...)
	b.check(all)
}

// testFollow catches up with 300 events and then appends one more after each
// event it has seen.
func testFollow(t *testing.T, b *bench) {
	const before, total = 300, 320
	all := b.events("", total)
	b.append(events.NoStream, all[:before]...)
	next := 0
	for e, err := range b.Follow(b.ctx, b.stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		b.compare([]events.Recorded{e}, all[next:next+1], uint64(next))
		next++
		if next == total {
			return
		}
		if next >= before {
			b.append(events.Expected(next-1), all[next])
		}
	}
	t.Fatal("following ended without an error")
}

func testFollowMiddle(t *testing.T, b *bench) {
	const before, after = 50, 400
	all := b.events("", before+after)
	b.append(events.NoStream, all[:before]...)
	appended := make(chan error, 1)
	go func() {
		for at := before; at < len(all); at += 2 {
			if _, err := b.Append(b.ctx, b.stream, events.Expected(at-1), all[at:at+2]...); err != nil {
				appended <- err
				return
			}
		}
		appended <- nil
	}()
	for _, from := range []int{before - 20, 0, before, 1} {
		b.compare(b.take(b.Follow(b.ctx, b.stream, uint64(from)), len(all)-from), all[from:], uint64(from))
	}
	if err := <-appended; err != nil {
		t.Fatal(err)
	}
}

func testFollowMissing(t *testing.T, b *bench) {
	all := b.events("", 3)
	got := make(chan []events.Recorded, 1)
	go func() {
		var seen []events.Recorded
		for e, err := range b.Follow(b.ctx, b.stream, 1) {
			if err != nil {
				t.Error(err)
				break
			}
			if seen = append(seen, e); len(seen) == 2 {
				break
			}
		}
		got <- seen
	}()
	for i, e := range all {
		b.append(events.Expected(i-1), e)
	}
	b.compare(<-got, all[1:], 1)
}

func testFollowCancel(t *testing.T, b *bench) {
	b.fill(3)
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	n := 0
	for _, err := range b.Follow(ctx, b.stream, 0) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if n != 3 {
				t.Fatalf("cancelled after %d events", n)
			}
			return
		}
		if n++; n == 3 {
			cancel()
		}
	}
	t.Fatal("following ended without an error")
}

func testPages(t *testing.T, b *bench) {
	all := b.fill(230)
	for _, max := range []int{1, 7, 100, 10000} {
		var got []events.Recorded
		for page, err := range b.Pages(b.ctx, b.stream, 30, max) {
			if err != nil {
				t.Fatal(err)
			}
			if len(page) < 1 || len(page) > max {
				t.Fatalf("a page of at most %d events has %d", max, len(page))
			}
			if got = append(got, page...); len(got) == 200 {
				break
			}
		}
		b.compare(got, all[30:], 30)
	}
}

// testPagesAtOnce appends only after the page before has come: a page that
// waited to be filled would never come.
func testPagesAtOnce(t *testing.T, b *bench) {
	all := b.events("", 20)
	b.append(events.NoStream, all[0])
	next := 1
	for page, err := range b.Pages(b.ctx, b.stream, 0, 100) {
		if err != nil {
			t.Fatal(err)
		}
		b.compare(page, all[next-1:next], uint64(next-1))
		if next == len(all) {
			return
		}
		b.append(events.Expected(next-1), all[next])
		next++
	}
}
