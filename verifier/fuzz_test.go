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
	text := "sharetrail/v0/report\n" + f.origin + "\n" + base64.StdEncoding.EncodeToString(digest[:]) + "\n"
	return append(append(signNote(t, text, f.report), "===\n"...), doc...)
}

// FuzzCheckReport gives the fuzzer the pen, and signs whatever it writes with
// the ledger's report key: edits to Ada's honest report, two bytes for a place
// and two for what to do there, and then some raw text over the document.
// Whatever is accepted shows the honest entries.
func FuzzCheckReport(f *testing.F) {
	s := newStandard(f)
	r := &reader{events.RoleSubject, adaID, s.trust()}
	honest := s.sign(s.write(s.ada))
	want, err := r.check(honest)
	if err != nil {
		f.Fatal(err)
	}
	_, doc, _ := bytes.Cut(honest, []byte("===\n"))
	// Parts of other true reports, to be put into this one.
	others := []*verifier.Report{s.write(s.grace), s.write(s.org), s.write(s.party(events.RoleSubject, "email:nobody@example.com"))}
	var donors []reflect.Value
	for _, other := range others {
		donors = places(reflect.ValueOf(other), donors)
	}
	f.Add([]byte{}, "", uint16(0))
	f.Add([]byte{0, 40, 0, 1}, "", uint16(0))
	f.Add([]byte{0, 60, 1, 200, 0, 61, 2, 3}, "", uint16(0))
	f.Add([]byte{}, "null", uint16(1500))
	f.Fuzz(func(t *testing.T, edits []byte, text string, at uint16) {
		report := new(verifier.Report)
		if err := events.UnmarshalJSON(doc, report); err != nil {
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
		got, err := r.check(s.signDocument(t, edited))
		if err != nil {
			return
		}
		if diff := cmp.Diff(want.Entries, got.Entries); diff != "" || got.Size != want.Size || got.Sentence != want.Sentence {
			t.Errorf("accepted with other entries (-honest +fuzzed):\n%s", diff)
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
