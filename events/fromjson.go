package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// FromJSON reads an event of the named type whose facts come from outside: its
// groups as members, each known and in its exact spelling. Errors are *FieldErrors.
func FromJSON(typ string, text []byte) (Validatable, error) {
	k, known := kinds[typ]
	if !known {
		return nil, bad("type", "names no type of event", "use one of the types in docs/formats.md")
	}
	e, ok := k.make().(Validatable)
	if !ok {
		return nil, bad("type", "names events without facts", "name what happened")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(e); err != nil {
		field := "record"
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
			field += "." + wrong.Field
		}
		return nil, bad(field, "does not fit a "+typ, "use the members and kinds of values of that type")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("record", "has something behind it", "send one document")
	}
	return e, nil
}
