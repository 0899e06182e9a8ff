package pubsub_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/pubsub"
)

func subscribeGroup(t *testing.T, cfg pubsub.GroupConfig) (*pubsub.GroupSubscriber, <-chan *message.Message) {
	t.Helper()
	cfg.Group, cfg.NackBackoff = "test", atOnce
	sub := pubsub.NewGroupSubscriber(cfg)
	messages, err := sub.Subscribe(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return sub, messages
}

// until asks for the group until it stands as wanted.
func until(t *testing.T, store *esdb.Store, ok func(esdb.GroupInfo) bool) {
	t.Helper()
	for begun := time.Now(); ; {
		info, err := store.Group(t.Context(), esdb.Group{Stream: stream, Name: "test"})
		if err == nil && ok(info) {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("the group stands at %+v, %v", info, err)
		}
	}
}

// TestGroupParks: what is refused, or cannot be read, is delivered ParkAfter times
// and then parked; it is not skipped.
func TestGroupParks(t *testing.T) {
	store := openStore(t)
	if err := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store}).Publish(stream, numbered(0, 6)...); err != nil {
		t.Fatal(err)
	}
	sub, messages := subscribeGroup(t, pubsub.GroupConfig{Source: store, ParkAfter: 3, Marshaler: picky{unreadable: 4}})
	deliveries := map[uint64]int{}
	for range 4 + 2*3 {
		msg := take(t, messages)
		revision := revisionOf(msg)
		deliveries[revision]++
		if _, err := pubsub.RefuseFailures(func(*message.Message) ([]*message.Message, error) { return nil, nil })(msg); err != nil || revision == 2 {
			msg.Nack()
		} else {
			msg.Ack()
		}
	}
	for revision := range uint64(6) {
		want := 1
		if revision == 2 || revision == 4 {
			want = 3
		}
		if deliveries[revision] != want {
			t.Errorf("revision %d was delivered %d times, want %d", revision, deliveries[revision], want)
		}
	}
	until(t, store, func(i esdb.GroupInfo) bool { return i.Parked == 2 && i.InFlight == 0 })
	progress, err := sub.Progress(t.Context())
	if p := progress[0]; err != nil || p.Acked != 4 || p.Nacked != 6 || p.Parked != 2 || p.Failures != 3 || p.InFlight != 0 {
		t.Errorf("got %+v, %v", p, err)
	}
	if err := store.ReplayParked(t.Context(), esdb.Group{Stream: stream, Name: "test"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		take(t, messages).Ack()
	}
	until(t, store, func(i esdb.GroupInfo) bool { return i.Parked == 0 && i.InFlight == 0 })
	sub.Close()
}

// TestGroupDrain: answers given while draining reach the server.
func TestGroupDrain(t *testing.T) {
	store := openStore(t)
	if err := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store}).Publish(stream, numbered(0, 4)...); err != nil {
		t.Fatal(err)
	}
	sub, messages := subscribeGroup(t, pubsub.GroupConfig{Source: store, Window: 2})
	held := []*message.Message{take(t, messages), take(t, messages)}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sub.Drain(impatient); !errors.Is(err, context.Canceled) || held[0].Context().Err() != nil {
		t.Errorf("drain must wait and leave what is in flight alone: %v", err)
	}
	for _, msg := range held {
		msg.Ack()
	}
	if err := sub.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	sub.Close()
	sub, messages = subscribeGroup(t, pubsub.GroupConfig{Source: store})
	seen := map[uint64]bool{}
	for len(seen) < 2 { // an ack may have been lost on its way, so others may come too
		msg := take(t, messages)
		if revision := revisionOf(msg); revision > 1 {
			seen[revision] = true
		}
		msg.Ack()
	}
	sub.Close()
}

// TestGroupIsMadeAgain: a group that was deleted comes back, from its beginning.
func TestGroupIsMadeAgain(t *testing.T) {
	store := openStore(t)
	pub := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store})
	if err := pub.Publish(stream, numbered(0, 1)...); err != nil {
		t.Fatal(err)
	}
	sub, messages := subscribeGroup(t, pubsub.GroupConfig{Source: store, Backoff: atOnce})
	for range 2 {
		if err := sub.SubscribeInitialize(stream); err != nil {
			t.Fatal(err)
		}
	}
	take(t, messages).Ack()
	until(t, store, func(i esdb.GroupInfo) bool { return i.InFlight == 0 })
	if err := store.DeleteGroup(t.Context(), esdb.Group{Stream: stream, Name: "test"}); err != nil {
		t.Fatal(err)
	}
	again := take(t, messages)
	if got := revisionOf(again); got != 0 {
		t.Errorf("got revision %d", got)
	}
	again.Ack()
	sub.Close()
}
