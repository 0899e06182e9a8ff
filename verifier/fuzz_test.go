package verifier_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// signDocument signs any bytes as the document of a report.
func (f *forger) signDocument(t testing.TB, doc []byte) []byte {
	digest := sha256.Sum256(doc)
	text := "sharetrail/v1/report\n" + f.origin + "\n" + base64.StdEncoding.EncodeToString(digest[:]) + "\n"
	return append(append(signNote(t, text, f.report), "===\n"...), doc...)
}

// FuzzCheckReport gives the fuzzer the pen, and signs whatever it writes with
// the ledger's report key: edits to an honest report of one of several shapes, two
// bytes for a place and two for what to do there, and then some raw text over the
// document. Whatever is accepted shows the honest entries.
func FuzzCheckReport(f *testing.F) {
	s := newStandard(f)
	turned := newRotated(f)
	work := aliased(turned.standard)
	shapes := []*verifier.Report{s.write(s.ada), turned.write(turned.ada), turned.write(work), s.filtered(s.ada, late), asCopy(s)}
	readers := []*reader{
		{role: events.RoleSubject, id: adaID, trust: s.trust()}, {role: events.RoleSubject, id: adaID, trust: s.trust()},
		{role: events.RoleSubject, id: work.id.String(), trust: s.trust()}, {role: events.RoleSubject, id: adaID, trust: s.trust()},
		{role: events.RoleSubject, id: adaID, trust: s.trust()},
	}
	var honest []*verifier.Verdict
	var docs [][]byte
	for i, r := range shapes {
		want, err := readers[i].check(s.sign(r))
		if err != nil {
			f.Fatal(i, err)
		}
		doc, err := events.MarshalJSON(r)
		if err != nil {
			f.Fatal(err)
		}
		honest, docs = append(honest, want), append(docs, doc)
	}
	// Parts of other true reports, to be put into this one.
	others := append([]*verifier.Report{s.write(s.grace), s.write(s.org), s.write(s.party(events.RoleSubject, "email:nobody@example.com"))}, shapes...)
	var donors []reflect.Value
	for _, other := range others {
		donors = places(reflect.ValueOf(other), donors)
	}
	for shape := range shapes {
		f.Add(uint8(shape), []byte{}, "", uint16(0))
		f.Add(uint8(shape), []byte{0, 40, 0, 1}, "", uint16(0))
		f.Add(uint8(shape), []byte{0, 60, 1, 200, 0, 61, 2, 3}, "", uint16(0))
		f.Add(uint8(shape), []byte{}, "null", uint16(1500))
	}
	f.Fuzz(func(t *testing.T, shape uint8, edits []byte, text string, at uint16) {
		k := int(shape) % len(shapes)
		report := new(verifier.Report)
		if err := events.UnmarshalJSON(docs[k], report); err != nil {
			t.Fatal(err)
		}
		for ; len(edits) >= 4; edits = edits[4:] {
			all := places(reflect.ValueOf(report), nil)
			edit(all[int(binary.BigEndian.Uint16(edits))%len(all)], edits[2], int(edits[3]), donors)
		}
		edited, err := events.MarshalJSON(report)
		if err != nil {
			t.Fatal(err)
		}
		start := int(at) % len(edited)
		copy(edited[start:], text)
		got, err := readers[k].check(s.signDocument(t, edited))
		if err != nil {
			return
		}
		want := honest[k]
		if want.Copy { // what it does not show, it may not show
			shown := map[uint64]events.ID{}
			for _, e := range want.Entries {
				shown[e.Index] = e.ID
			}
			for _, e := range got.Entries {
				if shown[e.Index] != e.ID {
					t.Errorf("a copy with an entry of its own: %+v", e)
				}
			}
			return
		}
		// Another filter may show the same.
		sentence := got.Sentence == want.Sentence || want.Filter != nil
		if diff := cmp.Diff(want.Entries, got.Entries); diff != "" || got.Size != want.Size || !sentence || got.Filtered != want.Filtered {
			t.Errorf("accepted with other entries (-honest +fuzzed):\n%s", diff)
		}
	})
}

