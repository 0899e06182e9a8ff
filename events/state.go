package events

import (
	"encoding/binary"
	"errors"
)

const (
	suite1         = 1
	flagFinal      = 1
	maxPredecessor = 1023
	maxSuccessor   = 255
)

// ErrState says that some bytes are not the extension of a state leaf.
var ErrState = errors.New("malformed state")

// State is what a state leaf says: the root of the label index over every leaf
// before it. The ledger signs only sizes whose last leaf is a state leaf, so
// the newest index root is always the last thing under a checkpoint.
type State struct {
	Final       bool
	Covered     uint64 // the state leaf's own index
	MapRoot     Hash
	MapEntries  uint64
	VRFKey      Hash   // the ledger's VRF public key; never changes within a ledger
	RulesHash   Hash   // of the rules document in force
	PrevState   Hash   // leaf hash of the previous state leaf; zero in leaf 0
	Predecessor []byte // leaf 0 only: the final checkpoint body of the ledger before
	Successor   []byte // final state only: the origin that continues this ledger
}

// Marshal returns the exact bytes of the leaf's extension.
func (s *State) Marshal() []byte {
	b := binary.BigEndian.AppendUint16(nil, suite1)
	var flags byte
	if s.Final {
		flags |= flagFinal
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint64(b, s.Covered)
	b = append(b, s.MapRoot[:]...)
	b = binary.BigEndian.AppendUint64(b, s.MapEntries)
	b = append(b, s.VRFKey[:]...)
	b = append(b, s.RulesHash[:]...)
	b = append(b, s.PrevState[:]...)
	b = appendOpaque16(b, s.Predecessor)
	return appendOpaque8(b, s.Successor)
}

// ParseState is the inverse of [State.Marshal]. It refuses unknown suites and
// flags, a successor in a state that is not final, and a predecessor anywhere
// but in leaf 0.
func ParseState(b []byte) (*State, error) {
	r := newReader(b)
	suite, flags := r.uint(2), r.uint(1)
	s := &State{
		Final: flags&flagFinal != 0, Covered: r.uint(8), MapRoot: r.hash(), MapEntries: r.uint(8),
		VRFKey: r.hash(), RulesHash: r.hash(), PrevState: r.hash(),
		Predecessor: r.opaque(2), Successor: r.opaque(1),
	}
	switch {
	case !r.done(), suite != suite1, flags&^flagFinal != 0, len(s.Predecessor) > maxPredecessor,
		len(s.Successor) > 0 && !s.Final, len(s.Predecessor) > 0 && s.Covered != 0,
		s.PrevState.IsZero() != (s.Covered == 0), s.VRFKey.IsZero():
		return nil, ErrState
	}
	return s, nil
}
