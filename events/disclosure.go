package events

import "slices"

// DisclosureRecorded is one share of personal data with one recipient. What may
// describe the person (free text, references) is not here but in the subject's
// own slot ([Private]). The groups are the unit of disclosure: each can be
// opened by itself.
type DisclosureRecorded struct {
	Occurred   Occurred   `json:"occurred,omitzero" required:"true" doc:"when the data was shared"`
	Reasons    []Reason   `json:"reasons" doc:"why, one or more of the statement's situations"`
	Purposes   []string   `json:"purposes,omitempty" doc:"what the recipient may use the data for"`
	LegalBases []string   `json:"legal_bases,omitempty" doc:"statute references such as GDPR 6(1)(b)"`
	Recipient  Recipient  `json:"recipient" doc:"who received the data, as known at the time of the share"`
	Data       SharedData `json:"data" doc:"what was shared"`
	Context    Context    `json:"context,omitzero" doc:"where in the product the share happened"`
	Promise    Promise    `json:"promise" doc:"the privacy statement in force"`
	Transfer   *Transfer  `json:"transfer,omitempty" doc:"the basis of a transfer to another country"`
	CPRA       CPRA       `json:"cpra,omitzero" doc:"how the California Privacy Rights Act classes the share"`
	Links      Links      `json:"links,omitzero" doc:"what this share follows from"`
	Conveyance Conveyance `json:"conveyance,omitzero" doc:"how the data went over, how often, for how long"`
	Provenance Provenance `json:"provenance" doc:"where the record comes from"`
	Research   *Study     `json:"research,omitempty" doc:"the study, if the share is for research"`
	Extent     Extent     `json:"extent,omitzero" readOnly:"true" doc:"how many people the share concerns; counted by the ledger"`
}

// Occurred is when a share happened, which may be long before it is recorded.
type Occurred struct {
	At         string `cbor:"at" json:"at" doc:"RFC 3339 time in UTC, such as 2026-11-22T10:00:00Z"`
	Precision  string `cbor:"precision,omitempty" json:"precision,omitempty" doc:"instant (default), day or month"`
	LateReason string `cbor:"late_reason,omitempty" json:"late_reason,omitempty" doc:"why it is recorded late"`
}

// Recipient is a snapshot: later changes to the recipient do not change it.
type Recipient struct {
	ID             string `cbor:"id" json:"id" doc:"namespace:local, such as org:contoso-logistics"`
	LegalName      string `cbor:"legal_name" json:"legal_name"`
	Address        string `cbor:"address,omitempty" json:"address,omitempty"`
	Contact        string `cbor:"contact,omitempty" json:"contact,omitempty"`
	Representative string `cbor:"representative,omitempty" json:"representative,omitempty"`
	Country        string `cbor:"country" json:"country" doc:"ISO 3166-1 alpha-2"`
	Category       string `cbor:"category" json:"category" doc:"such as affiliate, processor, law_enforcement"`
	Role           string `cbor:"role,omitempty" json:"role,omitempty" doc:"controller, joint_controller or processor"`
}

// SharedData says what kinds of data went over.
type SharedData struct {
	Categories  []string `cbor:"categories" json:"categories" doc:"such as contact, address, payment, usage, health"`
	Sensitivity []string `cbor:"sensitivity,omitempty" json:"sensitivity,omitempty" doc:"special categories, if any"`
	Kind        string   `cbor:"kind,omitempty" json:"kind,omitempty" doc:"content or metadata"`
}

// Context is where the share happened.
type Context struct {
	ProductArea  string `cbor:"product_area,omitempty" json:"product_area,omitempty"`
	Account      string `cbor:"account,omitempty" json:"account,omitempty" doc:"personal, org_administered or both"`
	Organisation string `cbor:"organisation,omitempty" json:"organisation,omitempty"`
	Controller   string `cbor:"controller,omitempty" json:"controller,omitempty" doc:"controller of record"`
}

// Promise pins the share to what people were told at the time.
type Promise struct {
	Statement  string `cbor:"statement" json:"statement" doc:"version of the privacy statement in force"`
	Instrument string `cbor:"instrument,omitempty" json:"instrument,omitempty" doc:"governing contract or order"`
}