// FuzzPath: what is accepted is what MarshalText gives.
func FuzzPath(f *testing.F) {
	for _, p := range []verifier.Path{{}, {{1}}, {{1}, {2}, {3}}} {
		text, err := p.MarshalText()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(append(text, '\n'))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var p verifier.Path
		if p.UnmarshalText(text) != nil {
			return
		}
		if again, err := p.MarshalText(); err != nil || !bytes.Equal(again, text) || len(p) > 256 {
			t.Errorf("%q gives %d hashes, which are written %q", text, len(p), again)
		}
	})
}

// places lists every value inside v that can be set, in order.
func places(v reflect.Value, in []reflect.Value) []reflect.Value {
	if v.CanSet() {
		in = append(in, v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return places(v.Elem(), in)
	case reflect.Struct:
		for i := range v.NumField() {
			in = places(v.Field(i), in)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				in = places(v.Index(i), in)
			}
		}
	}
	return in
}

// edit changes one value: to nothing, to one of the same type elsewhere, or a
// little.
func edit(v reflect.Value, how byte, n int, donors []reflect.Value) {
	switch how % 4 {
	case 0:
		v.SetZero()
		return
	case 1:
		var same []reflect.Value
		for _, d := range donors {
			if d.Type() == v.Type() {
				same = append(same, d)
			}
		}
		if len(same) > 0 {
			v.Set(clone(same[n%len(same)]))
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String()[:min(n, v.Len())] + string(rune(how)))
	case reflect.Uint8, reflect.Uint16, reflect.Uint64:
		v.SetUint(v.Uint() + uint64(int64(int8(n))))
	case reflect.Array:
		b := v.Index(n % v.Len())
		b.SetUint(b.Uint() ^ 1<<(how>>5))
	case reflect.Slice:
		editSlice(v, how, n)
	}
}

// clone keeps later edits out of the donors.
func clone(v reflect.Value) reflect.Value {
	again := reflect.New(v.Type())
	b, err := json.Marshal(v.Interface())
	if err == nil {
		err = json.Unmarshal(b, again.Interface())
	}
	if err != nil {
		panic(err) // they came from a true report
	}
	return again.Elem()
}

func editSlice(v reflect.Value, how byte, n int) {
	if v.Len() == 0 {
		return
	}
	i := n % v.Len()
	again := reflect.MakeSlice(v.Type(), 0, v.Len()+1)
	again = reflect.AppendSlice(again, v.Slice(0, i))
	if how%4 == 3 {
		again = reflect.Append(again, v.Index(i), v.Index(i)) // twice
	}
	again = reflect.AppendSlice(again, v.Slice(i+1, v.Len()))
	if v.Type().Elem().Kind() == reflect.Uint8 && how >= 128 {
		again = reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v)
		again.Index(i).SetUint(again.Index(i).Uint() ^ 1<<(how>>2%8))
	}
	v.Set(again)
}

// FuzzParseTrust: what is accepted has one canonical form and one fingerprint.
func FuzzParseTrust(f *testing.F) {
	s := newStandard(f)
	f.Add(s.trust().Marshal())
	f.Add(s.trust().Canonical())
	f.Add([]byte(strings.Replace(string(s.trust().Marshal()), "[]", "null", 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		trust, err := verifier.ParseTrust(b)
		if err != nil {
			return
		}
		again, err := verifier.ParseTrust(trust.Marshal())
		if err != nil || !cmp.Equal(trust, again) || trust.Fingerprint() != again.Fingerprint() {
			t.Errorf("after Marshal and ParseTrust: %+v, %v", again, err)
		}
		if trust.VRF.IsZero() || trust.Genesis.IsZero() || trust.Log == trust.Report {
			t.Errorf("accepted: %+v", trust)
		}
	})
}

// FuzzParseCheckpoint: what is accepted is what Format gives.
func FuzzParseCheckpoint(f *testing.F) {
	f.Add(verifier.Checkpoint{Origin: "ledger.example/2026", Size: 7, Root: events.Hash{1}}.Format())
	f.Add("a\n0\n" + events.Hash{}.String() + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := verifier.ParseCheckpoint(text)
		if err == nil && (c.Format() != text || c.Size >= 1<<62) {
			t.Errorf("%q parses as %+v", text, c)
		}
	})
}
