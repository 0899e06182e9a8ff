package events

import "slices"

// Types of our events, in clear in the event store.
const (
	TypeState              = "StateRecorded"
	TypeEnrolled           = "Enrolled"
	TypeDisclosureRecorded = "DisclosureRecorded"
)

// Event is a fact that went into a body. The set of implementations is closed:
// [Decode] is the one switch over them.
type Event interface {
	// Type is the name in clear.
	Type() string
	// groups returns the field groups of the type, in the order of their numbers.
	groups() []group
}

// group is one field group of an event: where its value stands, and whether
// there is anything to say.
type group struct {
	name    string
	value   any // pointer
	present bool
}

// Enrolled says that parties of the event's slots now have a sequence. It
// carries no facts.
type Enrolled struct{}

// Type implements [Event].
func (*Enrolled) Type() string    { return TypeEnrolled }
func (*Enrolled) groups() []group { return nil }

// FieldWidth is the number of leaves of an event type's body. It depends on the
// type alone, so that a path's length says nothing of which fields are there.
const FieldWidth = 16

// fieldNames fixes the number of each field group of each event type for ever:
// the number is the position. Only ever append.
var fieldNames = map[string][]string{
	TypeEnrolled: {},
	TypeDisclosureRecorded: {
		"occurred", "reasons", "purposes", "legal_bases", "recipient", "data", "context", "promise",
		"transfer", "cpra", "links", "conveyance", "provenance", "research", "policy", "extent",
	},
}

// Fields returns an event's fields, in order, as they are committed to.
func Fields(e Event) []Field {
	fields := []Field{}
	names := fieldNames[e.Type()]
	j := 0
	for _, g := range e.groups() {
		for names[j] != g.name { // groups come in the order of names, so it ends
			j++
		}
		if g.present {
			fields = append(fields, Field{Number: uint16(j), Name: g.name, Value: encodeCBOR(g.value)})
		}
	}
	return fields
}

// Decode is the inverse of [Fields] for an event of the named type: the one
// switch over event types. Some fields may be absent (not opened to the reader,
// or not recorded); a field under a name, number or shape that is not its own,
// a field out of order, and an empty one that [Fields] would leave out are
// refused.
func Decode(typ string, fields []Field) (Event, error) {
	if !validFields(fields) {
		return nil, ErrBody
	}
	return decodeInOrder(typ, fields)
}

func decodeInOrder(typ string, fields []Field) (Event, error) {
	var e Event
	switch typ {
	case TypeEnrolled:
		e = new(Enrolled)
	case TypeDisclosureRecorded:
		e = new(DisclosureRecorded)
	default:
		return nil, ErrBody
	}
	names, targets := fieldNames[typ], e.groups()
	for _, f := range fields {
		at := slices.IndexFunc(targets, func(g group) bool { return g.name == f.Name })
		if at < 0 || int(f.Number) >= len(names) || names[f.Number] != f.Name || decodeCBOR(f.Value, targets[at].value) != nil {
			return nil, ErrBody
		}
	}
	for _, g := range e.groups() {
		if !g.present && slices.ContainsFunc(fields, func(f Field) bool { return f.Name == g.name }) {
			return nil, ErrBody
		}
	}
	return e, nil
}

// Whole reports whether the fields of an event hold every group that an event of
// its type always has. What [Decode] accepts may be a part of one.
func Whole(typ string, fields []Field) bool {
	e, err := Decode(typ, nil)
	if err != nil {
		return false
	}
	for _, g := range e.groups() {
		if g.present && !slices.ContainsFunc(fields, func(f Field) bool { return f.Name == g.name }) {
			return false
		}
	}
	return true
}
