package decide

import (
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Choose records a person's opt-in or opt-out: ConsentGiven or ConsentRefused.
type Choose struct {
	Event   events.Validatable
	Subject Subject
}

// About implements [Command].
func (cmd *Choose) About() (events.ID, bool) { return events.ID{}, false }

// Decide implements [Command].
func (cmd *Choose) Decide(state State, _ *Target, now time.Time) ([]Planned, error) {
	if err := cmd.Event.Validate(now); err != nil {
		return nil, err
	}
	people, err := parseSubjects(state, []Subject{cmd.Subject})
	if err != nil {
		return nil, err
	}
	return enrolling(state, Planned{Event: cmd.Event, Parties: people}), nil
}

// EndConsent ends a consent: ConsentWithdrawn or ConsentExpired.
type EndConsent struct {
	ID    events.ID
	Event events.Validatable
}

// About implements [Command].
func (cmd *EndConsent) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *EndConsent) Decide(_ State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.open(cmd.Event.Type()); err != nil {
		return nil, err
	}
	if err := cmd.Event.Validate(now); err != nil {
		return nil, err
	}
	return []Planned{t.about(cmd.Event, t.Parties)}, nil
}
