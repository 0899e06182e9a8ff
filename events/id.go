package events

import (
	"encoding/hex"
	"errors"
)

// ID is the id of an event, a UUID to the event store. Ours are derived from
// what was asked for, so that a repeated request gives the same id; no version
// bits are set. Its text form is the UUID's, in lower case.
//
// It is declared here because the usual package for UUIDs links the network,
// and what verifies must not.
type ID [16]byte

var errID = errors.New("not a UUID of 8-4-4-4-12 lower-case hexadecimal digits")

// String returns the UUID's text.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	for i, at := range [...]int{9, 14, 19} {
		b[at-1] = '-'
		hex.Encode(b[at:at+4], id[4+2*i:6+2*i])
	}
	b[23] = '-'
	hex.Encode(b[24:], id[10:])
	return string(b[:])
}

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText accepts exactly what MarshalText gives.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) != 36 {
		return errID
	}
	digits := string(text[:8]) + string(text[9:13]) + string(text[14:18]) + string(text[19:23]) + string(text[24:])
	b, err := hex.DecodeString(digits)
	if err != nil {
		return errID
	}
	if got := ID(b); got.String() != string(text) {
		return errID
	}
	copy(id[:], b)
	return nil
}
