package events

import (
	"crypto/sha256"
	"maps"
	"slices"
)

// Rules is the rules document of a ledger: what a reader must know to check
// everything else, bound by the rules hash in every state leaf. Identity rules
// and authorities never change within a ledger; the rest only grows, at state
// leaves.
type Rules struct {
	Version     int                 `json:"version"`
	Previous    *Hash               `json:"previous"` // hash of the version before, null in the first
	Unicode     string              `json:"unicode"`  // of normal form and assigned code points
	Identities  []IdentityRule      `json:"identities"`
	GrainMS     uint64              `json:"grain_ms"` // times are truncated to it
	Width       int                 `json:"width"`    // leaves of a body
	Fields      map[string][]string `json:"fields"`   // event type -> field names; the position is the number
	Labels      map[string][]string `json:"labels"`   // event type -> roles whose labels it carries
	Authorities []string            `json:"authorities"`
	Publication string              `json:"publication"`
}

// eventLabels are the roles that have an entry, or an enrolment, in an event.
var eventLabels = map[string][]string{
	TypeEnrolled:           {RoleSubject.String(), RoleRecipient.String()},
	TypeDisclosureRecorded: {RoleSubject.String(), RoleRecipient.String()},
}

// maxGrainMS is a day: beyond it times would say nothing.
const maxGrainMS = 24 * 60 * 60 * 1000

// DefaultRules are the rules a new ledger starts with.
func DefaultRules() *Rules {
	return &Rules{
		Version: 1,
		Unicode: "15.0.0",
		Identities: []IdentityRule{
			{Namespace: "account", Case: CasePreserve},
			{Namespace: "email", Case: CaseLowerASCII},
			{Namespace: "org", Case: CaseLowerASCII},
			{Namespace: "phone", Case: CasePreserve},
		},
		GrainMS:     60_000,
		Width:       FieldWidth,
		Fields:      maps.Clone(fieldNames),
		Labels:      maps.Clone(eventLabels),
		Authorities: []string{},
		Publication: "restricted",
	}
}

// Marshal returns the document's bytes, which are hashed, stored and sent as
// they are.
func (r *Rules) Marshal() []byte { return must(MarshalJSON(r)) }

// ParseRules is the inverse of [Rules.Marshal]. It refuses rules this program
// does not know how to check.
func ParseRules(b []byte) (*Rules, error) {
	r := new(Rules)
	if err := UnmarshalJSON(b, r); err != nil {
		return nil, err
	}
	// null is not the empty list, and nobody seals yet.
	ok := r.Version == 1 && r.Previous == nil && r.Unicode == "15.0.0" && r.GrainMS > 0 && r.GrainMS <= maxGrainMS &&
		r.Width == FieldWidth && r.Publication == "restricted" && len(r.Identities) > 0 &&
		r.Authorities != nil && len(r.Authorities) == 0
	ok = ok && len(r.Fields) == len(fieldNames) && len(r.Labels) == len(eventLabels)
	for typ, known := range fieldNames {
		// Rules made by an older program know fewer fields, never others.
		names := r.Fields[typ]
		ok = ok && names != nil && len(names) <= len(known) && slices.Equal(names, known[:len(names)]) &&
			(len(names) > 0) == (len(known) > 0)
	}
	for typ, roles := range eventLabels {
		// Rules that gave a share no label of its subject would make every
		// report about people true, and empty.
		ok = ok && slices.Equal(r.Labels[typ], roles)
	}
	for i, rule := range r.Identities {
		same := func(other IdentityRule) bool { return other.Namespace == rule.Namespace }
		ok = ok && !slices.ContainsFunc(r.Identities[:i], same) && validNamespace(rule.Namespace) && (rule.Case == CasePreserve || rule.Case == CaseLowerASCII)
	}
	if !ok {
		return nil, ErrJSON
	}
	return r, nil
}

// RulesHash is what state leaves say of the rules document.
func RulesHash(document []byte) Hash {
	return sha256.Sum256(append([]byte{tagRules}, document...))
}
