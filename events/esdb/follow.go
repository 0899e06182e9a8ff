package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/sharetrail/sharetrail/events"
)

// Follow yields the events of a stream from revision from on, inclusive, first
// those that exist and then each new one when it is durable. The stream need
// not exist yet. A subscription that drops is taken up again behind the last
// event yielded.
//
// It ends when the consumer breaks off, with the error of ctx when that ends,
// and with any error that waiting does not cure: ErrGap, ErrClosed, a refusal
// of the server.
func (s *Store) Follow(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	return flatten(s.Pages(ctx, stream, from, readAhead))
}

// Pages is Follow in pages of 1 to max events. A page ends where nothing more
// has arrived, so events never wait for a page to fill: behind a slow consumer
// pages grow, behind a quiet stream they hold one event.
func (s *Store) Pages(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error] {
	open := func(ctx context.Context, c *esdb.Client, next uint64) (receiver[events.Recorded], func(), error) {
		// The client begins behind the position it is given, and at the end
		// if it is given none.
		options := esdb.SubscribeToStreamOptions{From: esdb.Start{}}
		if next > 0 {
			options.From = esdb.Revision(next - 1)
		}
		sub, err := c.SubscribeToStream(ctx, stream, options)
		if err != nil {
			return nil, nil, err
		}
		return func() (events.Recorded, error) {
			e, _, err := appeared(sub)
			if err != nil {
				return events.Recorded{}, err
			}
			return recorded(e), nil
		}, func() { sub.Close() }, nil
	}
	return s.pages(ctx, "following", stream, from, max, open)
}

// appeared waits for the next event, or for a checkpoint if there is to be one:
// then the event is nil. It passes over the messages about the state of the
// subscription.
func appeared(sub *esdb.Subscription) (*esdb.RecordedEvent, *esdb.Position, error) {
	for {
		switch m := sub.Recv(); {
		case m.SubscriptionDropped != nil:
			if m.SubscriptionDropped.Error == nil {
				return nil, nil, io.EOF
			}
			return nil, nil, m.SubscriptionDropped.Error
		case m.EventAppeared != nil && m.EventAppeared.Event != nil:
			return m.EventAppeared.Event, nil, nil
		case m.EventAppeared != nil:
			return nil, nil, errors.New("the server sent an entry without an event")
		case m.CheckPointReached != nil:
			return nil, m.CheckPointReached, nil
		}
	}
}

// checkPage returns the part of a page that continues the stream at *next, and
// moves *next behind it.
func checkPage(page []events.Recorded, next *uint64) ([]events.Recorded, error) {
	for i, e := range page {
		if e.Revision != *next {
			return page[:i], fmt.Errorf("%w: revision %d came instead of %d", ErrGap, e.Revision, *next)
		}
		*next++
	}
	return page, nil
}
