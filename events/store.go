package events

import (
	"errors"
	"time"
)

// Proposed is an event on its way into a stream.
type Proposed struct {
	ID       ID
	Type     string
	Data     []byte
	Metadata []byte
}

// Recorded is an event as the event store gives it back. Revision is its
// position in the stream: 0, 1, 2, ... without gaps.
type Recorded struct {
	ID       ID
	Type     string
	Data     []byte
	Metadata []byte
	Stream   string
	Revision uint64
	Created  time.Time // the store's clock; never hashed, never shown
}

// Expected is where an append demands the stream to stand: the revision of its
// last event, or NoStream. There is no "any": only a named revision makes the
// store's idempotency exact.
type Expected int64

// NoStream demands that the stream has no event yet.
const NoStream Expected = -1

// ErrConflict is returned by an append whose Expected did not hold: somebody
// else wrote. Read the stream again and decide again.
var ErrConflict = errors.New("the stream is not at the expected revision")

// ErrNoSpace is returned by a write that found the disk full, of the event store,
// the log or the keystore. Nothing was written; the same may be written again once
// there is space, and needs no repair before.
var ErrNoSpace = errors.New("no space is left on the disk")
