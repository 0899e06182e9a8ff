package events

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// Hash is a SHA-256 value, or 32 bytes used like one: a label, a commitment,
// a root. Its text form is canonical standard base64.
type Hash [sha256.Size]byte

var errHash = errors.New("not 32 bytes in canonical base64")

// IsZero reports whether h is 32 zero bytes.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns h in standard base64.
func (h Hash) String() string { return base64.StdEncoding.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText accepts exactly what MarshalText gives, and no other spelling.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != len(h) || base64.StdEncoding.EncodeToString(b) != string(text) {
		return errHash
	}
	copy(h[:], b)
	return nil
}