// Transfer is the basis of a cross-border transfer.
type Transfer struct {
	From      string `cbor:"from" json:"from" doc:"ISO 3166-1 alpha-2"`
	To        string `cbor:"to" json:"to" doc:"ISO 3166-1 alpha-2"`
	Mechanism string `cbor:"mechanism" json:"mechanism" doc:"such as adequacy, scc_2021_m2, dpf_eu"`
	Safeguard string `cbor:"safeguard,omitempty" json:"safeguard,omitempty"`
	Copy      string `cbor:"copy,omitempty" json:"copy,omitempty" doc:"how to get a copy of the safeguard"`
}

// CPRA classes a share for Cal. Civ. Code 1798.110 and 1798.115: sold, shared,
// disclosed for a business purpose, or none of them.
type CPRA struct {
	Class         string `cbor:"class" json:"class"`
	Consideration string `cbor:"consideration,omitempty" json:"consideration,omitempty" doc:"what was given for the data"`
}

// Links names other records of the ledger. What links to a person (a consent, a
// legal request) is in that person's [Private].
type Links struct {
	Parent string `cbor:"parent" json:"parent" doc:"id of the share this one passes on"`
}

// Conveyance is how the data went over.
type Conveyance struct {
	Medium     string `cbor:"medium,omitempty" json:"medium,omitempty" doc:"such as api, file, ehr, paper, oral"`
	Recurrence string `cbor:"recurrence,omitempty" json:"recurrence,omitempty" doc:"once (default), daily, weekly, monthly or continuous"`
	Retention  string `cbor:"retention,omitempty" json:"retention,omitempty" doc:"how long the recipient keeps the data, in words"`
}

// Study describes a research activity (45 CFR 164.528(b)(4)).
type Study struct {
	Protocol   string `cbor:"protocol" json:"protocol" doc:"name of the protocol or research activity"`
	Purpose    string `cbor:"purpose,omitempty" json:"purpose,omitempty" doc:"in plain words, with the criteria for selecting records"`
	Sponsor    string `cbor:"sponsor,omitempty" json:"sponsor,omitempty" doc:"name, address and telephone number"`
	Researcher string `cbor:"researcher,omitempty" json:"researcher,omitempty" doc:"to whom the data went: name, address and telephone number"`
}

// Provenance grades how the record came to be.
type Provenance struct {
	Grade  string `cbor:"grade" json:"grade" doc:"native, system_log, attested_legacy or reconstructed"`
	Source string `cbor:"source,omitempty" json:"source,omitempty" doc:"where the data itself came from"`
	Method string `cbor:"method,omitempty" json:"method,omitempty" doc:"how it is recorded, as the APPI asks: written, electronic or microfilm"`
}

// Extent fixes how many people a share concerns and how many continuation
// events follow, so that nobody can be added to it afterwards.
type Extent struct {
	Subjects      uint64 `cbor:"subjects" json:"subjects"`
	Continuations uint64 `cbor:"continuations" json:"continuations"`
}

// Type implements [Event].
func (*DisclosureRecorded) Type() string { return TypeDisclosureRecorded }

// groups implements [Event]: in the order of the field numbers, which have one
// place (14) that no share fills yet.
func (d *DisclosureRecorded) groups() []group {
	return []group{
		{"occurred", &d.Occurred, true},
		{"reasons", &d.Reasons, true},
		{"purposes", &d.Purposes, len(d.Purposes) > 0},
		{"legal_bases", &d.LegalBases, len(d.LegalBases) > 0},
		{"recipient", &d.Recipient, true},
		{"data", &d.Data, true},
		{"context", &d.Context, d.Context != Context{}},
		{"promise", &d.Promise, true},
		{"transfer", &d.Transfer, d.Transfer != nil},
		{"cpra", &d.CPRA, d.CPRA != CPRA{}},
		{"links", &d.Links, d.Links != Links{}},
		{"conveyance", &d.Conveyance, d.Conveyance != Conveyance{}},
		{"provenance", &d.Provenance, true},
		{"research", &d.Research, d.Research != nil},
		{"extent", &d.Extent, true},
	}
}

// without returns the groups of a share but one, for the types that say something
// else in its place.
func (d *DisclosureRecorded) without(name string) []group {
	return slices.DeleteFunc(d.groups(), func(g group) bool { return g.name == name })
}
