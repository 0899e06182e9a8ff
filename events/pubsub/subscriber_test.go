package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/pubsub"
	"github.com/sharetrail/sharetrail/events/pubsub/pubsubtest"
)

const stream = "sharetrail-test"

// The tests run in synctest bubbles: a goroutine that outlives its test, or a
// message that never comes, is a deadlock which fails the test.

func fill(log *pubsubtest.Log, n int) {
	for range n {
		log.Append(stream, events.Proposed{Type: "Counted", Data: []byte("alice@example.org")})
	}
}

func from(next uint64) func(context.Context, string) (uint64, error) {
	return func(context.Context, string) (uint64, error) { return next, nil }
}

func subscribe(t *testing.T, ctx context.Context, cfg pubsub.Config) (*pubsub.Subscriber, <-chan *message.Message) {
	t.Helper()
	sub := pubsub.NewSubscriber(cfg)
	messages, err := sub.Subscribe(ctx, stream)
	if err != nil {
		t.Fatal(err)
	}
	return sub, messages
}

func pageOf(t *testing.T, msg *message.Message) pubsub.Page {
	t.Helper()
	page, ok := pubsub.PageOf(msg)
	if !ok {
		t.Fatal("the message carries no page")
	}
	return page
}

// nothing waits until every goroutine is blocked and demands an open, empty channel.
func nothing(t *testing.T, messages <-chan *message.Message) {
	t.Helper()
	synctest.Wait()
	select {
	case msg, open := <-messages:
		t.Fatalf("got message %v, open %v; want an open channel without message", msg, open)
	default:
	}
}

func TestOrderWithNacksAndLiveAppends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, total, start := pubsubtest.NewLog(), 2000, uint64(7)
		fill(log, total/2)
		go func() {
			for n := total / 2; n < total; n += 10 {
				time.Sleep(time.Millisecond) // the bubble's clock
				fill(log, 10)
			}
		}()
		sub, messages := subscribe(t, t.Context(), pubsub.Config{Source: log, From: from(start), PageSize: 13})
		rng := rand.New(rand.NewPCG(1, 2))
		var redelivered pubsub.Page
		for next := start; next < uint64(total); {
			msg := <-messages
			page := pageOf(t, msg)
			if page.First() != next || len(page.Events) > 13 {
				t.Fatalf("got %v, want it to begin at %d with at most 13 events", page, next)
			}
			if redelivered.Events != nil && !cmp.Equal(page, redelivered) {
				t.Fatalf("got %v after a nack, want %v again", page, redelivered)
			}
			nothing(t, messages) // window 1
			if rng.IntN(3) == 0 {
				redelivered = page
				msg.Nack()
				continue
			}
			redelivered = pubsub.Page{}
			next = page.Last() + 1
			msg.Ack()
		}
		nothing(t, messages)
		sub.Close()
	})
}

func TestNackBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 2)
		sub, messages := subscribe(t, t.Context(), pubsub.Config{
			Source: log, From: from(0), PageSize: 1,
			NackBackoff: func(failures int) time.Duration { return time.Duration(failures) * time.Minute },
		})
		var pauses []time.Duration
		last := time.Now()
		for _, ack := range []bool{false, false, false, true, false, true} {
			msg := <-messages
			pauses = append(pauses, time.Since(last)/time.Minute)
			last = time.Now()
			if ack {
				msg.Ack()
			} else {
				msg.Nack()
			}
		}
		// The second page begins to count anew.
		if diff := cmp.Diff([]time.Duration{0, 1, 2, 3, 0, 1}, pauses); diff != "" {
			t.Errorf("pauses in minutes (-want +got):\n%s", diff)
		}
		sub.Close()
	})
}

func TestExponential(t *testing.T) {
	backoff := pubsub.Exponential(100*time.Millisecond, 30*time.Second)
	for failures, full := range map[int]time.Duration{
		1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 5: 1600 * time.Millisecond,
		9: 25600 * time.Millisecond, 10: 30 * time.Second, 1 << 40: 30 * time.Second,
	} {
		for range 100 {
			if got := backoff(failures); got < full/2 || got > full {
				t.Fatalf("pause after %d failures is %v, want %v to %v", failures, got, full/2, full)
			}
		}
	}
	if got := pubsub.Exponential(0, 0)(3); got != 0 {
		t.Errorf("no backoff pauses for %v", got)
	}
}

// source is a Pages made of a function.
type source func(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error]

func (s source) Pages(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error] {
	return s(ctx, stream, from, max)
}

func TestFaultsOfTheSourceDoNotEndTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 100)
		asked := 0
		faulty := source(func(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error] {
			asked++
			return func(yield func([]events.Recorded, error) bool) {
				if asked > 20 {
					log.Pages(ctx, stream, from, max)(yield)
					return
				}
				for page, err := range log.Pages(ctx, stream, from, max) {
					if err != nil || !yield(page, err) {
						return
					}
					break
				}
				switch asked % 4 {
				case 0:
					yield(nil, errors.New("connection lost"))
				case 1:
					yield([]events.Recorded{{Stream: stream, Revision: from + 50}}, nil) // a hole
				case 2:
					yield([]events.Recorded{{Stream: stream, Revision: from}}, nil) // once more
				case 3: // an end without a reason
				}
			}
		})
		unknown := 3
		sub, messages := subscribe(t, t.Context(), pubsub.Config{
			Source: faulty, PageSize: 3,
			From: func(context.Context, string) (uint64, error) {
				if unknown--; unknown >= 0 {
					return 0, errors.New("database is locked")
				}
				return 0, nil
			},
		})
		for next := uint64(0); next < 100; {
			msg := <-messages
			page := pageOf(t, msg)
			if page.First() != next {
				t.Fatalf("got %v, want it to begin at %d", page, next)
			}
			next = page.Last() + 1
			msg.Ack()
		}
		if asked <= 20 {
			t.Errorf("the source was asked %d times, want all faults used", asked)
		}
		sub.Close()
	})
}

func TestEmptyStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		ctx, cancel := context.WithCancel(t.Context())
		sub, messages := subscribe(t, ctx, pubsub.Config{Source: log, From: from(0)})
		nothing(t, messages)
		fill(log, 1)
		msg := <-messages
		if got := fmt.Sprint(pageOf(t, msg)); got != stream+"@0-0" {
			t.Errorf("got %s", got)
		}
		msg.Ack()
		nothing(t, messages)
		cancel()
		if _, open := <-messages; open {
			t.Error("got a message after the context ended")
		}
		sub.Close()
	})
}

func TestDrain(t *testing.T) {
	answers := map[string]func(*message.Message){
		"ack":  func(m *message.Message) { m.Ack() },
		"nack": func(m *message.Message) { m.Nack() },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := pubsubtest.NewLog()
				fill(log, 10)
				sub, messages := subscribe(t, t.Context(), pubsub.Config{Source: log, From: from(0), PageSize: 1})
				untaken, err := sub.Subscribe(t.Context(), stream) // nobody takes its first page
				if err != nil {
					t.Fatal(err)
				}
				msg := <-messages

				impatient, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := sub.Drain(impatient); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("draining with a page in flight: got %v, want DeadlineExceeded", err)
				}
				drained := make(chan error, 1)
				go func() { drained <- sub.Drain(t.Context()) }()
				nothing(t, messages)
				if msg.Context().Err() != nil || len(drained) != 0 {
					t.Error("drain must wait and leave the page in flight alone")
				}
				answer(msg)
				if err := <-drained; err != nil {
					t.Errorf("draining: %v", err)
				}
				nothing(t, messages)
				nothing(t, untaken)
				if _, err := sub.Subscribe(t.Context(), stream); !errors.Is(err, pubsub.ErrClosed) {
					t.Errorf("subscribing after a drain: got %v, want ErrClosed", err)
				}
				sub.Close()
				if _, open := <-messages; open {
					t.Error("got a message after a drain")
				}
			})
		})
	}
}

func TestDrainDuringBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 1)
		sub, messages := subscribe(t, t.Context(), pubsub.Config{
			Source: log, From: from(0), NackBackoff: func(int) time.Duration { return time.Hour },
		})
		(<-messages).Nack()
		nothing(t, messages)
		began := time.Now()
		if err := sub.Drain(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("draining took %v: %v", time.Since(began), err)
		}
		sub.Close()
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 10)
		sub, messages := subscribe(t, t.Context(), pubsub.Config{Source: log, From: from(0), PageSize: 1})
		acked := <-messages
		acked.Ack()
		unanswered := <-messages
		if acked.Context().Err() == nil || unanswered.Context().Err() != nil {
			t.Error("a message's context must live until it is answered, not longer")
		}
		for range 2 {
			if err := sub.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
		}
		if unanswered.Context().Err() == nil {
			t.Error("Close must cancel the context of the page in flight")
		}
		select {
		case _, open := <-messages:
			if open {
				t.Error("got a message after Close")
			}
		default:
			t.Error("the channel is open after Close")
		}
		if _, err := sub.Subscribe(t.Context(), stream); !errors.Is(err, pubsub.ErrClosed) {
			t.Errorf("subscribing after Close: got %v, want ErrClosed", err)
		}
	})
}

func TestNoVerbPrintsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 3)
		sub, messages := subscribe(t, t.Context(), pubsub.Config{Source: log, From: from(0)})
		msg := <-messages
		page := pageOf(t, msg)
		printed := fmt.Sprintf("%v %+v %#v %v %+v %#v %v", msg, msg, msg, page, page, page, msg.Context())
		data := string(page.Events[0].Data)
		for _, secret := range []string{data, fmt.Sprint([]byte(data)), fmt.Sprintf("%#v", []byte(data))} {
			if strings.Contains(printed, secret[:12]) {
				t.Errorf("printing a message shows its events:\n%s", printed)
			}
		}
		want := message.Metadata{"stream": stream, "first_revision": "0", "last_revision": "2"}
		if diff := cmp.Diff(want, msg.Metadata); diff != "" || len(msg.Payload) != 0 {
			t.Errorf("metadata (-want +got), payload %q:\n%s", msg.Payload, diff)
		}
		sub.Close()
	})
}

func TestDetach(t *testing.T) {
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), ctxKey{}, "kept"))
	cancel()
	_, err := pubsub.Detach(func(msg *message.Message) ([]*message.Message, error) {
		if msg.Context().Value(ctxKey{}) != "kept" {
			t.Error("the context lost its values")
		}
		return nil, msg.Context().Err()
	})(message.NewMessageWithContext(ctx, "id", nil))
	if err != nil {
		t.Errorf("a detached handler sees %v", err)
	}
}

type ctxKey struct{}
