package events_test

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sharetrail/sharetrail/events"
)

const envelope = 168

// specBeside is what an entry's blob hash covers.
func specBeside(body []byte, parts, envelopes [][]byte) []byte {
	b := opaque(3, body)
	for k := range parts {
		b = cat(b, opaque(2, parts[k]), envelopes[k])
	}
	return b
}

// entryStored is an entry's data: its leaf says the hash of what is beside it.
func entryStored(body []byte, parts, envelopes [][]byte) (stored, blob []byte) {
	beside := specBeside(body, parts, envelopes)
	blob = sum([]byte{0x14}, beside)
	leaf := specLeaf(1, someTime, ramp(0x20), ramp(0x60), blob, someSlots(len(parts)), nil)
	return cat(opaque(2, leaf), beside), blob
}

// smallStored is an entry with two slots and short stand-ins for ciphertexts.
func smallStored() []byte {
	b, _ := entryStored([]byte("body"), [][]byte{fill(1, 8), fill(2, 8)}, [][]byte{fill(3, envelope), fill(4, envelope)})
	return b
}

// stateStored is leaf 0 with a rules document.
func stateStored(rules, beside []byte) []byte {
	zero, s := fill(0, 32), genesis()
	s.rules = sum([]byte{0x15}, rules)
	return cat(opaque(2, specLeaf(2, someTime, zero, zero, zero, nil, s.bytes())), opaque(3, beside))
}

func specStored() []vector {
	good := func(name string, body []byte, parts, envelopes [][]byte) vector {
		stored, blob := entryStored(body, parts, envelopes)
		return vector{Name: name, In: values{
			"leaf": hx(stored[2 : 2+110+64*len(parts)]), "body": hx(body), "parts": hxs(parts...), "envelopes": hxs(envelopes...),
		}, Out: values{"stored": hx(stored), "blob": hx(blob)}}
	}
	state := func(name string, rules, beside []byte) vector {
		stored := stateStored(rules, beside)
		return vector{Name: name, In: values{
			"leaf": hx(stored[2 : len(stored)-3-len(beside)]), "body": hx(beside), "parts": "", "envelopes": "",
		}, Out: values{"stored": hx(stored), "blob": hx(sum([]byte{0x14}, opaque(3, beside)))}}
	}
	two, longer := [][]byte{fill(1, 8), fill(2, 8)}, [][]byte{fill(1, 8), fill(2, 9)}
	envelopes := [][]byte{fill(3, envelope), fill(4, envelope)}
	small, zero := smallStored(), fill(0, 32)
	uneven, _ := entryStored([]byte("body"), longer, envelopes)
	foreign := specLeaf(3, someTime, zero, ramp(1), zero, nil, nil)
	beside := specBeside([]byte("body"), two, envelopes)
	wrong := cat(small[:len(small)-len(beside)], specBeside([]byte("bodY"), two, envelopes))
	return append([]vector{
		good("entry with 2 slots", []byte("body"), two, envelopes),
		good("entry with sizes of practice", fill(5, 256+40), [][]byte{fill(1, 296), fill(2, 296), fill(3, 296), fill(4, 296)},
			[][]byte{fill(5, envelope), fill(6, envelope), fill(7, envelope), fill(8, envelope)}),
		state("leaf 0 with its rules", []byte("{}"), []byte("{}")),
		state("state without new rules", []byte("{}"), nil),
	}, refusals("stored", []named{
		{"nothing", nil},
		{"leaf alone", small[:len(small)-len(beside)]},
		{"cut by one byte", small[:len(small)-1]},
		{"one byte too many", cat(small, []byte{0})},
		{"another body", wrong},
		{"parts of two sizes", uneven},
		{"one slot's ciphertexts missing", small[:len(small)-2-8-envelope]},
		{"a foreign leaf", cat(opaque(2, foreign), opaque(3, nil))},
		{"state with ciphertexts", cat(stateStored([]byte("{}"), nil), beside[7:])},
		{"state with other rules", stateStored([]byte("{}"), []byte("[]"))},
		{"a leaf of no bytes", cat(be(2, 0), beside)},
	})...)
}

