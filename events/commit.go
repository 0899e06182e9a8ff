package events

import (
	"crypto/sha256"
	"encoding/binary"
)

// One-byte tags keep the inputs of SHA-256 apart. 0x00 and 0x01 are RFC 6962's,
// 0x02, 0x03 and 0x13 the label index's (package verifier).
const (
	tagCommit  = 0x10
	tagOpening = 0x11
	tagLabel   = 0x12
	tagBlob    = 0x14
	tagRules   = 0x15
	tagForeign = 0x16
)

// smallMessage is what is hashed on the stack; longer messages are copied to the
// heap. Every field and label of an ordinary share is shorter.
const smallMessage = 512

// Commit commits to msg under a context:
// H(0x10 || opening || opaque ctx<1..255> || opaque msg<0..2^32-1>).
// With a uniformly random opening it hides msg; it binds in any case.
func Commit(ctx string, opening Hash, msg []byte) Hash {
	var room [smallMessage]byte
	b := append(room[:0], tagCommit)
	b = append(b, opening[:]...)
	b = appendOpaque8(b, []byte(ctx))
	b = appendOpaque32(b, msg)
	return sha256.Sum256(b)
}

// Opening derives o_x from an event's seed: x = 0 opens the event's id, type
// and stream, x = j+1 opens field j. The input has a fixed length, so it
// cannot be extended.
func Opening(seed Hash, x uint16) Hash {
	var b [1 + 32 + 2]byte
	b[0] = tagOpening
	copy(b[1:], seed[:])
	binary.BigEndian.PutUint16(b[33:], x)
	return sha256.Sum256(b[:])
}

// CommitEvent commits to what the event store calls the event.
func CommitEvent(opening Hash, id [16]byte, typ, stream string) Hash {
	var room [smallMessage]byte
	msg := append(room[:0], id[:]...)
	msg = appendOpaque8(msg, []byte(typ))
	msg = appendOpaque8(msg, []byte(stream))
	return Commit("event", opening, msg)
}

// CommitSlot commits to a slot's content map (its exact bytes).
func CommitSlot(opening Hash, content []byte) Hash { return Commit("slot", opening, content) }
