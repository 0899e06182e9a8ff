package verifier

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// opened checks that a slot of a leaf opens to the given content.
func (c *checker) opened(name string, l *events.Leaf, o Opening, seed events.Hash) (*events.SlotContent, error) {
	if l.Kind != events.KindEntry || int(o.Slot) >= len(l.Slots) {
		return nil, refute(name, "the leaf has no slot %d", o.Slot)
	}
	if events.CommitSlot(o.Opening, o.Content) != l.Slots[o.Slot].Commit {
		return nil, refute(name, "the opening of slot %d does not match the leaf", o.Slot)
	}
	if len(o.Type) > 255 || len(c.report.Stream) > 255 ||
		events.CommitEvent(events.Opening(seed, 0), o.EventID, o.Type, c.report.Stream) != l.Event {
		return nil, refute(name, "the event's id or type does not match the leaf")
	}
	content, err := events.ParseSlotContent(o.Content)
	if err != nil {
		return nil, refute(name, "the content of slot %d is malformed", o.Slot)
	}
	return content, nil
}

func (c *checker) checkEnrolments() error {
	const name = "enrolment"
	if len(c.report.Enrolments) == 0 {
		return nil
	}
	if len(c.report.Enrolments) > 1 || c.report.Enrolments[0].Generation != 0 {
		return refute(name, "this version of the format has one generation, number 0")
	}
	e := c.report.Enrolments[0]
	input := events.VRFInput(events.EnrolContext, c.trust.Origin, c.role, c.id, 0)
	label, _, err := CheckVRF(c.trust.VRF, input, e.VRF)
	if err != nil {
		return refute(name, "the label is not the one of this identity")
	}
	l, err := c.leaf(name, e.Proven)
	if err != nil {
		return err
	}
	content, err := c.opened(name, l, e.Opening, e.Seed)
	if err != nil {
		return err
	}
	want := events.EnrolContent(c.role, 0, events.Hash{}, c.id)
	if content.Kind != want.Kind || content.Role != want.Role || *content.Number != 0 ||
		!slices.Equal(content.ID, want.ID) || e.Type != events.TypeEnrolled {
		return refute(name, "the slot does not enrol this identity")
	}
	if l.Slots[e.Slot].Label != label {
		return refute(name, "the slot carries another label")
	}
	if body, err := events.NewBody(e.Seed, c.rules.Width, nil); err != nil || body.Root() != l.Body {
		return refute(name, "the event carries facts, which an enrolment has none of")
	}
	value := IndexValue(e.Index, e.Slot, events.LeafHash(e.Leaf))
	if err := CheckMember(c.state.MapRoot, label, value, e.Member); err != nil {
		return refute(name, "the index does not lead to this enrolment")
	}
	if l.TimeMS < c.genesisTime || l.TimeMS > c.stateTime {
		return refute(name, "it is dated before the ledger began or after the state")
	}
	c.enrolled, c.handle, c.enrolledAt, c.enrolledTime = true, events.Hash(content.Handle), e.Index, l.TimeMS
	c.pass(name, "in the log at leaf %d, and the only one the index allows", e.Index)
	return nil
}

func (c *checker) checkEntries() error {
	const name = "entries"
	last, lastTime := c.enrolledAt, c.enrolledTime
	for i, e := range c.report.Entries {
		entry, l, err := c.entry(uint64(i), e)
		if err != nil {
			return err
		}
		if e.Index <= last || l.TimeMS < lastTime || l.TimeMS > c.stateTime {
			return refute(name, "entry %d is out of order", i+1)
		}
		last, lastTime = e.Index, l.TimeMS
		c.verdict.Entries = append(c.verdict.Entries, *entry)
	}
	c.pass(name, "%d, each in the log, opened, and counted without a gap", len(c.report.Entries))
	return nil
}

func (c *checker) entry(i uint64, e Entry) (*ShownEntry, *events.Leaf, error) {
	name := fmt.Sprintf("entry %d", i+1) // people count from 1
	if !c.enrolled || e.Number != i {
		return nil, nil, refute(name, "it does not follow the one before")
	}
	l, err := c.leaf(name, e.Proven)
	if err != nil {
		return nil, nil, err
	}
	content, err := c.opened(name, l, e.Opening, e.Seed)
	if err != nil {
		return nil, nil, err
	}
	label := events.EntryLabel(c.handle, i)
	if l.Slots[e.Slot].Label != label {
		return nil, nil, refute(name, "the slot carries another label")
	}
	// Two leaves can carry one label, and whoever runs the ledger can show each
	// reader another; the index has room for one of them.
	value := IndexValue(e.Index, e.Slot, events.LeafHash(e.Leaf))
	if err := CheckMember(c.state.MapRoot, label, value, e.Member); err != nil {
		return nil, nil, refute(name, "the index does not lead to this entry")
	}
	if content.Kind != events.SlotEntry || content.Role != c.role || *content.Number != i || !slices.Equal(content.ID, []byte(c.id)) {
		return nil, nil, refute(name, "the slot is not this party's entry")
	}
	// Enrolled events carry no entries: they would count and show nothing.
	if e.Type == events.TypeEnrolled || !slices.Contains(c.rules.Labels[e.Type], c.role.String()) {
		return nil, nil, refute(name, "the rules give a %s no entry in an event of this type", c.role)
	}
	facts, err := events.ParseFacts(e.Fields)
	if err != nil {
		return nil, nil, refute(name, "the fields are malformed")
	}
	body, err := facts.Body(e.Seed, c.rules.Width)
	if err != nil || body.Root() != l.Body {
		return nil, nil, refute(name, "the fields do not match the leaf")
	}
	event, err := facts.Decode(e.Type)
	if err != nil || !c.rules.Numbered(e.Type, facts.Fields()) {
		return nil, nil, refute(name, "the fields are not those of a %s", Plain(e.Type))
	}
	if !events.Whole(e.Type, facts.Fields()) {
		return nil, nil, refute(name, "it lacks fields that every %s has", Plain(e.Type))
	}
	names := events.RecipientsIn(event)
	if c.role == events.RoleRecipient && len(names) > 0 && !slices.Contains(names, c.id.String()) {
		return nil, nil, refute(name, "it is about another recipient")
	}
	shown := &ShownEntry{Number: i, Index: e.Index, ID: e.EventID, TimeMS: l.TimeMS, Event: event, Private: content.Private}
	c.leafHashes = append(c.leafHashes, events.LeafHash(e.Leaf))
	if shown.About, err = c.about(name, content, event); err != nil {
		return nil, nil, err
	}
	if share := events.ShareIn(event); share != nil {
		shown.Later = c.later(share, l.TimeMS)
	}
	return shown, l, nil
}

