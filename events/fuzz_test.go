package events_test

import (
	"bytes"
	"errors"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/sharetrail/sharetrail/events"
)

// The seeds of every target are the golden vectors, good and bad, and the
// inputs under testdata/fuzz.

func fuzzBytes(f *testing.F, file, member string, check func(*testing.T, []byte) bool) {
	for _, b := range vectorBytes(f, file, member) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b) })
}

func FuzzParseLeaf(f *testing.F)        { fuzzBytes(f, "leaf.json", "leaf", checkLeaf) }
func FuzzParseState(f *testing.F)       { fuzzBytes(f, "state.json", "ext", checkState) }
func FuzzParseSlotContent(f *testing.F) { fuzzBytes(f, "slot.json", "content", checkSlot) }
func FuzzParseFields(f *testing.F)      { fuzzBytes(f, "fields.json", "body", checkFieldsAndDecode) }
func FuzzParseStored(f *testing.F)      { fuzzBytes(f, "stored.json", "stored", checkStored) }

func FuzzParsePart(f *testing.F) {
	fuzzBytes(f, "part.json", "part", func(t *testing.T, b []byte) bool {
		opening, content, err := events.ParsePart(b)
		return same(t, b, err, events.ErrStored, func() []byte { return events.MarshalPart(opening, content) })
	})
}

// checkFieldsAndDecode also demands of a share what [checkEvent] does.
func checkFieldsAndDecode(t *testing.T, b []byte) bool {
	if !checkFields(t, b) {
		return false
	}
	checkEvent(t, events.TypeDisclosureRecorded, b)
	return true
}

func FuzzParseRules(f *testing.F) {
	for _, v := range readVectors(f, "rules.json") {
		f.Add([]byte(v.In["rules"]))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkRules(t, b) })
}

func FuzzParseIdentity(f *testing.F) {
	for _, b := range vectorBytes(f, "identity.json", "text") {
		f.Add(string(b))
	}
	f.Fuzz(checkIdentity)
}

// checkIdentity: what is accepted is canonical, and so is every spelling that
// Unicode holds to be the same.
func checkIdentity(t *testing.T, text string) {
	rules := events.DefaultRules().Identities
	id, err := events.ParseIdentity(rules, text)
	if err != nil {
		var field *events.FieldError
		if !errors.As(err, &field) || field.Field != "id" || field.Rule == "" || field.Next == "" {
			t.Errorf("got error %#v", err)
		}
		return
	}
	if !utf8.ValidString(string(id)) || !norm.NFC.IsNormalString(string(id)) || len(id) > 64+900 {
		t.Errorf("%q gives %q", text, id)
	}
	if err := events.CheckIdentity(rules, id); err != nil {
		t.Errorf("%q gives %q: %v", text, id, err)
	}
	for _, other := range []string{id.String(), norm.NFC.String(text), norm.NFD.String(text)} {
		if again, err := events.ParseIdentity(rules, other); err != nil || again != id {
			t.Errorf("%q gives %q, %q gives %q, %v", text, id, other, again, err)
		}
	}
}

func FuzzHashText(f *testing.F) {
	for _, v := range readVectors(f, "text.json") {
		if text, ok := v.In["hash"]; ok {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		h := hashOf(fill(7, 32))
		if h.UnmarshalText([]byte(text)) != nil {
			if h != hashOf(fill(7, 32)) {
				t.Error("a refused text changed the hash")
			}
		} else if h.String() != text {
			t.Errorf("accepted %q, gives %q", text, h)
		}
	})
}

func FuzzIDText(f *testing.F) {
	for _, v := range readVectors(f, "text.json") {
		if text, ok := v.In["id"]; ok {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		var id events.ID
		if id.UnmarshalText([]byte(text)) != nil {
			if id != (events.ID{}) {
				t.Error("a refused text changed the id")
			}
		} else if id.String() != text {
			t.Errorf("accepted %q, gives %q", text, id)
		}
	})
}

func FuzzUnpad(f *testing.F) {
	for _, b := range vectorBytes(f, "padding.json", "padded") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := events.Unpad(b); err == nil && string(events.PadTo(plain, len(b))) != string(b) {
			t.Errorf("%x is no padding of %x", b, plain)
		}
	})
}

// What a keyholder sends as a record is refused with a field, or is an event whose
// fields lead back to it.
func FuzzFromJSON(f *testing.F) {
	for _, v := range readVectors(f, "family.json") {
		if !v.Refused {
			f.Add(v.In["type"], []byte(v.Out["json"]))
		}
	}
	f.Fuzz(func(t *testing.T, typ string, text []byte) {
		e, err := events.FromJSON(typ, text)
		if refused := (*events.FieldError)(nil); err != nil {
			if !errors.As(err, &refused) {
				t.Fatalf("got error %v", err)
			}
			return
		}
		if e.Type() != typ {
			t.Errorf("it is a %s", e.Type())
		}
		if e.Validate(now) != nil || !events.Sealable(typ) {
			return
		}
		sealed := events.SealedAs(e)
		back, err := sealed.Event()
		if err != nil || !bytes.Equal(events.MarshalFields(events.Fields(back)), sealed.Fields) {
			t.Errorf("a valid %s does not lead back: %v", typ, err)
		}
	})
}
