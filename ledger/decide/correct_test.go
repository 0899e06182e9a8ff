package decide_test

import (
	"errors"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// TestRetractForNobody: a record whose subjects are all gone, because their keys
// are, is not retracted: an answer would claim an event that there is not.
func TestRetractForNobody(t *testing.T) {
	record := share().Disclosure
	target := &decide.Target{Event: &record, Share: &record, Parties: []decide.Party{{Role: events.RoleRecipient, ID: "org\x00northwind"}}}
	planned, err := (&decide.Retract{Ground: "duplicate"}).Decide(enrolled{}, target, now)
	var refused *events.FieldError
	if !errors.As(err, &refused) || refused.Field != "id" || len(planned) > 0 {
		t.Errorf("decided %v, %v", planned, err)
	}
}
