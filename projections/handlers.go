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

// recordDisclosure adds the share as an entry of whoever it concerns. What the
// party's own slot says goes with it: subjects have one, recipients do not, so a
// recipient's list holds nothing that describes a subject.
func recordDisclosure(o *occurrence) (Additions, error) {
	share, ok := o.Event.(*events.DisclosureRecorded)
	if !ok {
		return Additions{}, errContents
	}
	facts, err := o.factsOf(share)
	if err != nil {
		return Additions{}, err
	}
	row := o.entry()
	row.OccurredAt, row.Facts = share.Occurred.At, facts
	row.RecipientID, row.Recipient = share.Recipient.ID, share.Recipient.LegalName
	row.Country, row.Category = share.Recipient.Country, share.Recipient.Category
	if o.Content.Private != nil {
		private, err := events.MarshalJSON(o.Content.Private)
		if err != nil {
			return Additions{}, errContents
		}
		row.Private = string(private)
	}
	if !storable(row.OccurredAt, row.RecipientID, row.Recipient, row.Country, row.Category) {
		return Additions{}, errContents
	}
	return Additions{Entries: []Entry{row}}, nil
}

// describeRecipient counts the share for the description it gives of its
// recipient.
func describeRecipient(o *occurrence) (Additions, error) {
	share, ok := o.Event.(*events.DisclosureRecorded)
	if !ok {
		return Additions{}, errContents
	}
	r := share.Recipient
	if !storable(r.ID, r.LegalName, r.Address, r.Contact, r.Representative, r.Country, r.Category, r.Role) {
		return Additions{}, errContents
	}
	at, index := o.recorded(), o.opener.Revision
	return Additions{Recipients: []Description{{Party: o.party, Recipient: r, Usage: Usage{
		FirstIndex: index, LastIndex: index, First: at, Last: at,
		Shares: 1, Subjects: share.Extent.Subjects,
	}}}}, nil
}

// entry is the row of the entry as recorded, without what its event says.
func (o *occurrence) entry() Entry {
	return Entry{
		Party: o.party, Number: o.number, Index: o.opener.Revision, EventID: o.opener.ID,
		Type: o.opener.Type, Recorded: o.recorded(),
	}
}

func (o *occurrence) recorded() time.Time { return time.UnixMilli(int64(o.opener.Leaf.TimeMS)).UTC() }

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
