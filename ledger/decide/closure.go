package decide

import (
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// ClosureTerm is how long a request for an erasure or a rotation can be confirmed.
const ClosureTerm = 30 * 24 * time.Hour

// RequestClosure asks to end a person's generation. Somebody else has to confirm it.
type RequestClosure struct {
	Subject Subject
	Action  string // erase or rotate
	Ground  string
	At      string // RFC 3339 time in UTC
	By      string // pseudonym of who asks
}

// About implements [Command].
func (cmd *RequestClosure) About() (events.ID, bool) { return events.ID{}, false }

// Decide implements [Command].
func (cmd *RequestClosure) Decide(state State, _ *Target, now time.Time) ([]Planned, error) {
	people, err := parseSubjects(state, []Subject{cmd.Subject})
	if err != nil {
		return nil, inSubject(err)
	}
	if !state.Enrolled(events.RoleSubject, people[0].ID) {
		return nil, noSequence("subject.id")
	}
	e := &events.ClosureRequested{Closure: events.Closure{Action: cmd.Action, Ground: cmd.Ground, At: cmd.At, Until: cmd.At, By: cmd.By}}
	if at, err := time.Parse(time.RFC3339, cmd.At); err == nil {
		e.Closure.Until = at.Add(ClosureTerm).UTC().Format(time.RFC3339)
	}
	if err := e.Validate(now); err != nil {
		return nil, err
	}
	return []Planned{{Event: e, Parties: people}}, nil
}

func noSequence(field string) error {
	return &events.FieldError{Field: field, Rule: "has no entries in this ledger, or was erased", Next: "check the identity; there is nothing to end"}
}

// inSubject says that what is wrong with the only one of a list is wrong with it.
func inSubject(err error) error {
	if fe, ok := err.(*events.FieldError); ok && fe.Field == "subjects[0].id" {
		return &events.FieldError{Field: "subject.id", Rule: fe.Rule, Next: fe.Next}
	}
	return err
}

// ConfirmClosure does what a request asks for.
type ConfirmClosure struct {
	ID  events.ID
	By  string   // pseudonym of who confirms
	Kin []string // pseudonyms of those with whom they are no two people
}

// About implements [Command].
func (cmd *ConfirmClosure) About() (events.ID, bool) { return cmd.ID, true }

// Type implements [Ending].
func (*ConfirmClosure) Type() string { return events.TypeClosed }

// Decide implements [Command].
func (cmd *ConfirmClosure) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	request, person, err := pending(state, t)
	if err != nil {
		return nil, err
	}
	until, err := time.Parse(time.RFC3339, request.Until)
	switch {
	case request.By == cmd.By:
		return nil, &events.FieldError{Field: "id", Rule: "names a request of your own: it takes two", Next: "let another actor confirm it"}
	case slices.Contains(cmd.Kin, request.By):
		return nil, NotTwo()
	case err != nil || now.After(until):
		return nil, &events.FieldError{Field: "id", Rule: "names a request that has expired", Next: "ask again, if it is still wanted"}
	}
	if request.Action == "rotate" {
		return ending(person, events.ReasonRotated), nil
	}
	return ending(person, events.ReasonErased), nil
}

// DeclineClosure ends a request without doing what it asks for. Whoever asked may do
// it too.
type DeclineClosure struct {
	ID     events.ID
	Reason string
	At     string // RFC 3339 time in UTC
}

// About implements [Command].
func (cmd *DeclineClosure) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *DeclineClosure) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	if _, _, err := pending(state, t); err != nil {
		return nil, err
	}
	e := &events.ClosureDeclined{Declining: events.Declining{At: cmd.At, Reason: cmd.Reason}}
	if err := e.Validate(now); err != nil {
		return nil, err
	}
	return []Planned{t.about(e, t.Parties)}, nil
}

// pending returns a request that nothing has ended, and whom it is about.
func pending(state State, t *Target) (*events.Closure, Party, error) {
	request, ok := t.Event.(*events.ClosureRequested)
	switch {
	case !ok:
		return nil, Party{}, &events.FieldError{Field: "id", Rule: "names no request for an erasure or a rotation", Next: "use the id that asking for it answered"}
	case t.Ended != "":
		return nil, Party{}, &events.FieldError{Field: "id", Rule: "names a request that a " + t.Ended + " has ended", Next: "ask again, if it is still wanted"}
	}
	at := slices.IndexFunc(t.Parties, func(p Party) bool { return p.Role == events.RoleSubject })
	if at < 0 || !state.Enrolled(events.RoleSubject, t.Parties[at].ID) {
		return nil, Party{}, noSequence("id")
	}
	return &request.Closure, Party{Role: events.RoleSubject, ID: t.Parties[at].ID}, nil
}
