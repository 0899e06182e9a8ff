package verifier

import (
	"slices"

	"github.com/sharetrail/sharetrail/events"
)

// sequence is one generation of a name as it was checked.
type sequence struct {
	*named
	number  uint64
	where   string
	index   uint64 // of the enrolment
	timeMS  uint64
	handle  events.Hash
	primary events.Identity // of an alias
	erased  bool
	gone    bool   // rotated, and erased together with a later generation: that one must say so
	count   uint64 // entries
	closed  *closed
}

// closed is where a generation ended.
type closed struct {
	index, timeMS uint64
	reason        uint8
}

// Reasons of a close slot.
const (
	ClosedErased  = 1 // the party's keys were destroyed: nobody can open what stood there
	ClosedRotated = 2 // the party got a new handle, after a copy of the old one left its hands
)

// generation checks one generation, which begins after a leaf.
func (n *named) generation(g uint64, shown *Generation, after uint64) (*sequence, error) {
	s := &sequence{named: n, number: g, where: n.ordinal(g)}
	if shown.Number != g || shown.Enrol == nil {
		return nil, refute("enrolment"+s.where, "it does not follow the one before")
	}
	if shown.Close != nil {
		if err := s.checkClose(shown.Close); err != nil {
			return nil, err
		}
	}
	if err := s.checkEnrolment(shown.Enrol); err != nil {
		return nil, err
	}
	if s.index <= after && after > 0 || s.closed != nil && s.closed.index <= s.index {
		return nil, refute("enrolment"+s.where, "it is out of order")
	}
	if s.erased || s.primary != "" {
		if len(shown.Entries) > 0 || len(shown.Absences) > 0 {
			return nil, refute("entries"+s.where, "nothing can stand there: the name is an alias, or what stood there was erased")
		}
		return s, nil
	}
	if err := s.checkEntries(shown.Entries); err != nil {
		return nil, err
	}
	return s, n.absences(s.where, shown.Absences, EntryAbsences(s.count), &s.handle)
}

func (s *sequence) checkEnrolment(e *Enrolment) error {
	name := "enrolment" + s.where
	input := events.VRFInput(events.EnrolContext, s.trust.Origin, s.asked.Role, s.id, s.number)
	label, _, err := CheckVRF(s.trust.VRF, input, e.VRF)
	if err != nil {
		return refute(name, "the label is not the one of this identity")
	}
	l, leafHash, err := s.slot(name, e.Proven, e.Slot)
	if err != nil {
		return err
	}
	if l.Slots[e.Slot].Label != label {
		return refute(name, "the slot carries another label")
	}
	if err := s.member(name, label, e.Index, e.Slot, leafHash, e.Member); err != nil {
		return err
	}
	s.index, s.timeMS = e.Index, l.TimeMS
	if e.Opened == nil && s.closed != nil && !s.erased {
		s.gone, s.erased = true, true
	}
	if s.erased {
		if e.Opened != nil {
			return refute(name, "it is erased, so nobody can open it any more")
		}
		s.pass(name, "in the log at leaf %d; what stood under it was erased", e.Index)
		return nil
	}
	if e.Opened == nil {
		return refute(name, "it is not opened, and it is not erased either")
	}
	if err := s.enrols(name, l, e.Slot, e.Opened); err != nil {
		return err
	}
	s.pass(name, "in the log at leaf %d, and the only one the index allows", e.Index)
	return nil
}

// enrols opens an enrolment that was not erased: a sequence of its own, or an
// alias of another.
func (s *sequence) enrols(name string, l *events.Leaf, slot uint16, o *Opening) error {
	if err := s.event(name, l, o.EventID, o.Type, events.Opening(o.Seed, 0)); err != nil {
		return err
	}
	content, err := s.content(name, l, slot, o.Opening, o.Content)
	if err != nil {
		return err
	}
	mine := content.Role == s.asked.Role && o.Type == events.TypeEnrolled
	switch {
	case content.Kind == events.SlotEnrol && mine && *content.Number == s.number && slices.Equal(content.ID, []byte(s.id)):
		s.handle = events.Hash(content.Handle)
	case content.Kind == events.SlotAlias && mine && *content.Number == s.number:
		if s.primary = events.Identity(content.ID); s.primary == s.id || events.CheckIdentity(s.rules.Identities, s.primary) != nil {
			return refute(name, "it is an alias of no other identity")
		}
	default:
		return refute(name, "the slot does not enrol this identity")
	}
	if body, err := events.NewBody(o.Seed, s.rules.Width, nil); err != nil || body.Root() != l.Body {
		return refute(name, "the event carries facts, which an enrolment has none of")
	}
	return nil
}

func (s *sequence) checkClose(e *Closing) error {
	name := "end" + s.where
	input := events.VRFInput(events.CloseContext, s.trust.Origin, s.asked.Role, s.id, s.number)
	label, opening, err := CheckVRF(s.trust.VRF, input, e.VRF)
	if err != nil {
		return refute(name, "the label is not the one of this identity")
	}
	l, leafHash, err := s.slot(name, e.Proven, e.Slot)
	if err != nil {
		return err
	}
	content, err := s.content(name, l, e.Slot, opening, e.Content)
	if err != nil {
		return err
	}
	if l.Slots[e.Slot].Label != label {
		return refute(name, "the slot carries another label")
	}
	if content.Kind != events.SlotClose || content.Role != s.asked.Role || *content.Number != s.number {
		return refute(name, "the slot does not end this sequence")
	}
	if err := s.member(name, label, e.Index, e.Slot, leafHash, e.Member); err != nil {
		return err
	}
	// Registers go on as long as their ledger: who could end one could hide all of it.
	if !slices.Contains(s.rules.Labels[events.TypeClosed], s.asked.Role.String()) {
		return refute(name, "the rules let no sequence of the role %s end", s.asked.Role)
	}
	s.closed = &closed{e.Index, l.TimeMS, *content.Reason}
	s.erased = s.closed.reason == ClosedErased
	s.pass(name, "in the log at leaf %d: %s on %s", e.Index, reasonWord(s.closed.reason), day(l.TimeMS))
	return nil
}

// content opens a slot of a leaf.
func (p *part) content(name string, l *events.Leaf, slot uint16, opening events.Hash, content []byte) (*events.SlotContent, error) {
	if events.CommitSlot(opening, content) != l.Slots[slot].Commit {
		return nil, refute(name, "the opening of slot %d does not match the leaf", slot)
	}
	c, err := events.ParseSlotContent(content)
	if err != nil {
		return nil, refute(name, "the content of slot %d is malformed", slot)
	}
	return c, nil
}

// event opens what the event store calls the event.
func (p *part) event(name string, l *events.Leaf, id events.ID, typ string, opening events.Hash) error {
	if len(typ) > 255 || len(p.e.Stream) > 255 || events.CommitEvent(opening, id, typ, p.e.Stream) != l.Event {
		return refute(name, "the event's id or type does not match the leaf")
	}
	return nil
}
