package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/pubsub"
	"github.com/sharetrail/sharetrail/events/pubsub/pubsubtest"
)

func subscribeEvents(t *testing.T, cfg pubsub.EventConfig) (*pubsub.EventSubscriber, <-chan *message.Message) {
	t.Helper()
	sub := pubsub.NewEventSubscriber(cfg)
	messages, err := sub.Subscribe(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return sub, messages
}

func TestEventFailureIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 3)
		sub, messages := subscribeEvents(t, pubsub.EventConfig{
			Source: log, Marshaler: picky{unreadable: 1}, NackBackoff: func(int) time.Duration { return time.Minute },
		})
		(<-messages).Ack()
		for range 2 {
			msg := <-messages
			_, err := pubsub.RefuseFailures(nil)(msg)
			e, ok := pubsub.EventOf(msg)
			if !errors.Is(err, errUnreadable) || len(msg.Payload) != 0 || !ok || e.Revision != 1 || len(e.Data) == 0 {
				t.Errorf("got %v with payload %q of event %d", err, msg.Payload, e.Revision)
			}
			msg.Nack()
			nothing(t, messages) // it is not passed over
		}
		(<-messages).Ack()
		last := <-messages
		want := message.Metadata{
			"event_type": "Counted", "esdb.stream": stream, "esdb.revision": "2",
			"esdb.id": "00000000-0000-0000-0000-000000000000", "esdb.created": "1970-01-01T00:00:02Z",
		}
		if diff := cmp.Diff(want, last.Metadata); diff != "" || pubsub.FailureOf(last) != nil {
			t.Errorf("failure %v, metadata (-want +got):\n%s", pubsub.FailureOf(last), diff)
		}
		if progress, err := sub.Progress(t.Context()); err != nil || progress[0].Failures != 3 {
			t.Errorf("got %+v, %v", progress, err)
		}
		sub.Close()
	})
}

func TestEventProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 10)
		end := events.Expected(9)
		var broken error
		sub, messages := subscribeEvents(t, pubsub.EventConfig{
			Source: log, Window: 4, PageSize: 8, NackBackoff: atOnce,
			Head: func(context.Context, string) (events.Expected, error) { return end, broken },
		})
		look := func() pubsub.Progress {
			synctest.Wait()
			progress, err := sub.Progress(t.Context())
			if len(progress) != 1 || !errors.Is(err, broken) {
				t.Fatalf("got %+v, %v", progress, err)
			}
			return progress[0]
		}
		(<-messages).Ack()
		(<-messages).Ack()
		(<-messages).Nack()
		now, untaken := time.Now(), pubsub.Progress{
			Topic: stream, Next: 2, Read: 8, PageSize: 8, Acked: 2, Nacked: 1,
			LastAck: time.Now(), LastCreated: time.Unix(1, 0).UTC(), Head: 9, Lag: 8,
		}
		if diff := cmp.Diff(untaken, look()); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		for range 8 {
			(<-messages).Ack()
		}
		want := pubsub.Progress{
			Topic: stream, Next: 10, Read: 10, PageSize: 2, Acked: 10, Nacked: 1,
			LastAck: now.Add(time.Minute), LastCreated: time.Unix(9, 0).UTC(), Head: 9, CaughtUp: true,
		}
		if diff := cmp.Diff(want, look()); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
		if broken = errors.New("no answer"); look().CaughtUp {
			t.Error("caught up with an unknown end")
		}
		sub.Close()
	})
}

func TestEventDrainAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, checkpoints := pubsubtest.NewLog(), &pubsub.MemoryCheckpoints{}
		fill(log, 10)
		sub, messages := subscribeEvents(t, pubsub.EventConfig{Source: log, Name: "test", Checkpoints: checkpoints, Window: 4})
		first, second, third := <-messages, <-messages, <-messages
		drained := make(chan error, 1)
		go func() { drained <- sub.Drain(t.Context()) }()
		nothing(t, messages)
		third.Ack()
		first.Ack()
		nothing(t, messages)
		if len(drained) != 0 || second.Context().Err() != nil {
			t.Error("drain must wait and leave what is in flight alone")
		}
		second.Ack()
		if err := <-drained; err != nil {
			t.Error(err)
		}
		consumer := pubsub.Consumer{Name: "test", Topic: stream}
		if next, _ := checkpoints.Load(t.Context(), consumer); next != 3 {
			t.Errorf("the checkpoint is %d after a drain, want 3", next)
		}
		sub.Close()
		if _, open := <-messages; open {
			t.Error("got a message after a drain")
		}

		sub, messages = subscribeEvents(t, pubsub.EventConfig{Source: log, Name: "test", Checkpoints: checkpoints, Window: 4})
		acked, unanswered, late := <-messages, <-messages, <-messages
		acked.Ack()
		late.Ack()
		sub.Close()
		if unanswered.Context().Err() == nil || acked.Context().Err() == nil {
			t.Error("Close must cancel the contexts of messages")
		}
		if next, _ := checkpoints.Load(t.Context(), consumer); next != 4 {
			t.Errorf("the checkpoint is %d after Close, want 4", next)
		}
		if _, err := sub.Subscribe(t.Context(), stream); !errors.Is(err, pubsub.ErrClosed) {
			t.Errorf("subscribing after Close: got %v", err)
		}
	})
}

