package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// The purposes of what is derived from a header's id. The first byte is the length of
// a recorder's name in ids that follow from a key, and never zero there; the second is
// none of the purposes of eventID.
const (
	derivedContinuation = 0x11
	derivedEnrolment    = 0x12
	derivedRank         = 0x13
)

func (l *Ledger) derive(purpose byte, id events.ID, more ...byte) []byte {
	mac := hmac.New(sha256.New, l.secrets.Ledger[:])
	mac.Write([]byte{0, purpose})
	mac.Write(id[:])
	mac.Write(more)
	return mac.Sum(nil)
}

// continuationID is the id of a header's continuation, counted from 0. It tells
// whether it is the last one.
func (l *Ledger) continuationID(of events.ID, i int, last bool) events.ID {
	more := binary.BigEndian.AppendUint32(nil, uint32(i))
	if last {
		more = append(more, 1)
	}
	return events.ID(l.derive(derivedContinuation, of, more...)[:16])
}

// enrolmentID is the id of the event that enrols people of a continuation.
func (l *Ledger) enrolmentID(of events.ID) events.ID {
	return events.ID(l.derive(derivedEnrolment, of)[:16])
}

// rank orders the people of a header, in a way that only the ledger can tell, by the
// names that the command has for them: an alias ends when its person is erased.
func (l *Ledger) rank(of events.ID, p decide.Party) events.Hash {
	return events.Hash(l.derive(derivedRank, of, append([]byte{byte(p.Role)}, p.Named()...)...))
}

// spread says which events continue others. It is part of the state.
type spread struct {
	newest  events.ID              // of the last event, which the next one may continue
	parts   map[uint64][]uint64    // of a header, by its index: its continuations, in order
	awaited map[events.ID]awaiting // what an open header awaits next, by both of its names
}

type awaiting struct {
	header uint64
	of     events.ID // id of the header
	last   bool
}

func newSpread() spread {
	return spread{parts: map[uint64][]uint64{}, awaited: map[events.ID]awaiting{}}
}

// continues takes the next event, which must be a continuation, before it is folded.
// It returns false if no header awaits it.
func (l *Ledger) continues(id events.ID) bool {
	s := l.state
	found, ok := s.spread.awaited[id]
	if !ok && s.next > 0 { // the first one stands right behind its header
		found = awaiting{s.next - 1, s.spread.newest, id == l.continuationID(s.spread.newest, 0, true)}
		ok = found.last || id == l.continuationID(s.spread.newest, 0, false)
	}
	if !ok {
		return false
	}
	i := len(s.spread.parts[found.header])
	s.spread.parts[found.header] = append(s.spread.parts[found.header], s.next)
	for _, last := range []bool{false, true} {
		delete(s.spread.awaited, l.continuationID(found.of, i, last))
		if !found.last {
			s.spread.awaited[l.continuationID(found.of, i+1, last)] = awaiting{found.header, found.of, last}
		}
	}
	return true
}

// continuations returns the events that continue one, as many as there are.
func (s *state) continuations(header uint64) []uint64 { return s.spread.parts[header] }

// unfinished reports whether continuations of an event are missing.
func (s *state) unfinished(header uint64) bool {
	for _, a := range s.spread.awaited {
		if a.header == header {
			return true
		}
	}
	return false
}

// openAbout returns the ids of the open headers that are a record, or about it.
func (s *state) openAbout(record uint64) (ids []events.ID) {
	for _, a := range s.spread.awaited {
		if a.header == record {
			ids = append(ids, a.of)
		}
	}
	for _, d := range s.deeds[record] {
		ids = append(ids, s.openAbout(d.at)...)
	}
	return ids
}
