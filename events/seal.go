package events

// Types of a seal's life. None of them is ever a type in clear of a sealed event:
// whatever is under seal stands in the event store as a DisclosureRecorded.
const (
	// TypeSealRecorded is what the body of an event in a seal register holds.
	TypeSealRecorded = "SealRecorded"
	// TypeUnsealed brings a sealed share into the sequences of those it concerns,
	// TypeEventUnsealed whatever else was sealed.
	TypeUnsealed      = "DisclosureUnsealed"
	TypeEventUnsealed = "EventUnsealed"
)

// The steps of a seal's life.
const (
	StepSealed       = "sealed"       // a record, under seal from its beginning
	StepSupplemented = "supplemented" // another record under the same seal
	StepExtended     = "extended"     // the order was renewed
	StepReviewed     = "reviewed"     // somebody looked whether it is still needed
	StepProposed     = "proposed"     // the first of two people wants it lifted
	StepLifted       = "lifted"       // the second one did
	StepLapsed       = "lapsed"       // the law ended it
)

// SealRecorded is one step in the life of a seal, in the register of the
// authority under whose order it stands. Which groups there are follows from the
// step.
type SealRecorded struct {
	Step   SealStep      `json:"step"`
	Order  *SealOrder    `json:"order,omitempty"`
	Period SealPeriod    `json:"period,omitzero"`
	Record *SealedRecord `json:"record,omitempty"`
}

// SealStep says which step it is. The seal is named by the id of the event that
// began it; that event itself names none.
type SealStep struct {
	Kind   string   `cbor:"kind" json:"kind" doc:"sealed, supplemented, extended, reviewed, proposed, lifted or lapsed"`
	Seal   string   `cbor:"seal,omitempty" json:"seal,omitempty" doc:"id of the event that began the seal; absent in that one"`
	By     []string `cbor:"by,omitempty" json:"by,omitempty" doc:"the actors who reviewed, proposed or lifted"`
	Reason string   `cbor:"reason,omitempty" json:"reason,omitempty" doc:"why"`
}

// SealOrder is what obliges to seal: an order, a demand or a statement.
type SealOrder struct {
	Authority string `cbor:"authority" json:"authority" doc:"namespace:local of the authority, one of the ledger's rules"`
	Basis     string `cbor:"basis" json:"basis" doc:"such as us_2705b or hipaa_oral"`
	Form      string `cbor:"form" json:"form" doc:"written or oral"`
	Reference string `cbor:"reference" json:"reference" doc:"of the order or statement, such as a docket number; if oral, who made it and how they were identified"`
	Issued    string `cbor:"issued" json:"issued" doc:"RFC 3339 time in UTC of the order or statement"`
}

// SealPeriod is how long a seal binds. An indefinite one has no end and must say
// when it is reviewed.
type SealPeriod struct {
	Until  string `cbor:"until,omitempty" json:"until,omitempty" doc:"RFC 3339 time in UTC at which the seal is ripe; absent: indefinite"`
	Review string `cbor:"review,omitempty" json:"review,omitempty" doc:"RFC 3339 time in UTC of the next review"`
}

// SealedRecord is an event as it would have been recorded without the seal: its
// type, and its fields as [MarshalFields] writes them.
type SealedRecord struct {
	Type   string `cbor:"type" json:"type"`
	Fields []byte `cbor:"fields" json:"fields"`
}

// Type implements [Event].
func (*SealRecorded) Type() string { return TypeSealRecorded }

func (s *SealRecorded) groups() []group {
	return []group{
		{"step", &s.Step, true},
		{"order", &s.Order, s.Order != nil},
		{"period", &s.Period, s.Period != SealPeriod{}},
		{"record", &s.Record, s.Record != nil},
	}
}

// Unsealed says that a sealed share is told now. The entry's slot names the leaf
// under which it was sealed; this event holds a copy of the record.
type Unsealed struct {
	Unsealing Unsealing    `json:"unsealing"`
	Record    SealedRecord `json:"record"`
}

