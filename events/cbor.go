package events

import (
	"bytes"
	"errors"

	"github.com/fxamacker/cbor/v2"
)

var errCBOR = errors.New("not deterministic CBOR of the expected shape")

// Deterministic CBOR (RFC 8949 section 4.2.1): no floats, no tags, no
// indefinite lengths. The library's strict options alone would let non-shortest
// forms and unsorted keys through, so decoding re-encodes and compares.
var (
	cborEnc = must(cbor.EncOptions{
		Sort: cbor.SortBytewiseLexical, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden, NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode())
	cborDec = must(cborDecOptions(maxNesting).DecMode())
	// A field's value stands two arrays deep in a body: whoever checks it by
	// itself must not accept what no body can hold.
	cborValueDec = must(cborDecOptions(maxNesting - 2).DecMode())
)

// maxNesting is how deep arrays and maps may stand in one another.
const maxNesting = 8

func cborDecOptions(nesting int) cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden, UTF8: cbor.UTF8RejectInvalid,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField, MaxNestedLevels: nesting,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func encodeCBOR(v any) []byte { return must(cborEnc.Marshal(v)) }

// decodeCBOR fills v and demands that v encodes to the very same bytes.
func decodeCBOR(b []byte, v any) error { return decodeCBORWith(cborDec, b, v) }

func decodeCBORWith(mode cbor.DecMode, b []byte, v any) error {
	if err := mode.Unmarshal(b, v); err != nil {
		return errCBOR
	}
	again, err := cborEnc.Marshal(v)
	if err != nil || !bytes.Equal(again, b) {
		return errCBOR
	}
	return nil
}

// plain reports whether a decoded value is made of integers, strings, byte
// strings, booleans, arrays and maps with text keys only.
func plain(v any) bool {
	switch v := v.(type) {
	case uint64, int64, string, []byte, bool:
		return true
	case []any:
		for _, e := range v {
			if !plain(e) {
				return false
			}
		}
		return true
	case map[any]any:
		for k, e := range v {
			if _, text := k.(string); !text || !plain(e) {
				return false
			}
		}
		return true
	}
	return false
}
