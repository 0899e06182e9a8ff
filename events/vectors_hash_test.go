package events_test

import (
	"bytes"

	vrf "filippo.io/mostly-harmless/vrf-r255"

	"github.com/sharetrail/sharetrail/events"
)

func specCommits() []vector {
	var out []vector
	for _, c := range []struct {
		name, ctx    string
		opening, msg []byte
	}{
		{"empty message", "slot", ramp(0), nil},
		{"zero opening", "slot", fill(0, 32), []byte("abc")},
		{"another context", "body", fill(0, 32), []byte("abc")},
		{"shortest context", "s", ramp(1), []byte{0}},
		{"longest context", string(fill('c', 255)), ramp(1), []byte{0xff}},
		{"length of two bytes", "field", ramp(7), fill(0xa5, 300)},
	} {
		out = append(out, vector{
			Name: c.name, In: values{"context": c.ctx, "opening": hx(c.opening), "message": hx(c.msg)},
			Out: values{"commitment": hx(specCommit(c.ctx, c.opening, c.msg))},
		})
	}
	return out
}

func runCommit(in values) (values, error) {
	c := events.Commit(in["context"], hash(in["opening"]), unhex(in["message"]))
	return values{"commitment": hx(c[:])}, nil
}

func specOpenings() []vector {
	var out []vector
	for _, x := range []uint64{0, 1, 16, 64, 65535} {
		out = append(out, vector{
			Name: "x = " + num(x), In: values{"seed": hx(ramp(0x40)), "x": num(x)},
			Out: values{"opening": hx(specOpening(ramp(0x40), x))},
		})
	}
	return out
}

func runOpening(in values) (values, error) {
	o := events.Opening(hash(in["seed"]), uint16(unnum(in["x"])))
	return values{"opening": hx(o[:])}, nil
}

func specEvents() []vector {
	id := fill(0x1d, 16)
	var out []vector
	for _, e := range []struct{ name, typ, stream string }{
		{"disclosure", "DisclosureRecorded", "sharetrail-acme"},
		{"the same letters, split elsewhere", "DisclosureRecordeds", "haretrail-acme"},
		{"longest names", string(fill('t', 255)), string(fill('s', 255))},
	} {
		msg := cat(id, opaque(1, []byte(e.typ)), opaque(1, []byte(e.stream)))
		out = append(out, vector{
			Name: e.name, In: values{"opening": hx(ramp(9)), "id": hx(id), "type": e.typ, "stream": e.stream},
			Out: values{"commitment": hx(specCommit("event", ramp(9), msg))},
		})
	}
	return out
}

func runEvent(in values) (values, error) {
	c := events.CommitEvent(hash(in["opening"]), [16]byte(unhex(in["id"])), in["type"], in["stream"])
	return values{"commitment": hx(c[:])}, nil
}

func specLabels() []vector {
	var out []vector
	for _, i := range []uint64{0, 1, 255, 256, 1<<64 - 1} {
		out = append(out, vector{
			Name: "i = " + num(i), In: values{"handle": hx(ramp(0x80)), "i": num(i)},
			Out: values{"label": hx(sum([]byte{0x12}, ramp(0x80), be(8, i)))},
		})
	}
	return out
}

func runLabel(in values) (values, error) {
	l := events.EntryLabel(hash(in["handle"]), unnum(in["i"]))
	return values{"label": hx(l[:])}, nil
}

// vrfSecret is a scalar below the group's order, little-endian.
var vrfSecret = cat(ramp(1)[:31], []byte{0})

func specVRF() []vector {
	key, err := vrf.NewPrivateKey(vrfSecret)
	if err != nil {
		panic(err)
	}
	long := "account\x00" + string(fill('x', 900))
	var out []vector
	for _, c := range []struct {
		name, ctx string
		role      byte
		id        string
		g         uint64
	}{
		{"enrol a subject", "sharetrail/v1/enrol", 1, "email\x00ada@example.com", 0},
		{"close a subject", "sharetrail/v1/close", 1, "email\x00ada@example.com", 0},
		{"next generation", "sharetrail/v1/enrol", 1, "email\x00ada@example.com", 1},
		{"the same id as a recipient", "sharetrail/v1/enrol", 2, "email\x00ada@example.com", 0},
		{"longest id", "sharetrail/v1/enrol", 3, long, 1<<64 - 1},
		{"enrol the controller", "sharetrail/v1/enrol", 4, "org\x00ledger.example/2026", 0},
	} {
		origin := "ledger.example/2026"
		input := cat(opaque(1, []byte(c.ctx)), opaque(1, []byte(origin)), []byte{c.role}, opaque(2, []byte(c.id)), be(8, c.g))
		proof := key.Prove(input)
		output := proof.Hash()
		out = append(out, vector{Name: c.name, In: values{
			"context": c.ctx, "origin": origin, "role": num(uint64(c.role)), "id": hx([]byte(c.id)), "generation": num(c.g),
			"secret": hx(vrfSecret),
		}, Out: values{
			"input": hx(input), "public": hx(key.PublicKey().Bytes()), "proof": hx(proof.Bytes()), "output": hx(output),
			"label": hx(output[:32]), "opening": hx(output[32:]),
		}})
	}
	return out
}

func runVRF(in values) (values, error) {
	key, err := vrf.NewPrivateKey(unhex(in["secret"]))
	if err != nil {
		return nil, err
	}
	input := events.VRFInput(in["context"], in["origin"], events.Role(unnum(in["role"])),
		events.Identity(unhex(in["id"])), unnum(in["generation"]))
	proof := key.Prove(input)
	output, err := key.PublicKey().Verify(proof, input)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(output, proof.Hash()) {
		return nil, differ("the VRF's output")
	}
	label, opening := events.VRFLabel(output)
	return values{
		"input": hx(input), "public": hx(key.PublicKey().Bytes()), "proof": hx(proof.Bytes()), "output": hx(output),
		"label": hx(label[:]), "opening": hx(opening[:]),
	}, nil
}

func specForeign() []vector {
	id := fill(0xf0, 16)
	var out []vector
	for _, e := range []struct {
		name, typ      string
		data, metadata []byte
	}{
		{"empty", "", nil, nil},
		{"system event", "$metadata", []byte(`{"$maxCount":1}`), []byte("{}")},
		{"a type longer than 65535 bytes", string(fill('t', 65536)), []byte{1}, nil},
	} {
		if len(e.typ) > 65535 {
			// The vector says how to make it instead of spelling it out.
			out = append(out, vector{Name: e.name, In: values{"id": hx(id), "type_t_times": num(uint64(len(e.typ))),
				"data": hx(e.data), "metadata": ""}, Out: values{"body": hx(specForeignBody(id, e.typ, e.data, e.metadata))}})
			continue
		}
		out = append(out, vector{Name: e.name, In: values{"id": hx(id), "type": e.typ, "data": hx(e.data), "metadata": hx(e.metadata)},
			Out: values{"body": hx(specForeignBody(id, e.typ, e.data, e.metadata))}})
	}
	return out
}

func specForeignBody(id []byte, typ string, data, metadata []byte) []byte {
	return sum([]byte{0x16}, id, opaque(4, []byte(typ)), opaque(4, data), opaque(4, metadata))
}

func runForeign(in values) (values, error) {
	typ := in["type"]
	if n, ok := in["type_t_times"]; ok {
		typ = string(fill('t', int(unnum(n))))
	}
	b := events.ForeignBody(events.Recorded{
		ID: events.ID(unhex(in["id"])), Type: typ, Data: unhex(in["data"]), Metadata: unhex(in["metadata"]),
	})
	return values{"body": hx(b[:])}, nil
}
