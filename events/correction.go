package events

import (
	"bytes"
	"maps"
	"slices"
)

// SubjectsAdded adds people to a share that is recorded already. It holds the
// share again, so that those who are added need nothing else; its extent counts
// them alone.
type SubjectsAdded struct{ DisclosureRecorded }

// Type implements [Event].
func (*SubjectsAdded) Type() string { return TypeSubjectsAdded }

// DisclosureAmended replaces what a record says. The record stays; this event
// holds the share as it is now known to have been.
type DisclosureAmended struct {
	DisclosureRecorded
	Amendment Amendment `json:"amendment"`
}

// Amendment says how a record was amended.
type Amendment struct {
	Version uint64   `cbor:"version" json:"version" doc:"1 for the first amendment of a record, and so on without a gap"`
	Kind    string   `cbor:"kind" json:"kind" doc:"correct or supplement"`
	Reason  string   `cbor:"reason" json:"reason" doc:"why the record is amended, in words that say nothing of a person"`
	Changed []string `cbor:"changed" json:"changed" doc:"the field groups that differ from the version before"`
}

// Type implements [Event].
func (*DisclosureAmended) Type() string { return TypeDisclosureAmended }

func (d *DisclosureAmended) groups() []group {
	return append(d.DisclosureRecorded.without("extent"), group{"amendment", &d.Amendment, true})
}

// Changed names the field groups in which two shares differ, in order. How many
// people a share concerns is not amended, so it does not count.
func Changed(was, is *DisclosureRecorded) (names []string) {
	values := map[string][]byte{}
	for _, f := range Fields(was) {
		values[f.Name] = f.Value
	}
	for _, f := range Fields(is) {
		if before, there := values[f.Name]; !there || !bytes.Equal(before, f.Value) {
			names = append(names, f.Name)
		}
		delete(values, f.Name)
	}
	names = slices.AppendSeq(names, maps.Keys(values))
	names = slices.DeleteFunc(names, func(name string) bool { return name == "extent" })
	slices.Sort(names)
	return names
}

// DisclosureRetracted says that a record is not to be relied on. The record
// stays, and so does its proof.
type DisclosureRetracted struct {
	Retraction Retraction `json:"retraction"`
}

// Retraction says why a record is withdrawn, and for how many people.
type Retraction struct {
	Ground string `cbor:"ground" json:"ground" doc:"recorded_in_error, did_not_happen, duplicate or wrong_person"`
	Reason string `cbor:"reason,omitempty" json:"reason,omitempty" doc:"in words that say nothing of a person"`
	Scope  string `cbor:"scope" json:"scope" doc:"whole, or part: for the people of this event alone"`
	People uint64 `cbor:"people" json:"people" doc:"how many people it is withdrawn for"`
}

// Type implements [Event].
func (*DisclosureRetracted) Type() string { return TypeDisclosureRetracted }

func (d *DisclosureRetracted) groups() []group {
	return []group{{"retraction", &d.Retraction, true}}
}

// DisclosureDisputed says that somebody contests a record. What the person says
// stands in their own slot.
type DisclosureDisputed struct {
	Dispute Dispute `json:"dispute"`
}

// Dispute says who contests a record, and on which ground.
type Dispute struct {
	By     string `cbor:"by" json:"by" doc:"subject or recipient"`
	Ground string `cbor:"ground" json:"ground" doc:"such as not_me, did_not_happen, inaccurate, no_consent"`
	At     string `cbor:"at" json:"at" doc:"RFC 3339 time in UTC"`
}

// Type implements [Event].
func (*DisclosureDisputed) Type() string { return TypeDisclosureDisputed }

func (d *DisclosureDisputed) groups() []group {
	return []group{{"dispute", &d.Dispute, true}}
}

// DisputeResolved ends a dispute.
type DisputeResolved struct {
	Resolution Resolution `json:"resolution"`
}

// Resolution says how a dispute ended.
type Resolution struct {
	Outcome string `cbor:"outcome" json:"outcome" doc:"upheld, upheld_in_part, rejected or withdrawn"`
	Reason  string `cbor:"reason" json:"reason" doc:"in words that say nothing of a person"`
	At      string `cbor:"at" json:"at" doc:"RFC 3339 time in UTC"`
}

// Type implements [Event].
func (*DisputeResolved) Type() string { return TypeDisputeResolved }

func (d *DisputeResolved) groups() []group {
	return []group{{"resolution", &d.Resolution, true}}
}
