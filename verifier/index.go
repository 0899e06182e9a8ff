package verifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/sharetrail/sharetrail/events"
)

// The index is an insert-only Merkle prefix tree over every label of a ledger:
//
//	value = H(0x13 || uint64 index || uint16 slot || leaf hash)
//	leaf  = H(0x02 || label || value)
//	inner = H(0x03 || left || right)
//
// Bit d of a label is bit 7 - d mod 8 of byte d div 8. A leaf sits at the first
// depth of at least 1 where it is alone, a missing child is 32 zero bytes, and
// the root is always an inner node. Two labels that share a long prefix hang
// below a chain of inner nodes with one child each.
//
// One tree and one label have exactly one proof, and that proof exactly one
// JSON text, white space aside: anything else is refused.
const (
	tagIndexLeaf  = 0x02
	tagIndexNode  = 0x03
	tagIndexValue = 0x13

	maxIndexDepth = 8 * sha256.Size
)

// Kinds of AbsenceProof.
const (
	AbsenceEmpty = 1 // no node stands where the label would
	AbsenceOther = 2 // the leaf of another label stands there
)

var errIndexProof = errors.New("index proof does not check")

// MemberProof shows that a label is in the index with a value. Siblings run
// bottom up; there are as many as the leaf is deep, 1 to 256.
type MemberProof struct {
	Siblings []events.Hash `json:"siblings"`
}

// AbsenceProof shows that a label is not in the index: what stands on its path
// at depth len(Siblings) leaves no place for it. Siblings run bottom up. Label
// and Value are those of the other leaf, zero and left out for AbsenceEmpty.
//
// The depth is 1 to 255: a node at depth 256 has a place for one label only,
// and it exists only if both its labels do.
type AbsenceProof struct {
	Kind     uint8         `json:"kind"`
	Label    events.Hash   `json:"label,omitzero"`
	Value    events.Hash   `json:"value,omitzero"`
	Siblings []events.Hash `json:"siblings"`
}

// IndexValue is what the index says of a label: it stands in this slot of the
// leaf with this index and RFC 6962 leaf hash.
func IndexValue(index uint64, slot uint16, leafHash events.Hash) events.Hash {
	var buf [1 + 8 + 2 + sha256.Size]byte
	buf[0] = tagIndexValue
	binary.BigEndian.PutUint64(buf[1:], index)
	binary.BigEndian.PutUint16(buf[9:], slot)
	copy(buf[11:], leafHash[:])
	return sha256.Sum256(buf[:])
}

// IndexLeafHash is the hash of the leaf that holds label and value.
func IndexLeafHash(label, value events.Hash) events.Hash {
	return hashPair(tagIndexLeaf, &label, &value)
}

// IndexNodeHash is the hash of an inner node; a missing child is the zero Hash.
func IndexNodeHash(left, right events.Hash) events.Hash {
	return hashPair(tagIndexNode, &left, &right)
}

// EmptyIndexRoot is the root of an index without labels.
func EmptyIndexRoot() events.Hash {
	return IndexNodeHash(events.Hash{}, events.Hash{})
}

// CheckMember returns nil if p proves that the index with this root holds label
// with value.
func CheckMember(root, label, value events.Hash, p MemberProof) error {
	return checkPath(root, label, IndexLeafHash(label, value), p.Siblings)
}

// CheckAbsent returns nil if p proves that the index with this root does not
// hold label.
func CheckAbsent(root, label events.Hash, p AbsenceProof) error {
	if len(p.Siblings) >= maxIndexDepth {
		return errIndexProof
	}
	switch p.Kind {
	case AbsenceEmpty:
		if !p.Label.IsZero() || !p.Value.IsZero() {
			return errIndexProof
		}
		return checkPath(root, label, events.Hash{}, p.Siblings)
	case AbsenceOther:
		if p.Label == label || !samePrefix(p.Label, label, len(p.Siblings)) {
			return errIndexProof
		}
		return checkPath(root, label, IndexLeafHash(p.Label, p.Value), p.Siblings)
	}
	return errIndexProof
}

// checkPath returns nil if a leaf or missing node at depth len(siblings) on the
// path of label leads to root.
func checkPath(root, label, node events.Hash, siblings []events.Hash) error {
	depth := len(siblings)
	if depth < 1 || depth > maxIndexDepth {
		return errIndexProof
	}
	// Below the root, an inner node has at least two leaves beneath it. The
	// root alone does not bind this: whoever made it may have made it wrong.
	if depth > 1 && siblings[0].IsZero() {
		return errIndexProof
	}
	for i, sibling := range siblings {
		if indexBit(label, depth-1-i) == 0 {
			node = IndexNodeHash(node, sibling)
		} else {
			node = IndexNodeHash(sibling, node)
		}
	}
	if node != root {
		return errIndexProof
	}
	return nil
}

// UnmarshalJSON accepts exactly what json.Marshal gives, white space aside.
func (p *MemberProof) UnmarshalJSON(data []byte) error {
	type plain MemberProof
	q, err := decodeIndexProof[plain](data)
	if err != nil {
		return err
	}
	*p = MemberProof(q)
	return nil
}

// UnmarshalJSON accepts exactly what json.Marshal gives, white space aside.
func (p *AbsenceProof) UnmarshalJSON(data []byte) error {
	type plain AbsenceProof
	q, err := decodeIndexProof[plain](data)
	if err != nil {
		return err
	}
	*p = AbsenceProof(q)
	return nil
}

// decodeIndexProof encodes again what it decoded and compares, because
// encoding/json takes doubled, unknown and differently cased members, and null
// or zero for a member left out.
func decodeIndexProof[T any](data []byte) (T, error) {
	var proof, none T
	var compact bytes.Buffer
	if json.Unmarshal(data, &proof) != nil || json.Compact(&compact, data) != nil {
		return none, errIndexProof
	}
	again, err := json.Marshal(proof)
	if err != nil || !bytes.Equal(again, compact.Bytes()) {
		return none, errIndexProof
	}
	return proof, nil
}

func hashPair(tag byte, a, b *events.Hash) events.Hash {
	var buf [1 + 2*sha256.Size]byte
	buf[0] = tag
	copy(buf[1:], a[:])
	copy(buf[1+sha256.Size:], b[:])
	return sha256.Sum256(buf[:])
}

func indexBit(label events.Hash, d int) byte {
	return label[d/8] >> (7 - d%8) & 1
}

func samePrefix(a, b events.Hash, bits int) bool {
	for d := range bits {
		if indexBit(a, d) != indexBit(b, d) {
			return false
		}
	}
	return true
}
