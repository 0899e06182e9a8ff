package decide

import (
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// TellRecipient asks to record something about recipients: one of the events of
// the recipient family.
type TellRecipient struct{ Event events.Validatable }

// About implements [Command].
func (cmd *TellRecipient) About() (events.ID, bool) { return events.ID{}, false }

// Decide implements [Command].
func (cmd *TellRecipient) Decide(state State, _ *Target, now time.Time) ([]Planned, error) {
	e, ids, err := spelled(state, cmd.Event)
	if err != nil {
		return nil, err
	}
	if err := e.Validate(now); err != nil {
		return nil, err
	}
	planned := Planned{Event: e}
	for i, p := range ids {
		for _, before := range ids[:i] {
			if before.ID == p.ID {
				return nil, &events.FieldError{Field: "recipient.id", Rule: "names the same recipient twice", Next: "name two different ones"}
			}
		}
		planned.Parties = append(planned.Parties, p)
	}
	return enrolling(state, planned), nil
}

// spelled copies an event of the recipient family with every id in its one
// spelling, and returns whose labels it carries.
func spelled(state State, e events.Validatable) (events.Validatable, []Party, error) {
	var fields []string
	var ids []*string
	at := func(field string, id *string) { fields, ids = append(fields, field), append(ids, id) }
	switch was := e.(type) {
	case *events.RecipientRegistered:
		is := *was
		at("recipient.id", &is.Recipient.ID)
		e = &is
	case *events.RecipientChanged:
		is := *was
		at("recipient.id", &is.Recipient.ID)
		e = &is
	case *events.RecipientsMerged:
		is := *was
		at("merger.from", &is.Merger.From)
		at("merger.into", &is.Merger.Into)
		e = &is
	case *events.RelationshipChanged:
		is := *was
		at("relationship.recipient", &is.Relationship.Recipient)
		e = &is
	case *events.SubprocessorAdded:
		is := *was
		at("engagement.by", &is.Engagement.By)
		at("recipient.id", &is.Recipient.ID)
		e = &is
	}
	var parties []Party
	for i, id := range ids {
		p, err := recipientIn(state, fields[i], id)
		if err != nil {
			return nil, nil, err
		}
		parties = append(parties, p)
	}
	return e, parties, nil
}

// Publish asks to record a document that the controller binds itself to: one of
// the events of the statement family.
type Publish struct {
	Event  events.Validatable
	Origin string // of the ledger, which names its controller's register
}

// About implements [Command].
func (cmd *Publish) About() (events.ID, bool) { return events.ID{}, false }

// Decide implements [Command].
func (cmd *Publish) Decide(state State, _ *Target, now time.Time) ([]Planned, error) {
	if err := cmd.Event.Validate(now); err != nil {
		return nil, err
	}
	id, err := Controller(state.Identities(), cmd.Origin)
	if err != nil {
		return nil, err
	}
	return enrolling(state, Planned{Event: cmd.Event, Parties: []Party{{Role: events.RoleController, ID: id}}}), nil
}

// Controller is the identity of a ledger's controller, whose register holds what
// was published.
func Controller(rules []events.IdentityRule, origin string) (events.Identity, error) {
	return events.ParseIdentity(rules, "org:"+origin)
}
