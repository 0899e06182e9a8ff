package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Chosen is what a person chose.
type Chosen string

// What a person may choose.
const (
	OptIn  Chosen = "opt_in"
	OptOut Chosen = "opt_out"
)

// Consent is one choice of a person.
type Consent struct {
	Number uint64 `json:"number" doc:"the person's own count"`
	Event
	Chosen  Chosen          `json:"chosen" enum:"opt_in,opt_out"`
	Choice  events.Choice   `json:"choice" doc:"when and how it was made"`
	Scope   events.Scope    `json:"scope" doc:"until among it, if it ends by itself"`
	Private *events.Private `json:"private,omitempty" doc:"what the person's own slot says"`
	Ended   *ConsentEnd     `json:"ended,omitempty" doc:"if it was withdrawn or has expired"`
}

// ConsentEnd is the end of a consent.
type ConsentEnd struct {
	Event
	How string `json:"how" enum:"withdrawn,expired"`
	events.Choice
}

// ConsentQuery asks for a person's choices.
type ConsentQuery struct {
	// InForce asks for those in force at a time: made, and neither withdrawn nor
	// expired. Zero: all. Of choices that contradict each other all are returned.
	InForce time.Time

	AsOf uint64 // as the state that wants this revision next told it; 0: the newest
}

// Consents are an answer from one state.
type Consents struct {
	AsOf     uint64    `json:"as_of" doc:"the revision that the rows want next"`
	Consents []Consent `json:"consents" doc:"in the order in which they were recorded"`
}

// Consents returns what a person chose. ErrParked if the rows about the person are
// incomplete.
func (m *ReadModel) Consents(ctx context.Context, id events.Identity, q ConsentQuery) (*Consents, error) {
	page, err := m.all(ctx, events.RoleSubject, id, EntryQuery{Kind: KindConsent, UpTo: upTo(q.AsOf), Later: true})
	if err != nil {
		return nil, fmt.Errorf("listing consents: %w", err)
	}
	answer := &Consents{AsOf: page.Next, Consents: []Consent{}}
	later := laterBy(page.Later)
	for i := range page.Entries {
		c, err := consentOf(&page.Entries[i], later.of(page.Entries[i].Index))
		if err != nil {
			return nil, fmt.Errorf("listing consents: %w", err)
		}
		if q.InForce.IsZero() || c.inForce(q.InForce) {
			answer.Consents = append(answer.Consents, c)
		}
	}
	return answer, nil
}

func consentOf(e *Entry, later []*Entry) (Consent, error) {
	c := Consent{Number: e.Number, Event: e.event(), Chosen: OptIn}
	if e.Type == events.TypeConsentRefused {
		c.Chosen = OptOut
	}
	var said events.ConsentGiven // the other one has the same members
	if err := e.read(&said); err != nil {
		return c, err
	}
	c.Choice, c.Scope = said.Choice, said.Scope
	for _, l := range later {
		var said events.ConsentWithdrawn // likewise
		if err := l.read(&said); err != nil {
			return c, err
		}
		c.Ended = &ConsentEnd{l.event(), "withdrawn", said.Choice}
		if l.Type == events.TypeConsentExpired {
			c.Ended.How = "expired"
		}
	}
	var err error
	c.Private, err = e.private()
	return c, err
}

// inForce reports whether the choice held at a time.
func (c *Consent) inForce(at time.Time) bool {
	return !moment(c.Choice.At).After(at) &&
		(c.Scope.Until == "" || at.Before(moment(c.Scope.Until))) &&
		(c.Ended == nil || at.Before(moment(c.Ended.At)))
}
