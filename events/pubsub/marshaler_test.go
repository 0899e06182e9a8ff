package pubsub_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/pubsub"
)

func eventOf(msg *message.Message) (events.Recorded, bool) { return pubsub.EventOf(msg) }

func recordedAs(p events.Proposed) events.Recorded {
	return events.Recorded{ID: p.ID, Type: p.Type, Data: p.Data, Metadata: p.Metadata, Stream: stream, Revision: 4, Created: time.Unix(5, 0)}
}

func TestPlainRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msg := message.NewMessage(rapid.OneOf(rapid.String(), rapid.Just(uuid(1))).Draw(t, "uuid"), rapid.SliceOf(rapid.Byte()).Draw(t, "payload"))
		for key, value := range rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata") {
			if !strings.HasPrefix(key, pubsub.Reserved) {
				msg.Metadata.Set(key, value)
			}
		}
		msg.Metadata.Set("event_type", rapid.StringN(1, 20, -1).Draw(t, "type"))
		msg.Metadata.Set("correlation_id", "c")
		e, err := pubsub.Plain{}.Marshal(stream, msg)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pubsub.Plain{}.Unmarshal(recordedAs(e))
		if err != nil {
			t.Fatal(err)
		}
		if msg.UUID == "" {
			got.UUID = ""
		}
		if got.UUID != msg.UUID || string(got.Payload) != string(msg.Payload) {
			t.Fatalf("got %q %q, want %q %q", got.UUID, got.Payload, msg.UUID, msg.Payload)
		}
		if diff := cmp.Diff(msg.Metadata, got.Metadata); diff != "" {
			t.Fatalf("metadata (-want +got):\n%s", diff)
		}
	})
}

// TestPlainFormat: what is written may be read by others, so it stays as it is.
func TestPlainFormat(t *testing.T) {
	msg := message.NewMessage("order 7", []byte("x"))
	for key, value := range map[string]string{
		"event_type": "Shipped", "correlation_id": "c", "causation_id": "d", "traceparent": "e",
		"esdb.stream": "another", "esdb.revision": "8", // read from there, and now published here
	} {
		msg.Metadata.Set(key, value)
	}
	got, err := pubsub.Plain{}.Marshal(stream, msg)
	if err != nil {
		t.Fatal(err)
	}
	const metadata = `{"$causationId":"d","$correlationId":"c","esdb.uuid":"order 7","traceparent":"e"}`
	want := events.Proposed{ID: pubsub.IDOf("order 7"), Type: "Shipped", Data: []byte("x"), Metadata: []byte(metadata)}
	if diff := cmp.Diff(want, got); diff != "" || got.ID.String() != "c8eea785-5bfd-5094-aca6-15e3cd202eb6" {
		t.Errorf("id %s, event (-want +got):\n%s", got.ID, diff)
	}
	msg.Metadata.Set("$correlationId", "other")
	if _, err := (pubsub.Plain{}).Marshal(stream, msg); err == nil {
		t.Error("two correlation ids were marshaled")
	}
}

func TestPlainReadsOthers(t *testing.T) {
	plain := pubsub.Plain{TypeKey: "name"}
	for metadata, want := range map[string]message.Metadata{
		"":                            {"name": "T"},
		"{}":                          {"name": "T"},
		`{"a":1,"b":{"c":[]},"d":""}`: {"name": "T", "a": "1", "b": `{"c":[]}`, "d": ""},
		"[]":                          nil,
		"\x00secret":                  nil,
	} {
		msg, err := plain.Unmarshal(events.Recorded{ID: pubsub.IDOf(uuid(1)), Type: "T", Metadata: []byte(metadata)})
		if want == nil {
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("metadata %q: error %v", metadata, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("metadata %q: %v", metadata, err)
		} else if diff := cmp.Diff(want, msg.Metadata); diff != "" {
			t.Errorf("metadata %q (-want +got):\n%s", metadata, diff)
		}
	}
}

func TestIDOf(t *testing.T) {
	if got := pubsub.IDOf(uuid(3)).String(); got != uuid(3) {
		t.Errorf("a UUID became %s", got)
	}
	seen := map[events.ID]string{}
	for _, id := range []string{"", "", "a", "b", strings.ToUpper("abcdef00-0000-4000-8000-000000000000"), "00000000-0000-0000-0000-000000000000"} {
		got := pubsub.IDOf(id)
		if other, twice := seen[got]; twice || got == (events.ID{}) {
			t.Errorf("%q and %q became %s", id, other, got)
		}
		seen[got] = id
		if id != "" && got != pubsub.IDOf(id) {
			t.Errorf("%q has two ids", id)
		}
	}
}

func TestRefuseFailures(t *testing.T) {
	called := false
	handler := pubsub.RefuseFailures(func(*message.Message) ([]*message.Message, error) {
		called = true
		return nil, nil
	})
	if _, err := handler(message.NewMessage("id", nil)); err != nil || !called {
		t.Errorf("a message of another kind: %v", err)
	}
}

var errUnreadable = errors.New("unreadable")

// picky cannot read some revisions.
type picky struct {
	pubsub.Plain
	unreadable uint64
}

func (p picky) Unmarshal(e events.Recorded) (*message.Message, error) {
	if e.Revision == p.unreadable {
		return nil, errUnreadable
	}
	return p.Plain.Unmarshal(e)
}
