package projections

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sharetrail/sharetrail/events"
)

// errContents says that an event opened, and says something no row can hold.
var errContents = errors.New("contents that no row can hold")

// recordEntry adds the event as an entry of whoever it concerns. What the party's
// own slot says goes with it: subjects have one, recipients do not, so a
// recipient's list holds nothing that describes a subject.
func recordEntry(o *occurrence) (Additions, error) {
	facts, err := o.factsOf(o.Event)
	if err != nil {
		return Additions{}, err
	}
	row, err := rowOf(o.Event, facts, o.Content)
	if err != nil {
		return Additions{}, err
	}
	row.Party, row.Number = o.party.Root, Number(o.party.Generation, row.Number)
	row.Index, row.EventID, row.Recorded = o.opener.Revision, o.opener.ID, o.recorded()
	row.wrap(o.party)
	o.of.in(&row)
	return Additions{Entries: []Entry{row}}, nil
}

// rowOf is the row of an entry as recorded, but for the party and for what the
// event store and the leaf say of the event.
func rowOf(e events.Event, facts string, slot *events.SlotContent) (Entry, error) {
	row := Entry{Number: *slot.Number, Type: e.Type(), Facts: facts}
	if slot.Kind == events.SlotEntry { // what is unsealed is about no earlier entry
		row.About = slot.TargetIndex
	}
	if r, received := recipientOf(e); r != nil {
		row.OccurredAt, row.RecipientID, row.Recipient, row.Country, row.Category = received, r.ID, r.LegalName, r.Country, r.Category
	}
	if slot.Private != nil {
		private, err := events.MarshalJSON(slot.Private)
		if err != nil {
			return row, errContents
		}
		row.Private = string(private)
	}
	if !storable(row.OccurredAt, row.RecipientID, row.Recipient, row.Country, row.Category) {
		return row, errContents
	}
	return row, nil
}

// recipientOf returns whom an event describes, nil if nobody, and when that
// recipient received data, if it did.
func recipientOf(e events.Event) (r *events.Recipient, received string) {
	switch e := e.(type) {
	case *events.OnwardReported:
		return &e.Recipient, e.Onward.At
	case *events.RecipientRegistered:
		return &e.Recipient, ""
	case *events.RecipientChanged:
		return &e.Recipient, ""
	case *events.SubprocessorAdded:
		return &e.Recipient, ""
	}
	if share := events.ShareIn(e); share != nil {
		return &share.Recipient, share.Occurred.At
	}
	return nil, ""
}

// describeRecipient adds to the register what an event says of its recipient. What
// repeats an earlier share describes nobody anew, and shares are counted for the
// description they gave.
func describeRecipient(o *occurrence) (Additions, error) {
	at, index := o.recorded(), o.opener.Revision
	id := events.Identity(o.Content.ID).String()
	if onward, ok := o.Event.(*events.OnwardReported); ok && onward.Recipient.ID != id {
		return Additions{}, nil // it is known from the share
	}
	d := Description{Party: o.party.ID, Recipient: events.Recipient{ID: id}, Usage: Usage{
		FirstIndex: index, LastIndex: index, First: at, Last: at,
	}}
	switch e := o.Event.(type) {
	case *events.DisclosureRecorded:
		d.Recipient, d.Shares, d.Subjects = e.Recipient, 1, e.Extent.Subjects
	case *events.Unsealed:
		d.Recipient, d.Shares, d.Subjects = unsealedUse(e)
	case *events.SeriesOpened:
		d.Recipient, d.Shares, d.Subjects = e.Recipient, 1, e.Extent.Subjects
	case *events.SubjectsAdded:
		d.Recipient, d.Subjects = e.Recipient, e.Extent.Subjects
	default:
		if r, _ := recipientOf(e); r != nil && r.ID == id {
			d.Recipient = *r
		}
	}
	r := d.Recipient
	if !storable(r.ID, r.LegalName, r.Address, r.Contact, r.Representative, r.Country, r.Category, r.Role) {
		return Additions{}, errContents
	}
	if r.LegalName != "" && o.opener.Type != events.TypeSubjectsAdded {
		d.Described = &index
	}
	return Additions{Recipients: []Description{d}}, nil
}

// unsealedUse counts a share that was under seal as it would have been counted
// without the seal.
func unsealedUse(u *events.Unsealed) (r events.Recipient, shares, subjects uint64) {
	share := events.ShareIn(u)
	if share == nil {
		return r, 0, 0
	}
	switch u.Record.Type {
	case events.TypeDisclosureRecorded, events.TypeSeriesOpened:
		return share.Recipient, 1, share.Extent.Subjects
	case events.TypeSubjectsAdded:
		return share.Recipient, 0, share.Extent.Subjects
	}
	return share.Recipient, 0, 0
}

func (o *occurrence) recorded() time.Time { return recordedAt(o.opener.Leaf) }

func recordedAt(leaf *events.Leaf) time.Time { return time.UnixMilli(int64(leaf.TimeMS)).UTC() }

// storable reports whether every store keeps the texts as they are: PostgreSQL
// refuses NUL and what is not UTF-8, and would halt everybody's page.
func storable(texts ...string) bool {
	for _, t := range texts {
		if strings.ContainsRune(t, 0) || !utf8.ValidString(t) {
			return false
		}
	}
	return true
}