func runStored(in values) (values, error) {
	if text, ok := in["stored"]; ok {
		_, _, err := events.ParseStored(unhex(text))
		return nil, err
	}
	s := &events.Stored{Leaf: unhex(in["leaf"]), Body: unhex(in["body"])}
	parts, envelopes := list(in["parts"]), list(in["envelopes"])
	for k := range parts {
		s.Slots = append(s.Slots, events.Sealed{Part: parts[k], Envelope: envelopes[k]})
	}
	b := s.Marshal()
	again, leaf, err := events.ParseStored(b)
	if err != nil {
		return nil, err
	}
	if !cmp.Equal(s, again, cmpopts.EquateEmpty()) || hx(leaf.Marshal()) != in["leaf"] {
		return nil, differ("ParseStored")
	}
	blob := s.Blob()
	return values{"stored": hx(b), "blob": hx(blob[:])}, nil
}

func specAdditional() []vector {
	id := fill(0x1d, 16)
	var out []vector
	for _, c := range []struct {
		name, origin  string
		slot, purpose uint64
	}{
		{"body", "ledger.example/2026", 0xffff, 1},
		{"part of slot 0", "ledger.example/2026", 0, 2},
		{"envelope of slot 511", "ledger.example/2026", 511, 3},
		{"longest origin", string(fill('o', 255)), 1, 2},
	} {
		out = append(out, vector{Name: c.name, In: values{
			"origin": c.origin, "id": hx(id), "slot": num(c.slot), "purpose": num(c.purpose),
		}, Out: values{"additional": hx(cat(opaque(1, []byte(c.origin)), id, be(2, c.slot), be(1, c.purpose)))}})
	}
	return out
}

func runAdditional(in values) (values, error) {
	b := events.AdditionalData(in["origin"], [16]byte(unhex(in["id"])), uint16(unnum(in["slot"])), uint8(unnum(in["purpose"])))
	return values{"additional": hx(b)}, nil
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

func specProvenance() []vector {
	id, secret := fill(0x1d, 16), ramp(0xe0)
	var out []vector
	for _, c := range []struct {
		name, typ string
		revision  uint64
		data      []byte
	}{
		{"leaf 0", "StateRecorded", 0, stateStored([]byte("{}"), []byte("{}"))},
		{"disclosure", "DisclosureRecorded", 1 << 33, smallStored()},
		{"no data", "Enrolled", 1, nil},
	} {
		msg := cat(be(8, c.revision), id, opaque(1, []byte(c.typ)), c.data)
		out = append(out, vector{Name: c.name, In: values{
			"secret": hx(secret), "revision": num(c.revision), "id": hx(id), "type": c.typ, "data": hx(c.data),
		}, Out: values{"message": hx(msg), "metadata": hx(mac(secret, msg))}})
	}
	return out
}

func runProvenance(in values) (values, error) {
	msg := events.ProvenanceMessage(unnum(in["revision"]), [16]byte(unhex(in["id"])), in["type"], unhex(in["data"]))
	return values{"message": hx(msg), "metadata": hx(mac(unhex(in["secret"]), msg))}, nil
}

func specPadding() []vector {
	var out []vector
	for _, c := range []struct{ length, size int }{{0, 256}, {1, 256}, {255, 256}, {256, 512}, {511, 512}, {512, 1024}, {4000, 4096}} {
		plain := fill(0x80, c.length)
		out = append(out, vector{Name: num(uint64(c.length)) + " bytes", In: values{"plain": hx(plain)},
			Out: values{"padded": hx(cat(plain, []byte{0x80}, fill(0, c.size-c.length-1)))}})
	}
	return append(out, refusals("padded", []named{
		{"nothing", nil}, {"zeros", fill(0, 256)}, {"no mark", cat(fill(1, 255), []byte{2})}, {"another mark", cat([]byte{0x81}, fill(0, 255))},
	})...)
}

func runPadding(in values) (values, error) {
	if text, ok := in["padded"]; ok {
		_, err := events.Unpad(unhex(text))
		return nil, err
	}
	padded := events.Pad(unhex(in["plain"]))
	plain, err := events.Unpad(padded)
	if err != nil {
		return nil, err
	}
	if hx(plain) != in["plain"] || events.PaddedSize(len(plain)) != len(padded) {
		return nil, differ("Unpad")
	}
	return values{"padded": hx(padded)}, nil
}
