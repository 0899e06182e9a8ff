package pubsub

import (
	"context"
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events/esdb"
)

// member is one consumer of a group, with one channel. Beside the channel's
// goroutine there is one that receives, and one for each message in flight.
type member struct {
	*GroupSubscriber
	*channel
	flying sync.WaitGroup // messages in flight; Add in the channel's goroutine only
}

// handed is what the receiving goroutine hands over: a delivery, or an error last.
type handed struct {
	delivery *esdb.Delivery
	err      error
}

// follow consumes again and again until reading ends.
func (m *member) follow(ctx, reading context.Context) {
	defer m.flying.Wait()
	for failures := 0; ; {
		received, err := m.consume(ctx, reading)
		if reading.Err() != nil {
			return
		}
		if received > 0 {
			failures = 0
		}
		failures++
		if errors.Is(err, esdb.ErrNoGroup) {
			if err = m.create(reading, m.topic); err == nil && failures == 1 {
				continue
			}
		}
		m.meter.restarted()
		m.cfg.Logger.Warn("consuming the group stopped, asking again",
			zap.Stringer("group", m.group(m.topic)), zap.Int("failures", failures), zap.Error(err))
		if !wait(reading, m.cfg.Backoff(failures)) {
			return
		}
	}
}

// consume delivers over one session. When reading ends the session lives on until
// what is in flight is answered, because answers travel over it.
func (m *member) consume(ctx, reading context.Context) (received int, err error) {
	ctx, leave := context.WithCancel(ctx)
	in := make(chan handed)
	var receiving sync.WaitGroup
	receiving.Go(func() { m.receive(ctx, in) })
	defer receiving.Wait()
	defer leave()
	for {
		select {
		case h := <-in:
			if h.err != nil {
				return received, h.err
			}
			received++
			m.deliver(ctx, reading, h.delivery)
		case <-reading.Done():
			m.flying.Wait()
			return received, reading.Err()
		}
	}
}

func (m *member) receive(ctx context.Context, in chan<- handed) {
	last := errSourceEnded
	for d, err := range m.cfg.Source.Consume(ctx, m.group(m.topic), uint32(m.cfg.Window)) {
		if err != nil {
			last = err
			break
		}
		select {
		case in <- handed{delivery: d}:
		case <-ctx.Done():
			return
		}
	}
	select {
	case in <- handed{err: last}:
	case <-ctx.Done():
	}
}

// deliver offers a message until somebody takes it. What is not taken when reading
// ends comes again, here or to another consumer.
func (m *member) deliver(ctx, reading context.Context, d *esdb.Delivery) {
	ctx, cancel := context.WithCancel(ctx)
	msg := newEventMessage(ctx, m.cfg.Marshaler, d.Recorded)
	select {
	case m.out <- msg:
		m.meter.delivered(FailureOf(msg) != nil)
		m.flying.Go(func() {
			defer cancel()
			m.answer(ctx, reading, d, msg)
			m.meter.landed()
		})
	case <-reading.Done():
		cancel()
	}
}

// answer waits for what the handler says and passes it on.
func (m *member) answer(ctx, reading context.Context, d *esdb.Delivery, msg *message.Message) {
	var err error
	select {
	case <-msg.Acked():
		m.meter.acked(d.Recorded, false)
		err = d.Ack()
	case <-msg.Nacked():
		err = m.refuse(reading, d)
	case <-ctx.Done():
		return // the connection ends too, and the server gives it to somebody else
	}
	if err != nil {
		m.cfg.Logger.Debug("an answer was lost, the event comes again",
			zap.Stringer("group", m.group(m.topic)), zap.Uint64("revision", d.Revision), zap.Error(err))
	}
}

// refuse gives an event back, after a pause, or parks it. The reasons are constant:
// the server stores them.
func (m *member) refuse(reading context.Context, d *esdb.Delivery) error {
	m.meter.nacked()
	deliveries := d.Retries + 1
	if deliveries >= m.cfg.ParkAfter {
		m.meter.parked()
		m.cfg.Logger.Warn("event parked", zap.Stringer("group", m.group(m.topic)), zap.String("stream", d.Stream),
			zap.Uint64("revision", d.Revision), zap.Int("deliveries", deliveries))
		return d.Park("nacked too often")
	}
	wait(reading, m.cfg.NackBackoff(deliveries)) // Drain does not wait for pauses
	return d.Retry("nacked")
}
