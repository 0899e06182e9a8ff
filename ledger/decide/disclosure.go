// Package decide says what follows from a command: which events, or why not.
// Decisions are pure: they read the writer's state and do no I/O, so the writer
// can take them again when somebody else wrote first.
package decide

import (
	"fmt"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Party is somebody an event concerns.
type Party struct {
	Role    events.Role
	ID      events.Identity
	Private *events.Private // what may describe this subject
	About   *Reference      // the earlier record of this party that the event is about
	Sealed  bool            // the event is about this subject under seal: in no sequence, under a key of its own
	As      events.Identity // how the command names a subject, if by an alias
	Primary events.Identity // of an alias that is enrolled: whose it becomes
}

// Named is the identity that a command has for a party, or the party's own.
func (p *Party) Named() events.Identity {
	if p.As != "" {
		return p.As
	}
	return p.ID
}

// Reference names a leaf, and for a record that is unsealed the slot in it that
// names the party.
type Reference struct {
	Index    uint64
	LeafHash events.Hash
	Slot     *uint16
}

// Planned is an event that follows from a command: its facts, and whose label
// it carries. Enrolled events begin the sequences of their parties.
type Planned struct {
	Event   events.Event
	Parties []Party
	Closing uint8 // of a closing event: events.ReasonErased or events.ReasonRotated
	// Parts are the continuations of an event that concerns more people than fit
	// into it ([Spread]).
	Parts []Planned
}

// RecordDisclosure asks to record one share.
type RecordDisclosure struct {
	Disclosure events.DisclosureRecorded
	Subjects   []Subject
}

// Subject is one person a share concerns.
type Subject struct {
	ID string `json:"id" doc:"namespace:local, such as email:ada@example.com"`
	events.Private
}

// State is what a decision may ask about the ledger.
type State interface {
	// Identities returns the identity rules in force.
	Identities() []events.IdentityRule
	// Enrolled reports whether a party has a sequence already.
	Enrolled(events.Role, events.Identity) bool
	// Primary returns the identity whose sequence an identity's entries go to: its
	// own, unless it is an alias.
	Primary(events.Role, events.Identity) events.Identity
	// Names returns how many aliases an identity has.
	Names(events.Role, events.Identity) int
	// Known reports whether an event of ours has this id.
	Known(events.ID) bool
}

// About implements [Command].
func (*RecordDisclosure) About() (events.ID, bool) { return events.ID{}, false }

// Decide implements [Command].
func (cmd *RecordDisclosure) Decide(state State, _ *Target, now time.Time) ([]Planned, error) {
	share := cmd.Disclosure
	normalise(&share)
	if err := share.Validate(now); err != nil {
		return nil, err
	}
	if err := linked(state, &share); err != nil {
		return nil, err
	}
	return sharing(state, &share, &share, cmd.Subjects)
}

// linked wants the records that a share names to be in the ledger.
func linked(state State, share *events.DisclosureRecorded) error {
	parent := share.Links.Parent
	var id events.ID
	if parent == "" || id.UnmarshalText([]byte(parent)) == nil && state.Known(id) {
		return nil
	}
	return &events.FieldError{Field: "links.parent", Rule: "names no record of this ledger", Next: "record the share that is passed on first, and use the id that answered"}
}

// normalise gives what has a default its one spelling.
func normalise(share *events.DisclosureRecorded) {
	if share.Occurred.Precision == "instant" {
		share.Occurred.Precision = ""
	}
}

// sharing plans an event that holds a share, for its recipient and subjects.
func sharing(state State, e events.Event, share *events.DisclosureRecorded, subjects []Subject) ([]Planned, error) {
	if share.Extent != (events.Extent{}) {
		return nil, &events.FieldError{Field: "extent", Rule: "is counted by the ledger", Next: "leave it out"}
	}
	recipient, err := recipientIn(state, "recipient.id", &share.Recipient.ID)
	if err != nil {
		return nil, err
	}
	people, err := parseSubjects(state, subjects)
	if err != nil {
		return nil, err
	}
	share.Extent = events.Extent{Subjects: uint64(len(people))}
	return enrolling(state, Planned{Event: e, Parties: append([]Party{recipient}, people...)}), nil
}

func parseSubjects(state State, subjects []Subject) ([]Party, error) {
	if len(subjects) == 0 || len(subjects) > MaxSubjects {
		return nil, &events.FieldError{Field: "subjects", Rule: fmt.Sprintf("must name 1 to %d people", MaxSubjects),
			Next: "name whom it concerns; more people are added to a share afterwards"}
	}
	seen := make(map[events.Identity]bool, len(subjects))
	parties := make([]Party, 0, len(subjects))
	for i, s := range subjects {
		field := fmt.Sprintf("subjects[%d]", i)
		named, err := identity(state, field+".id", s.ID)
		if err != nil {
			return nil, err
		}
		id := state.Primary(events.RoleSubject, named)
		if seen[id] {
			return nil, &events.FieldError{Field: field + ".id", Rule: "names somebody twice", Next: "name each person once"}
		}
		seen[id] = true
		private := s.Private
		if err := private.Validate(); err != nil {
			return nil, err
		}
		party := Party{Role: events.RoleSubject, ID: id, Private: &private}
		if named != id {
			party.As = named
		}
		parties = append(parties, party)
	}
	return parties, nil
}

// inField says in which field of the command an identity is wrong.
func inField(field string, err error) error {
	if fe, ok := err.(*events.FieldError); ok {
		return &events.FieldError{Field: field, Rule: fe.Rule, Next: fe.Next}
	}
	return err
}
