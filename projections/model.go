package projections

import (
	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// Name is that of the read model in a store, in status and in logs.
const Name = "parties"

// handlers say what each type of event adds to the rows, by the role of the party
// whose entry it is. Parties of other roles are not followed. A party whose entry
// has no handler is parked, so that no type of event can be overlooked.
var handlers = func() map[events.Role]map[string][]handler {
	all := map[events.Role]map[string][]handler{}
	for _, role := range []events.Role{events.RoleSubject, events.RoleRecipient, events.RoleController} {
		all[role] = map[string][]handler{}
		for _, typ := range events.Types() {
			if events.Carries(typ, role) && typ != events.TypeEnrolled {
				all[role][typ] = []handler{recordEntry}
			}
		}
	}
	recipients := all[events.RoleRecipient]
	for _, typ := range []string{
		events.TypeDisclosureRecorded, events.TypeSubjectsAdded, events.TypeSeriesOpened, events.TypePossibleRecorded,
		events.TypeOnwardReported, events.TypeRecipientRegistered, events.TypeRecipientChanged, events.TypeRecipientsMerged,
		events.TypeRelationshipChanged, events.TypeSubprocessorAdded, events.TypeUnsealed,
	} {
		recipients[typ] = append(recipients[typ], describeRecipient)
	}
	return all
}()

// handler says which rows an entry of a party adds. It is a pure function: what
// it refuses once it refuses always, and the party is parked.
type handler func(*occurrence) (Additions, error)

// occurrence is one entry of one party, opened with the party's key.
type occurrence struct {
	*keystore.Opened
	*reading
	party  *keystore.Party
	number uint64
	of     *continuation // nil if the event stands for itself
}

// reading is an event on its way through one goroutine: what several parties'
// entries share of it is opened once and written down once.
type reading struct {
	opener keystore.Opener
	steps  []step // of the same event
	facts  string // JSON of event
	event  events.Event

	header   *keystore.Sealed // what a continuation continues
	opened   *keystore.Opened // it, and the secrets that opened it
	openedBy keystore.EventSecrets
}

// factsOf returns the event as JSON.
func (r *reading) factsOf(e events.Event) (string, error) {
	if r.event != e {
		facts, err := events.MarshalJSON(e)
		if err != nil {
			return "", errContents
		}
		r.facts, r.event = string(facts), e
	}
	return r.facts, nil
}
