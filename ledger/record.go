package ledger

import (
	"encoding/binary"
	"errors"

	"github.com/sharetrail/sharetrail/events"
)

// record is what the state keeps of one event: enough to fold it again without
// the event. Nothing in it tells whose an event is to somebody without the
// keystore.
//
//	uint8 flags; uint64 time_ms; id[16]; leaf hash[32]; uint16 n; n labels[32];
//	if it is about another record: uint64 its index; opaque type<1..255>
type record struct {
	flags    uint8
	timeMS   uint64
	id       events.ID
	leafHash events.Hash
	labels   []events.Hash
	done     *deed // what the event did to an earlier record, nil for most
}

// The flags: the leaf's kind, and what a start must look at.
const (
	recordKind      = 0x03
	recordEnrols    = 0x04 // its slots may enrol parties
	recordRules     = 0x08 // it brings a rules document
	recordAbout     = 0x10 // it is about another record
	recordCloses    = 0x20 // it ends a party's generation
	recordRequest   = 0x40 // it asks for that
	recordContinues = 0x80 // it continues another event
	recordMinimum   = 1 + 8 + 16 + 32 + 2
)

var errRecord = errors.New("malformed record")

func newRecord(e events.Recorded, leaf *events.Leaf, stored *events.Stored, leafHash events.Hash, done *deed) record {
	r := record{flags: uint8(leaf.Kind), timeMS: leaf.TimeMS, id: e.ID, leafHash: leafHash, done: done}
	if done != nil {
		r.flags |= recordAbout
	}
	if leaf.Kind == events.KindEntry && e.Type == events.TypeEnrolled {
		r.flags |= recordEnrols
	}
	if leaf.Kind == events.KindEntry && e.Type == events.TypeClosed {
		r.flags |= recordCloses
	}
	if leaf.Kind == events.KindEntry && e.Type == events.TypeClosureRequested {
		r.flags |= recordRequest
	}
	if leaf.Kind == events.KindEntry && e.Type == events.TypeRecordContinued {
		r.flags |= recordContinues
	}
	if leaf.Kind == events.KindState && len(stored.Body) > 0 {
		r.flags |= recordRules
	}
	for _, slot := range leaf.Slots {
		r.labels = append(r.labels, slot.Label)
	}
	return r
}

func (r *record) kind() events.Kind { return events.Kind(r.flags & recordKind) }

func (r *record) appendTo(b []byte) []byte {
	b = append(b, r.flags)
	b = binary.BigEndian.AppendUint64(b, r.timeMS)
	b = append(b, r.id[:]...)
	b = append(b, r.leafHash[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.labels)))
	for _, l := range r.labels {
		b = append(b, l[:]...)
	}
	if r.done != nil {
		b = binary.BigEndian.AppendUint64(b, r.done.to)
		b = append(b, byte(len(r.done.typ)))
		b = append(b, r.done.typ...)
	}
	return b
}

// parse reads one record off the front of b, into r, and returns the rest.
func (r *record) parse(b []byte) ([]byte, error) {
	if len(b) < recordMinimum {
		return nil, errRecord
	}
	r.flags, r.timeMS = b[0], binary.BigEndian.Uint64(b[1:])
	r.id, r.leafHash = events.ID(b[9:25]), events.Hash(b[25:57])
	n := int(binary.BigEndian.Uint16(b[57:]))
	if b = b[recordMinimum:]; len(b) < n*32 {
		return nil, errRecord
	}
	r.labels = r.labels[:0]
	for ; n > 0; n-- {
		r.labels, b = append(r.labels, events.Hash(b[:32])), b[32:]
	}
	if r.done = nil; r.flags&recordAbout == 0 {
		return b, nil
	}
	if len(b) < 9 || len(b) < 9+int(b[8]) {
		return nil, errRecord
	}
	r.done = &deed{to: binary.BigEndian.Uint64(b), typ: string(b[9 : 9+int(b[8])])}
	return b[9+int(b[8]):], nil
}
