package verifier

import (
	"bytes"
	"errors"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// ErrErasure says that some bytes are no receipt of an erasure, or that it does not
// hold for who is asked about.
var ErrErasure = errors.New("malformed or false receipt of an erasure")

// The first format does not say which identity rules its ledger has: it is read under
// those that ledgers have by default.
const (
	erasureFormat1 = "sharetrail/v1/erasure"
	erasureFormat  = "sharetrail/v2/erasure"
)

// Erasure is what somebody who was erased takes along: proof that the ledger has
// bound itself to the end of a generation of theirs. It names nobody; only who
// knows the identity can check it.
type Erasure struct {
	Format     string `json:"format"`
	Origin     string `json:"origin"`
	Role       string `json:"role"`
	Generation uint64 `json:"generation"`
	VRF        []byte `json:"vrf"`  // proof of the close label of this identity and generation
	Slot       uint16 `json:"slot"` // of the leaf, that carries the label
	// Proof is a c2sp.org/tlog-proof of the closing event's leaf.
	Proof string `json:"proof"`
	// Genesis is leaf 0, whose hash a trust file pins, and Rules is the document that
	// it names, whose identity rules never change in a ledger. Absent in the first
	// format.
	Genesis []byte `json:"genesis,omitempty"`
	Rules   []byte `json:"rules,omitempty"`
}

// NewErasure returns a receipt for a leaf that is proven, of a ledger that began with
// a leaf and rules.
func NewErasure(origin string, role events.Role, generation uint64, vrfProof []byte, slot uint16, proof *Proof, genesis, rules []byte) *Erasure {
	return &Erasure{erasureFormat, origin, role.String(), generation, vrfProof, slot, string(FormatProof(proof)), genesis, rules}
}

// FormatErasure is the file's one spelling.
func FormatErasure(e *Erasure) ([]byte, error) {
	b, err := events.MarshalJSON(e)
	return append(b, '\n'), err
}

// ParseErasure is the inverse of [FormatErasure]. It checks nothing but the form.
func ParseErasure(b []byte) (*Erasure, error) {
	text, ends := bytes.CutSuffix(b, []byte("\n"))
	e := new(Erasure)
	if !ends || events.UnmarshalJSON(text, e) != nil || e.VRF == nil {
		return nil, ErrErasure
	}
	switch whole := len(e.Genesis) > 0 && len(e.Rules) > 0; {
	case e.Format == erasureFormat && whole, e.Format == erasureFormat1 && e.Genesis == nil && e.Rules == nil:
	default:
		return nil, ErrErasure
	}
	if again, err := FormatErasure(e); err != nil || !bytes.Equal(again, b) {
		return nil, ErrErasure
	}
	return e, nil
}

// ErasureVerdict is what a receipt proves.
type ErasureVerdict struct {
	Identity   string // in its canonical form
	Generation uint64
	Index      uint64    // of the leaf
	Time       time.Time // by the ledger's clock
	Size       uint64    // leaves under the checkpoint
	// Assumed says that the receipt does not show the ledger's identity rules: what was
	// typed was read under the default ones.
	Assumed bool
}

// CheckErasure demands that the ledger of the trust file has, under a checkpoint of
// its own, the closing event of this identity, for the reason that it was erased.
// The identity is what the reader types.
func CheckErasure(b []byte, role events.Role, id string, trust *Trust) (*ErasureVerdict, error) {
	e, err := ParseErasure(b)
	if err != nil {
		return nil, err
	}
	if e.Origin != trust.Origin || e.Role != role.String() {
		return nil, ErrErasure
	}
	rules, err := e.identities(trust)
	if err != nil {
		return nil, err
	}
	identity, err := events.ParseIdentity(rules, id)
	if err != nil {
		return nil, err
	}
	proof, checkpoint, err := CheckProof([]byte(e.Proof), trust)
	if err != nil {
		return nil, err
	}
	label, opening, err := CheckVRF(trust.VRF, events.VRFInput(events.CloseContext, trust.Origin, role, identity, e.Generation), e.VRF)
	if err != nil {
		return nil, err
	}
	leaf, err := events.ParseLeaf(proof.Leaf)
	if err != nil || leaf.Kind != events.KindEntry || int(e.Slot) >= len(leaf.Slots) {
		return nil, ErrErasure
	}
	slot := leaf.Slots[e.Slot]
	content := events.CloseContent(role, e.Generation, events.ReasonErased).Marshal()
	if slot.Label != label || slot.Commit != events.CommitSlot(opening, content) {
		return nil, ErrErasure
	}
	return &ErasureVerdict{
		Identity: identity.String(), Generation: e.Generation, Index: proof.Index,
		Time: time.UnixMilli(int64(leaf.TimeMS)).UTC(), Size: checkpoint.Size,
		Assumed: e.Rules == nil,
	}, nil
}

// identities returns the identity rules under which the ledger spells who was erased.
func (e *Erasure) identities(trust *Trust) ([]events.IdentityRule, error) {
	if e.Rules == nil {
		return events.DefaultRules().Identities, nil
	}
	leaf, err := events.ParseLeaf(e.Genesis)
	if err != nil || leaf.Kind != events.KindState || events.LeafHash(e.Genesis) != trust.Genesis {
		return nil, ErrErasure
	}
	state, err := events.ParseState(leaf.Ext)
	if err != nil || len(e.Rules) > maxRules || state.RulesHash != events.RulesHash(e.Rules) {
		return nil, ErrErasure
	}
	rules, err := events.ParseRules(e.Rules)
	if err != nil {
		return nil, ErrErasure
	}
	return rules.Identities, nil
}
