package decide

import (
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Dispute records that a subject or the recipient contests a record.
type Dispute struct {
	ID      events.ID
	Dispute events.Dispute
	// Subject contests, or is contested about by the recipient; what they say is
	// told to them alone. Empty if the recipient contests the whole record.
	Subject Subject
}

// About implements [Command].
func (cmd *Dispute) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *Dispute) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.open(events.TypeDisclosureDisputed); err != nil {
		return nil, err
	}
	disputed := &events.DisclosureDisputed{Dispute: cmd.Dispute}
	if err := disputed.Validate(now); err != nil {
		return nil, err
	}
	if cmd.Dispute.By == "subject" && cmd.Subject.ID == "" {
		return nil, &events.FieldError{Field: "subject.id", Rule: "is required when a subject disputes", Next: "name who disputes"}
	}
	if cmd.Subject.ID == "" {
		return []Planned{t.about(disputed, t.Parties)}, nil
	}
	people, err := t.some(state, []Subject{cmd.Subject})
	if err != nil {
		return nil, err
	}
	return []Planned{t.about(disputed, append(t.of(events.RoleRecipient), people...))}, nil
}

// of returns the record's parties of a role.
func (t *Target) of(role events.Role) (parties []Party) {
	for _, p := range t.Parties {
		if p.Role == role {
			parties = append(parties, p)
		}
	}
	return parties
}

// ResolveDispute ends a dispute, whose id it names.
type ResolveDispute struct {
	ID         events.ID
	Resolution events.Resolution
}

// About implements [Command].
func (cmd *ResolveDispute) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *ResolveDispute) Decide(_ State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.open(events.TypeDisputeResolved); err != nil {
		return nil, err
	}
	resolved := &events.DisputeResolved{Resolution: cmd.Resolution}
	if err := resolved.Validate(now); err != nil {
		return nil, err
	}
	return []Planned{t.about(resolved, t.Parties)}, nil
}

// Acknowledge records what the recipient says of a share.
type Acknowledge struct {
	ID              events.ID
	Acknowledgement events.Acknowledgement
}

// About implements [Command].
func (cmd *Acknowledge) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *Acknowledge) Decide(_ State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.open(events.TypeDisclosureAcknowledged); err != nil {
		return nil, err
	}
	acknowledged := &events.DisclosureAcknowledged{Acknowledgement: cmd.Acknowledgement}
	if err := acknowledged.Validate(now); err != nil {
		return nil, err
	}
	return []Planned{t.about(acknowledged, t.Parties)}, nil
}

// ReportOnward records that the recipient of a share passed the data on.
type ReportOnward struct {
	ID     events.ID
	Onward events.OnwardReported
}

// About implements [Command].
func (cmd *ReportOnward) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *ReportOnward) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.open(events.TypeOnwardReported); err != nil {
		return nil, err
	}
	reported := cmd.Onward
	if reported.Onward.By == "" {
		reported.Onward.By = t.Share.Recipient.ID
	}
	if reported.Onward.Precision == "instant" {
		reported.Onward.Precision = ""
	}
	if err := reported.Validate(now); err != nil {
		return nil, err
	}
	by, err := recipientIn(state, "onward.by", &reported.Onward.By)
	if err != nil {
		return nil, err
	}
	if _, there := t.find(by.Role, by.ID); !there {
		return nil, &events.FieldError{Field: "onward.by", Rule: "did not receive the share", Next: "name the share's recipient, or leave it out"}
	}
	to, err := recipientIn(state, "recipient.id", &reported.Recipient.ID)
	if err != nil {
		return nil, err
	}
	if to.ID == by.ID {
		return nil, &events.FieldError{Field: "recipient.id", Rule: "is the one who passed it on", Next: "name who received it from them"}
	}
	planned := t.about(&reported, t.Parties)
	// Whoever received it from the recipient has no entry in the first share.
	planned.Parties = append(planned.Parties, to)
	return enrolling(state, planned), nil
}
