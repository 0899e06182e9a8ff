package pubsub

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
)

// window delivers events and collects the answers, oldest first: an answer counts
// when all before it are there, which is what makes the checkpoint contiguous
// without bookkeeping. All fields belong to the goroutine of run.
type window struct {
	cfg *EventConfig
	*channel
	pages <-chan []events.Recorded
	saver *saver // nil without checkpoints

	held     []events.Recorded // from the first that is not acked
	flight   []flying          // deliveries of held[0], held[1], ... in somebody's hands
	offer    *flying           // delivery of held[len(flight)] that nobody took yet
	failures int               // nacks in a row of held[0]
}

// flying is a message whose context lives.
type flying struct {
	msg    *message.Message
	cancel context.CancelFunc
}

// run returns when reading has ended or the checkpoint is lost, and everything in
// flight is answered or ctx has ended.
func (w *window) run(ctx, reading context.Context) {
	defer w.settle(ctx)
	for reading.Err() == nil {
		var first flying
		var acks, nacks <-chan struct{}
		if len(w.flight) > 0 {
			first = w.flight[0]
			acks, nacks = first.msg.Acked(), first.msg.Nacked()
		}
		// Answers come before deliveries: select alone would choose at random.
		switch answered(acks, nacks) {
		case acked:
			w.advance()
			continue
		case nacked:
			if !w.rewind(ctx, reading) {
				return
			}
			continue
		}
		out, msg := w.next(ctx)
		select {
		case out <- msg:
			w.took()
		case page := <-w.wanted():
			w.held = append(w.held, page...)
		case <-acks:
		case <-nacks:
		case <-w.saver.lost():
			return
		case <-reading.Done():
		}
	}
}

// answered looks without waiting.
func answered(acks, nacks <-chan struct{}) answer {
	select {
	case <-acks:
		return acked
	case <-nacks:
		return nacked
	default:
		return unanswered
	}
}

// next returns the message to offer, if the window has room for one.
func (w *window) next(ctx context.Context) (chan<- *message.Message, *message.Message) {
	if w.offer == nil {
		if len(w.flight) == w.cfg.Window || len(w.flight) == len(w.held) {
			return nil, nil
		}
		ctx, cancel := context.WithCancel(ctx)
		w.offer = &flying{newEventMessage(ctx, w.cfg.Marshaler, w.held[len(w.flight)]), cancel}
	}
	return w.out, w.offer.msg
}

// took notes that somebody has the offered message.
func (w *window) took() {
	w.meter.delivered(FailureOf(w.offer.msg) != nil)
	w.flight = append(w.flight, *w.offer)
	w.offer = nil
}

// wanted is where pages come from while there is room for one.
func (w *window) wanted() <-chan []events.Recorded {
	if len(w.held) > w.cfg.Window {
		return nil
	}
	return w.pages
}

// advance moves behind the oldest event, which is acked.
func (w *window) advance() {
	w.meter.acked(w.held[0], true)
	w.saver.reach(w.held[0].Revision + 1)
	w.land()
	w.held[0] = events.Recorded{} // let go of its data
	w.held = w.held[1:]
	w.failures = 0
}

// land ends the context of the oldest message in flight.
func (w *window) land() {
	w.flight[0].cancel()
	w.flight[0] = flying{}
	w.flight = w.flight[1:]
	w.meter.landed()
}

// rewind goes back to the oldest event, which is nacked: it will be offered again
// when nothing is in flight and the pause is over. False means that reading ended.
func (w *window) rewind(ctx, reading context.Context) bool {
	w.settle(ctx)
	w.failures++
	pause := w.cfg.NackBackoff(w.failures)
	w.cfg.Logger.Debug("message nacked", zap.String("stream", w.topic), zap.Uint64("revision", w.held[0].Revision),
		zap.Int("failures", w.failures), zap.Duration("pause", pause))
	return wait(reading, pause)
}

// settle waits until everything in flight is answered, or ctx ends, and counts
// the acks before the first message which is not acked.
func (w *window) settle(ctx context.Context) {
	if w.offer != nil {
		w.offer.cancel()
		w.offer = nil
	}
	contiguous := true
	for len(w.flight) > 0 {
		msg := w.flight[0].msg
		select {
		case <-msg.Acked():
		case <-msg.Nacked():
		case <-ctx.Done():
		}
		got := answered(msg.Acked(), msg.Nacked())
		if got == nacked {
			w.meter.nacked()
		}
		if contiguous = contiguous && got == acked; contiguous {
			w.advance()
		} else {
			w.land()
		}
	}
}
