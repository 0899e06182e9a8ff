package projections

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Disclosure is a share as one of its parties sees it: as it is now known to have
// been, with what became of its record.
type Disclosure struct {
	Number   uint64    `json:"number" doc:"the party's own count"`
	Index    uint64    `json:"index" doc:"leaf of the record"`
	Header   *uint64   `json:"header,omitempty" doc:"leaf that holds the share, if the party's own leaf only continues it: a share to many people"`
	EventID  events.ID `json:"event_id" doc:"id of the record"`
	Type     string    `json:"type" doc:"of the record, such as DisclosureRecorded or SeriesOpened"`
	Recorded time.Time `json:"recorded" doc:"by the leaf's clock"`

	Version uint64                    `json:"version" doc:"0: as recorded; more: as amended so often"`
	Amended *Amended                  `json:"amended,omitempty" doc:"what made this version, if not the record"`
	Share   events.DisclosureRecorded `json:"share"`
	Period  *events.Period            `json:"period,omitempty" doc:"when data may have been shared, if only that is known"`
	Private *events.Private           `json:"private,omitempty" doc:"what the party's own slot says"`

	Unsealed *events.Unsealing `json:"unsealed,omitempty" doc:"if the record was under seal until now: under whose order, and what ended it"`
	Status   DisclosureStatus  `json:"status"`
}

// Amended is the event that made a version.
type Amended struct {
	Event
	events.Amendment
}

// Event is a later event about a record.
type Event struct {
	Index    uint64    `json:"index" doc:"leaf"`
	Header   *uint64   `json:"header,omitempty" doc:"leaf that holds what is said, if the party's own leaf only continues it"`
	EventID  events.ID `json:"event_id"`
	Recorded time.Time `json:"recorded"`
}

// RecordState is how far a record may be relied on.
type RecordState string

// The states of a record.
const (
	StateRecorded        RecordState = "recorded"
	StateAmended         RecordState = "amended"
	StateRetractedInPart RecordState = "retracted_in_part" // for some of the people, seen by the recipient
	StateRetracted       RecordState = "retracted"
)

// DisclosureStatus is what became of a record, in the order in which it happened.
type DisclosureStatus struct {
	State            RecordState    `json:"state" enum:"recorded,amended,retracted_in_part,retracted"`
	Disputed         bool           `json:"disputed" doc:"a dispute is open"`
	Added            uint64         `json:"added,omitempty" doc:"people added to the share later"`
	Series           *SeriesStatus  `json:"series,omitempty" doc:"if it is a series"`
	Retractions      []Retracted    `json:"retractions,omitempty"`
	Disputes         []Disputed     `json:"disputes,omitempty"`
	Acknowledgements []Acknowledged `json:"acknowledgements,omitempty"`
	Onward           []PassedOn     `json:"onward,omitempty" doc:"to whom the recipient passed data on"`
}

// SeriesStatus is how far a series has come.
type SeriesStatus struct {
	events.Series
	Progress *events.SeriesProgress `json:"progress,omitempty" doc:"as last reported"`
	Closing  *events.SeriesClosing  `json:"closing,omitempty" doc:"if it is closed"`
}

// Retracted is a retraction.
type Retracted struct {
	Event
	events.Retraction
}

// Disputed is a dispute and its end.
type Disputed struct {
	Event
	events.Dispute
	Resolved *Resolved `json:"resolved,omitempty" doc:"absent while it is open"`
}

// Resolved is the end of a dispute.
type Resolved struct {
	Event
	events.Resolution
}

// Acknowledged is what the recipient said of a share.
type Acknowledged struct {
	Event
	events.Acknowledgement
}

// PassedOn is a share by the recipient.
type PassedOn struct {
	Event
	Onward    events.Onward    `json:"onward"`
	Recipient events.Recipient `json:"recipient"`
}

// recordOf is an entry as recorded.
func recordOf(e *Entry) (Disclosure, error) {
	d := Disclosure{
		Number: e.Number, Index: e.Index, Header: e.Record, EventID: e.EventID, Type: e.Type, Recorded: e.Recorded,
		Status: DisclosureStatus{State: StateRecorded},
	}
	var err error
	switch e.Type {
	case events.TypeSeriesOpened:
		var series events.SeriesOpened
		err = e.read(&series)
		d.Share, d.Status.Series = *events.ShareIn(&series), &SeriesStatus{Series: series.Series}
	case events.TypePossibleRecorded:
		var possible events.PossibleRecorded
		err = e.read(&possible)
		d.Share, d.Period = *events.ShareIn(&possible), &possible.Period
	case events.TypeUnsealed:
		var told events.Unsealed
		if err = e.read(&told); err == nil {
			d.Unsealed = &told.Unsealing
			err = d.unsealed(&told)
		}
	default:
		err = e.read(&d.Share)
	}
	if err == nil {
		d.Private, err = e.private()
	}
	return d, err
}

// unsealed fills in the record that was under seal.
func (d *Disclosure) unsealed(told *events.Unsealed) error {
	inner, err := told.Record.Event()
	if err != nil {
		return errors.New("reading what was under seal: malformed fields; rebuild the read model")
	}
	switch inner := inner.(type) {
	case *events.SeriesOpened:
		d.Status.Series = &SeriesStatus{Series: inner.Series}
	case *events.PossibleRecorded:
		d.Period = &inner.Period
	}
	d.Share = *events.ShareIn(inner)
	return nil
}

