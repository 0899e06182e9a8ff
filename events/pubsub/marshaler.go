package pubsub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/sharetrail/sharetrail/events"
)

// Reserved begins the metadata keys that only reading sets, such as
// MetadataRevision. On a published message they are left out: a message that was
// read from one stream may be published to another.
const Reserved = "esdb."

// Keys set on every message of an EventSubscriber or a GroupSubscriber, whatever
// the Marshaler.
const (
	MetadataEventStream   = Reserved + "stream"
	MetadataEventRevision = Reserved + "revision"
	MetadataEventID       = Reserved + "id"
	MetadataEventCreated  = Reserved + "created" // RFC 3339, UTC, by the store's clock
)

// metadataUUID stands in an event for a UUID that its id cannot give back.
const metadataUUID = Reserved + "uuid"

// Marshaler turns messages into events and back.
//
// Marshal is called once for each message of a Publish; the same message must
// give the same event, because a repeat is recognised by the id. Unmarshal is
// called for each delivery; its error is delivered, see FailureOf, and must not
// quote the event. Neither keeps or changes what it was given.
type Marshaler interface {
	Marshal(topic string, msg *message.Message) (events.Proposed, error)
	Unmarshal(e events.Recorded) (*message.Message, error)
}

// Plain is the default Marshaler: payload and data are the same bytes, metadata
// is a JSON object of strings, and the event's type stands in the metadata of
// the message alone. Values which others wrote that are no strings arrive as
// their JSON text.
type Plain struct {
	// TypeKey is the metadata key of the event's type. Default "event_type";
	// Watermill's cqrs package uses "name".
	TypeKey string

	// DefaultType is the type of messages that name none. Default "message".
	DefaultType string
}

var _ Marshaler = Plain{}

// renamed are keys that Watermill and EventStoreDB call differently.
var renamed = map[string]string{"correlation_id": "$correlationId", "causation_id": "$causationId"}

func (p Plain) withDefaults() Plain {
	if p.TypeKey == "" {
		p.TypeKey = "event_type"
	}
	if p.DefaultType == "" {
		p.DefaultType = "message"
	}
	return p
}

// Marshal implements Marshaler. The event's id is IDOf the message's UUID.
func (p Plain) Marshal(_ string, msg *message.Message) (events.Proposed, error) {
	p = p.withDefaults()
	e := events.Proposed{ID: IDOf(msg.UUID), Type: msg.Metadata.Get(p.TypeKey), Data: bytes.Clone(msg.Payload)}
	if e.Type == "" {
		e.Type = p.DefaultType
	}
	stored := map[string]string{}
	if msg.UUID != e.ID.String() {
		stored[metadataUUID] = msg.UUID
	}
	for key, value := range msg.Metadata {
		if key == p.TypeKey || strings.HasPrefix(key, Reserved) {
			continue
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return events.Proposed{}, fmt.Errorf("marshaling message %s: metadata %q is not UTF-8", msg.UUID, key)
		}
		if other, ok := renamed[key]; ok {
			key = other
		}
		if _, twice := stored[key]; twice {
			return events.Proposed{}, fmt.Errorf("marshaling message %s: metadata %q comes under two names", msg.UUID, key)
		}
		stored[key] = value
	}
	if len(stored) == 0 {
		return e, nil
	}
	var err error
	if e.Metadata, err = json.Marshal(stored); err != nil { // sorts the keys
		return events.Proposed{}, fmt.Errorf("marshaling message %s: %w", msg.UUID, err)
	}
	return e, nil
}

var errMetadata = errors.New("the metadata is not a JSON object")

// Unmarshal implements Marshaler.
func (p Plain) Unmarshal(e events.Recorded) (*message.Message, error) {
	p = p.withDefaults()
	msg := message.NewMessage(e.ID.String(), bytes.Clone(e.Data))
	var stored map[string]json.RawMessage
	if len(e.Metadata) > 0 {
		if err := json.Unmarshal(e.Metadata, &stored); err != nil {
			return nil, errMetadata // the decoder's own error may quote
		}
	}
	for key, raw := range stored {
		value := string(raw)
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &value); err != nil {
				return nil, errMetadata
			}
		}
		msg.Metadata.Set(key, value)
	}
	if id := msg.Metadata.Get(metadataUUID); id != "" {
		msg.UUID = id
	}
	maps.DeleteFunc(msg.Metadata, func(key, _ string) bool { return strings.HasPrefix(key, Reserved) })
	for ours, theirs := range renamed {
		if value, ok := msg.Metadata[theirs]; ok {
			delete(msg.Metadata, theirs)
			msg.Metadata.Set(ours, value)
		}
	}
	msg.Metadata.Set(p.TypeKey, e.Type)
	return msg, nil
}

// namespace is the UUIDv5 namespace of UUIDs that are none.
var namespace = uuid.MustParse("6f1d9a52-5b0e-5c0f-9d43-8f3b7f0e7a11")

// IDOf returns the event id for a message's UUID: the same 16 bytes if it is one
// in lower case, else a UUIDv5 of its text, and a random one if it is empty,
// which no repeat can be recognised by.
func IDOf(id string) events.ID {
	var parsed events.ID
	switch err := parsed.UnmarshalText([]byte(id)); {
	case id == "":
		return events.ID(uuid.New())
	case err == nil && parsed != events.ID{}:
		return parsed
	}
	return events.ID(uuid.NewSHA1(namespace, []byte(id)))
}
