package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
)

// ErrJSON says that a document is not the canonical JSON of its type.
var ErrJSON = errors.New("not canonical JSON of the expected shape")

// MarshalJSON returns the canonical JSON of v: what encoding/json gives without
// HTML escaping, without white space and without a final newline. Formats that
// are hashed or signed use it, so that one document has one spelling.
func MarshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// UnmarshalJSON is the inverse of [MarshalJSON] and refuses every other spelling:
// unknown, doubled or reordered members, other case, white space.
func UnmarshalJSON(b []byte, v any) error {
	c := &canonical{b: b}
	if !c.value(reflect.ValueOf(v).Elem()) || c.at != len(b) {
		return ErrJSON
	}
	return nil
}
