package embedded

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Keys of an event's system metadata. Clients end their process when created
// is missing, so every event is sent with all three.
const (
	keyType        = "type"
	keyContentType = "content-type"
	keyCreated     = "created"
)

// maxStreamName is far above any name in use; it keeps the index in bounds.
const maxStreamName = 1024

// allStream is the name under which clients see the log of all streams.
const allStream = "$all"

var empty = &shared.Empty{}

func structured(id uuid.UUID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

func parseID(id *shared.UUID) (uuid.UUID, error) {
	switch v := id.GetValue().(type) {
	case *shared.UUID_Structured_:
		var out uuid.UUID
		binary.BigEndian.PutUint64(out[:8], uint64(v.Structured.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(out[8:], uint64(v.Structured.GetLeastSignificantBits()))
		return out, nil
	case *shared.UUID_String_:
		if out, err := uuid.Parse(v.String_); err == nil {
			return out, nil
		}
	}
	return uuid.UUID{}, status.Error(codes.InvalidArgument, "an event has no valid id")
}

func parseStream(id *shared.StreamIdentifier) (string, error) {
	name := string(id.GetStreamName())
	switch {
	case name == "" || len(name) > maxStreamName || !utf8.ValidString(name):
		return "", status.Errorf(codes.InvalidArgument, "a stream name is 1 to %d bytes of UTF-8", maxStreamName)
	case name == metaPrefix, name == allStream, isMetastream(describedStream(name)):
		return "", status.Errorf(codes.InvalidArgument, "%s is not the name of a stream", name)
	}
	return name, nil
}

// A position on the wire is the place in $all times stride. Like the real
// server's, which are offsets into a log, positions grow but nobody can count
// with them.
const stride = 64

func wirePosition(position int64) uint64 { return uint64(position) * stride }

// placeAt returns the first place at or behind a position of the wire.
func placeAt(position uint64) int64 {
	return int64(position/stride) + min(1, int64(position%stride))
}

// placeAfter returns the first place behind a position of the wire.
func placeAfter(position uint64) int64 { return int64(position/stride) + 1 }

// recordedEvent is an event as readers get it.
func recordedEvent(e *event, textIDs bool) *streams.ReadResp_ReadEvent_RecordedEvent {
	id := structured(e.id)
	if textIDs {
		id = &shared.UUID{Value: &shared.UUID_String_{String_: e.id.String()}}
	}
	revision := uint64(e.revision)
	if e.kind == kindTombstone {
		revision = math.MaxInt64
	}
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id:               id,
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(e.stream)},
		StreamRevision:   revision,
		PreparePosition:  wirePosition(e.position),
		CommitPosition:   wirePosition(e.position),
		Metadata: map[string]string{
			keyType:        e.kind,
			keyContentType: e.contentType,
			keyCreated:     strconv.FormatInt(e.created, 10),
		},
		CustomMetadata: e.metadata,
		Data:           e.data,
	}
}
