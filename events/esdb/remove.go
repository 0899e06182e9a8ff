package esdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"github.com/sharetrail/sharetrail/events"
)

// Metadata of a stream hide events from its readers, not from $all. Zero
// fields hide nothing. Never set them on the stream of a ledger.
type Metadata struct {
	MaxCount       uint64        // at most the last so many events are shown
	MaxAge         time.Duration // whole seconds
	TruncateBefore uint64        // the first revision that is shown
	// Others are further fields, $acl and $cacheControl among them, as JSON.
	Others map[string]json.RawMessage
}

const (
	keyMaxCount = "$maxCount"
	keyMaxAge   = "$maxAge"
	keyBefore   = "$tb"
)

// MarshalJSON gives the form of the server.
func (m Metadata) MarshalJSON() ([]byte, error) {
	all := make(map[string]any, len(m.Others)+3)
	for key, value := range m.Others {
		all[key] = value
	}
	for key, value := range map[string]uint64{keyMaxCount: m.MaxCount, keyMaxAge: uint64(m.MaxAge / time.Second), keyBefore: m.TruncateBefore} {
		if value > 0 {
			all[key] = value
		}
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads the form of the server.
func (m *Metadata) UnmarshalJSON(data []byte) error {
	*m = Metadata{}
	if err := json.Unmarshal(data, &m.Others); err != nil {
		return fmt.Errorf("reading stream metadata: %w", err)
	}
	var seconds uint64
	for key, to := range map[string]*uint64{keyMaxCount: &m.MaxCount, keyMaxAge: &seconds, keyBefore: &m.TruncateBefore} {
		if value, there := m.Others[key]; there {
			if err := json.Unmarshal(value, to); err != nil {
				return fmt.Errorf("reading stream metadata: %s: %w", key, err)
			}
			delete(m.Others, key)
		}
	}
	m.MaxAge = time.Duration(min(seconds, math.MaxInt64/uint64(time.Second))) * time.Second
	return nil
}

// SetStreamMetadata replaces the metadata of a stream, which need not exist.
// expected is where its metadata stand: what StreamMetadata answered, NoStream
// if there are none. It is as durable and as exact as Append.
func (s *Store) SetStreamMetadata(ctx context.Context, stream string, expected events.Expected, m Metadata) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("describing %s: %w", stream, err)
	}
	// The client's own method draws another id for each attempt, so that a
	// repeat of one whose answer was lost would be a conflict.
	event := esdb.EventData{EventID: uuid.New(), EventType: "$metadata", ContentType: esdb.ContentTypeJson, Data: data}
	options := esdb.AppendToStreamOptions{ExpectedRevision: demand(expected), Deadline: &s.timeout}
	_, err = retry(ctx, s, func(ctx context.Context, c *esdb.Client) (*esdb.WriteResult, error) {
		return c.AppendToStream(ctx, "$$"+stream, options, event)
	})
	if err != nil {
		return fmt.Errorf("describing %s: %w", stream, typed(err))
	}
	return nil
}

// StreamMetadata returns the metadata of a stream and where they stand.
func (s *Store) StreamMetadata(ctx context.Context, stream string) (m Metadata, at events.Expected, err error) {
	last, found, err := s.Last(ctx, "$$"+stream)
	if err != nil || !found {
		return m, events.NoStream, err
	}
	return m, events.Expected(last.Revision), json.Unmarshal(last.Data, &m)
}

// Delete hides all events of a stream that stands at the expected revision.
// Readers find no stream; who appends brings it back, with revisions going on.
func (s *Store) Delete(ctx context.Context, stream string, expected events.Expected) error {
	_, err := retry(ctx, s, func(ctx context.Context, c *esdb.Client) (*esdb.DeleteResult, error) {
		return c.DeleteStream(ctx, stream, esdb.DeleteStreamOptions{ExpectedRevision: demand(expected), Deadline: &s.timeout})
	})
	if err != nil {
		return fmt.Errorf("deleting %s: %w", stream, removal(err))
	}
	return nil
}

// Tombstone ends a stream that stands at the expected revision, for ever. A
// stream that has ended already is no error.
func (s *Store) Tombstone(ctx context.Context, stream string, expected events.Expected) error {
	_, err := retry(ctx, s, func(ctx context.Context, c *esdb.Client) (*esdb.DeleteResult, error) {
		return c.TombstoneStream(ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: demand(expected), Deadline: &s.timeout})
	})
	if err = removal(err); err != nil && !errors.Is(err, ErrDeleted) {
		return fmt.Errorf("ending %s: %w", stream, err)
	}
	return nil
}

// removal is typed for deletions, whose conflicts the client does not know.
func removal(err error) error {
	if code, ok := grpcStatus(err); ok && code == codes.FailedPrecondition && clientCode(err) == esdb.ErrorCodeUnknown {
		return fmt.Errorf("%w: %v", events.ErrConflict, err)
	}
	return typed(err)
}
