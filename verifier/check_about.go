package verifier

import (
	"slices"

	"github.com/sharetrail/sharetrail/events"
)

// about finds the earlier entry that an event is about. Every event of such a type
// names one, but for those who join a record by it.
func (n *named) about(e *checked) error {
	if e.content != nil && e.content.Kind == events.SlotUnseal {
		return n.unseals(e)
	}
	if step, ok := e.event.(*events.SealRecorded); ok && !e.filtered() {
		return n.registered(e, step)
	}
	types := events.About(e.typ())
	if e.content == nil {
		// A filtered entry keeps its slot closed, unless it goes with another one.
		if len(types) > 0 {
			return refute(e.name, "it does not say which entry it is about")
		}
		return nil
	}
	index, leafHash, refers := e.refersTo()
	if !refers {
		if len(types) > 0 && !n.joins(e) {
			return refute(e.name, "it does not say which entry it is about")
		}
		return nil
	}
	target := n.byIndex[index]
	if target == nil || !slices.Contains(types, target.typ()) {
		return refute(e.name, "it is about something that is no earlier entry of this party, or none that such an event can be about")
	}
	if _, there := target.recordAt(); there != leafHash {
		return refute(e.name, "it is about something that is no earlier entry of this party, or none that such an event can be about")
	}
	e.about = target
	if e.filtered() || target.filtered() {
		return nil // checkFilter demands that both are, and nothing more is opened
	}
	switch event := e.event.(type) {
	case *events.DisclosureAmended:
		return e.amends(event, target)
	case *events.OnwardReported:
		if event.Onward.By != events.ShareIn(target.event).Recipient.ID {
			return refute(e.name, "it says that somebody passed the data on who did not receive it")
		}
	}
	return nil
}

// amends checks that an amendment is the next one, differs from the version before
// it in exactly what it names, and is about the same recipient.
func (e *checked) amends(amended *events.DisclosureAmended, target *checked) error {
	if target.versions++; amended.Amendment.Version != target.versions {
		return refute(e.name, "it is amendment %d of an entry whose amendment %d would be next", amended.Amendment.Version, target.versions)
	}
	before := target.newest
	if before == nil {
		before = events.ShareIn(target.event)
	}
	is := &amended.DisclosureRecorded
	if is.Recipient.ID != before.Recipient.ID {
		return refute(e.name, "it amends the record to another recipient, in whose register it does not stand")
	}
	if !slices.Equal(events.Changed(before, is), amended.Amendment.Changed) {
		return refute(e.name, "it does not name what it makes different")
	}
	target.newest = is
	return nil
}

// joins reports whether the party may have an entry in an event without one in
// the record that it is about: whoever was added to a share, and whoever received
// it from its recipient.
func (n *named) joins(e *checked) bool {
	switch e.typ() {
	case events.TypeSubjectsAdded:
		return n.asked.Role == events.RoleSubject
	case events.TypeOnwardReported:
		onward, whole := e.event.(*events.OnwardReported)
		return n.asked.Role == events.RoleRecipient && whole && (e.filtered() || onward.Recipient.ID == n.id.String())
	}
	return false
}
