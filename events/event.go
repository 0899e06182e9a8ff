package events

import "slices"

// Types of our events, in clear in the event store.
const (
	TypeState    = "StateRecorded"
	TypeCover    = "CoverRecorded"
	TypeEnrolled = "Enrolled"
	TypeClosed   = "Closed"

	TypeDisclosureRecorded     = "DisclosureRecorded"
	TypeSubjectsAdded          = "SubjectsAdded"
	TypeSeriesOpened           = "SeriesOpened"
	TypeSeriesUpdated          = "SeriesUpdated"
	TypeSeriesClosed           = "SeriesClosed"
	TypePossibleRecorded       = "PossibleDisclosureRecorded"
	TypeDisclosureAmended      = "DisclosureAmended"
	TypeDisclosureRetracted    = "DisclosureRetracted"
	TypeDisclosureDisputed     = "DisclosureDisputed"
	TypeDisputeResolved        = "DisputeResolved"
	TypeDisclosureAcknowledged = "DisclosureAcknowledged"
	TypeOnwardReported         = "OnwardDisclosureReported"
	TypeRecordContinued        = "RecordContinued"

	TypeRecipientRegistered = "RecipientRegistered"
	TypeRecipientChanged    = "RecipientChanged"
	TypeRecipientsMerged    = "RecipientsMerged"
	TypeRelationshipChanged = "RelationshipChanged"
	TypeSubprocessorAdded   = "SubprocessorAdded"

	TypeStatementPublished = "StatementPublished"
	TypeTaxonomyReleased   = "TaxonomyReleased"
	TypeProfileReleased    = "ProfileReleased"

	TypeConsentGiven     = "ConsentGiven"
	TypeConsentRefused   = "ConsentRefused"
	TypeConsentWithdrawn = "ConsentWithdrawn"
	TypeConsentExpired   = "ConsentExpired"

	TypeClosureRequested = "ClosureRequested"
	TypeClosureDeclined  = "ClosureDeclined"
)

// Event is a fact that went into a body. The set of implementations is closed:
// the table in kinds.go lists them.
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

// Closed ends the sequence of a party's generation. Why, the close slot says.
type Closed struct{}

// Type implements [Event].
func (*Closed) Type() string    { return TypeClosed }
func (*Closed) groups() []group { return nil }

// CoverRecorded says nothing and is for nobody: all its slots are decoys, so nobody ever
// opens it, and the rules know no such type. A ledger that everybody reads has some, so
// that nobody can count the other events.
type CoverRecorded struct{}

// Type implements [Event].
func (*CoverRecorded) Type() string    { return TypeCover }
func (*CoverRecorded) groups() []group { return nil }

// FieldWidth is the number of leaves of an event type's body: every type has at
// most so many field groups, so that a path's length says nothing of the type.
const FieldWidth = 16

// Fields returns an event's fields, in order, as they are committed to.
func Fields(e Event) []Field {
	fields := []Field{}
	names := kinds[e.Type()].fields
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

// Decode is the inverse of [Fields] for an event of the named type. Some fields may be absent (not opened to the reader,
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
	k, known := kinds[typ]
	if !known {
		return nil, ErrBody
	}
	e := k.make()
	names, targets := k.fields, e.groups()
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
