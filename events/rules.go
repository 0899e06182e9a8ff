package events

import (
	"crypto/sha256"
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
	GrainMS     uint64              `json:"grain_ms"`    // times are truncated to it
	Width       int                 `json:"width"`       // leaves of a body
	Fields      map[string][]string `json:"fields"`      // event type -> field names; the position is the number
	Labels      map[string][]string `json:"labels"`      // event type -> roles whose labels it carries
	Authorities []string            `json:"authorities"` // namespace:local of those under whose orders records are sealed
	Publication string              `json:"publication"`
	// Cover is the least number of entries between two state leaves of a public ledger:
	// what is missing is covers, and all have the time of the state leaf before them.
	Cover int `json:"cover,omitempty"`
}

// Publication says who may read the log's tiles, and when the ledger publishes.
const (
	PublicationRestricted = "restricted" // auditors; each second, or when somebody waits
	PublicationPublic     = "public"     // everybody; on a fixed grid of the grain, whatever was recorded
)

// MaxCover is the greatest Cover.
const MaxCover = 256

// MaxUncovered is how many labels may stand behind a state leaf without another one:
// whoever replays a log keeps them in memory until the next.
const MaxUncovered = 1 << 20

// maxGrainMS is a day: beyond it times would say nothing.
const maxGrainMS = 24 * 60 * 60 * 1000

// DefaultRules are the rules a new ledger starts with.
func DefaultRules() *Rules {
	r := &Rules{
		Version: 1,
		Unicode: "15.0.0",
		Identities: []IdentityRule{
			{Namespace: "account", Case: CasePreserve},
			{Namespace: "email", Case: CaseLowerASCII},
			{Namespace: "org", Case: CaseLowerASCII},
			{Namespace: "phone", Case: CaseE164},
		},
		GrainMS:     60_000,
		Width:       FieldWidth,
		Fields:      map[string][]string{},
		Labels:      map[string][]string{},
		Authorities: []string{},
		Publication: PublicationRestricted,
	}
	for typ, k := range kinds {
		r.Fields[typ], r.Labels[typ] = slices.Clone(k.fields), roleNames(k.labels)
	}
	return r
}

func roleNames(roles []Role) []string {
	names := []string{}
	for _, r := range roles {
		names = append(names, r.String())
	}
	return names
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
	// null is not the empty list.
	ok := r.Version >= 1 && (r.Version == 1) == (r.Previous == nil) && r.Unicode == "15.0.0" && r.GrainMS > 0 && r.GrainMS <= maxGrainMS &&
		r.Width == FieldWidth && (r.Publication == PublicationRestricted || r.Publication == PublicationPublic) && len(r.Identities) > 0 &&
		r.Authorities != nil && len(r.Authorities) <= MaxSlots &&
		r.Cover >= 0 && r.Cover <= MaxCover && (r.Cover == 0 || r.Publication == PublicationPublic)
	ok = ok && len(r.Fields) == len(r.Labels) && r.Fields[TypeEnrolled] != nil && r.Fields[TypeDisclosureRecorded] != nil
	for typ, names := range r.Fields {
		// Rules made by an older program know fewer types, roles and fields, never
		// others.
		k, known := kinds[typ]
		ok = ok && known && names != nil && len(names) <= len(k.fields) && slices.Equal(names, k.fields[:len(names)]) &&
			(len(names) > 0) == (len(k.fields) > 0)
		// Rules that gave a share no label of its subject would make every
		// report about people true, and empty.
		roles := r.Labels[typ]
		ok = ok && roles != nil && len(roles) >= min(len(k.labels), 2) && len(roles) <= len(k.labels) && slices.Equal(roles, roleNames(k.labels[:len(roles)]))
	}
	for i, rule := range r.Identities {
		same := func(other IdentityRule) bool { return other.Namespace == rule.Namespace }
		ok = ok && !slices.ContainsFunc(r.Identities[:i], same) && validNamespace(rule.Namespace) && slices.Contains(cases, rule.Case)
	}
	for i, text := range r.Authorities {
		id, err := ParseIdentity(r.Identities, text)
		ok = ok && err == nil && id.String() == text && !slices.Contains(r.Authorities[:i], text)
	}
	if ok && len(r.Authorities) > 0 {
		ok = r.Fields[TypeSealRecorded] != nil && slices.Contains(r.Labels[TypeEnrolled], RoleAuthority.String())
	}
	if !ok {
		return nil, ErrJSON
	}
	return r, nil
}

// Extends reports whether r is the next version of the rules before, whose document
// has the given hash: it names them and does nothing but add. Who is who and who
// may seal never changes within a ledger, nor how times are cut.
func (r *Rules) Extends(before *Rules, hash Hash) bool {
	ok := r.Version == before.Version+1 && r.Previous != nil && *r.Previous == hash && r.Unicode == before.Unicode &&
		slices.Equal(r.Identities, before.Identities) && slices.Equal(r.Authorities, before.Authorities) &&
		r.GrainMS == before.GrainMS && r.Width == before.Width && r.Publication == before.Publication && r.Cover == before.Cover
	begins := func(list, with []string) bool { return len(list) >= len(with) && slices.Equal(list[:len(with)], with) }
	for typ := range before.Fields {
		fields, known := r.Fields[typ]
		ok = ok && known && begins(fields, before.Fields[typ]) && begins(r.Labels[typ], before.Labels[typ])
	}
	return ok
}

// Allows reports whether an event may be written under these rules, with labels of
// the given roles: they know its type, the number of each of its fields, and each
// role. Rules made by an older program know less than this one does, and whoever
// checks a report holds its events against the rules.
func (r *Rules) Allows(e Event, roles ...Role) bool {
	names, known := r.Fields[e.Type()]
	if !known {
		return false
	}
	if len(names) < len(kinds[e.Type()].fields) && !r.Numbered(e.Type(), Fields(e)) {
		return false
	}
	return !slices.ContainsFunc(roles, func(role Role) bool { return !slices.Contains(r.Labels[e.Type()], role.String()) })
}

// Numbered reports whether each field of an event of a type stands under the number
// that the rules give its name.
func (r *Rules) Numbered(typ string, fields []Field) bool {
	names := r.Fields[typ]
	for _, f := range fields {
		if int(f.Number) >= len(names) || names[f.Number] != f.Name {
			return false
		}
	}
	return true
}

// RulesHash is what state leaves say of the rules document.
func RulesHash(document []byte) Hash {
	return sha256.Sum256(append([]byte{tagRules}, document...))
}