// flaky is a store of checkpoints that fails now and then.
type flaky struct {
	pubsub.MemoryCheckpoints
	calls int
}

func (f *flaky) Load(ctx context.Context, c pubsub.Consumer) (uint64, error) {
	if f.calls++; f.calls%2 == 1 {
		return 0, errors.New("database is locked")
	}
	return f.MemoryCheckpoints.Load(ctx, c)
}

func (f *flaky) Save(ctx context.Context, c pubsub.Consumer, from, to uint64) error {
	if f.calls++; f.calls%3 != 0 {
		return errors.New("database is locked")
	}
	return f.MemoryCheckpoints.Save(ctx, c, from, to)
}

func TestEventCheckpointsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, checkpoints := pubsubtest.NewLog(), &flaky{}
		fill(log, 100)
		sub, messages := subscribeEvents(t, pubsub.EventConfig{Source: log, Name: "test", Checkpoints: checkpoints})
		for next := range uint64(100) {
			msg := <-messages
			if got := revisionOf(msg); got != next {
				t.Fatalf("got revision %d, want %d", got, next)
			}
			msg.Ack()
		}
		time.Sleep(time.Hour) // the bubble's clock: back-off ends
		consumer := pubsub.Consumer{Name: "test", Topic: stream}
		if next, _ := checkpoints.MemoryCheckpoints.Load(t.Context(), consumer); next != 100 {
			t.Errorf("the checkpoint is %d, want 100", next)
		}
		sub.Close()
	})
}

// TestEventCheckpointMoved: who lost the checkpoint goes on where it is now.
func TestEventCheckpointMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, checkpoints := pubsubtest.NewLog(), &pubsub.MemoryCheckpoints{}
		fill(log, 20)
		sub, messages := subscribeEvents(t, pubsub.EventConfig{Source: log, Name: "test", Checkpoints: checkpoints, Window: 3})
		(<-messages).Ack()
		synctest.Wait()
		consumer := pubsub.Consumer{Name: "test", Topic: stream}
		if err := checkpoints.Save(t.Context(), consumer, 1, 11); err != nil {
			t.Fatal(err)
		}
		(<-messages).Ack()
		inFlight := <-messages
		nothing(t, messages)
		inFlight.Ack()
		for next := uint64(11); next < 20; next++ {
			msg := <-messages
			if got := revisionOf(msg); got != next {
				t.Fatalf("got revision %d, want %d", got, next)
			}
			msg.Ack()
		}
		sub.Close()
		if next, _ := checkpoints.Load(t.Context(), consumer); next != 20 {
			t.Errorf("the checkpoint is %d, want 20", next)
		}
	})
}

// TestNoPayloadIsLogged provokes every line of the event subscriber.
func TestNoPayloadIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, lines := observer.New(zap.DebugLevel)
		log := pubsubtest.NewLog()
		fill(log, 20)
		faults := 0
		faulty := source(func(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error] {
			if faults++; faults < 4 {
				return func(yield func([]events.Recorded, error) bool) {
					yield([]events.Recorded{{Revision: from + 9, Data: []byte("alice@example.org")}}, nil)
				}
			}
			return log.Pages(ctx, stream, from, max)
		})
		sub, messages := subscribeEvents(t, pubsub.EventConfig{
			Source: faulty, Name: "test", Checkpoints: &flaky{}, Marshaler: picky{unreadable: 3}, Logger: zap.New(core),
		})
		for n := range 40 {
			if msg := <-messages; n%2 == 0 {
				msg.Nack()
			} else {
				msg.Ack()
			}
		}
		sub.Close()
		for _, line := range lines.All() {
			if printed := fmt.Sprintf("%s %#v", line.Message, line.ContextMap()); strings.Contains(printed, "alice") {
				t.Errorf("a payload was logged: %s", printed)
			}
		}
		if lines.Len() < 20 {
			t.Errorf("only %d lines were logged", lines.Len())
		}
	})
}
