package embedded_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/eventstest"
)

// TestGroupAcrossRestart restarts the node under a consumer that acknowledges
// every event. Everything is delivered; what comes twice is what was not
// acknowledged in time; and a clean end loses no checkpoint.
func TestGroupAcrossRestart(t *testing.T) {
	const rounds, each = 3, 40
	config := embedded.Config{Path: t.TempDir(), Socket: filepath.Join(socketDir(t), "es.sock")}
	all := eventstest.Events("group", rounds*each)
	node := openNode(t, config)
	store := openStore(t, node.Target())
	g := esdb.Group{Stream: "group", Name: "g"}
	if err := store.CreateGroup(t.Context(), g, esdb.GroupConfig{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	handled := make(chan uint64)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for d, err := range store.Consume(ctx, g, 5) {
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			_ = d.Ack() // a stale one comes again
			handled <- d.Revision
		}
	}()
	seen := make(map[uint64]int)
	for round := range rounds {
		mustAppend(t, store, "group", events.Expected(round*each-1), all[round*each:(round+1)*each]...)
		for len(seen) < (round+1)*each-each/2 {
			seen[<-handled]++
		}
		if round < rounds-1 {
			restarted := make(chan struct{})
			go func() {
				defer close(restarted)
				closeNode(t, node)
				node = openNode(t, config)
			}()
			for waiting := true; waiting; {
				select {
				case r := <-handled:
					seen[r]++
				case <-restarted:
					waiting = false
				}
			}
		}
	}
	for len(seen) < len(all) {
		seen[<-handled]++
	}
	cancel()
	<-ended
	twice := 0
	for _, n := range seen {
		twice += n - 1
	}
	if twice > (rounds-1)*10 {
		t.Errorf("%d of %d events were delivered twice", twice, len(all))
	}
}

// TestParkedAcrossRestart replays after a restart what was parked before it.
func TestParkedAcrossRestart(t *testing.T) {
	config := embedded.Config{Path: t.TempDir()}
	node := openNode(t, config)
	store := openStore(t, node.Target())
	all := eventstest.Events("parked", 3)
	mustAppend(t, store, "parked", events.NoStream, all...)
	g := esdb.Group{Stream: "parked", Name: "g"}
	if err := store.CreateGroup(t.Context(), g, esdb.GroupConfig{}); err != nil {
		t.Fatal(err)
	}
	for d, err := range store.Consume(t.Context(), g, 5) {
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Park("later"); err != nil {
			t.Fatal(err)
		}
		if d.Revision == 2 {
			wantParked(t, store, g, 3)
			break
		}
	}
	closeNode(t, node)
	node = openNode(t, config)
	store = openStore(t, node.Target())
	wantParked(t, store, g, 3)
	if err := store.ReplayParked(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	next := 0
	for d, err := range store.Consume(t.Context(), g, 5) {
		if err != nil {
			t.Fatal(err)
		}
		if d.ID != all[next].ID {
			t.Fatalf("replayed %s, want %s", d.ID, all[next].ID)
		}
		if err := d.Ack(); err != nil {
			t.Fatal(err)
		}
		if next++; next == len(all) {
			wantParked(t, store, g, 0)
			return
		}
	}
}

// wantParked waits until so many messages are parked.
func wantParked(t *testing.T, store *esdb.Store, g esdb.Group, want int64) {
	t.Helper()
	for {
		info, err := store.Group(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		if info.Parked == want {
			return
		}
	}
}
