package decide

import (
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Close asks to end a person's generation at once, without a second person: where
// somebody has decided elsewhere, and in tests. It erases the person, or lets
// them go on under another key and handle, after a copy of the present ones left its
// owner. No interface offers it.
type Close struct {
	Subject string
	Reason  uint8 // events.ReasonErased or events.ReasonRotated
}

// About implements [Command].
func (cmd *Close) About() (events.ID, bool) { return events.ID{}, false }

// Type is that of the event.
func (*Close) Type() string { return events.TypeClosed }

// Decide implements [Command].
func (cmd *Close) Decide(state State, _ *Target, _ time.Time) ([]Planned, error) {
	id, err := subjectIn(state, "subject", cmd.Subject)
	if err != nil {
		return nil, err
	}
	person := Party{Role: events.RoleSubject, ID: id}
	if !state.Enrolled(person.Role, id) {
		return nil, noSequence("subject")
	}
	return ending(person, cmd.Reason), nil
}

// ending plans the end of a person's open generation and, if they are not erased, the
// beginning of the next.
func ending(person Party, reason uint8) []Planned {
	closed := Planned{Event: new(events.Closed), Parties: []Party{person}, Closing: reason}
	if reason == events.ReasonErased {
		return []Planned{closed}
	}
	return []Planned{closed, {Event: new(events.Enrolled), Parties: []Party{person}}}
}

// Alone reports whether events stand in a batch of their own: what is decided on
// people before and after them is not the same.
func Alone(planned []Planned) bool {
	for _, p := range planned {
		if p.Closing != 0 {
			return true
		}
		for _, party := range p.Parties {
			if party.Primary != "" {
				return true
			}
		}
	}
	return false
}

// Ending is a command whose repetition cannot be decided again: what it was about
// is not there any more, or is so already.
type Ending interface {
	Command
	// Type is that of the event that the command asks for.
	Type() string
}

var (
	_ Ending = (*AddAlias)(nil)
	_ Ending = (*Close)(nil)
	_ Ending = (*ConfirmClosure)(nil)
)
