package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/sharetrail/sharetrail/events"
)

// readAhead is how many events may wait between the connection and a consumer.
const readAhead = 1024

// All as a count reads to the end of the stream.
const All uint64 = math.MaxUint64

// Read yields the events of a stream from revision from on, inclusive, at most
// count of them, and ends at the end of the stream. A stream that does not
// exist yields nothing; so does a from behind the end. A connection that breaks
// is made again and the reading resumed where it was; any other error is
// yielded last, so that a loop without an error has seen everything.
func (s *Store) Read(ctx context.Context, stream string, from, count uint64) iter.Seq2[events.Recorded, error] {
	open := func(ctx context.Context, c *esdb.Client, next uint64) (receiver[events.Recorded], func(), error) {
		left := count
		if count != All {
			left -= next - from
		}
		if left == 0 {
			return func() (events.Recorded, error) { return events.Recorded{}, errEnd }, func() {}, nil
		}
		options := esdb.ReadStreamOptions{Direction: esdb.Forwards, From: esdb.Start{}}
		if next > 0 {
			options.From = esdb.Revision(next)
		}
		reading, err := c.ReadStream(ctx, stream, options, left)
		if err != nil {
			return nil, nil, err
		}
		return func() (events.Recorded, error) {
			e, err := receive(reading)
			switch {
			// Only the beginning may find no stream: what was read is not gone.
			case errors.Is(err, io.EOF), isMissing(err) && next == from:
				return events.Recorded{}, errEnd
			case err != nil:
				return events.Recorded{}, err
			}
			return recorded(e), nil
		}, reading.Close, nil
	}
	return flatten(s.pages(ctx, "reading", stream, from, int(min(readAhead, max(count, 1))), open))
}

// receive takes one event from a reading. A server with links could send an
// entry without an event; that would be a gap, so it is an error.
func receive(reading *esdb.ReadStream) (*esdb.RecordedEvent, error) {
	resolved, err := reading.Recv()
	if err != nil {
		return nil, err
	}
	if resolved.Event == nil {
		return nil, errors.New("the server sent an entry without an event")
	}
	return resolved.Event, nil
}

// Head returns where a stream stands: what the next Append must expect.
func (s *Store) Head(ctx context.Context, stream string) (events.Expected, error) {
	last, found, err := s.Last(ctx, stream)
	if err != nil || !found {
		return events.NoStream, err
	}
	return events.Expected(last.Revision), nil
}

// Last returns the last event of a stream, and false if there is no stream.
func (s *Store) Last(ctx context.Context, stream string) (events.Recorded, bool, error) {
	e, err := retry(ctx, s, func(ctx context.Context, c *esdb.Client) (*esdb.RecordedEvent, error) {
		options := esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}
		reading, err := c.ReadStream(ctx, stream, options, 1)
		if err != nil {
			return nil, err
		}
		defer reading.Close()
		e, err := receive(reading)
		if isMissing(err) {
			return nil, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the stream exists but holds no event: somebody truncated it")
		}
		return e, err
	})
	if err != nil {
		return events.Recorded{}, false, fmt.Errorf("reading the last event of %s: %w", stream, typed(err))
	}
	if e == nil {
		return events.Recorded{}, false, nil
	}
	return recorded(e), true, nil
}

func recorded(e *esdb.RecordedEvent) events.Recorded {
	return events.Recorded{
		ID: events.ID(e.EventID), Type: e.EventType, Data: e.Data, Metadata: e.UserMetadata,
		Stream: e.StreamID, Revision: e.EventNumber, Created: e.CreatedDate,
	}
}

func flatten(pages iter.Seq2[[]events.Recorded, error]) iter.Seq2[events.Recorded, error] {
	return func(yield func(events.Recorded, error) bool) {
		for page, err := range pages {
			if err != nil {
				yield(events.Recorded{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}
