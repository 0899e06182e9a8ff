package decide

import (
	"fmt"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// MaxAliases is how many aliases one person has: the event that erases the person
// has a slot for each.
const MaxAliases = 64

// AddAlias makes an identity another name of a person: what is recorded under
// either goes to the one sequence of the primary identity.
type AddAlias struct {
	Subject string // the primary identity
	Alias   string
}

// About implements [Command].
func (cmd *AddAlias) About() (events.ID, bool) { return events.ID{}, false }

// Type is that of the event.
func (*AddAlias) Type() string { return events.TypeEnrolled }

// Decide implements [Command].
func (cmd *AddAlias) Decide(state State, _ *Target, _ time.Time) ([]Planned, error) {
	primary, err := identity(state, "subject", cmd.Subject)
	if err != nil {
		return nil, err
	}
	alias, err := identity(state, "alias", cmd.Alias)
	if err != nil {
		return nil, err
	}
	const role = events.RoleSubject
	switch {
	case alias == primary:
		return nil, &events.FieldError{Field: "alias", Rule: "is the same identity", Next: "name another identity of the person"}
	case state.Primary(role, primary) != primary:
		return nil, &events.FieldError{Field: "subject", Rule: "is an alias itself", Next: "name the primary identity that it leads to"}
	case state.Primary(role, alias) == primary:
		return nil, &events.FieldError{Field: "alias", Rule: "is an alias of this person already", Next: "leave it"}
	case state.Primary(role, alias) != alias:
		return nil, &events.FieldError{Field: "alias", Rule: "is an alias of somebody else", Next: "check both identities; an alias ends when its person is erased"}
	case state.Enrolled(role, alias):
		return nil, &events.FieldError{Field: "alias", Rule: "has entries of its own, which cannot be moved", Next: "go on under both identities and ask for a report under each, or reattribute the records of one and have it erased"}
	case state.Names(role, primary) >= MaxAliases:
		return nil, &events.FieldError{Field: "alias", Rule: fmt.Sprintf("would be one of more than %d", MaxAliases), Next: "record under those there are"}
	}
	enrolled := Planned{Event: new(events.Enrolled), Parties: []Party{{Role: role, ID: alias, Primary: primary}}}
	if !state.Enrolled(role, primary) {
		enrolled.Parties = append(enrolled.Parties, Party{Role: role, ID: primary})
	}
	return []Planned{enrolled}, nil
}
