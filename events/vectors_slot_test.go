package events_test

import (
	"bytes"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
)

// slotCase is a slot's content, member by member; nil is left out.
type slotCase struct {
	name       string
	kind, role uint64
	number     *uint64
	handle, id []byte
	index      *uint64
	leaf       []byte
	slot       *uint64
	reason     *uint64
	private    []string // description, reference; empty is left out
}

func (c slotCase) content() []byte {
	items := [][]byte{cUint(0), cUint(c.kind), cUint(1), cUint(c.role)}
	add := func(key uint64, value []byte) { items = append(items, cUint(key), value) }
	if c.number != nil {
		add(2, cUint(*c.number))
	}
	if c.handle != nil {
		add(3, cBytes(c.handle))
	}
	if c.id != nil {
		add(4, cBytes(c.id))
	}
	if c.index != nil {
		add(5, cUint(*c.index))
	}
	if c.leaf != nil {
		add(6, cBytes(c.leaf))
	}
	if c.slot != nil {
		add(7, cUint(*c.slot))
	}
	if c.reason != nil {
		add(8, cUint(*c.reason))
	}
	if c.private != nil {
		var private [][]byte
		// The shorter key comes first: its head is smaller.
		if c.private[1] != "" {
			private = append(private, cText("reference"), cText(c.private[1]))
		}
		if c.private[0] != "" {
			private = append(private, cText("description"), cText(c.private[0]))
		}
		add(9, cMap(private...))
	}
	return cMap(items...)
}

func (c slotCase) members() values {
	v := values{"kind": num(c.kind), "role": num(c.role), "opening": hx(ramp(0x11))}
	for name, n := range map[string]*uint64{"number": c.number, "target_index": c.index, "target_slot": c.slot, "reason": c.reason} {
		if n != nil {
			v[name] = num(*n)
		}
	}
	for name, b := range map[string][]byte{"handle": c.handle, "id": c.id, "target_leaf": c.leaf} {
		if b != nil {
			v[name] = hx(b)
		}
	}
	if c.private != nil {
		v["description"], v["reference"] = c.private[0], c.private[1]
	}
	return v
}

func n(v uint64) *uint64 { return &v }

// slotCases is one content of each kind, with all it may carry.
func slotCases() []slotCase {
	ada, org, court, leaf := []byte("email\x00ada@example.com"), []byte("org\x00contoso"), []byte("org\x00court"), ramp(0xc0)
	return []slotCase{
		{name: "enrol", kind: 1, role: 1, number: n(0), handle: ramp(0x80), id: ada},
		{name: "enrol a recipient, generation 1000", kind: 1, role: 2, number: n(1000), handle: ramp(0x81), id: org},
		{name: "entry", kind: 2, role: 1, number: n(0), id: ada},
		{name: "entry of an authority", kind: 2, role: 3, number: n(23), id: court},
		{name: "entry 24", kind: 2, role: 2, number: n(24), id: org},
		{name: "entry 2^64-1", kind: 2, role: 2, number: n(1<<64 - 1), id: org},
		{name: "entry with private", kind: 2, role: 1, number: n(7), id: ada, private: []string{"moved house", "ticket 12"}},
		{name: "entry with description alone", kind: 2, role: 1, number: n(7), id: ada, private: []string{"Grüße", ""}},
		{name: "entry with target", kind: 2, role: 1, number: n(256), id: ada, index: n(65536), leaf: leaf},
		{name: "close, erased", kind: 3, role: 1, number: n(0), reason: n(1)},
		{name: "close, rotated", kind: 3, role: 2, number: n(3), reason: n(2)},
		{name: "sealed subject", kind: 4, role: 1, id: ada},
		{name: "sealed subject with private", kind: 4, role: 1, id: ada, private: []string{"", "case 9"}},
		{name: "alias", kind: 5, role: 1, number: n(0), id: ada},
		{name: "continuation", kind: 6, role: 1, number: n(4), id: ada, index: n(12), leaf: leaf},
		{name: "continuation with private", kind: 6, role: 1, number: n(4), id: ada, index: n(12), leaf: leaf, private: []string{"d", "r"}},
		{name: "unseal", kind: 7, role: 1, number: n(2), id: ada, index: n(1 << 32), leaf: leaf, slot: n(511)},
		{name: "unseal with private", kind: 7, role: 2, number: n(2), id: org, index: n(0), leaf: leaf, slot: n(0), private: []string{"d", ""}},
	}
}

func specSlots() []vector {
	out := append(goodSlots(slotCases()), refusals("content", append(badCBORSlots(), badKinds()...))...)
	// Golden files only grow: what came later stands here.
	controller := []byte("org\x00ledger.example/2026")
	return append(out, goodSlots([]slotCase{
		{name: "enrol the controller", kind: 1, role: 4, number: n(0), handle: ramp(0x82), id: controller},
		{name: "entry of the controller", kind: 2, role: 4, number: n(1), id: controller},
	})...)
}

