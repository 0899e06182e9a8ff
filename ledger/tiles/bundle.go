package tiles

import (
	"encoding/binary"
	"errors"
	"math"
)

// MaxEntry is the most bytes a leaf may have: its length is written in two.
const MaxEntry = math.MaxUint16

// ErrBundle says that some bytes are not a tile of so many leaves.
var ErrBundle = errors.New("malformed entry bundle")

// AppendEntry appends a leaf to a bundle. It panics on one that does not fit:
// package events makes none.
func AppendEntry(bundle, entry []byte) []byte {
	if len(entry) > MaxEntry {
		panic("tiles: an entry of more than 65535 bytes")
	}
	return append(binary.BigEndian.AppendUint16(bundle, uint16(len(entry))), entry...)
}

// ParseBundle returns the leaves of a bundle, exactly width of them. They share
// the bundle's bytes.
func ParseBundle(b []byte, width int) ([][]byte, error) {
	entries := make([][]byte, 0, width)
	for len(b) > 0 && len(entries) < width {
		if len(b) < 2 {
			return nil, ErrBundle
		}
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n {
			return nil, ErrBundle
		}
		entries = append(entries, b[2:2+n:2+n])
		b = b[2+n:]
	}
	if len(b) > 0 || len(entries) != width {
		return nil, ErrBundle
	}
	return entries, nil
}
