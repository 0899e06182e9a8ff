package events_test

import (
	"bytes"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sharetrail/sharetrail/events"
)

const someTime = 1_795_305_600_000 // a whole minute

// specLeaf is a leaf's bytes.
func specLeaf(kind byte, ms uint64, event, body, blob, slots, ext []byte) []byte {
	return cat([]byte{1, kind}, be(8, ms), event, body, blob, opaque(2, slots), opaque(2, ext))
}

// someSlots is n slots with labels and commitments that are all different.
func someSlots(n int) []byte {
	var b []byte
	for k := range n {
		b = cat(b, sum([]byte("label"), be(2, uint64(k))), sum([]byte("commit"), be(2, uint64(k))))
	}
	return b
}

func goodLeaf(name string, kind byte, ms uint64, event, body, blob, slots, ext []byte) vector {
	leaf := specLeaf(kind, ms, event, body, blob, slots, ext)
	return vector{Name: name, In: values{
		"kind": num(uint64(kind)), "time_ms": num(ms), "event": hx(event), "body": hx(body), "blob": hx(blob),
		"slots": hx(slots), "ext": hx(ext),
	}, Out: values{"leaf": hx(leaf), "leaf_hash": hx(specLeafHash(leaf))}}
}

func specLeaves() []vector {
	zero := fill(0, 32)
	e, b, x := ramp(0x20), ramp(0x60), ramp(0xa0)
	small := specLeaf(1, someTime, e, b, x, someSlots(2), nil)
	state := specLeaf(2, someTime, zero, zero, zero, nil, genesisExt())
	foreign := specLeaf(3, someTime, zero, b, zero, nil, nil)
	good := []vector{
		goodLeaf("entry with 2 slots", 1, someTime, e, b, x, someSlots(2), nil),
		goodLeaf("entry with 4 slots", 1, someTime, e, b, x, someSlots(4), nil),
		goodLeaf("state, leaf 0", 2, someTime, zero, zero, zero, nil, genesisExt()),
		goodLeaf("state, later", 2, someTime+60_000, zero, zero, zero, nil, laterExt()),
		goodLeaf("foreign", 3, someTime, zero, b, zero, nil, nil),
		goodLeaf("time 0", 1, 0, e, b, x, someSlots(2), nil),
		goodLeaf("greatest time", 1, 1<<64-1, e, b, x, someSlots(2), nil),
	}
	with := func(of []byte, at int, b byte) []byte {
		of = bytes.Clone(of)
		of[at] = b
		return of
	}
	return append(good, refusals("leaf", []named{
		{"nothing", nil},
		{"version alone", small[:1]},
		{"cut by one byte", small[:len(small)-1]},
		{"cut before the slots", small[:106]},
		{"one byte too many", cat(small, []byte{0})},
		{"version 0", with(small, 0, 0)},
		{"version 2", with(small, 0, 2)},
		{"kind 0", with(small, 1, 0)},
		{"kind 4", with(small, 1, 4)},
		{"entry without slots", specLeaf(1, 0, e, b, x, nil, nil)},
		{"entry with 1 slot", specLeaf(1, 0, e, b, x, someSlots(1), nil)},
		{"entry with 3 slots", specLeaf(1, 0, e, b, x, someSlots(3), nil)},
		{"entry with 6 slots", specLeaf(1, 0, e, b, x, someSlots(6), nil)},
		{"half a slot", specLeaf(1, 0, e, b, x, someSlots(2)[:96], nil)},
		{"slots of 127 bytes", specLeaf(1, 0, e, b, x, someSlots(2)[:127], nil)},
		{"zero label", specLeaf(1, 0, e, b, x, cat(someSlots(1), zero, e), nil)},
		{"zero commitment", specLeaf(1, 0, e, b, x, cat(someSlots(1), e, zero), nil)},
		{"entry with zero blob", specLeaf(1, 0, e, b, zero, someSlots(2), nil)},
		{"entry with extension", specLeaf(1, 0, e, b, x, someSlots(2), []byte{0})},
		{"entry with a state's extension", specLeaf(1, 0, e, b, x, someSlots(2), genesisExt())},
		{"state without extension", specLeaf(2, 0, zero, zero, zero, nil, nil)},
		{"state with slots", specLeaf(2, 0, zero, zero, zero, someSlots(2), genesisExt())},
		{"state with event", specLeaf(2, 0, e, zero, zero, nil, genesisExt())},
		{"state with body", specLeaf(2, 0, zero, b, zero, nil, genesisExt())},
		{"state with blob", specLeaf(2, 0, zero, zero, x, nil, genesisExt())},
		{"state with a cut extension", specLeaf(2, 0, zero, zero, zero, nil, genesisExt()[:100])},
		{"state as an entry", with(state, 1, 1)},
		{"foreign with event", specLeaf(3, 0, e, b, zero, nil, nil)},
		{"foreign with blob", specLeaf(3, 0, zero, b, x, nil, nil)},
		{"foreign with slots", specLeaf(3, 0, zero, b, zero, someSlots(2), nil)},
		{"foreign with extension", specLeaf(3, 0, zero, b, zero, nil, []byte{1})},
		{"foreign as a state", with(foreign, 1, 2)},
	})...)
}

