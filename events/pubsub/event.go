package pubsub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/sharetrail/sharetrail/events"
)

// received is what the context of an event's message carries.
type received struct {
	event   events.Recorded
	failure error
}

type eventKey struct{}

// EventOf returns the event that msg was made of, as the store gave it. It
// travels in the message's context, so a handler which replaces the context must
// derive the new one from the old. It is shared with later deliveries: read only.
func EventOf(msg *message.Message) (events.Recorded, bool) {
	r, ok := msg.Context().Value(eventKey{}).(*received)
	if !ok {
		return events.Recorded{}, false
	}
	return r.event, true
}

// FailureOf returns why the Marshaler could not read the event of msg, or nil.
// Such a message has no payload; the event itself is in EventOf. It is delivered,
// because to pass over it would be to lose it: refuse it (RefuseFailures), or
// handle it in some way of your own and ack it.
func FailureOf(msg *message.Message) error {
	if r, ok := msg.Context().Value(eventKey{}).(*received); ok {
		return r.failure
	}
	return nil
}

// RefuseFailures answers messages whose event could not be read with that error,
// before the handler sees them. Put it inside Watermill's PoisonQueue or Retry.
func RefuseFailures(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		if err := FailureOf(msg); err != nil {
			return nil, err
		}
		return next(msg)
	}
}

// newEventMessage makes the message of one delivery of e.
func newEventMessage(ctx context.Context, m Marshaler, e events.Recorded) *message.Message {
	r := &received{event: e}
	msg, err := m.Unmarshal(e)
	if err == nil && msg == nil {
		err = errors.New("the marshaler returned no message")
	}
	if err != nil {
		r.failure = fmt.Errorf("unmarshaling event %s at %s@%d: %w", e.ID, e.Stream, e.Revision, err)
		msg = message.NewMessage(e.ID.String(), nil)
	}
	msg.SetContext(context.WithValue(ctx, eventKey{}, r))
	if msg.Metadata == nil {
		msg.Metadata = message.Metadata{}
	}
	msg.Metadata.Set(MetadataEventStream, e.Stream)
	msg.Metadata.Set(MetadataEventRevision, strconv.FormatUint(e.Revision, 10))
	msg.Metadata.Set(MetadataEventID, e.ID.String())
	msg.Metadata.Set(MetadataEventCreated, e.Created.UTC().Format(time.RFC3339Nano))
	return msg
}
