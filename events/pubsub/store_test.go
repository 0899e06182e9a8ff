package pubsub_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
)

// patience ends a test that hangs. No test waits for it otherwise.
const patience = 3 * time.Minute

// openStore returns the real client of a real node in this process.
func openStore(t *testing.T) *esdb.Store {
	t.Helper()
	node, err := embedded.Open(t.Context(), embedded.Config{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	store, err := esdb.Open(t.Context(), esdb.Config{Target: node.Target()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// uuid returns the nth UUID of a test.
func uuid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// numbered returns messages with the UUIDs from..to-1.
func numbered(from, to int) []*message.Message {
	var msgs []*message.Message
	for n := from; n < to; n++ {
		msgs = append(msgs, message.NewMessage(uuid(n), []byte("alice@example.org")))
	}
	return msgs
}

// stored returns the events of a stream.
func stored(t *testing.T, store *esdb.Store, stream string) []events.Recorded {
	t.Helper()
	var all []events.Recorded
	for e, err := range store.Read(t.Context(), stream, 0, esdb.All) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// ids returns the ids of the events of a stream.
func ids(t *testing.T, store *esdb.Store, stream string) []string {
	t.Helper()
	var all []string
	for _, e := range stored(t, store, stream) {
		all = append(all, e.ID.String())
	}
	return all
}

// take returns the next message, which must come.
func take(t interface {
	Helper()
	Fatalf(string, ...any)
}, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, open := <-messages:
		if !open {
			t.Fatalf("the channel is closed")
		}
		return msg
	case <-time.After(patience):
		t.Fatalf("no message came")
		return nil
	}
}

func revisionOf(msg *message.Message) uint64 {
	e, _ := eventOf(msg)
	return e.Revision
}
