package keystore

import (
	"fmt"

	"github.com/sharetrail/sharetrail/events"
)

// Sealed is a recorded event together with its parsed data.
type Sealed struct {
	events.Recorded
	Origin string
	Stored *events.Stored
	Leaf   *events.Leaf
}

// Parse reads the data of an event of ours.
func Parse(origin string, e events.Recorded) (*Sealed, error) {
	stored, leaf, err := events.ParseStored(e.Data)
	if err != nil {
		return nil, fmt.Errorf("reading event %d: %w", e.Revision, err)
	}
	return &Sealed{Recorded: e, Origin: origin, Stored: stored, Leaf: leaf}, nil
}

// Opened is what a party's key opens of an event.
type Opened struct {
	Seed        events.Hash
	DataKey     [32]byte
	Target      EventSecrets // of the event that a continuation continues; zero in others
	SlotOpening events.Hash
	Slot        []byte // the content's exact bytes
	Content     *events.SlotContent
	Facts       *events.Facts
	Event       events.Event
}

// Open opens slot k of an event and its body with a party's key. It succeeds
// only if everything reproduces the commitments of the leaf.
func (s *Sealed) Open(slot uint16, key [32]byte) (*Opened, error) {
	return (&Opener{Sealed: s}).Open(slot, key)
}

// Opener opens several slots of one event, one after the other. Slots whose
// secrets are the same share their body, so it is opened and checked once.
type Opener struct {
	*Sealed
	last *Opened // what was opened last, whole
}

// Open is [Sealed.Open]. What different slots return may share facts and event.
func (r *Opener) Open(slot uint16, key [32]byte) (*Opened, error) {
	if int(slot) >= len(r.Leaf.Slots) {
		return nil, fmt.Errorf("opening event %d: it has no slot %d", r.Revision, slot)
	}
	o := new(Opened)
	for _, step := range []func(uint16, [32]byte, *Opened) error{r.openPart, r.openEnvelope, r.openBody} {
		if err := step(slot, key, o); err != nil {
			return nil, fmt.Errorf("opening slot %d of event %d: %w", slot, r.Revision, err)
		}
	}
	r.last = o
	return o, nil
}

// OpenHeader opens the body of an event with its secrets, which a continuation of it
// holds. No slot is opened: those are other parties'.
func (s *Sealed) OpenHeader(secrets EventSecrets) (*Opened, error) {
	o := &Opened{Seed: secrets.Seed, DataKey: secrets.DataKey}
	if err := (&Opener{Sealed: s}).openBody(0, [32]byte{}, o); err != nil {
		return nil, fmt.Errorf("opening the header %d of a continuation: %w", s.Revision, err)
	}
	return o, nil
}

// OpenSlot opens slot k alone, with a party's key.
func (s *Sealed) OpenSlot(slot uint16, key [32]byte) (*events.SlotContent, error) {
	o := new(Opened)
	if err := s.openPart(slot, key, o); err != nil {
		return nil, fmt.Errorf("opening slot %d of event %d: %w", slot, s.Revision, err)
	}
	return o.Content, nil
}

func (s *Sealed) openPart(slot uint16, key [32]byte, o *Opened) error {
	padded, err := open(key, s.Stored.Slots[slot].Part,
		events.AdditionalData(s.Origin, s.ID, slot, events.PurposePart))
	if err != nil {
		return err
	}
	plain, err := events.Unpad(padded)
	if err != nil {
		return err
	}
	if o.SlotOpening, o.Slot, err = events.ParsePart(plain); err != nil {
		return err
	}
	if events.CommitSlot(o.SlotOpening, o.Slot) != s.Leaf.Slots[slot].Commit {
		return fmt.Errorf("it does not match the leaf's commitment: %w", ErrCannotOpen)
	}
	o.Content, err = events.ParseSlotContent(o.Slot)
	return err
}

func (s *Sealed) openEnvelope(slot uint16, key [32]byte, o *Opened) error {
	secrets, err := open(key, s.Stored.Slots[slot].Envelope,
		events.AdditionalData(s.Origin, s.ID, slot, events.PurposeEnvelope))
	if err != nil {
		return err
	}
	o.Seed, o.DataKey = events.Hash(secrets[:32]), [32]byte(secrets[32:64])
	o.Target = EventSecrets{events.Hash(secrets[64:96]), [32]byte(secrets[96:])}
	return nil
}

// openBody opens what the slot's secrets open: everything in it follows from them
// and the event alone.
func (r *Opener) openBody(_ uint16, _ [32]byte, o *Opened) error {
	if r.last != nil && r.last.Seed == o.Seed && r.last.DataKey == o.DataKey &&
		events.BodyType(r.Type, r.last.Content) == events.BodyType(r.Type, o.Content) {
		o.Facts, o.Event = r.last.Facts, r.last.Event
		return nil
	}
	if events.CommitEvent(events.Opening(o.Seed, 0), r.ID, r.Type, r.Stream) != r.Leaf.Event {
		return fmt.Errorf("the event does not match the leaf's commitment: %w", ErrCannotOpen)
	}
	padded, err := open(o.DataKey, r.Stored.Body,
		events.AdditionalData(r.Origin, r.ID, events.BodySlot, events.PurposeBody))
	if err != nil {
		return err
	}
	plain, err := events.Unpad(padded)
	if err != nil {
		return err
	}
	typ := r.Type // of a header, of which no slot is open
	if o.Content != nil {
		typ = events.BodyType(r.Type, o.Content)
	}
	if o.Facts, o.Event, err = events.ParseEvent(typ, plain); err != nil {
		return err
	}
	body, err := o.Facts.Body(o.Seed, events.FieldWidth)
	if err != nil {
		return err
	}
	if body.Root() != r.Leaf.Body {
		return fmt.Errorf("the body does not match the leaf's commitment: %w", ErrCannotOpen)
	}
	return nil
}
