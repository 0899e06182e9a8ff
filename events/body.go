package events

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// Field is one field group of an event: its number, fixed for ever by the rules
// document, its name, and its value in deterministic CBOR.
type Field struct {
	_      struct{} `cbor:",toarray"`
	Number uint16
	Name   string
	Value  cbor.RawMessage
}

// ErrBody says that some bytes are not the fields of an event.
var ErrBody = errors.New("malformed body")

// Commit returns the field's commitment under its opening.
func (f Field) Commit(opening Hash) Hash {
	var room [256]byte
	msg := binary.BigEndian.AppendUint16(room[:0], f.Number)
	msg = appendOpaque8(msg, []byte(f.Name))
	msg = appendOpaque24(msg, f.Value)
	return Commit("field", opening, msg)
}

// MarshalFields returns the body's plaintext: CBOR [[j, name, value], ...] in
// ascending order of j.
func MarshalFields(fields []Field) []byte { return encodeCBOR(fields) }

// ParseFields is the inverse of [MarshalFields].
func ParseFields(b []byte) ([]Field, error) {
	var fields []Field
	if err := decodeCBOR(b, &fields); err != nil || !validFields(fields) {
		return nil, ErrBody
	}
	return fields, nil
}

func validFields(fields []Field) bool {
	for _, f := range fields {
		var value any
		if decodeCBORWith(cborValueDec, f.Value, &value) != nil || !plain(value) {
			return false
		}
	}
	return inOrder(fields)
}

// inOrder is validFields but for the values.
func inOrder(fields []Field) bool {
	for i, f := range fields {
		if i > 0 && f.Number <= fields[i-1].Number || f.Name == "" || len(f.Name) > 255 ||
			!utf8.ValidString(f.Name) || len(f.Value) > 1<<24-1 {
			return false
		}
	}
	return true
}

// Body is the Merkle tree over an event's field commitments: 16, 32 or 64
// leaves, of which the unused ones commit to nothing but their number. One
// field can be opened without saying anything of its neighbours.
type Body struct {
	levels [][]Hash // levels[0] are the leaf hashes, the last level is the root
}

// NewBody builds the tree of the given width from the event's seed.
func NewBody(seed Hash, width int, fields []Field) (*Body, error) {
	if !validFields(fields) {
		return nil, ErrBody
	}
	return newBody(seed, width, fields)
}

// newBody is NewBody for fields that are known to be valid.
func newBody(seed Hash, width int, fields []Field) (*Body, error) {
	if width != 16 && width != 32 && width != 64 {
		return nil, ErrBody
	}
	leaves := make([]Hash, width)
	next := 0
	for j := range leaves {
		var commit Hash
		opening := Opening(seed, uint16(j)+1)
		if next < len(fields) && int(fields[next].Number) == j {
			commit = fields[next].Commit(opening)
			next++
		} else {
			commit = Commit("pad", opening, []byte{byte(j >> 8), byte(j)})
		}
		leaves[j] = LeafHash(commit[:])
	}
	if next != len(fields) {
		return nil, ErrBody
	}
	body := &Body{levels: append(make([][]Hash, 0, 7), leaves)}
	room := make([]Hash, width-1)
	for level := leaves; len(level) > 1; {
		up := room[: len(level)/2 : len(level)/2]
		room = room[len(up):]
		for i := range up {
			up[i] = merkleNode(level[2*i], level[2*i+1])
		}
		body.levels = append(body.levels, up)
		level = up
	}
	return body, nil
}

// Root is what the leaf carries.
func (b *Body) Root() Hash { return b.levels[len(b.levels)-1][0] }

// Path proves field number j: the siblings from the leaf up (4, 5 or 6).
func (b *Body) Path(j uint16) []Hash {
	var path []Hash
	for _, level := range b.levels[:len(b.levels)-1] {
		path = append(path, level[j^1])
		j /= 2
	}
	return path
}

// CheckField checks one opened field against a leaf's body root.
func CheckField(root Hash, f Field, opening Hash, path []Hash) error {
	j := int(f.Number)
	if len(path) < 4 || len(path) > 6 || j >= 1<<len(path) || !validFields([]Field{f}) {
		return ErrBody
	}
	commit := f.Commit(opening)
	h := LeafHash(commit[:])
	for _, sibling := range path {
		if j&1 == 0 {
			h = merkleNode(h, sibling)
		} else {
			h = merkleNode(sibling, h)
		}
		j /= 2
	}
	if h != root {
		return ErrBody
	}
	return nil
}

func merkleNode(left, right Hash) Hash {
	var b [65]byte
	b[0] = 0x01
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}
