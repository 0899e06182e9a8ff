package events_test

import (
	"bytes"
	"testing"

	"github.com/sharetrail/sharetrail/events"
)

// What the ledger writes is what the vectors hold.
func TestSlotConstructors(t *testing.T) {
	cases := slotCases()
	enrol := events.EnrolContent(events.RoleSubject, 0, hashOf(ramp(0x80)), "email\x00ada@example.com")
	private := &events.Private{Description: "moved house", Reference: "ticket 12"}
	for _, c := range []struct {
		got  *events.SlotContent
		want slotCase
	}{
		{enrol, cases[0]},
		{events.EntryContent(events.RoleSubject, 0, "email\x00ada@example.com", nil), cases[2]},
		{events.EntryContent(events.RoleSubject, 0, "email\x00ada@example.com", &events.Private{}), cases[2]},
		{events.EntryContent(events.RoleSubject, 7, "email\x00ada@example.com", private), cases[6]},
	} {
		if got := c.got.Marshal(); !bytes.Equal(got, c.want.content()) {
			t.Errorf("%s: got %x", c.want.name, got)
		}
	}
}

// Writers must not err: what a parser would refuse is not written.
func TestMarshalPanics(t *testing.T) {
	for name, marshal := range map[string]func(){
		"leaf without kind":   func() { new(events.Leaf).Marshal() },
		"entry without slots": func() { (&events.Leaf{Kind: events.KindEntry, Blob: events.Hash{1}}).Marshal() },
		"state without state": func() { (&events.Leaf{Kind: events.KindState}).Marshal() },
		"empty content":       func() { new(events.SlotContent).Marshal() },
		"short envelope":      func() { (&events.Stored{Slots: []events.Sealed{{Envelope: []byte{1}}}}).Marshal() },
		"successor too long":  func() { (&events.State{Successor: fill(1, 256)}).Marshal() },
		"context too long":    func() { events.Commit(string(fill('c', 256)), events.Hash{}, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was marshalled", name)
				}
			}()
			marshal()
		}()
	}
}
