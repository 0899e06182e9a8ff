package eventstest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sharetrail/sharetrail/events"
)

// appendLimit is what every server takes in one append.
const appendLimit = 1 << 20

func testConflicts(t *testing.T, b *bench) {
	other := b.events("other", 2)
	b.conflict(0, other[:1]...) // the stream does not exist
	b.conflict(7, other...)
	all := b.fill(3)
	for _, expected := range []events.Expected{events.NoStream, 0, 1, 3, 4, 1 << 40} {
		b.conflict(expected, other[:1]...)
		b.conflict(expected, other...)
	}
	b.check(all)
}

// conflict appends and wants to be told that the stream stands elsewhere.
func (b *bench) conflict(expected events.Expected, evs ...events.Proposed) {
	b.t.Helper()
	last, err := b.Append(b.ctx, b.stream, expected, evs...)
	if !errors.Is(err, events.ErrConflict) {
		b.t.Fatalf("append at %d answered %d, %v; want a conflict", expected, last, err)
	}
}

// testRepeats sends appends again, right after them and much later: each is
// answered like the first time and writes nothing.
func testRepeats(t *testing.T, b *bench) {
	all := b.events("", 9)
	for range 3 {
		b.append(events.NoStream, all[:2]...)
	}
	b.append(1, all[2:3]...)
	b.append(2, all[3:9]...)
	for range 2 {
		b.append(2, all[3:9]...)
		b.append(1, all[2:3]...)
		b.append(events.NoStream, all[:2]...)
		b.append(events.NoStream, all...) // other cuts of the same events
		b.append(3, all[4:6]...)
	}
	changed := all[2]
	changed.Data = []byte("only ids are compared")
	b.append(1, changed)
	b.check(all)
}

func testPartialRepeats(t *testing.T, b *bench) {
	all := b.fill(4)
	other := b.events("other", 3)
	b.conflict(events.NoStream, all[0], other[0])                         // begins alike
	b.conflict(events.NoStream, other[0], all[1])                         // ends alike
	b.conflict(1, all[2], all[3], other[0])                               // goes on behind the head
	b.conflict(events.NoStream, all[0], all[1], all[2], all[3], other[0]) // the same from the start
	b.conflict(events.NoStream, all[1], all[0])                           // another order
	b.conflict(0, all[2])                                                 // there, but elsewhere
	b.check(all)
}

// testSameIDAgain pins down a weakness of the server that nobody may forget: at
// the head, an id that the stream holds already is written again.
func testSameIDAgain(t *testing.T, b *bench) {
	all := b.fill(2)
	b.append(1, all[0])
	b.check([]events.Proposed{all[0], all[1], all[0]})
}

func testAtomic(t *testing.T, b *bench) {
	all := b.events("", 500)
	b.append(events.NoStream, all[:499]...)
	b.conflict(events.NoStream, all...)
	b.check(all[:499])
	b.append(498, all[499])
	b.check(all)
}

func testTooLarge(t *testing.T, b *bench) {
	sized := func(name string, size int) events.Proposed {
		e := Event(b.stream + name)
		e.Metadata = nil
		e.Data = bytes.Repeat([]byte{'x'}, size-2*len(e.Type))
		return e
	}
	fits := sized("fits", appendLimit)
	half, rest := sized("half", appendLimit/2), sized("rest", appendLimit/2)
	b.append(events.NoStream, fits)
	b.append(0, half, rest)
	for _, evs := range [][]events.Proposed{
		{sized("large", appendLimit+1)},
		{sized("half2", appendLimit/2), sized("rest2", appendLimit/2), sized("more", 20)},
	} {
		if _, err := b.Append(b.ctx, b.stream, 2, evs...); err == nil || errors.Is(err, events.ErrConflict) {
			t.Fatalf("an append over the limit answered %v", err)
		}
	}
	b.check([]events.Proposed{fits, half, rest})
}

func testRefused(t *testing.T, b *bench) {
	a, c := Event(b.stream+"a"), Event(b.stream+"c")
	noID, noType := a, a
	noID.ID, noType.Type = events.ID{}, ""
	for name, evs := range map[string][]events.Proposed{
		"no event":       {},
		"id comes twice": {a, c, a},
		"no id":          {noID},
		"no type":        {noType},
	} {
		if _, err := b.Append(b.ctx, b.stream, events.NoStream, evs...); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := b.Append(b.ctx, b.stream, events.NoStream-1, a); err == nil {
		t.Error("revision below NoStream: taken")
	}
	b.check(nil)
}

// testOneWinner lets writers race for each revision. One wins it; the others
// are told, look where the stream stands, and try again.
func testOneWinner(t *testing.T, b *bench) {
	const writers, each = 6, 15
	var group sync.WaitGroup
	won := make([]map[uint64]events.Proposed, writers)
	for w := range writers {
		won[w] = make(map[uint64]events.Proposed)
		group.Go(func() {
			for i := range each {
				e := Event(fmt.Sprintf("%s writer %d event %d", b.stream, w, i))
				revision, err := b.race(e)
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				won[w][revision] = e
			}
		})
	}
	group.Wait()
	all := make([]events.Proposed, writers*each)
	for w := range won {
		for revision, e := range won[w] {
			if all[revision].Type != "" {
				t.Fatalf("revision %d has two winners", revision)
			}
			all[revision] = e
		}
	}
	b.check(all)
}

func (b *bench) race(e events.Proposed) (uint64, error) {
	for {
		head, err := b.Head(b.ctx, b.stream)
		if err != nil {
			return 0, err
		}
		revision, err := b.Append(b.ctx, b.stream, head, e)
		if !errors.Is(err, events.ErrConflict) {
			return revision, err
		}
	}
}
