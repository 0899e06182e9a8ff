package verifier

import (
	"github.com/sharetrail/sharetrail/events"
)

// Query asks for everything a ledger holds about one party.
type Query struct {
	Role events.Role
	// IDs are the names that the party goes by, as the reader knows them. What
	// they lead to, such as the name that an alias stands for, is found.
	IDs []events.Identity
	// Filter says which entries are shown in full; nil means all.
	Filter *Filter
	// Since is an earlier signed checkpoint of this ledger's; the report proves that
	// nothing of it was changed. Empty means none.
	Since string
	// Copy leaves out what only the party itself should have: its handles, and
	// with them every proof that nothing is missing.
	Copy bool
}

// Report is the signed JSON document of a report file.
type Report struct {
	Trust     string     `json:"trust"` // canonical trust file; must equal what the reader pinned
	Parts     []Evidence `json:"parts"` // one for each ledger of the chain, the oldest first; the last is the pinned one
	Statement Statement  `json:"statement"`
}

// Statement is what the operator says beside the proofs. Nothing proves it.
type Statement struct {
	GeneratedAt string `json:"generated_at"`
	Notice      string `json:"notice"`
}

// Evidence is everything about one party in one ledger, under one checkpoint.
type Evidence struct {
	Origin     string   `json:"origin"`
	Stream     string   `json:"stream"`
	Role       string   `json:"role"`
	IDs        []string `json:"ids"`        // what was asked for, namespace:local, sorted, each once
	Checkpoint string   `json:"checkpoint"` // signed note with cosignatures
	Earlier    *Earlier `json:"earlier,omitempty"`
	Rules      []string `json:"rules"` // every version up to the state's, oldest first
	Genesis    Proven   `json:"genesis"`
	State      Proven   `json:"state"`
	Names      []Name   `json:"names"` // one for each of IDs, then those that aliases lead to
	Targets    []Target `json:"targets"`
	Filter     *Filter  `json:"filter,omitempty"`
	Copy       bool     `json:"copy,omitempty"` // for third parties: inclusion only
}

// Earlier is a checkpoint that the report's one extends.
type Earlier struct {
	Checkpoint string `json:"checkpoint"`
	Proof      Path   `json:"proof"` // RFC 6962 consistency proof
}

// Proven is a leaf with its inclusion under the checkpoint.
type Proven struct {
	Index     uint64 `json:"index"`
	Leaf      []byte `json:"leaf"`
	Inclusion Path   `json:"inclusion"`
}

// Name is what the ledger holds under one identity: its generations from 0 on,
// and the proof that there are no others.
type Name struct {
	ID          string       `json:"id"`
	Generations []Generation `json:"generations"`
	Absences    []Absence    `json:"absences"`
}

// Generation is one sequence of entries, or one time that the name was an alias
// of another: from its enrolment to where it was closed, if it was.
type Generation struct {
	Number   uint64     `json:"number"`
	Enrol    *Enrolment `json:"enrol,omitempty"` // left out of a copy, as Close and Absences
	Close    *Closing   `json:"close,omitempty"`
	Entries  []Entry    `json:"entries"`
	Absences []Absence  `json:"absences"` // that no entry follows the last
}

// Enrolment proves that a generation began.
type Enrolment struct {
	VRF []byte `json:"vrf"`
	Proven
	Slot   uint16   `json:"slot"`
	Opened *Opening `json:"opened,omitempty"` // nil once it is erased: nobody can open it any more
	Member Path     `json:"member"`
}

// Opening opens one slot and the whole event around it.
type Opening struct {
	Opening events.Hash `json:"opening"`
	Content []byte      `json:"content"`
	EventID events.ID   `json:"event_id"`
	Type    string      `json:"type"`
	Seed    events.Hash `json:"seed"` // opens the event and its fields; it opens no slot
}

// Closing proves that a generation ended and why. Its slot is opened by the VRF,
// so that this outlives the party's keys.
type Closing struct {
	VRF []byte `json:"vrf"`
	Proven
	Slot    uint16 `json:"slot"`
	Content []byte `json:"content"`
	Member  Path   `json:"member"`
}

// Entry is one entry of a sequence; the index leads from the party's label to it
// and to no other. A disclosed one is opened whole: slot, event, every field. A
// filtered one opens its event type and the fields that the filter read, and its
// slot only if it says which entry it is about.
type Entry struct {
	Number uint64 `json:"number"`
	Proven
	Slot    uint16    `json:"slot"`
	Member  Path      `json:"member,omitempty"`
	EventID events.ID `json:"event_id"`
	Type    string    `json:"type"`

	Opening *events.Hash `json:"opening,omitempty"` // of the slot, with Content
	Content []byte       `json:"content,omitempty"`

	Seed   *events.Hash `json:"seed,omitempty"`   // disclosed: opens event and fields
	Fields []byte       `json:"fields,omitempty"` // disclosed: the body's plaintext

	Event *events.Hash `json:"event,omitempty"` // filtered: opens the event alone
	Shown []Field      `json:"shown,omitempty"` // filtered: what the filter read
}

// Field is one opened field of a body; it says nothing of its neighbours.
type Field struct {
	Number  uint16      `json:"number"`
	Name    string      `json:"name"`
	Value   []byte      `json:"value"`
	Opening events.Hash `json:"opening"`
	Path    Path        `json:"path"`
}

// Target is a leaf that the slot of an entry names and that is no entry of this
// report: the header of a share with more people than fit, or a sealed record.
type Target struct {
	Proven
	Slot    *uint16      `json:"slot,omitempty"` // with Opening and Content, if a slot of it is meant
	Opening *events.Hash `json:"opening,omitempty"`
	Content []byte       `json:"content,omitempty"`
	EventID events.ID    `json:"event_id"`
	Type    string       `json:"type"`
	Seed    events.Hash  `json:"seed"`
	Fields  []byte       `json:"fields"`
}
