package events

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// Kind says what a leaf is.
type Kind uint8

// The kinds of leaf.
const (
	KindEntry   Kind = 1 // an event with labelled slots
	KindState   Kind = 2 // a state leaf: the index root at this point
	KindForeign Kind = 3 // an event in our stream that is not ours
)

const (
	leafVersion = 1
	slotSize    = 64
	// MaxSlots keeps a leaf below the 65,536 bytes of a tlog-tiles entry.
	MaxSlots = 512
)

// MaxTimeMS is the last millisecond of the year 9999: no leaf is dated later.
const MaxTimeMS = 253_402_300_799_999

// ErrLeaf says that some bytes are not a leaf. Malformed is malformed.
var ErrLeaf = errors.New("malformed leaf")

// Slot carries one party's label, or a decoy nobody can tell from one.
type Slot struct {
	Label  Hash
	Commit Hash
}

// Leaf is what the verifiable log holds of one event: only commitments, labels
// and the hash of the ciphertexts. Its marshalled bytes are the log entry.
type Leaf struct {
	Kind   Kind
	TimeMS uint64 // milliseconds since 1970, truncated to the ledger's grain; the operator's claim
	Event  Hash   // commitment to event id, type and stream; zero for a state leaf
	Body   Hash   // RFC 6962 root over the field commitments; zero for a state leaf
	Blob   Hash   // hash of the stored bytes beside the leaf; zero for a state leaf
	Slots  []Slot // 2, 4, 8 ... 512 in an entry, none otherwise
	Ext    []byte // state leaf only
}

// Marshal returns the exact bytes that are logged. It panics on a leaf that
// [ParseLeaf] would refuse: only the writer makes leaves, and it must not err.
func (l *Leaf) Marshal() []byte {
	if !l.valid() {
		panic("events: marshalling an invalid leaf")
	}
	b := make([]byte, 0, 110+len(l.Slots)*slotSize+len(l.Ext))
	b = append(b, leafVersion, byte(l.Kind))
	b = binary.BigEndian.AppendUint64(b, l.TimeMS)
	b = append(b, l.Event[:]...)
	b = append(b, l.Body[:]...)
	b = append(b, l.Blob[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(l.Slots)*slotSize))
	for _, s := range l.Slots {
		b = append(b, s.Label[:]...)
		b = append(b, s.Commit[:]...)
	}
	return appendOpaque16(b, l.Ext)
}

// ParseLeaf is the inverse of [Leaf.Marshal]; it refuses everything else.
func ParseLeaf(b []byte) (*Leaf, error) {
	r := newReader(b)
	version := r.uint(1)
	l := &Leaf{Kind: Kind(r.uint(1)), TimeMS: r.uint(8), Event: r.hash(), Body: r.hash(), Blob: r.hash()}
	slots := r.opaque(2)
	l.Ext = r.opaque(2)
	if version != leafVersion || !r.done() || len(slots)%slotSize != 0 {
		return nil, ErrLeaf
	}
	if len(slots) > 0 {
		l.Slots = make([]Slot, 0, len(slots)/slotSize)
	}
	for ; len(slots) > 0; slots = slots[slotSize:] {
		l.Slots = append(l.Slots, Slot{Label: Hash(slots[:32]), Commit: Hash(slots[32:64])})
	}
	if !l.valid() {
		return nil, ErrLeaf
	}
	return l, nil
}

func (l *Leaf) valid() bool {
	for _, s := range l.Slots {
		if s.Label.IsZero() || s.Commit.IsZero() {
			return false
		}
	}
	switch l.Kind {
	case KindEntry:
		n := len(l.Slots)
		return n >= 2 && n <= MaxSlots && n&(n-1) == 0 && len(l.Ext) == 0 && !l.Blob.IsZero()
	case KindState:
		_, err := ParseState(l.Ext)
		return err == nil && len(l.Slots) == 0 && l.Event.IsZero() && l.Body.IsZero() && l.Blob.IsZero()
	case KindForeign:
		return len(l.Slots) == 0 && len(l.Ext) == 0 && l.Event.IsZero() && l.Blob.IsZero()
	}
	return false
}

// LeafHash is the RFC 6962 hash of a log entry.
func LeafHash(entry []byte) Hash {
	var room [smallMessage]byte
	return sha256.Sum256(append(append(room[:0], 0x00), entry...))
}

// ForeignBody stands in for the body of an event that is not ours. Whatever the
// event store took has one: the type's length, too, is somebody else's choice.
func ForeignBody(e Recorded) Hash {
	b := append([]byte{tagForeign}, e.ID[:]...)
	b = appendOpaque32(b, []byte(e.Type))
	b = appendOpaque32(b, e.Data)
	b = appendOpaque32(b, e.Metadata)
	return sha256.Sum256(b)
}