// Unsealing says under whose order a record was sealed, and what ended that.
type Unsealing struct {
	Authority string `cbor:"authority" json:"authority" doc:"namespace:local of the authority under whose order it was sealed"`
	Basis     string `cbor:"basis" json:"basis" doc:"on what the order rested"`
	End       string `cbor:"end" json:"end" doc:"lifted: two people confirmed; lapsed: the law ended it"`
	// Supplement is set if the record was sealed later, under a seal that had begun.
	Supplement bool `cbor:"supplement,omitempty" json:"supplement,omitempty" doc:"the record came later under the same seal"`
}

// Type implements [Event].
func (*Unsealed) Type() string { return TypeUnsealed }

func (u *Unsealed) groups() []group {
	return []group{{"unsealing", &u.Unsealing, true}, {"record", &u.Record, true}}
}

// EventUnsealed is [Unsealed] for what is no share.
type EventUnsealed struct{ Unsealed }

// Type implements [Event].
func (*EventUnsealed) Type() string { return TypeEventUnsealed }

// Unseal makes the event that tells a sealed record.
func Unseal(how Unsealing, record SealedRecord) Validatable {
	u := Unsealed{Unsealing: how, Record: record}
	if e, err := record.Event(); err == nil && sharesAlone(e) {
		return &u
	}
	return &EventUnsealed{u}
}

// sharesAlone reports whether an event holds a share and stands for itself.
func sharesAlone(e Event) bool { return ShareIn(e) != nil && e.Type() != TypeDisclosureAmended }

// UnsealedIn returns what an event tells that was under seal, nil if nothing.
func UnsealedIn(e Event) *Unsealed {
	switch e := e.(type) {
	case *Unsealed:
		return e
	case *EventUnsealed:
		return &e.Unsealed
	}
	return nil
}

// SealedAs puts an event into the form in which it is sealed.
func SealedAs(e Event) SealedRecord {
	return SealedRecord{Type: e.Type(), Fields: MarshalFields(Fields(e))}
}

// Event is the inverse of [SealedAs]. It refuses what cannot be sealed.
func (r *SealedRecord) Event() (Event, error) {
	if !Sealable(r.Type) {
		return nil, ErrBody
	}
	_, e, err := ParseEvent(r.Type, r.Fields)
	if err == nil && !Whole(r.Type, Fields(e)) {
		err = ErrBody
	}
	return e, err
}

// Sealable reports whether events of a type can be under seal: every family that
// concerns people or recipients. Enrolments and ends of sequences say nothing, and
// what the controller publishes is public.
func Sealable(typ string) bool {
	switch typ {
	case TypeEnrolled, TypeClosed, TypeSealRecorded, TypeUnsealed, TypeEventUnsealed:
		return false
	}
	return Carries(typ, RoleSubject) || Carries(typ, RoleRecipient)
}

// ClearType is the type of an event in the event store and in its leaf's
// commitment: that of an ordinary share for whatever is under seal.
func ClearType(e Event) string {
	if e.Type() == TypeSealRecorded {
		return TypeDisclosureRecorded
	}
	return e.Type()
}

// BodyType is the type of the fields in a body, from the event's type in clear and
// from the content of one of its slots.
func BodyType(clear string, content *SlotContent) string {
	if clear == TypeDisclosureRecorded && (content.Kind == SlotSealedSubject || content.Kind == SlotEntry && content.Role == RoleAuthority) {
		return TypeSealRecorded
	}
	return clear
}

// MinBody is the least padded size of the body of an event whose type in clear is
// that of a share: a step in a seal's life is short, and a long share is nothing
// unusual, so both have the size of the other.
const MinBody = 1024

// BodySize is the padded size of a body of n bytes under a type in clear.
func BodySize(clear string, n int) int {
	if clear == TypeDisclosureRecorded {
		return max(MinBody, PaddedSize(n))
	}
	return PaddedSize(n)
}

// ExtentOf returns where an event counts the people it concerns, nil if it does not.
func ExtentOf(e Event) *Extent {
	switch e := e.(type) {
	case *DisclosureRecorded:
		return &e.Extent
	case *SubjectsAdded:
		return &e.Extent
	case *SeriesOpened:
		return &e.Extent
	case *PossibleRecorded:
		return &e.Extent
	}
	return nil
}