func goodSlots(cases []slotCase) (out []vector) {
	for _, c := range cases {
		content := c.content()
		out = append(out, vector{Name: c.name, In: c.members(), Out: values{
			"content": hx(content), "commitment": hx(specCommit("slot", ramp(0x11), content)),
		}})
	}
	return out
}

// badCBORSlots spells entry number 0 of a subject, and one with a target or
// private, as no deterministic encoder does.
func badCBORSlots() []named {
	// Key 4 comes last: a party of three bytes.
	const id = "0443610062"
	item := func(s string) []byte { return unhex(s) }
	entry := item("a4000201010200" + id)
	return []named{
		{"nothing", nil},
		{"cut by one byte", entry[:len(entry)-1]},
		{"one byte too many", cat(entry, []byte{0})},
		{"null", item("f6")},
		{"an array", item("83020100")},
		{"kind in two bytes", item("a400180201010200" + id)},
		{"number in two bytes", item("a400020101021800" + id)},
		{"number in nine bytes", item("a40002010102" + "1b0000000000000000" + id)},
		{"key in two bytes", item("a418000201010200" + id)},
		{"map head in two bytes", item("b804000201010200" + id)},
		{"indefinite map", item("bf000201010200" + id + "ff")},
		{"keys out of order", item("a4010100020200" + id)},
		{"key twice", item("a50002010102000200" + id)},
		{"number null", item("a40002010102f6" + id)},
		{"number undefined", item("a40002010102f7" + id)},
		{"number negative", item("a4000201010220" + id)},
		{"number a float", item("a40002010102f90000" + id)},
		{"number a 64-bit float", item("a40002010102fb0000000000000000" + id)},
		{"number a bignum", item("a40002010102c24100" + id)},
		{"number tagged", item("a40002010102c100" + id)},
		{"number a text", item("a400020101026130" + id)},
		{"number true", item("a40002010102f5" + id)},
		{"kind 256 wide", item("a40019010201010200" + id)},
		{"key a text", item("a4000201016132" + "00" + id)},
		{"unknown key 10", item("a5000201010200" + id + "0a00")},
		{"unknown key -1", item("a5000201010200" + id + "2000")},
		{"a tag around it", cat(item("d9d9f7"), entry)},
		{"handle in pieces", cat(item("a50001010102000" + "3")[:7], item("035f4100ff044161"))},
		{"id a text", cat(item("a50001010102000358"+"20"), ramp(0), item("046161"))},
		{"private empty", item("a5000201010200" + id + "09a0")},
		{"private null", item("a5000201010200" + id + "09f6")},
		{"private with an unknown key", cat(item("a5000201010200"+id+"09a1"), cText("secret"), cText("x"))},
		{"private key in capitals", cat(item("a5000201010200"+id+"09a1"), cText("Reference"), cText("x"))},
		{"private with an empty text", cat(item("a5000201010200"+id+"09a1"), cText("reference"), cText(""))},
		{"private out of order", cat(item("a5000201010200"+id+"09a2"), cText("description"), cText("x"), cText("reference"), cText("y"))},
		{"private twice", cat(item("a5000201010200"+id+"09a2"), cText("reference"), cText("x"), cText("reference"), cText("x"))},
		{"private in bytes", cat(item("a5000201010200"+id+"09a1"), cText("reference"), cBytes([]byte("x")))},
		{"private not UTF-8", cat(item("a5000201010200"+id+"09a1"), cText("reference"), cText("\xff"))},
	}
}

// badKinds takes a member away from each kind that must have it, and gives each
// kind what it must not have.
func badKinds() []named {
	var out []named
	add := func(name string, c slotCase, change func(*slotCase)) {
		c.private = nil
		change(&c)
		out = append(out, named{c.name + " " + name, c.content()})
	}
	seen := map[uint64]bool{}
	for _, c := range slotCases() {
		if seen[c.kind] {
			continue
		}
		seen[c.kind] = true
		add("of role 0", c, func(c *slotCase) { c.role = 0 })
		add("of role 5", c, func(c *slotCase) { c.role = 5 })
		for _, m := range []struct {
			name    string
			present bool
			may     bool
			change  func(c *slotCase, present bool)
		}{
			{"number", c.number != nil, false, func(c *slotCase, p bool) { c.number = pick(p, n(1)) }},
			{"handle", c.handle != nil, false, func(c *slotCase, p bool) { c.handle = pick(p, ramp(1)) }},
			{"id", c.id != nil, false, func(c *slotCase, p bool) { c.id = pick(p, []byte("a\x00b")) }},
			{"target", c.index != nil, c.kind == 2, func(c *slotCase, p bool) { c.index, c.leaf = pick(p, n(1)), pick(p, ramp(1)) }},
			{"target slot", c.slot != nil, false, func(c *slotCase, p bool) { c.slot = pick(p, n(1)) }},
			{"reason", c.reason != nil, false, func(c *slotCase, p bool) { c.reason = pick(p, n(1)) }},
		} {
			switch {
			case m.present:
				add("without "+m.name, c, func(c *slotCase) { m.change(c, false) })
			case !m.may:
				add("with "+m.name, c, func(c *slotCase) { m.change(c, true) })
			}
		}
		if c.kind == 1 || c.kind == 3 || c.kind == 5 {
			add("with private", c, func(c *slotCase) { c.private = []string{"d", ""} })
		}
	}
	cases := slotCases()
	add("but kind 0", cases[2], func(c *slotCase) { c.kind = 0 })
	add("but kind 8", cases[2], func(c *slotCase) { c.kind = 8 })
	add("with a handle of 31 bytes", cases[0], func(c *slotCase) { c.handle = c.handle[:31] })
	add("with a handle of no bytes", cases[0], func(c *slotCase) { c.handle = []byte{} })
	add("with an id of no bytes", cases[0], func(c *slotCase) { c.id = []byte{} })
	add("with an id of 965 bytes", cases[0], func(c *slotCase) { c.id = fill('x', 965) })
	add("with index but no leaf", cases[2], func(c *slotCase) { c.index = n(1) })
	add("with leaf but no index", cases[2], func(c *slotCase) { c.leaf = ramp(1) })
	add("with a leaf of 33 bytes", cases[2], func(c *slotCase) { c.index, c.leaf = n(1), fill(1, 33) })
	add("with reason 0", cases[9], func(c *slotCase) { c.reason = n(0) })
	add("with reason 3", cases[9], func(c *slotCase) { c.reason = n(3) })
	add("with slot 65536", cases[16], func(c *slotCase) { c.slot = n(65536) })
	return out
}

