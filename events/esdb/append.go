package esdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/sharetrail/sharetrail/events"
)

// MaxAppendBytes is the most that one append may hold, in the measure of Size.
// It is the server's default up to 24.10; later servers take more.
const MaxAppendBytes = 1 << 20

// ErrTooLarge is returned by Append for events that do not fit into one append.
// Nothing was sent.
var ErrTooLarge = errors.New("the events do not fit into one append")

// Size returns what an event counts towards MaxAppendBytes.
func Size(e events.Proposed) int { return len(e.Data) + len(e.Metadata) + 2*len(e.Type) }

// Append writes evs behind the expected revision, all or none, and returns the
// revision of the last one. When it returns nil the events are durable.
//
// An attempt whose outcome is not known (the connection broke, the server was
// busy or silent) is repeated as it is until ctx ends. That is exact: the server
// compares the ids and answers a repeat like the original. For the same reason
// a caller may repeat an Append that returned an error, with the same ids.
//
// An error that wraps events.ErrConflict, events.ErrNoSpace, ErrTooLarge, ErrDeleted
// or ErrDenied says that nothing was written. After any other error, that of ctx included, the events may stand in
// the stream or still come to stand there. The slices of evs must not be
// changed, also after such an error.
func (s *Store) Append(ctx context.Context, stream string, expected events.Expected, evs ...events.Proposed) (last uint64, err error) {
	if err := checkAppend(stream, expected, evs); err != nil {
		return 0, fmt.Errorf("appending to %s: %w", stream, err)
	}
	options := esdb.AppendToStreamOptions{ExpectedRevision: demand(expected), Deadline: &s.timeout}
	data := make([]esdb.EventData, len(evs))
	for i, e := range evs {
		data[i] = esdb.EventData{
			EventID: uuid.UUID(e.ID), EventType: e.Type, ContentType: esdb.ContentTypeBinary, Data: e.Data, Metadata: e.Metadata,
		}
	}
	result, err := retry(ctx, s, func(ctx context.Context, c *esdb.Client) (*esdb.WriteResult, error) {
		return c.AppendToStream(ctx, stream, options, data...)
	})
	if err != nil {
		return 0, fmt.Errorf("appending to %s: %w", stream, typed(err))
	}
	// The client makes up a revision for answers that it does not understand.
	last = uint64(int64(expected) + int64(len(evs)))
	if result.NextExpectedVersion != last {
		return 0, fmt.Errorf("appending to %s: the server answered revision %d instead of %d", stream, result.NextExpectedVersion, last)
	}
	return last, nil
}

// checkAppend refuses what the server would refuse, or worse, would take: it
// accepts the same id twice in one append.
func checkAppend(stream string, expected events.Expected, evs []events.Proposed) error {
	if stream == "" {
		return errors.New("the stream has no name")
	}
	if expected < events.NoStream {
		return fmt.Errorf("revision %d cannot be expected", expected)
	}
	if len(evs) == 0 {
		return errors.New("there is no event")
	}
	size := 0
	seen := make(map[events.ID]bool, len(evs))
	for _, e := range evs {
		switch {
		case e.ID == (events.ID{}):
			return errors.New("an event has no id")
		case e.Type == "":
			return fmt.Errorf("event %s has no type", e.ID)
		case seen[e.ID]:
			return fmt.Errorf("event %s comes twice", e.ID)
		}
		seen[e.ID] = true
		size += Size(e)
	}
	if size > MaxAppendBytes {
		return fmt.Errorf("%w: %d events have %d bytes, the limit is %d", ErrTooLarge, len(evs), size, MaxAppendBytes)
	}
	return nil
}

// demand is an expected revision in the client's words.
func demand(expected events.Expected) esdb.ExpectedRevision {
	if expected == events.NoStream {
		return esdb.NoStream{}
	}
	return esdb.Revision(uint64(expected))
}
