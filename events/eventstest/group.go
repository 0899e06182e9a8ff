package eventstest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
)

// group makes a persistent subscription on the stream of the test.
func (b *bench) group(c esdb.GroupConfig) esdb.Group {
	b.t.Helper()
	g := esdb.Group{Stream: b.stream, Name: "readers"}
	if err := b.CreateGroup(b.ctx, g, c); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := b.DeleteGroup(context.WithoutCancel(b.ctx), g); err != nil && !errors.Is(err, esdb.ErrNoGroup) {
			b.t.Error(err)
		}
	})
	return g
}

// handle consumes until n events are acknowledged, which must be all there are,
// and the server knows of it: an answer that is on its way when the consumer
// leaves may be lost. answer may answer otherwise
// and return false.
func (b *bench) handle(g esdb.Group, n int, answer func(*esdb.Delivery) (ack bool, err error)) (seen []*esdb.Delivery) {
	b.t.Helper()
	acked := 0
	for d, err := range b.Consume(b.ctx, g, 10) {
		if err != nil {
			b.t.Fatal(err)
		}
		seen = append(seen, d)
		ack := true
		if answer != nil {
			if ack, err = answer(d); err != nil {
				b.t.Fatal(err)
			}
		}
		if !ack {
			continue
		}
		if err := d.Ack(); err != nil {
			b.t.Fatal(err)
		}
		if acked++; acked == n {
			b.until(g, func(i esdb.GroupInfo) bool { return i.InFlight == 0 })
			return seen
		}
	}
	b.t.Fatal("consuming ended without an error")
	return nil
}

// until asks for the group until it stands as wanted.
func (b *bench) until(g esdb.Group, ok func(esdb.GroupInfo) bool) {
	b.t.Helper()
	for {
		switch info, err := b.Group(b.ctx, g); {
		case err != nil:
			b.t.Fatalf("waiting for the group: %v", err)
		case ok(info):
			return
		}
	}
}

// testGroup handles each event once, in order, over two sessions.
func testGroup(t *testing.T, b *bench) {
	all := b.fill(40)
	g := b.group(esdb.GroupConfig{FromRevision: 5})
	seen := b.handle(g, 35, nil)
	more := b.events("more", 15)
	b.append(39, more...)
	all = append(all, more...)
	seen = append(seen, b.handle(g, 15, nil)...)
	for i, d := range seen {
		if d.Revision != uint64(5+i) || d.ID != all[5+i].ID || d.Retries != 0 {
			t.Fatalf("delivery %d is %s at %d, retried %d times", i, d.ID, d.Revision, d.Retries)
		}
	}
}

func testGroupManaged(t *testing.T, b *bench) {
	g := esdb.Group{Stream: b.stream, Name: "readers"}
	for name, call := range map[string]func() error{
		"update": func() error { return b.UpdateGroup(b.ctx, g, esdb.GroupConfig{}) },
		"delete": func() error { return b.DeleteGroup(b.ctx, g) },
		"info":   func() error { _, err := b.Group(b.ctx, g); return err },
		"replay": func() error { return b.ReplayParked(b.ctx, g) },
		"consume": func() error {
			for _, err := range b.Consume(b.ctx, g, 1) {
				return err
			}
			return nil
		},
	} {
		if err := call(); !errors.Is(err, esdb.ErrNoGroup) {
			t.Errorf("%s without a group: %v", name, err)
		}
	}
	b.fill(4)
	b.group(esdb.GroupConfig{})
	if err := b.CreateGroup(b.ctx, g, esdb.GroupConfig{}); !errors.Is(err, esdb.ErrGroupExists) {
		t.Fatalf("creating it again: %v", err)
	}
	b.handle(g, 4, nil)
	b.append(3, b.events("more", 2)...)
	// Other settings do not begin anew.
	if err := b.UpdateGroup(b.ctx, g, esdb.GroupConfig{MaxConsumers: 1, MinCheckpoint: 1}); err != nil {
		t.Fatal(err)
	}
	for d, err := range b.Consume(b.ctx, g, 10) {
		if err != nil {
			if !errors.Is(err, esdb.ErrNoGroup) {
				t.Fatal(err)
			}
			return
		}
		if d.Revision < 4 {
			t.Fatalf("event %d came again", d.Revision)
		}
		if err := d.Ack(); err != nil && !errors.Is(err, esdb.ErrStale) {
			t.Fatal(err)
		}
		if d.Revision == 5 {
			continue
		}
		for _, err := range b.Consume(b.ctx, g, 10) {
			if !errors.Is(err, esdb.ErrGroupFull) {
				t.Fatalf("one consumer too many: %v", err)
			}
		}
		if err := b.DeleteGroup(b.ctx, g); err != nil && !errors.Is(err, esdb.ErrNoGroup) {
			t.Fatal(err)
		}
	}
}