// pick returns v, or nothing.
func pick[T any](present bool, v T) T {
	var none T
	if present {
		return v
	}
	return none
}

func runSlot(in values) (values, error) {
	if text, ok := in["content"]; ok {
		_, err := events.ParseSlotContent(unhex(text))
		return nil, err
	}
	c := &events.SlotContent{Kind: events.SlotKind(unnum(in["kind"])), Role: events.Role(unnum(in["role"]))}
	number := func(name string) *uint64 {
		if text, ok := in[name]; ok {
			return n(unnum(text))
		}
		return nil
	}
	octets := func(name string) []byte {
		if text, ok := in[name]; ok {
			return unhex(text)
		}
		return nil
	}
	c.Number, c.TargetIndex = number("number"), number("target_index")
	c.Handle, c.ID, c.TargetLeaf = octets("handle"), octets("id"), octets("target_leaf")
	if v := number("target_slot"); v != nil {
		slot := uint16(*v)
		c.TargetSlot = &slot
	}
	if v := number("reason"); v != nil {
		reason := uint8(*v)
		c.Reason = &reason
	}
	if _, ok := in["description"]; ok {
		c.Private = &events.Private{Description: in["description"], Reference: in["reference"]}
	}
	b := c.Marshal()
	again, err := events.ParseSlotContent(b)
	if err != nil {
		return nil, err
	}
	if !cmp.Equal(c, again) {
		return nil, differ("ParseSlotContent")
	}
	commit := events.CommitSlot(hash(in["opening"]), b)
	return values{"content": hx(b), "commitment": hx(commit[:])}, nil
}

func specParts() []vector {
	opening, content := ramp(0x11), slotCases()[0].content()
	part := cArray(cBytes(opening), cBytes(content))
	return append([]vector{
		{Name: "enrol", In: values{"opening": hx(opening), "content": hx(content)}, Out: values{"part": hx(part)}},
		{Name: "empty content", In: values{"opening": hx(opening), "content": ""}, Out: values{"part": hx(cArray(cBytes(opening), cBytes(nil)))}},
	}, refusals("part", []named{
		{"nothing", nil},
		{"cut by one byte", part[:len(part)-1]},
		{"one byte too many", cat(part, []byte{0})},
		{"opening alone", cArray(cBytes(opening))},
		{"three items", cArray(cBytes(opening), cBytes(content), cUint(0))},
		{"opening of 31 bytes", cArray(cBytes(opening[:31]), cBytes(content))},
		{"content null", cArray(cBytes(opening), []byte{0xf6})},
		{"content a text", cArray(cBytes(opening), cText("x"))},
		{"content an array of numbers", cArray(cBytes(opening), cArray(cUint(1)))},
		{"indefinite array", cat([]byte{0x9f}, cBytes(opening), cBytes(content), []byte{0xff})},
		{"length in three bytes", cat([]byte{0x82, 0x59, 0x00, 0x20}, opening, cBytes(content))},
	})...)
}

func runPart(in values) (values, error) {
	if text, ok := in["part"]; ok {
		_, _, err := events.ParsePart(unhex(text))
		return nil, err
	}
	b := events.MarshalPart(hash(in["opening"]), unhex(in["content"]))
	opening, content, err := events.ParsePart(b)
	if err != nil {
		return nil, err
	}
	if opening != hash(in["opening"]) || !bytes.Equal(content, unhex(in["content"])) {
		return nil, differ("ParsePart")
	}
	return values{"part": hx(b)}, nil
}
