package verifier

import (
	"fmt"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// checked is an entry that holds by itself. Which it is about, and whether the
// filter shows it, is checked with the others.
type checked struct {
	name     string
	shown    *Entry
	leafHash events.Hash
	content  *events.SlotContent // nil if the slot stays closed
	event    events.Event        // a part of one if the entry is filtered
	about    *checked
	timeMS   uint64
	position int // in the verdict's entries; -1 if it is filtered
	// Of a continuation: what it continues, and which part it is.
	header *target
	part   *events.RecordContinued
	// Of a record: how often and to what it was amended.
	versions uint64
	ended    bool       // of a step that begins a seal: the seal has ended
	sealed   *ShownSeal // of what was under seal: since when
	newest   *events.DisclosureRecorded
}

func (e *checked) filtered() bool { return e.shown.Seed == nil }

// record is the entry that stands for itself to which this one's abouts lead.
func (e *checked) record() *checked {
	for e.about != nil {
		e = e.about
	}
	return e
}

func (s *sequence) checkEntries(shown []Entry) error {
	last, lastTime := s.index, s.timeMS
	for i := range shown {
		e, err := s.entry(uint64(i), &shown[i])
		if err != nil {
			return err
		}
		if e.shown.Index <= last || e.timeMS < lastTime {
			return refute("entries"+s.where, "entry %d is out of order", i+1)
		}
		last, lastTime = e.shown.Index, e.timeMS
		if err := s.ends(e, i == len(shown)-1); err != nil {
			return err
		}
		if err := s.take(e); err != nil {
			return err
		}
	}
	s.count = uint64(len(shown))
	if s.closed != nil && (len(shown) == 0 || shown[len(shown)-1].Index != s.closed.index) {
		return refute("entries"+s.where, "the event that ended the sequence is not its last entry")
	}
	s.pass("entries"+s.where, "%d, each in the log, opened, and counted without a gap", len(shown))
	return nil
}

// ends demands that the event that closes a sequence is its last entry, and
// stands where the sequence was closed.
func (s *sequence) ends(e *checked, last bool) error {
	closes := s.closed != nil && e.shown.Index == s.closed.index
	if closes != (e.shown.Type == events.TypeClosed) || closes && !last ||
		s.closed != nil && e.shown.Index > s.closed.index {
		return refute("entries"+s.where, "they do not end where the sequence was closed")
	}
	return nil
}

func (s *sequence) entry(i uint64, e *Entry) (*checked, error) {
	name := fmt.Sprintf("entry %d%s", i+1, s.where) // people count from 1
	if e.Number != i {
		return nil, refute(name, "it does not follow the one before")
	}
	l, leafHash, err := s.slot(name, e.Proven, e.Slot)
	if err != nil {
		return nil, err
	}
	label := events.EntryLabel(s.handle, i)
	if l.Slots[e.Slot].Label != label {
		return nil, refute(name, "the slot carries another label")
	}
	// Two leaves can carry one label, and whoever runs the ledger can show each
	// reader another; the index has room for one of them.
	if err := s.member(name, label, e.Index, e.Slot, leafHash, e.Member); err != nil {
		return nil, err
	}
	c := &checked{name: name, shown: e, leafHash: leafHash, timeMS: l.TimeMS, position: -1}
	return c, s.open(c, l)
}

// open checks what an entry opens: all of it, or what the filter reads.
func (n *named) open(c *checked, l *events.Leaf) error {
	e := c.shown
	// Enrolled events carry no entries: they would count and show nothing. A step in
	// a seal's life never stands in the store by its name.
	if e.Type == events.TypeEnrolled || e.Type == events.TypeSealRecorded || !slices.Contains(n.rules.Labels[n.bodyType(e.Type)], n.asked.Role.String()) {
		return refute(c.name, "the rules give a %s no entry in an event of this type", n.asked.Role)
	}
	if (e.Seed == nil) != (e.Event != nil) || (e.Opening == nil) != (len(e.Content) == 0) ||
		e.Seed == nil && len(e.Fields) > 0 || e.Seed != nil && (e.Opening == nil || len(e.Shown) > 0) {
		return refute(c.name, "it opens neither all of the entry nor what the filter reads")
	}
	if e.Opening != nil {
		var err error
		if c.content, err = n.content(c.name, l, e.Slot, *e.Opening, e.Content); err != nil {
			return err
		}
		if c.content.Kind != entryKind(e.Type) || c.content.Role != n.asked.Role || *c.content.Number != e.Number ||
			!slices.Equal(c.content.ID, []byte(n.id)) {
			return refute(c.name, "the slot is not this party's entry")
		}
	}
	if e.Seed == nil {
		return n.openShown(c, l)
	}
	if err := n.event(c.name, l, e.EventID, e.Type, events.Opening(*e.Seed, 0)); err != nil {
		return err
	}
	event, err := n.facts(c.name, l, n.bodyType(e.Type), *e.Seed, e.Fields)
	if err != nil {
		return err
	}
	names := events.RecipientsIn(event)
	if n.asked.Role == events.RoleRecipient && len(names) > 0 && !slices.Contains(names, n.id.String()) {
		return refute(c.name, "it is about another recipient")
	}
	c.event = event
	return n.continued(c)
}

// facts opens all fields of an event.
func (p *part) facts(name string, l *events.Leaf, typ string, seed events.Hash, fields []byte) (events.Event, error) {
	facts, err := events.ParseFacts(fields)
	if err != nil {
		return nil, refute(name, "the fields are malformed")
	}
	body, err := facts.Body(seed, p.rules.Width)
	if err != nil || body.Root() != l.Body {
		return nil, refute(name, "the fields do not match the leaf")
	}
	event, err := facts.Decode(typ)
	if err != nil || !p.rules.Numbered(typ, facts.Fields()) {
		return nil, refute(name, "the fields are not those of a %s", Plain(typ))
	}
	if !events.Whole(typ, facts.Fields()) {
		return nil, refute(name, "it lacks fields that every %s has", Plain(typ))
	}
	return event, nil
}

// take adds an entry to the name's, and to the verdict's if it is shown.
func (n *named) take(e *checked) error {
	if err := n.about(e); err != nil {
		return err
	}
	record, _ := e.recordAt()
	n.entries, n.byIndex[record] = append(n.entries, e), e
	if e.filtered() {
		n.verdict.Filtered++
		return nil
	}
	shown := ShownEntry{
		Number: uint64(len(n.verdict.Entries)), Index: e.shown.Index, ID: e.shown.EventID, TimeMS: e.timeMS,
		Event: e.event, Private: e.content.Private, Sealed: e.sealed,
	}
	if e.header != nil {
		shown.ID, shown.Header = e.header.shown.EventID, &e.header.shown.Index
	}
	if e.about != nil && e.about.position >= 0 {
		at := uint64(e.about.position)
		shown.About = &at
	}
	if !n.last() {
		shown.Origin = n.trust.Origin
	}
	if id := n.id.String(); id != n.verdict.IDs[0] {
		shown.Name = id
	}
	if share := events.ShareIn(e.event); share != nil {
		shown.Later = n.later(share, e.timeMS)
	}
	e.position = len(n.verdict.Entries)
	n.verdict.Entries = append(n.verdict.Entries, shown)
	return nil
}

// later reports whether a share is dated after it was recorded. A time is cut to
// the grain, and a share may come by a clock that is a minute ahead.
func (p *part) later(share *events.DisclosureRecorded, timeMS uint64) bool {
	at, err := time.Parse(time.RFC3339, share.Occurred.At)
	bound := time.UnixMilli(int64(timeMS + p.rules.GrainMS)).Add(time.Minute)
	return err == nil && at.After(bound)
}