func runLeaf(in values) (values, error) {
	if text, ok := in["leaf"]; ok {
		_, err := events.ParseLeaf(unhex(text))
		return nil, err
	}
	leaf := &events.Leaf{
		Kind: events.Kind(unnum(in["kind"])), TimeMS: unnum(in["time_ms"]),
		Event: hash(in["event"]), Body: hash(in["body"]), Blob: hash(in["blob"]), Ext: unhex(in["ext"]),
	}
	for slots := unhex(in["slots"]); len(slots) > 0; slots = slots[64:] {
		leaf.Slots = append(leaf.Slots, events.Slot{Label: hashOf(slots[:32]), Commit: hashOf(slots[32:64])})
	}
	b := leaf.Marshal()
	again, err := events.ParseLeaf(b)
	if err != nil {
		return nil, err
	}
	if !cmp.Equal(leaf, again, cmpopts.EquateEmpty()) {
		return nil, differ("ParseLeaf")
	}
	h := events.LeafHash(b)
	return values{"leaf": hx(b), "leaf_hash": hx(h[:])}, nil
}

// said is a state's extension in the making.
type said struct {
	suite                         uint64
	flags                         byte
	covered, entries              uint64
	root, key, rules, prev, ahead []byte
	next                          string
}

func (s said) bytes() []byte {
	return cat(be(2, s.suite), []byte{s.flags}, be(8, s.covered), s.root, be(8, s.entries), s.key, s.rules, s.prev,
		opaque(2, s.ahead), opaque(1, []byte(s.next)))
}

func (s said) good(name string) vector {
	return vector{Name: name, In: values{
		"final": num(uint64(s.flags)), "covered": num(s.covered), "map_root": hx(s.root), "map_entries": num(s.entries),
		"vrf_pk": hx(s.key), "rules_hash": hx(s.rules), "prev_state": hx(s.prev),
		"predecessor": hx(s.ahead), "successor": s.next,
	}, Out: values{"ext": hx(s.bytes())}}
}

// genesis is what leaf 0 says of an empty index.
func genesis() said {
	return said{suite: 1, root: sum([]byte{0x03}, fill(0, 64)), key: ramp(0x30), rules: ramp(0x50), prev: fill(0, 32)}
}

func later() said {
	s := genesis()
	s.covered, s.entries, s.root, s.prev = 300, 24, ramp(0x70), ramp(0x90)
	return s
}

func genesisExt() []byte { return genesis().bytes() }
func laterExt() []byte   { return later().bytes() }

func specStates() []vector {
	edit := func(s said, f func(*said)) said { f(&s); return s }
	before := []byte("ledger.example/2025\n100\n" + "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n")
	good := []vector{
		genesis().good("leaf 0"),
		later().good("later"),
		edit(genesis(), func(s *said) { s.ahead = before }).good("leaf 0 after another ledger"),
		edit(later(), func(s *said) { s.flags, s.next = 1, "ledger.example/2027" }).good("final with successor"),
		edit(later(), func(s *said) { s.flags = 1 }).good("final without successor"),
		edit(genesis(), func(s *said) { s.ahead = fill('p', 1023) }).good("longest predecessor"),
		edit(later(), func(s *said) { s.flags, s.next = 1, string(fill('s', 255)) }).good("longest successor"),
	}
	return append(good, refusals("ext", []named{
		{"nothing", nil},
		{"cut by one byte", laterExt()[:len(laterExt())-1]},
		{"one byte too many", cat(laterExt(), []byte{0})},
		{"suite 0", edit(later(), func(s *said) { s.suite = 0 }).bytes()},
		{"suite 2", edit(later(), func(s *said) { s.suite = 2 }).bytes()},
		{"suite 257", edit(later(), func(s *said) { s.suite = 257 }).bytes()},
		{"flag bit 1", edit(later(), func(s *said) { s.flags = 2 }).bytes()},
		{"flag bit 7 beside final", edit(later(), func(s *said) { s.flags = 0x81 }).bytes()},
		{"successor but not final", edit(later(), func(s *said) { s.next = "x" }).bytes()},
		{"predecessor but not leaf 0", edit(later(), func(s *said) { s.ahead = before }).bytes()},
		{"predecessor of 1024 bytes", edit(genesis(), func(s *said) { s.ahead = fill('p', 1024) }).bytes()},
		{"leaf 0 with previous state", edit(genesis(), func(s *said) { s.prev = ramp(1) }).bytes()},
		{"later without previous state", edit(later(), func(s *said) { s.prev = fill(0, 32) }).bytes()},
		{"zero VRF key", edit(later(), func(s *said) { s.key = fill(0, 32) }).bytes()},
	})...)
}

func runState(in values) (values, error) {
	if text, ok := in["ext"]; ok {
		_, err := events.ParseState(unhex(text))
		return nil, err
	}
	s := &events.State{
		Final: in["final"] == "1", Covered: unnum(in["covered"]), MapRoot: hash(in["map_root"]),
		MapEntries: unnum(in["map_entries"]), VRFKey: hash(in["vrf_pk"]), RulesHash: hash(in["rules_hash"]),
		PrevState: hash(in["prev_state"]), Predecessor: unhex(in["predecessor"]), Successor: []byte(in["successor"]),
	}
	b := s.Marshal()
	again, err := events.ParseState(b)
	if err != nil {
		return nil, err
	}
	if !cmp.Equal(s, again, cmpopts.EquateEmpty()) {
		return nil, differ("ParseState")
	}
	return values{"ext": hx(b)}, nil
}
