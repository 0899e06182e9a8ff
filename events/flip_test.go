package events_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sharetrail/sharetrail/events"
)

// flips calls f with every bit of b changed, one at a time.
func flips(t *testing.T, b []byte, f func(t *testing.T, bit int, flipped []byte)) {
	t.Helper()
	for bit := range 8 * len(b) {
		f(t, bit, flip(b, bit))
		if t.Failed() {
			t.Fatalf("stopping at bit %d", bit)
		}
	}
}

// A leaf with a flipped bit is another leaf or none, never the same one.
func TestFlipLeaf(t *testing.T) {
	for _, v := range readVectors(t, "leaf.json") {
		if v.Refused {
			continue
		}
		leaf := unhex(v.Out["leaf"])
		flips(t, leaf, func(t *testing.T, bit int, flipped []byte) {
			checkLeaf(t, flipped)
		})
	}
}

func TestFlipSlot(t *testing.T) {
	for _, c := range slotCases() {
		flips(t, c.content(), func(t *testing.T, bit int, flipped []byte) {
			checkSlot(t, flipped)
		})
	}
}

func TestFlipFields(t *testing.T) {
	flips(t, specBody(someFields()...), func(t *testing.T, bit int, flipped []byte) {
		checkFields(t, flipped)
	})
}

// What stands beside the leaf of an entry is bound by the leaf's blob hash, and
// beside the leaf of a state by its rules hash.
func TestFlipStored(t *testing.T) {
	entry, state := smallStored(), stateStored([]byte(firstRules), []byte(firstRules))
	for name, stored := range map[string][]byte{"entry": entry, "state": state} {
		t.Run(name, func(t *testing.T) {
			s, _, err := events.ParseStored(stored)
			if err != nil {
				t.Fatal(err)
			}
			beside := 8 * (2 + len(s.Leaf))
			flips(t, stored, func(t *testing.T, bit int, flipped []byte) {
				accepted := checkStored(t, flipped)
				if accepted && bit >= beside {
					t.Errorf("bit %d beside the leaf may be flipped", bit)
				}
			})
		})
	}
}

// A truncated input is refused, whatever it is cut to.
func TestCut(t *testing.T) {
	leaf, content := unhex(readVectors(t, "leaf.json")[2].Out["leaf"]), slotCases()[0].content()
	stored, body := smallStored(), specBody(someFields()...)
	for n := range len(leaf) {
		if _, err := events.ParseLeaf(leaf[:n]); !errors.Is(err, events.ErrLeaf) {
			t.Errorf("leaf cut to %d: got error %v", n, err)
		}
	}
	for n := range len(content) {
		if _, err := events.ParseSlotContent(content[:n]); !errors.Is(err, events.ErrSlot) {
			t.Errorf("content cut to %d: got error %v", n, err)
		}
	}
	for n := range len(stored) {
		if _, _, err := events.ParseStored(stored[:n]); !errors.Is(err, events.ErrStored) {
			t.Errorf("stored cut to %d: got error %v", n, err)
		}
	}
	for n := range len(body) {
		if _, err := events.ParseFields(body[:n]); !errors.Is(err, events.ErrBody) {
			t.Errorf("body cut to %d: got error %v", n, err)
		}
	}
}

// The greatest leaf stays below the limit of a tlog-tiles entry.
func TestLargestLeaf(t *testing.T) {
	b := specLeaf(1, someTime, ramp(1), ramp(2), ramp(3), someSlots(events.MaxSlots), nil)
	if len(b) != 32_878 {
		t.Errorf("got %d bytes", len(b))
	}
	if !checkLeaf(t, b) {
		t.Error("512 slots are refused")
	}
	if checkLeaf(t, specLeaf(1, someTime, ramp(1), ramp(2), ramp(3), someSlots(512)[:64*511], nil)) {
		t.Error("511 slots are accepted")
	}
}

// The check functions hold for any input: either the one constant error, or
// the value marshals to the very bytes. They report whether it was accepted.

func checkLeaf(t *testing.T, b []byte) bool {
	leaf, err := events.ParseLeaf(b)
	return same(t, b, err, events.ErrLeaf, func() []byte { return leaf.Marshal() })
}

func checkState(t *testing.T, b []byte) bool {
	s, err := events.ParseState(b)
	return same(t, b, err, events.ErrState, func() []byte { return s.Marshal() })
}

func checkSlot(t *testing.T, b []byte) bool {
	c, err := events.ParseSlotContent(b)
	return same(t, b, err, events.ErrSlot, func() []byte { return c.Marshal() })
}

func checkFields(t *testing.T, b []byte) bool {
	fields, err := events.ParseFields(b)
	return same(t, b, err, events.ErrBody, func() []byte { return events.MarshalFields(fields) })
}

func checkStored(t *testing.T, b []byte) bool {
	s, leaf, err := events.ParseStored(b)
	return same(t, b, err, events.ErrStored, func() []byte {
		if !bytes.Equal(leaf.Marshal(), s.Leaf) {
			t.Error("the leaf does not lead back")
		}
		return s.Marshal()
	})
}

func checkRules(t *testing.T, b []byte) bool {
	rules, err := events.ParseRules(b)
	return same(t, b, err, events.ErrJSON, func() []byte { return rules.Marshal() })
}

func same(t *testing.T, b []byte, err, constant error, marshal func() []byte) bool {
	t.Helper()
	if err != nil {
		if err != constant {
			t.Errorf("got error %v, want %v", err, constant)
		}
		return false
	}
	if again := marshal(); !bytes.Equal(again, b) {
		t.Errorf("accepted %x but gives %x", b, again)
	}
	return true
}
