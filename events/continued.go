package events

import (
	"encoding/hex"
	"time"
)

// RecordContinued carries further people of an event that concerns more of them
// than fit into one: its header, which has the facts and the recipient's entry. Each
// slot names the header's leaf, and each envelope holds what opens it.
type RecordContinued struct {
	Part Part `json:"part"`
	// Record is the record that the header is about, if it is about one. The header
	// says so to the recipient alone, in a slot that people cannot open.
	Record *Reference `json:"record,omitempty"`
}

// Part says which of a header's continuations an event is.
type Part struct {
	Number uint64 `cbor:"number" json:"number" doc:"from 1 on, in the order of the log"`
	Of     uint64 `cbor:"of" json:"of" doc:"how many continuations the header has"`
	People uint64 `cbor:"people" json:"people" doc:"how many people this one carries"`
}

// Reference names a leaf.
type Reference struct {
	Index    uint64 `cbor:"index" json:"index" doc:"of the leaf"`
	LeafHash string `cbor:"leaf_hash" json:"leaf_hash" doc:"its RFC 6962 hash, 64 lower-case hexadecimal digits"`
}

// ReferenceTo names the leaf at an index.
func ReferenceTo(index uint64, leafHash Hash) *Reference {
	return &Reference{Index: index, LeafHash: hex.EncodeToString(leafHash[:])}
}

// Hash returns the leaf hash, if it is one in its one spelling.
func (r *Reference) Hash() (h Hash, ok bool) {
	b, err := hex.DecodeString(r.LeafHash)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != r.LeafHash {
		return Hash{}, false
	}
	return Hash(b), true
}

// Type implements [Event].
func (*RecordContinued) Type() string { return TypeRecordContinued }

func (c *RecordContinued) groups() []group {
	return []group{{"part", &c.Part, true}, {"record", &c.Record, c.Record != nil}}
}

// Validate implements [Validatable]. The ledger makes these events, so what it
// refuses is a fault of the ledger.
func (c *RecordContinued) Validate(time.Time) error {
	v := &validator{}
	if c.Part.Number == 0 || c.Part.Number > c.Part.Of {
		v.fail("part.number", "must be one of the parts there are", "count from 1")
	}
	if c.Part.People == 0 || c.Part.People > MaxSlots {
		v.fail("part.people", "must count those who have an entry", "count them")
	}
	if r := c.Record; r != nil {
		if _, ok := r.Hash(); !ok {
			v.fail("record.leaf_hash", "must be a leaf hash in 64 lower-case hexadecimal digits", "use the one of the record")
		}
	}
	return v.err
}

// Continuations returns how many events continue one of a type that fixes their
// number, which is one that holds a share of its own. What is said of a record later
// does not fix it: whom that concerns follows from the record.
func Continuations(e Event) (n uint64, fixed bool) {
	if x := ExtentOf(e); x != nil {
		return x.Continuations, true
	}
	return 0, false
}

// Continue fixes how many events continue e.
func Continue(e Event, n uint64) {
	if x := ExtentOf(e); x != nil {
		x.Continuations = n
	}
}
