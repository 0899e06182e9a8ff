package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// ErrStale is returned by Ack and Nack when the connection that brought the
// event is gone. The server delivers the event again.
var ErrStale = errors.New("the subscription was lost meanwhile: the event will come again")

// Delivery is one event that a group has handed to this consumer. Answer it
// with Ack or Nack, once. That an answer returned nil does not say it arrived:
// an event may come again after it was handled.
type Delivery struct {
	Located
	Retries int // how often it was delivered before

	event *esdb.ResolvedEvent
	from  *subscription
}

// subscription is one session of a consumer. The client's half for sending
// takes one caller at a time.
type subscription struct {
	mu    sync.Mutex
	sub   *esdb.PersistentSubscription
	ended bool
}

// Ack says that the event is handled.
func (d *Delivery) Ack() error {
	return d.answer(func(sub *esdb.PersistentSubscription) error { return sub.Ack(d.event) })
}

// Retry asks for the event again, until the group's limit parks it.
func (d *Delivery) Retry(reason string) error { return d.nack(esdb.NackActionRetry, reason) }

// Park puts the event aside, for ReplayParked.
func (d *Delivery) Park(reason string) error { return d.nack(esdb.NackActionPark, reason) }

// Skip passes over the event.
func (d *Delivery) Skip(reason string) error { return d.nack(esdb.NackActionSkip, reason) }

func (d *Delivery) nack(action esdb.NackAction, reason string) error {
	return d.answer(func(sub *esdb.PersistentSubscription) error { return sub.Nack(reason, action, d.event) })
}

func (d *Delivery) answer(send func(*esdb.PersistentSubscription) error) error {
	d.from.mu.Lock()
	defer d.from.mu.Unlock()
	if d.from.ended {
		return ErrStale
	}
	if err := send(d.from.sub); err != nil {
		return fmt.Errorf("%w: %v", ErrStale, err)
	}
	return nil
}

// Consume yields what a group hands to this consumer, which has at most buffer
// events unanswered at any time. A connection that drops is made again; what
// was not answered comes again, here or elsewhere. It ends when the consumer
// breaks off, with the error of ctx, and with what waiting does not cure, such
// as ErrNoGroup.
func (s *Store) Consume(ctx context.Context, g Group, buffer uint32) iter.Seq2[*Delivery, error] {
	return func(yield func(*Delivery, error) bool) {
		err := resume(ctx, s, max(int(buffer), 1), func(ctx context.Context, c *esdb.Client) (receiver[*Delivery], func(), error) {
			return openGroup(ctx, c, g, buffer)
		}, func(page []*Delivery) error {
			for _, d := range page {
				if !yield(d, nil) {
					return errBreak
				}
			}
			return nil
		})
		if err != nil {
			yield(nil, fmt.Errorf("consuming %v: %w", g, groupError(err)))
		}
	}
}

func openGroup(ctx context.Context, c *esdb.Client, g Group, buffer uint32) (receiver[*Delivery], func(), error) {
	options := esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: buffer}
	var sub *esdb.PersistentSubscription
	var err error
	if g.Stream == AllStreams {
		sub, err = c.SubscribeToPersistentSubscriptionToAll(ctx, g.Name, options)
	} else {
		sub, err = c.SubscribeToPersistentSubscription(ctx, g.Stream, g.Name, options)
	}
	if err != nil {
		return nil, nil, err
	}
	from := &subscription{sub: sub}
	stop := func() {
		from.mu.Lock()
		defer from.mu.Unlock()
		from.ended = true
		sub.Close() // always nil
	}
	return func() (*Delivery, error) {
		m := sub.Recv()
		if m.SubscriptionDropped != nil {
			if m.SubscriptionDropped.Error == nil {
				return nil, io.EOF
			}
			return nil, m.SubscriptionDropped.Error
		}
		e := m.EventAppeared.Event
		shown := e.Event
		if shown == nil {
			shown = e.Link // it points to what nobody can see any more
		}
		return &Delivery{
			Located: Located{Recorded: recorded(shown), Position: Position(shown.Position)},
			Retries: m.EventAppeared.RetryCount, event: e, from: from,
		}, nil
	}, stop, nil
}
