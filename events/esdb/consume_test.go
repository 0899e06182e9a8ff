package esdb_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/eventstest"
)

// openRelayed opens a node and a store whose connections the relay can cut.
func openRelayed(t *testing.T) (*esdb.Store, *relay) {
	t.Helper()
	dir, err := os.MkdirTemp("", "st-test-") // short: sockets have short paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	node := openNode(t, embedded.Config{Path: t.TempDir()})
	socket := filepath.Join(dir, "es.sock")
	relay := startRelay(t, socket, strings.TrimPrefix(node.Target(), "unix://"))
	return openStore(t, esdb.Config{Target: "unix://" + socket}), relay
}

// TestConsumeAcrossCuts cuts the connection under a consumer again and again:
// every event is delivered, and an answer to a lost delivery says so or works.
func TestConsumeAcrossCuts(t *testing.T) {
	store, relay := openRelayed(t)
	ctx := t.Context()
	all := eventstest.Events("cut", 60)
	if _, err := store.Append(ctx, "cut", events.NoStream, all...); err != nil {
		t.Fatal(err)
	}
	g := esdb.Group{Stream: "cut", Name: "g"}
	if err := store.CreateGroup(ctx, g, esdb.GroupConfig{MaxRetries: 100}); err != nil {
		t.Fatal(err)
	}
	acked := make(map[events.ID]bool)
	deliveries := 0
	for d, err := range store.Consume(ctx, g, 4) {
		if err != nil {
			t.Fatal(err)
		}
		if deliveries++; deliveries%10 == 0 {
			relay.cut()
		}
		if d.Ack() == nil {
			acked[d.ID] = true
		}
		if len(acked) == len(all) {
			return
		}
	}
}

// TestAllAcrossCuts follows $all over broken connections, each event once.
func TestAllAcrossCuts(t *testing.T) {
	store, relay := openRelayed(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	all := eventstest.Events("all", 100)
	if _, err := store.Append(ctx, "all", events.NoStream, all...); err != nil {
		t.Fatal(err)
	}
	next := 0
	for page, err := range store.All(ctx, esdb.Position{}, 7, "all") {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if e.ID != all[next].ID {
				t.Fatalf("event %d is %s, want %s", next, e.ID, all[next].ID)
			}
			next++
		}
		if next == len(all) {
			return
		}
		relay.cut()
	}
}
