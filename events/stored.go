package events

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// MaxPart is the longest ciphertext of a slot's part.
const MaxPart = 1<<16 - 1

// EnvelopeSize is the length of a slot's envelope: nonce, four 32-byte secrets
// (the event's seed and data key, a target's seed and data key) and a tag.
const EnvelopeSize = 24 + 4*32 + 16

// ErrStored says that some bytes are not the data of an event of ours.
var ErrStored = errors.New("malformed event data")

// Sealed is one slot's ciphertexts. Nothing beside them says whose they are; a
// decoy's are random bytes of the same lengths.
type Sealed struct {
	Part     []byte // nonce || AEAD of CBOR [slot opening, content bytes], padded
	Envelope []byte // nonce || AEAD of seed || data key || target seed || target data key
}

// Stored is the data of an event in the event store: the leaf's exact bytes and
// the ciphertexts the leaf's blob hash covers. In a state event Body is the
// rules document when it differs from the one before, else empty.
type Stored struct {
	Leaf  []byte
	Body  []byte // nonce || AEAD of the padded fields under the event's data key
	Slots []Sealed
}

// Marshal returns the event's data.
func (s *Stored) Marshal() []byte {
	b := make([]byte, 0, 2+len(s.Leaf)+s.besideSize())
	return s.appendBeside(appendOpaque16(b, s.Leaf))
}

// Blob is what the leaf of an entry says about the bytes stored beside it.
func (s *Stored) Blob() Hash {
	b := make([]byte, 0, 1+s.besideSize())
	return sha256.Sum256(s.appendBeside(append(b, tagBlob)))
}

func (s *Stored) besideSize() int {
	n := 3 + len(s.Body)
	for _, slot := range s.Slots {
		n += 2 + len(slot.Part) + len(slot.Envelope)
	}
	return n
}

func (s *Stored) appendBeside(b []byte) []byte {
	b = appendOpaque24(b, s.Body)
	for _, slot := range s.Slots {
		b = appendOpaque16(b, slot.Part)
		if len(slot.Envelope) != EnvelopeSize {
			panic("events: envelope of a wrong size")
		}
		b = append(b, slot.Envelope...)
	}
	return b
}

// blobHash hashes a long message without copying it.
func blobHash(beside []byte) (sum Hash) {
	h := sha256.New()
	h.Write([]byte{tagBlob})
	h.Write(beside)
	h.Sum(sum[:0])
	return sum
}

// ParseStored is the inverse of [Stored.Marshal]. It also parses the leaf and
// checks what binds the two: as many ciphertexts as slots, all parts of one
// size, the blob hash of an entry, the rules hash of a state's document.
func ParseStored(data []byte) (*Stored, *Leaf, error) {
	r := newReader(data)
	s := &Stored{Leaf: r.opaque(2)}
	leaf, err := ParseLeaf(s.Leaf)
	if err != nil || !r.ok {
		return nil, nil, ErrStored
	}
	blob := blobHash(r.b)
	s.Body = r.opaque(3)
	s.Slots = make([]Sealed, 0, len(leaf.Slots))
	for range leaf.Slots {
		s.Slots = append(s.Slots, Sealed{Part: r.opaque(2), Envelope: r.bytes(EnvelopeSize)})
	}
	if !r.done() || leaf.Kind == KindForeign || leaf.Kind == KindEntry && blob != leaf.Blob {
		return nil, nil, ErrStored
	}
	for _, slot := range s.Slots {
		if len(slot.Part) != len(s.Slots[0].Part) {
			return nil, nil, ErrStored
		}
	}
	if leaf.Kind == KindState && len(s.Body) > 0 {
		if said, err := ParseState(leaf.Ext); err != nil || said.RulesHash != RulesHash(s.Body) {
			return nil, nil, ErrStored
		}
	}
	return s, leaf, nil
}

// Purposes of a ciphertext, bound by its additional data.
const (
	PurposeBody     = 1
	PurposePart     = 2
	PurposeEnvelope = 3
	// BodySlot stands for the slot number in the body's additional data.
	BodySlot = 0xFFFF
)

// AdditionalData binds a ciphertext to its ledger, event, slot and purpose.
func AdditionalData(origin string, id [16]byte, slot uint16, purpose uint8) []byte {
	b := appendOpaque8(make([]byte, 0, 1+len(origin)+len(id)+3), []byte(origin))
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint16(b, slot)
	return append(b, purpose)
}

// ProvenanceMessage is what the ledger authenticates of each event it appends
// (HMAC-SHA-256 under its secret, in the event's metadata), so that an event of
// somebody else, or one of ours at another revision, is recognised as foreign.
func ProvenanceMessage(revision uint64, id [16]byte, typ string, data []byte) []byte {
	return append(ProvenanceHead(revision, id, typ), data...)
}

// ProvenanceHead is what stands before the data in [ProvenanceMessage].
func ProvenanceHead(revision uint64, id [16]byte, typ string) []byte {
	b := make([]byte, 0, 8+16+1+len(typ))
	b = binary.BigEndian.AppendUint64(b, revision)
	b = append(b, id[:]...)
	return appendOpaque8(b, []byte(typ))
}

// Pad appends 0x80 00* up to the next length of 256 * 2^n.
func Pad(b []byte) []byte { return PadTo(b, PaddedSize(len(b))) }

// PaddedSize is the length [Pad] gives to n bytes.
func PaddedSize(n int) int {
	size := 256
	for size < n+1 {
		size *= 2
	}
	return size
}

// PadTo appends 0x80 00* up to exactly size bytes.
func PadTo(b []byte, size int) []byte {
	out := make([]byte, size)
	copy(out, b)
	out[len(b)] = 0x80
	return out
}

// Unpad is the inverse of [Pad].
func Unpad(b []byte) ([]byte, error) {
	for i := len(b) - 1; i >= 0; i-- {
		switch b[i] {
		case 0x00:
		case 0x80:
			return b[:i], nil
		default:
			return nil, ErrStored
		}
	}
	return nil, ErrStored
}

// part is the plaintext of a slot's part.
type part struct {
	_       struct{} `cbor:",toarray"`
	Opening []byte
	Content []byte
}

// MarshalPart returns CBOR [slot opening, content bytes].
func MarshalPart(opening Hash, content []byte) []byte {
	return encodeCBOR(part{Opening: opening[:], Content: content})
}

// ParsePart is the inverse of [MarshalPart].
func ParsePart(b []byte) (opening Hash, content []byte, err error) {
	var p part
	if err := decodeCBOR(b, &p); err != nil || len(p.Opening) != len(opening) {
		return Hash{}, nil, ErrStored
	}
	return Hash(p.Opening), p.Content, nil
}
