package verifier

import (
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// continued reads the header that an entry continues: what was recorded stands there,
// and the entry itself says only whose it is. The header is a leaf before the entry,
// opened whole and no slot of it, which are other parties'. If it fixes how many
// events continue it, nobody can be added to it afterwards.
func (n *named) continued(e *checked) error {
	part, continues := e.event.(*events.RecordContinued)
	if !continues {
		return nil
	}
	if part.Validate(time.Time{}) != nil {
		return refute(e.name, "it does not say which part of a record it is")
	}
	header, err := n.target(e.name, e.content)
	if err != nil {
		return err
	}
	h := header.shown
	if h.Index >= e.shown.Index || header.leaf.TimeMS > e.timeMS || header.leaf.TimeMS < n.genesisTime {
		return refute(e.name, "it continues an event that is not before it")
	}
	if header.event.Type() != h.Type || !slices.Contains(events.About(events.TypeRecordContinued), h.Type) || !slices.Contains(n.rules.Labels[h.Type], n.asked.Role.String()) {
		return refute(e.name, "it continues an event of a type that concerns no %s", n.asked.Role)
	}
	if of, fixed := events.Continuations(header.event); fixed && of != part.Part.Of {
		return refute(e.name, "it is one of %d events that continue one which says that there are %d", part.Part.Of, of)
	}
	if share := events.ShareIn(header.event); share != nil && h.Type != events.TypeDisclosureAmended && share.Extent.Subjects < part.Part.People {
		return refute(e.name, "it is of more people than the event that it continues concerns")
	}
	// A person's place in a record is one.
	if n.byIndex[h.Index] != nil {
		return refute(e.name, "it continues an event in which this party has an entry already")
	}
	e.header, e.part, e.event = header, part, header.event
	return nil
}

// typ is the type of what was recorded.
func (e *checked) typ() string {
	if e.header != nil {
		return e.header.shown.Type
	}
	return e.shown.Type
}

// recordAt is the leaf that a later event about the entry names: that of the header
// if there is one, which is the same for all of its people.
func (e *checked) recordAt() (index uint64, leafHash events.Hash) {
	if e.header != nil {
		return e.header.shown.Index, e.header.leafHash
	}
	return e.shown.Index, e.leafHash
}

// refersTo is the earlier record that an entry is about. That of a header stands in
// the continuation, because the header says it in a slot of another party.
func (e *checked) refersTo() (index uint64, leafHash events.Hash, ok bool) {
	if e.header == nil {
		if e.content.TargetIndex == nil {
			return 0, leafHash, false
		}
		return *e.content.TargetIndex, events.Hash(e.content.TargetLeaf), true
	}
	if e.part.Record == nil {
		return 0, leafHash, false
	}
	leafHash, ok = e.part.Record.Hash()
	return e.part.Record.Index, leafHash, ok
}
