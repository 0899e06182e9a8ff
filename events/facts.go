package events

// Facts are the fields of one event, known to be well formed: they were encoded
// from an event here, or checked when they were parsed. Nothing changes them, so
// nobody needs to check them a second time.
type Facts struct {
	fields []Field
	plain  []byte
}

// FactsOf encodes the fields of an event whose texts are UTF-8, which its
// Validate demands.
func FactsOf(e Event) *Facts {
	fields := Fields(e)
	return &Facts{fields: fields, plain: MarshalFields(fields)}
}

// ParseFacts is the inverse of [Facts.Marshal]; it refuses what [ParseFields]
// refuses. It keeps b, which must not be changed afterwards.
func ParseFacts(b []byte) (*Facts, error) {
	fields, err := ParseFields(b)
	if err != nil {
		return nil, err
	}
	return &Facts{fields: fields, plain: b}, nil
}

// ParseEvent is [ParseFacts] for an event of the named type, which it returns. It
// refuses what [ParseFields] or [Decode] refuses.
func ParseEvent(typ string, b []byte) (*Facts, Event, error) {
	var fields []Field
	if decodeCBOR(b, &fields) != nil || !inOrder(fields) {
		return nil, nil, ErrBody
	}
	// The types of events hold nothing but what a plain value may hold, less
	// deep, so a value that decodes into its own is valid.
	e, err := decodeInOrder(typ, fields)
	if err != nil {
		return nil, nil, err
	}
	return &Facts{fields: fields, plain: b}, e, nil
}

// Marshal returns what [MarshalFields] gives for the fields. It must not be
// changed.
func (f *Facts) Marshal() []byte { return f.plain }

// Body is [NewBody] over the fields.
func (f *Facts) Body(seed Hash, width int) (*Body, error) { return newBody(seed, width, f.fields) }

// Decode is the package's [Decode] of the fields.
func (f *Facts) Decode(typ string) (Event, error) { return decodeInOrder(typ, f.fields) }

// Fields returns the fields. They must not be changed.
func (f *Facts) Fields() []Field { return f.fields }
