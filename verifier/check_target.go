package verifier

import (
	"github.com/sharetrail/sharetrail/events"
)

// target is a leaf that an entry's slot names and that is no entry of the report.
type target struct {
	leafHash events.Hash
	leaf     *events.Leaf
	shown    *Target
	content  *events.SlotContent // of the slot that is meant, if one is
	event    events.Event
	used     bool // an entry names it
}

// checkTargets checks what targets say by themselves. Whoever gives a slot that
// names one a meaning takes it by [part.target].
func (p *part) checkTargets() error {
	name := "referenced leaf" + p.in
	last := targetKey{}
	for i := range p.e.Targets {
		shown := &p.e.Targets[i]
		key := keyOf(shown.Index, shown.Slot)
		if i > 0 && !last.before(key) {
			return refute(name, "leaf %d is doubled or out of order", shown.Index)
		}
		last = key
		l, leafHash, err := p.leaf(name, shown.Proven)
		if err != nil {
			return err
		}
		if l.Kind != events.KindEntry || shown.Type == events.TypeSealRecorded {
			return refute(name, "leaf %d is no event, or under a type that none has in clear", shown.Index)
		}
		t := &target{leafHash: leafHash, leaf: l, shown: shown}
		if err := p.event(name, l, shown.EventID, shown.Type, events.Opening(shown.Seed, 0)); err != nil {
			return err
		}
		if (shown.Slot == nil) != (shown.Opening == nil) || (shown.Slot == nil) != (len(shown.Content) == 0) {
			return refute(name, "leaf %d names a slot and does not open it", shown.Index)
		}
		if shown.Slot != nil {
			if int(*shown.Slot) >= len(l.Slots) {
				return refute(name, "the leaf has no slot %d", *shown.Slot)
			}
			if t.content, err = p.content(name, l, *shown.Slot, *shown.Opening, shown.Content); err != nil {
				return err
			}
		}
		if t.event, err = p.targetFacts(name, t); err != nil {
			return err
		}
		p.targets[key] = t
	}
	return nil
}

// targetFacts opens the fields of a target. Under a sealed subject's slot they are
// a step in the life of a seal; with no slot opened they are that or a share, of
// which one commitment can be only one.
func (p *part) targetFacts(name string, t *target) (events.Event, error) {
	typ := t.shown.Type
	if t.content != nil {
		typ = events.BodyType(typ, t.content)
	} else if _, err := events.Decode(typ, fieldsIn(t.shown.Fields)); err != nil && typ == events.TypeDisclosureRecorded {
		typ = events.TypeSealRecorded
	}
	return p.facts(name, t.leaf, typ, t.shown.Seed, t.shown.Fields)
}

func fieldsIn(b []byte) []events.Field {
	fields, _ := events.ParseFields(b) // what cannot be read is refused by facts
	return fields
}

// targetKey tells targets apart: one leaf may be named for several slots of it.
type targetKey struct {
	index uint64
	slot  int // -1: none
}

func keyOf(index uint64, slot *uint16) targetKey {
	if slot == nil {
		return targetKey{index, -1}
	}
	return targetKey{index, int(*slot)}
}

func (k targetKey) before(o targetKey) bool {
	return k.index < o.index || k.index == o.index && k.slot < o.slot
}

// target finds the leaf that a slot names, and notes that it does.
func (p *part) target(name string, c *events.SlotContent) (*target, error) {
	if c.TargetIndex == nil {
		return nil, refute(name, "it names no leaf")
	}
	slot := c.TargetSlot
	if slot != nil && *slot == events.BodyAlone {
		slot = nil
	}
	t := p.targets[keyOf(*c.TargetIndex, slot)]
	if t == nil || t.leafHash != events.Hash(c.TargetLeaf) {
		return nil, refute(name, "it names a leaf that is not shown")
	}
	t.used = true
	return t, nil
}