// testGroupShares lets three consumers handle every event between them.
func testGroupShares(t *testing.T, b *bench) {
	b.fill(60)
	for _, strategy := range []string{esdb.RoundRobin, esdb.DispatchToSingle, esdb.Pinned} {
		g := esdb.Group{Stream: b.stream, Name: strategy}
		if err := b.CreateGroup(b.ctx, g, esdb.GroupConfig{Strategy: strategy}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.ctx)
		var (
			group sync.WaitGroup
			mu    sync.Mutex
			seen  = make(map[events.ID]bool)
		)
		for range 3 {
			group.Go(func() {
				for d, err := range b.Consume(ctx, g, 4) {
					if err == nil {
						err = d.Ack()
					}
					if err != nil {
						if ctx.Err() == nil {
							t.Error(err)
						}
						return
					}
					mu.Lock()
					if seen[d.ID] = true; len(seen) == 60 {
						cancel()
					}
					mu.Unlock()
				}
			})
		}
		group.Wait()
		cancel()
		if err := b.DeleteGroup(b.ctx, g); err != nil || len(seen) != 60 {
			t.Fatalf("%s: %d events, %v", strategy, len(seen), err)
		}
	}
}

// testGroupRetries refuses one event until the group parks it.
func testGroupRetries(t *testing.T, b *bench) {
	b.fill(3)
	g := b.group(esdb.GroupConfig{MaxRetries: 2})
	var retries []int
	b.handle(g, 3, func(d *esdb.Delivery) (bool, error) {
		if d.Revision != 1 || len(retries) == 3 {
			return true, nil
		}
		retries = append(retries, d.Retries)
		if len(retries) == 3 {
			b.append(2, b.events("end", 1)...) // so that there is a third one to acknowledge
		}
		return false, d.Retry("not now")
	})
	if len(retries) != 3 || retries[0] != 0 || retries[1] != 1 || retries[2] != 2 {
		t.Fatalf("event 1 was delivered with the counts %v", retries)
	}
	b.until(g, func(i esdb.GroupInfo) bool { return i.Parked == 1 })
}

func testGroupParks(t *testing.T, b *bench) {
	all := b.fill(5)
	g := b.group(esdb.GroupConfig{})
	b.handle(g, 2, func(d *esdb.Delivery) (bool, error) {
		switch d.Revision {
		case 0, 2:
			return false, d.Park("poison")
		case 3:
			return false, d.Skip("known")
		}
		return true, nil
	})
	b.until(g, func(i esdb.GroupInfo) bool { return i.Parked == 2 })
	if err := b.ReplayParked(b.ctx, g); err != nil {
		t.Fatal(err)
	}
	seen := b.handle(g, 2, nil)
	if len(seen) != 2 || seen[0].ID != all[0].ID || seen[1].ID != all[2].ID {
		t.Fatalf("%d events were replayed", len(seen))
	}
	b.until(g, func(i esdb.GroupInfo) bool { return i.Parked == 0 })
}

func testGroupTimeout(t *testing.T, b *bench) {
	b.fill(1)
	g := b.group(esdb.GroupConfig{Timeout: 30 * time.Millisecond})
	seen := b.handle(g, 1, func(d *esdb.Delivery) (bool, error) { return d.Retries > 0, nil })
	if len(seen) < 2 {
		t.Fatalf("the event was delivered %d times", len(seen))
	}
}

func testGroupAll(t *testing.T, b *bench) {
	ids := b.interleave(5)
	g := esdb.Group{Stream: esdb.AllStreams, Name: b.stream}
	if err := b.CreateGroup(b.ctx, g, esdb.GroupConfig{Prefixes: []string{b.stream}}); err != nil {
		t.Fatal(err)
	}
	seen := b.handle(g, len(ids), nil)
	for i, d := range seen {
		if d.ID != ids[i] {
			t.Fatalf("delivery %d is %s, want %s", i, d.ID, ids[i])
		}
	}
	if err := b.DeleteGroup(b.ctx, g); err != nil {
		t.Fatal(err)
	}
}
