package verifier

import (
	"bytes"
	"slices"

	"github.com/sharetrail/sharetrail/events"
)

// bodyType is the type of the fields of an entry whose type in clear is given: the
// entries of an authority's register are steps in the lives of seals, which stand
// in the store as shares.
func (n *named) bodyType(clear string) string {
	return events.BodyType(clear, &events.SlotContent{Kind: events.SlotEntry, Role: n.asked.Role})
}

// entryKind is the kind of slot that the entries of an event have.
func entryKind(typ string) events.SlotKind {
	if typ == events.TypeUnsealed || typ == events.TypeEventUnsealed {
		return events.SlotUnseal
	}
	if typ == events.TypeRecordContinued {
		return events.SlotContinuation
	}
	return events.SlotEntry
}

// unseals checks an entry that tells a record which was under seal: the leaf that
// its slot names is an earlier one, holds that very record under a seal, and in
// the slot that it names says whom it concerns. So nothing can be called sealed
// that was not, nor sealed earlier than it was, nor dealt to somebody else.
func (n *named) unseals(e *checked) error {
	if e.filtered() {
		return nil // nothing is told
	}
	// Whoever reads on takes the share out of it, and compares whom it names.
	told := events.UnsealedIn(e.event)
	record, err := told.Record.Event()
	if err != nil || !n.rules.Numbered(told.Record.Type, events.Fields(record)) || events.Unseal(told.Unsealing, told.Record).Type() != e.shown.Type {
		return refute(e.name, "what it tells is no record, or none that a %s tells", Plain(e.shown.Type))
	}
	if n.e.Copy {
		return nil // nothing of other leaves is shown
	}
	t, err := n.target(e.name, e.content)
	if err != nil {
		return err
	}
	if t.shown.Index >= e.shown.Index || t.leaf.TimeMS > e.timeMS || t.leaf.TimeMS < n.genesisTime {
		return refute(e.name, "what it unseals was recorded after it")
	}
	step, sealed := t.event.(*events.SealRecorded)
	supplement := sealed && step.Step.Kind == events.StepSupplemented
	// A body can be whole and have a record in a step that takes none, or no order
	// beside one.
	if !sealed || step.Record == nil || !supplement && (step.Step.Kind != events.StepSealed || step.Order == nil) {
		return refute(e.name, "leaf %d holds nothing under seal", t.shown.Index)
	}
	if step.Record.Type != told.Record.Type || !bytes.Equal(step.Record.Fields, told.Record.Fields) {
		return refute(e.name, "it tells something else than was sealed in leaf %d", t.shown.Index)
	}
	if told.Unsealing.Supplement != supplement || !supplement && told.Unsealing.Authority != step.Order.Authority {
		return refute(e.name, "it names another authority than leaf %d, or another place under the seal", t.shown.Index)
	}
	if err := n.concerned(e, t); err != nil {
		return err
	}
	e.sealed = &ShownSeal{Index: t.shown.Index, TimeMS: t.leaf.TimeMS}
	n.pass(e.name, "recorded in leaf %d, under seal since, and the same", t.shown.Index)
	return nil
}

// concerned demands that the sealed leaf concerns the party. A subject has a slot
// there from the first day; a recipient has none and is named by the record.
func (n *named) concerned(e *checked, t *target) error {
	if n.asked.Role == events.RoleRecipient && t.content == nil {
		return nil // RecipientsIn was compared when the entry was opened
	}
	c := t.content
	if c == nil || c.Kind != events.SlotSealedSubject || c.Role != n.asked.Role {
		return refute(e.name, "leaf %d was sealed about somebody else", t.shown.Index)
	}
	if id := events.Identity(c.ID); id != n.id {
		n.others = append(n.others, otherName{id, n.id, e.name, t.shown.Index})
	}
	if !samePrivate(c.Private, e.content.Private) {
		return refute(e.name, "it says of this person something else than leaf %d", t.shown.Index)
	}
	return nil
}

// otherName is a name under which something was sealed that is told under another:
// it became an alias meanwhile.
type otherName struct {
	id, primary events.Identity
	entry       string
	leaf        uint64
}

// checkOthers demands that each name under which something was sealed is shown, and
// is an alias of the name under which it is told.
func (p *part) checkOthers() error {
	for _, o := range p.others {
		at := slices.IndexFunc(p.names, func(n *named) bool { return n.id == o.id })
		if at < 0 || !slices.ContainsFunc(p.names[at].gens, func(g *sequence) bool { return g.primary == o.primary && g.closed == nil }) {
			return refute(o.entry, "leaf %d was sealed about somebody else", o.leaf)
		}
	}
	return nil
}

func samePrivate(a, b *events.Private) bool {
	x, errX := events.MarshalJSON(a)
	y, errY := events.MarshalJSON(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// registered checks a step in an authority's register: it begins a seal under an
// order of this authority, or follows one that has begun and not ended.
func (n *named) registered(e *checked, step *events.SealRecorded) error {
	if step.Step.Kind == events.StepSealed {
		if step.Order == nil || step.Record == nil || step.Order.Authority != n.id.String() {
			return refute(e.name, "it seals nothing, or not under an order of this authority")
		}
		return nil
	}
	var seal events.ID
	if seal.UnmarshalText([]byte(step.Step.Seal)) != nil {
		return refute(e.name, "it names no seal")
	}
	for _, first := range n.entries {
		began, ok := first.event.(*events.SealRecorded)
		if first.shown.EventID != seal || !ok || began.Step.Kind != events.StepSealed {
			continue
		}
		if first.ended {
			return refute(e.name, "it follows the end of its seal")
		}
		first.ended = step.Step.Kind == events.StepLifted || step.Step.Kind == events.StepLapsed
		if step.Step.Kind == events.StepLifted && len(slices.Compact(slices.Sorted(slices.Values(step.Step.By)))) < 2 {
			return refute(e.name, "fewer than two people lifted the seal")
		}
		e.about = first
		return nil
	}
	return refute(e.name, "it is about a seal that this register does not begin")
}
