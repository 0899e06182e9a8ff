package keystore_test

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

const evStream = "sharetrail-keys"

func draft(slots ...keystore.Draw) keystore.Draft {
	return keystore.Draft{
		Origin: origin, Stream: evStream, ID: [16]byte{1}, TimeMS: 60_000, Slots: slots,
		Event: &events.DisclosureRecorded{Occurred: events.Occurred{At: "2026-01-02T03:04:05Z"}, Data: events.SharedData{Categories: []string{"name"}}},
	}
}

func sealed(t interface{ Fatal(...any) }, d keystore.Draft) *keystore.Sealed {
	stored, _, err := keystore.Seal(d)
	if err != nil {
		t.Fatal(err)
	}
	s, err := keystore.Parse(d.Origin, events.Recorded{ID: d.ID, Type: d.Event.Type(), Stream: d.Stream, Data: stored.Marshal()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func slotOf(s *keystore.Sealed, label events.Hash) int {
	return slices.IndexFunc(s.Leaf.Slots, func(x events.Slot) bool { return x.Label == label })
}

func TestSealOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "slots")
		draws := make([]keystore.Draw, n)
		for i := range draws {
			var private *events.Private
			if text := rapid.StringN(0, 300, 1200).Draw(t, "text"); text != "" {
				private = &events.Private{Description: text}
			}
			draws[i] = keystore.Draw{Key: [32]byte{byte(i + 1)}, Label: events.Hash{byte(i + 1), 1}, Content: events.EntryContent(events.RoleSubject, uint64(i), "email\x00ada@example.com", private)}
		}
		d := draft(draws...)
		s := sealed(t, d)
		if w := len(s.Leaf.Slots); w < 2 || w&(w-1) != 0 || w < n || n > 2 && w >= 2*n {
			t.Fatalf("%d slots became %d", n, w)
		}
		for _, x := range s.Stored.Slots { // real and decoy have the same lengths
			if len(x.Part) != len(s.Stored.Slots[0].Part) || len(x.Envelope) != events.EnvelopeSize {
				t.Fatal("the slots have different lengths")
			}
		}
		for i, draw := range draws {
			for k := range s.Leaf.Slots {
				o, err := s.Open(uint16(k), draw.Key)
				if mine := k == slotOf(s, draw.Label); mine != (err == nil) {
					t.Fatalf("key %d and slot %d: %v", i, k, err)
				} else if mine && !bytes.Equal(o.Slot, draw.Content.Marshal()) {
					t.Fatalf("slot %d has other content", k)
				}
			}
		}
	})
}

// TestBound opens a slot of an event under everything that is not its own.
func TestBound(t *testing.T) {
	key, label := [32]byte{1}, events.Hash{1}
	s := sealed(t, draft(keystore.Draw{Key: key, Label: label, Content: events.EntryContent(events.RoleSubject, 0, "email\x00ada@example.com", nil)}))
	slot := uint16(slotOf(s, label))
	if _, err := s.Open(slot, key); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*keystore.Sealed){
		"event id":   func(s *keystore.Sealed) { s.ID[0]++ },
		"event type": func(s *keystore.Sealed) { s.Type = events.TypeEnrolled },
		"stream":     func(s *keystore.Sealed) { s.Stream += "x" },
		"origin":     func(s *keystore.Sealed) { s.Origin += "x" },
		"purposes exchanged": func(s *keystore.Sealed) {
			x := &s.Stored.Slots[slot]
			x.Part, x.Envelope = x.Envelope, x.Part
		},
	} {
		other := sealedCopy(s)
		change(other)
		if _, err := other.Open(slot, key); err == nil {
			t.Errorf("opened with another %s", name)
		}
	}
	if _, err := s.Open(slot^1, key); err == nil {
		t.Error("opened another slot")
	}
	if _, err := s.Open(99, key); err == nil {
		t.Error("opened a slot that is not there")
	}
	if _, err := s.Open(slot, [32]byte{2}); err == nil {
		t.Error("opened with another key")
	}
}

func sealedCopy(s *keystore.Sealed) *keystore.Sealed {
	c, stored := *s, *s.Stored
	stored.Slots = slices.Clone(s.Stored.Slots)
	c.Stored = &stored
	return &c
}

// TestFlips changes every byte of an event's data. Provenance refuses each; so
// does opening, but for bytes of the leaf that the log and the index hold: time,
// labels, and the commitments of other slots.
func TestFlips(t *testing.T) {
	store := create(t, t.TempDir())
	secrets, err := store.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, label := [32]byte{1}, events.Hash{1}
	s := sealed(t, draft(keystore.Draw{Key: key, Label: label, Content: events.EntryContent(events.RoleSubject, 0, "email\x00ada@example.com", nil)}))
	slot := uint16(slotOf(s, label))
	good := s.Recorded
	good.Metadata = secrets.Provenance(good.Revision, good.ID, good.Type, good.Data)
	if !secrets.Ours(good) {
		t.Fatal("our own event is foreign")
	}
	for i := range good.Data {
		e := good
		e.Data = slices.Clone(good.Data)
		e.Data[i] ^= 1
		if secrets.Ours(e) {
			t.Fatalf("byte %d changed and the event is still ours", i)
		}
		p, err := keystore.Parse(origin, e)
		if err != nil {
			continue
		}
		if _, err := p.Open(slot, key); err == nil && i >= 2+len(s.Stored.Leaf) {
			t.Fatalf("byte %d changed and the event still opens", i)
		}
	}
	for name, change := range map[string]func(*events.Recorded){
		"revision": func(e *events.Recorded) { e.Revision++ }, "id": func(e *events.Recorded) { e.ID[3]++ },
		"type": func(e *events.Recorded) { e.Type = events.TypeEnrolled }, "metadata": func(e *events.Recorded) { e.Metadata = nil },
	} {
		e := good
		change(&e)
		if secrets.Ours(e) {
			t.Errorf("another %s and the event is still ours", name)
		}
	}
}

// TestOpenerSharesNoMistake: an opener that has the body already still refuses
// slots that are not the key's, and slots that are another event's.
func TestOpenerSharesNoMistake(t *testing.T) {
	mine := keystore.Draw{Key: [32]byte{1}, Label: events.Hash{1}, Content: events.EntryContent(events.RoleSubject, 0, "email\x00a@example.com", nil)}
	other := keystore.Draw{Key: [32]byte{2}, Label: events.Hash{2}, Content: events.EntryContent(events.RoleRecipient, 0, "org\x00b", nil)}
	s, foreign := sealed(t, draft(mine, other)), sealed(t, draft(mine, other))
	k, j := slotOf(s, mine.Label), slotOf(s, other.Label)
	for slotOf(foreign, other.Label) != j { // a slot's number is bound by itself
		foreign = sealed(t, draft(mine, other))
	}
	r := &keystore.Opener{Sealed: s}
	first, err := r.Open(uint16(k), mine.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open(uint16(j), mine.Key); err == nil {
		t.Error("the other's slot opened with my key")
	}
	second, err := r.Open(uint16(j), other.Key)
	if err != nil || second.Event != first.Event || bytes.Equal(second.Slot, first.Slot) {
		t.Errorf("the second slot: %+v, %v", second, err)
	}
	// The same parties' envelope of another event has other secrets.
	s.Stored.Slots[j].Envelope = foreign.Stored.Slots[j].Envelope
	if _, err := r.Open(uint16(j), other.Key); err == nil {
		t.Error("an envelope of another event opened")
	}
}
