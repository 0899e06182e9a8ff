package keystore

import (
	"fmt"
	"math/bits"
	mrand "math/rand/v2"

	"github.com/sharetrail/sharetrail/events"
)

// Draft is an event about to be sealed into a leaf.
type Draft struct {
	Origin string
	Stream string
	ID     [16]byte
	TimeMS uint64
	Event  events.Event
	Facts  *events.Facts // of Event, if they are encoded already
	Slots  []Draw
	Least  int           // slots, decoys included
	Own    *EventSecrets // drawn already, for what continues the event; nil: drawn now
	Target *EventSecrets // of the event that this one continues; nil: it continues none
}

// EventSecrets open an event: all of its commitments but those of slots, and its
// body.
type EventSecrets struct {
	Seed    events.Hash
	DataKey [32]byte
}

// NewEventSecrets draws the secrets of an event.
func NewEventSecrets() *EventSecrets { return &EventSecrets{events.Hash(random32()), random32()} }

// Draw is one labelled slot of a draft: whose key it is under, its label and
// what it commits to. A nil Opening means a random one.
type Draw struct {
	Key     [32]byte
	Label   events.Hash
	Content *events.SlotContent
	Opening *events.Hash
}

// Seal builds the leaf and the stored bytes of a draft: fields committed under
// a fresh seed, the body under a fresh data key, each slot under its party's
// key, decoys up to the next power of two, all of it shuffled. Neither leaf nor
// ciphertext tells a decoy from a slot, or one party's from another's.
func Seal(d Draft) (*events.Stored, *events.Leaf, error) {
	own := d.Own
	if own == nil {
		own = NewEventSecrets()
	}
	seed, dek := own.Seed, own.DataKey
	facts := d.Facts
	if facts == nil {
		facts = events.FactsOf(d.Event)
	}
	body, err := facts.Body(seed, events.FieldWidth)
	if err != nil {
		return nil, nil, err
	}
	clear, slots := events.ClearType(d.Event), d.Slots
	width := slotWidth(max(len(slots), d.Least))
	if width > events.MaxSlots {
		return nil, nil, fmt.Errorf("sealing %d slots: one event holds at most %d", len(slots), events.MaxSlots)
	}
	leaf := &events.Leaf{
		Kind:   events.KindEntry,
		TimeMS: d.TimeMS,
		Event:  events.CommitEvent(events.Opening(seed, 0), d.ID, clear, d.Stream),
		Body:   body.Root(),
		Slots:  make([]events.Slot, width),
	}
	stored := &events.Stored{
		Body:  seal(dek, events.PadTo(facts.Marshal(), events.BodySize(clear, len(facts.Marshal()))), events.AdditionalData(d.Origin, d.ID, events.BodySlot, events.PurposeBody)),
		Slots: make([]events.Sealed, width),
	}
	if err := sealSlots(d, own, leaf, stored); err != nil {
		return nil, nil, err
	}
	leaf.Blob = stored.Blob()
	stored.Leaf = leaf.Marshal()
	return stored, leaf, nil
}

func sealSlots(d Draft, own *EventSecrets, leaf *events.Leaf, stored *events.Stored) error {
	plains, openings := make([][]byte, len(d.Slots)), make([]events.Hash, len(d.Slots))
	contents := make([][]byte, len(d.Slots))
	size := events.PaddedSize(0)
	for i, draw := range d.Slots {
		openings[i] = events.Hash(random32())
		if draw.Opening != nil {
			openings[i] = *draw.Opening
		}
		contents[i] = draw.Content.Marshal()
		plains[i] = events.MarshalPart(openings[i], contents[i])
		size = max(size, events.PaddedSize(len(plains[i])))
	}
	if size+overhead > events.MaxPart {
		return fmt.Errorf("sealing %d bytes for one party: at most %d fit", size, events.MaxPart-overhead)
	}
	// The shuffle hides which slots are decoys and whose is whose, so it is
	// drawn from the system's generator, not from a seeded one.
	places := Perm(len(leaf.Slots))
	for i, place := range places {
		slot := uint16(place)
		if i >= len(d.Slots) {
			decoy := random(size + overhead + events.EnvelopeSize)
			leaf.Slots[place] = events.Slot{Label: random32(), Commit: random32()}
			stored.Slots[place] = events.Sealed{Part: decoy[: size+overhead : size+overhead], Envelope: decoy[size+overhead:]}
			continue
		}
		draw := d.Slots[i]
		leaf.Slots[place] = events.Slot{Label: draw.Label, Commit: events.CommitSlot(openings[i], contents[i])}
		var secrets [4 * 32]byte // target seed and key stay zero: no target
		copy(secrets[:], own.Seed[:])
		copy(secrets[32:], own.DataKey[:])
		if d.Target != nil {
			copy(secrets[64:], d.Target.Seed[:])
			copy(secrets[96:], d.Target.DataKey[:])
		}
		stored.Slots[place] = events.Sealed{
			Part: seal(draw.Key, events.PadTo(plains[i], size),
				events.AdditionalData(d.Origin, d.ID, slot, events.PurposePart)),
			Envelope: seal(draw.Key, secrets[:],
				events.AdditionalData(d.Origin, d.ID, slot, events.PurposeEnvelope)),
		}
	}
	return nil
}

// SlotBytes is what the slots of n parties and their decoys take in the data of
// an event, leaf included, when the longest part has the given padded size.
func SlotBytes(n, part int) int {
	const leaf, length = 64, 2
	return slotWidth(n) * (leaf + length + part + overhead + events.EnvelopeSize)
}

// slotWidth is the next power of two, at least 2.
func slotWidth(n int) int {
	if n <= 2 {
		return 2
	}
	return 1 << bits.Len(uint(n-1))
}

// systemSource feeds math/rand's shuffles from crypto/rand.
type systemSource struct{}

func (systemSource) Uint64() uint64 {
	b := random(8)
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

// Perm returns a uniformly random permutation from the system's generator.
func Perm(n int) []int { return mrand.New(systemSource{}).Perm(n) }
