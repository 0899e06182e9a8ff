package pubsub_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/pubsub"
	"github.com/sharetrail/sharetrail/events/pubsub/pubsubtest"
)

// audited is a store of checkpoints that looks at each one: it must move forwards
// over events that were all acked.
type audited struct {
	pubsub.MemoryCheckpoints

	mu    sync.Mutex
	acked map[uint64]bool // guarded by mu; revisions acked at least once
	wrong error           // guarded by mu
}

func (a *audited) ack(revision uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acked[revision] = true
}

func (a *audited) Save(ctx context.Context, c pubsub.Consumer, from, to uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for revision := from; revision < to; revision++ {
		if !a.acked[revision] {
			a.wrong = fmt.Errorf("checkpoint %d was saved before %d was acked", to, revision)
		}
	}
	if err := a.MemoryCheckpoints.Save(ctx, c, from, to); err != nil {
		a.wrong = err
	}
	return nil
}

// hands is a consumer that holds messages and answers them in any order.
type hands struct {
	*rapid.T
	audit    *audited
	messages <-chan *message.Message
	window   int

	next   uint64             // the revision that comes if nothing was nacked
	held   []*message.Message // not answered
	nacked []uint64           // since the last rewind
}

// take receives a message and checks that it is the one which is due.
func (h *hands) take() {
	msg := take(h.T, h.messages)
	revision := revisionOf(msg)
	if len(h.nacked) > 0 && len(h.held) == 0 && revision == slices.Min(h.nacked) {
		h.next, h.nacked = revision, nil // it went back
	}
	if revision != h.next {
		h.Fatalf("got revision %d, want %d; nacked are %v", revision, h.next, h.nacked)
	}
	h.next++
	if h.held = append(h.held, msg); len(h.held) > h.window {
		h.Fatalf("%d messages are unanswered", len(h.held))
	}
}

func (h *hands) answer(i int, ack bool) {
	msg := h.held[i]
	h.held = slices.Delete(h.held, i, i+1)
	if ack {
		h.audit.ack(revisionOf(msg))
		msg.Ack()
		return
	}
	h.nacked = append(h.nacked, revisionOf(msg))
	msg.Nack()
}

// full reports whether the window is: it begins with the oldest event that is not
// acked.
func (h *hands) full() bool {
	oldest := h.next
	for _, msg := range h.held {
		oldest = min(oldest, revisionOf(msg))
	}
	for _, revision := range h.nacked {
		oldest = min(oldest, revision)
	}
	return h.next >= oldest+uint64(h.window)
}

// TestWindow answers at random and restarts at random: order, window, rewind and
// the checkpoint must hold, and in the end everything was acked.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const total = 40
		log := pubsubtest.NewLog()
		for range total {
			log.Append(stream, events.Proposed{Type: "Counted"})
		}
		audit := &audited{acked: map[uint64]bool{}}
		window := rapid.SampledFrom([]int{1, 2, 3, 7, 64}).Draw(t, "window")
		cfg := pubsub.EventConfig{
			Source: log, Name: "test", Checkpoints: audit, Window: window, NackBackoff: atOnce,
			PageSize: rapid.IntRange(1, 50).Draw(t, "page size"),
		}
		consumer := pubsub.Consumer{Name: "test", Topic: stream}
		for restarts := 0; ; restarts++ {
			start, _ := audit.Load(t.Context(), consumer)
			if start == total {
				break
			}
			sub := pubsub.NewEventSubscriber(cfg)
			messages, err := sub.Subscribe(t.Context(), stream)
			if err != nil {
				t.Fatal(err)
			}
			h := &hands{T: t, audit: audit, messages: messages, window: window, next: start}
			steps := 1 << 20
			if restarts < 5 {
				steps = rapid.IntRange(0, 100).Draw(t, "steps")
			}
			h.play(steps, total, restarts >= 5)
			if rapid.Bool().Draw(t, "drain") {
				for len(h.held) > 0 {
					h.answer(0, true)
				}
				if err := sub.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			sub.Close()
			if audit.wrong != nil {
				t.Fatal(audit.wrong)
			}
		}
	})
}

// play takes and answers, at random or, to come to an end, with acks only.
func (h *hands) play(steps, total int, finish bool) {
	for range steps {
		settled := len(h.held) == 0 && len(h.nacked) > 0
		canTake := settled || h.next < uint64(total) && !h.full() && len(h.nacked) == 0
		switch {
		case canTake && (len(h.held) == 0 || rapid.Bool().Draw(h.T, "take")):
			h.take()
		case len(h.held) > 0:
			i := rapid.IntRange(0, len(h.held)-1).Draw(h.T, "which")
			h.answer(i, finish || rapid.IntRange(0, 4).Draw(h.T, "ack") > 0)
		default:
			return // all is acked
		}
	}
}