// apply takes into account what a later entry says of the record.
func (d *Disclosure) apply(e *Entry, seenBy events.Role) error {
	s, at := &d.Status, e.event()
	switch e.Type {
	case events.TypeDisclosureAmended:
		return d.amend(e, at)
	case events.TypeDisclosureRetracted:
		var r events.DisclosureRetracted
		err := e.read(&r)
		s.Retractions = append(s.Retractions, Retracted{at, r.Retraction})
		// Whom a retraction of a part is not about has no entry of it.
		s.State = StateRetracted
		if r.Retraction.Scope == "part" && seenBy == events.RoleRecipient {
			s.State = StateRetractedInPart
		}
		return err
	case events.TypeDisclosureDisputed:
		var dispute events.DisclosureDisputed
		err := e.read(&dispute)
		s.Disputes, s.Disputed = append(s.Disputes, Disputed{Event: at, Dispute: dispute.Dispute}), true
		return err
	case events.TypeDisputeResolved:
		return s.resolve(e, at)
	case events.TypeDisclosureAcknowledged:
		var a events.DisclosureAcknowledged
		err := e.read(&a)
		s.Acknowledgements = append(s.Acknowledgements, Acknowledged{at, a.Acknowledgement})
		return err
	case events.TypeOnwardReported:
		var o events.OnwardReported
		err := e.read(&o)
		s.Onward = append(s.Onward, PassedOn{at, o.Onward, o.Recipient})
		return err
	case events.TypeSubjectsAdded:
		var added events.SubjectsAdded
		err := e.read(&added)
		s.Added += added.Extent.Subjects
		return err
	case events.TypeSeriesUpdated, events.TypeSeriesClosed:
		if s.Series != nil {
			return e.read(s.Series) // members of the same names
		}
	}
	return nil
}

// amend replaces what the record says. What an amendment does not say, how many
// people it concerns and what the party's own slot says, stays.
func (d *Disclosure) amend(e *Entry, at Event) error {
	var amended events.DisclosureAmended
	if err := e.read(&amended); err != nil {
		return err
	}
	amended.Extent = d.Share.Extent
	d.Share, d.Version, d.Amended = amended.DisclosureRecorded, amended.Amendment.Version, &Amended{at, amended.Amendment}
	if d.Status.State == StateRecorded {
		d.Status.State = StateAmended
	}
	private, err := e.private()
	if private != nil {
		d.Private = private
	}
	return err
}

func (s *DisclosureStatus) resolve(e *Entry, at Event) error {
	var r events.DisputeResolved
	err := e.read(&r)
	s.Disputed = false
	for i := range s.Disputes {
		dispute := &s.Disputes[i]
		if leaf := dispute.Header; dispute.Index == *e.About || leaf != nil && *leaf == *e.About {
			dispute.Resolved = &Resolved{at, r.Resolution}
		}
		s.Disputed = s.Disputed || dispute.Resolved == nil
	}
	return err
}

// laterEntries are entries by the leaf that they are about.
type laterEntries map[uint64][]*Entry

func laterBy(all []Entry) laterEntries {
	by := laterEntries{}
	for i := range all {
		if e := &all[i]; e.About != nil {
			by[*e.About] = append(by[*e.About], e)
		}
	}
	return by
}

// of returns what became of the record at a leaf, and of its disputes, in order.
func (by laterEntries) of(leaf uint64) []*Entry {
	of := slices.Clone(by[leaf])
	for _, e := range by[leaf] {
		if e.Type == events.TypeDisclosureDisputed {
			of = append(of, by[e.RecordLeaf()]...)
		}
	}
	slices.SortFunc(of, func(a, b *Entry) int { return cmp.Compare(a.Index, b.Index) })
	return slices.CompactFunc(of, func(a, b *Entry) bool { return a.Index == b.Index })
}

// versionsOf returns all versions of a record, each as it was until the next one.
func versionsOf(e *Entry, later []*Entry, seenBy events.Role) ([]Disclosure, error) {
	d, err := recordOf(e)
	if err != nil {
		return nil, err
	}
	var all []Disclosure
	for _, l := range later {
		if l.Type == events.TypeDisclosureAmended {
			before := d
			before.Status.Disputes = slices.Clone(d.Status.Disputes)
			all = append(all, before)
		}
		if err := d.apply(l, seenBy); err != nil {
			return nil, err
		}
	}
	return append(all, d), nil
}

// read decodes what the event says.
func (e *Entry) read(into any) error {
	if err := json.Unmarshal([]byte(e.Facts), into); err != nil {
		return errors.New("reading the facts of an entry: malformed JSON; rebuild the read model")
	}
	return nil
}

func (e *Entry) private() (private *events.Private, err error) {
	if e.Private != "" && json.Unmarshal([]byte(e.Private), &private) != nil {
		err = errors.New("reading the private part of an entry: malformed JSON; rebuild the read model")
	}
	return private, err
}
