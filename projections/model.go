package projections

import (
	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// Names of the read models.
const (
	BySubject   = "disclosures-by-subject"
	ByRecipient = "disclosures-by-recipient"
	Register    = "recipients"
)

// model is what makes one read model differ from another: whose sequences it
// follows, and what each type of event adds to its rows.
type model struct {
	name     string
	role     events.Role
	handlers map[string]handler // by event type
}

// handler says which rows an entry of a party adds. It is a pure function: what
// it refuses once it refuses always, and the party is parked. Events whose type
// has no handler park the party too, so that a new type cannot be overlooked.
type handler func(*occurrence) (Additions, error)

// occurrence is one entry of one party, opened with the party's key.
type occurrence struct {
	*keystore.Opened
	sealed *keystore.Sealed
	party  PartyID
	number uint64
}

var (
	bySubject = &model{BySubject, events.RoleSubject, map[string]handler{
		events.TypeDisclosureRecorded: recordDisclosure,
	}}
	byRecipient = &model{ByRecipient, events.RoleRecipient, map[string]handler{
		events.TypeDisclosureRecorded: recordDisclosure,
	}}
	register = &model{Register, events.RoleRecipient, map[string]handler{
		events.TypeDisclosureRecorded: describeRecipient,
	}}
)
