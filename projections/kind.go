package projections

import "github.com/sharetrail/sharetrail/events"

// Kind is a sort of record, by which entries are listed.
type Kind string

// The kinds of record.
const (
	KindShare    Kind = "share"    // data was shared, or may have been: it stands for itself
	KindLater    Kind = "later"    // what became of an earlier record
	KindConsent  Kind = "consent"  // a person chose
	KindStanding Kind = "standing" // who a recipient is
	KindDocument Kind = "document" // what the controller published
)

// Kind tells what sort of record the entry is. It follows from the type of event.
func (e *Entry) Kind() Kind {
	switch e.Type {
	case events.TypeDisclosureRecorded, events.TypeSubjectsAdded, events.TypeSeriesOpened, events.TypePossibleRecorded, events.TypeUnsealed:
		return KindShare
	case events.TypeConsentGiven, events.TypeConsentRefused:
		return KindConsent
	case events.TypeStatementPublished, events.TypeTaxonomyReleased, events.TypeProfileReleased:
		return KindDocument
	}
	if len(events.About(e.Type)) > 0 {
		return KindLater
	}
	return KindStanding
}