// about finds the earlier entry that an event is about. Every event of such a type
// names one, but for those who join a record by it.
func (c *checker) about(name string, content *events.SlotContent, event events.Event) (*uint64, error) {
	types := events.About(event.Type())
	if content.TargetIndex == nil {
		if len(types) > 0 && !c.joins(event) {
			return nil, refute(name, "it does not say which entry it is about")
		}
		return nil, nil
	}
	at, found := slices.BinarySearchFunc(c.verdict.Entries, *content.TargetIndex, func(e ShownEntry, index uint64) int {
		return cmp.Compare(e.Index, index)
	})
	if !found || !slices.Contains(types, c.verdict.Entries[at].Event.Type()) ||
		c.leafHashes[at] != events.Hash(content.TargetLeaf) {
		return nil, refute(name, "it is about something that is no earlier entry of this party, or none that such an event can be about")
	}
	target := &c.verdict.Entries[at]
	if amended, ok := event.(*events.DisclosureAmended); ok {
		if c.versions[target.Index]++; amended.Amendment.Version != c.versions[target.Index] {
			return nil, refute(name, "it is amendment %d of an entry whose amendment %d would be next", amended.Amendment.Version, c.versions[target.Index])
		}
		if err := c.amends(name, amended, target); err != nil {
			return nil, err
		}
	}
	if onward, ok := event.(*events.OnwardReported); ok && onward.Onward.By != events.ShareIn(target.Event).Recipient.ID {
		return nil, refute(name, "it says that somebody passed the data on who did not receive it")
	}
	return &target.Number, nil
}

// amends checks that an amendment differs from the version before it in exactly
// what it names, and that it is about the same recipient.
func (c *checker) amends(name string, amended *events.DisclosureAmended, target *ShownEntry) error {
	before := c.newest[target.Index]
	if before == nil {
		before = events.ShareIn(target.Event)
	}
	is := &amended.DisclosureRecorded
	if is.Recipient.ID != before.Recipient.ID {
		return refute(name, "it amends the record to another recipient, in whose register it does not stand")
	}
	if !slices.Equal(events.Changed(before, is), amended.Amendment.Changed) {
		return refute(name, "it does not name what it makes different")
	}
	c.newest[target.Index] = is
	return nil
}

// joins reports whether the party may have an entry in an event without one in
// the record that it is about: whoever was added to a share, and whoever received
// it from its recipient.
func (c *checker) joins(event events.Event) bool {
	switch e := event.(type) {
	case *events.SubjectsAdded:
		return c.role == events.RoleSubject
	case *events.OnwardReported:
		return c.role == events.RoleRecipient && e.Recipient.ID == c.id.String()
	}
	return false
}

// later reports whether a share is dated after it was recorded. A time is cut to
// the grain, and a share may come by a clock that is a minute ahead.
func (c *checker) later(share *events.DisclosureRecorded, timeMS uint64) bool {
	at, err := time.Parse(time.RFC3339, share.Occurred.At)
	bound := time.UnixMilli(int64(timeMS + c.rules.GrainMS)).Add(time.Minute)
	return err == nil && at.After(bound)
}

// checkAbsences demands exactly the absences that follow from what was shown.
func (c *checker) checkAbsences() error {
	const name = "nothing left out"
	want := NeededAbsences(c.enrolled, len(c.report.Entries))
	if len(c.report.Absences) != len(want) {
		return refute(name, "the proofs of absence are not the ones needed")
	}
	for i, a := range c.report.Absences {
		if a.Label != want[i].Label || a.Number != want[i].Number {
			return refute(name, "the proofs of absence are not the ones needed")
		}
		label, err := c.absentLabel(a)
		if err != nil {
			return err
		}
		if err := CheckAbsent(c.state.MapRoot, label, a.Proof); err != nil {
			return refute(name, "the index does not show that %s is absent", a.words())
		}
	}
	c.verdict.Enrolled = c.enrolled
	if c.enrolled {
		c.pass(name, "the index has no entry %d of this party, no end and no second beginning of its sequence", len(c.report.Entries)+1)
	} else {
		c.pass(name, "the index has no sequence of this party")
	}
	return nil
}

func (c *checker) absentLabel(a Absence) (events.Hash, error) {
	if a.Label == LabelEntry {
		if len(a.VRF) != 0 {
			return events.Hash{}, refute("nothing left out", "the label of %s comes from no VRF", a.words())
		}
		return events.EntryLabel(c.handle, a.Number), nil
	}
	label, _, err := CheckVRF(c.trust.VRF, a.VRFInput(c.trust.Origin, c.role, c.id), a.VRF)
	if err != nil {
		return events.Hash{}, refute("nothing left out", "the label of %s is not the one of this identity", a.words())
	}
	return label, nil
}
