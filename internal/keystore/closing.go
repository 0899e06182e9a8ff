package keystore

import (
	"github.com/sharetrail/sharetrail/events"
)

// Closing is how a party's generation, or an alias, ends.
type Closing struct {
	Slot   uint16
	Reason uint8 // events.ReasonErased or events.ReasonRotated
}

// CloseLabel is C(g) of an identity and the opening of its slot.
func (s *Secrets) CloseLabel(role events.Role, id events.Identity, g uint64) (label, opening events.Hash) {
	return events.VRFLabel(s.VRF.Prove(events.VRFInput(events.CloseContext, s.Log.Name(), role, id, g)).Hash())
}

// EnrolLabel is E(g) of an identity.
func (s *Secrets) EnrolLabel(role events.Role, id events.Identity, g uint64) events.Hash {
	label, _ := events.VRFLabel(s.VRF.Prove(events.VRFInput(events.EnrolContext, s.Log.Name(), role, id, g)).Hash())
	return label
}

// ClosingIn finds the slot of a leaf that closes generation g of an identity. It
// needs no key of the party: the slot's opening follows from the label, and only
// two contents are possible.
func (s *Secrets) ClosingIn(leaf *events.Leaf, role events.Role, id events.Identity, g uint64) (Closing, bool) {
	label, opening := s.CloseLabel(role, id, g)
	for k, slot := range leaf.Slots {
		if slot.Label != label {
			continue
		}
		for _, reason := range []uint8{events.ReasonErased, events.ReasonRotated} {
			if events.CommitSlot(opening, events.CloseContent(role, g, reason).Marshal()) == slot.Commit {
				return Closing{uint16(k), reason}, true
			}
		}
	}
	return Closing{}, false
}
