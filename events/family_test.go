package events_test

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
)

// What an older program wrote decodes, validates and leads back to its bytes. The
// files under testdata/older hold what such programs gave, byte for byte; they are
// not made anew. shares-only.json is of the one that knew shares and enrolments.
func TestOlderEvents(t *testing.T) {
	for _, v := range readVectors(t, "../older/shares-only.json") {
		rules, err := events.ParseRules([]byte(v.In["rules"]))
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		facts, e, err := events.ParseEvent(v.In["type"], unhex(v.In["body"]))
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if err := e.(events.Validatable).Validate(now); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		if !events.Whole(e.Type(), facts.Fields()) || !rules.Allows(e, events.RoleSubject, events.RoleRecipient) {
			t.Errorf("%s is not whole, or not what its rules allow", v.Name)
		}
		if got := hx(events.MarshalFields(events.Fields(e))); got != v.In["body"] {
			t.Errorf("%s gives %s", v.Name, got)
		}
		if got, err := events.MarshalJSON(e); err != nil || string(got) != v.Out["json"] {
			t.Errorf("%s gives %s, %v", v.Name, got, err)
		}
	}
}

// Rules allow what the program that made them knew: its types, fields and roles.
func TestRulesInForce(t *testing.T) {
	older, err := events.ParseRules([]byte(firstRules))
	if err != nil {
		t.Fatal(err)
	}
	newest := events.DefaultRules()
	for _, c := range familyCases() {
		e := eventOf(t, c.typ, c.full)
		for _, role := range []events.Role{events.RoleSubject, events.RoleRecipient, events.RoleAuthority, events.RoleController} {
			if got := newest.Allows(e, role); got != events.Carries(c.typ, role) {
				t.Errorf("a %s with the label of a %s: allowed %v", c.typ, role, got)
			}
		}
		if got, want := older.Allows(e), c.typ == "DisclosureRecorded" || c.typ == "Enrolled"; got != want {
			t.Errorf("older rules and a %s: allowed %v", c.typ, got)
		}
	}
	if enrolled := new(events.Enrolled); older.Allows(enrolled, events.RoleController) || !older.Allows(enrolled, events.RoleRecipient, events.RoleSubject) {
		t.Error("older rules have no controllers")
	}
	// Rules of a program to which a fifth group was appended later.
	document := strings.Replace(familyRules, `["onward","recipient","reasons","data","transfer"]`, `["onward","recipient","reasons","data"]`, 1)
	before, err := events.ParseRules([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	c := caseOf(t, events.TypeOnwardReported)
	if least := eventOf(t, c.typ, c.least); !before.Allows(least, events.RoleSubject, events.RoleRecipient) {
		t.Error("an event without the later group is refused")
	}
	if full := eventOf(t, c.typ, c.full); before.Allows(full) {
		t.Error("an event with the later group is allowed")
	}
}

// Where a share stands in an event, and when it was.
func TestShareIn(t *testing.T) {
	at := map[string]events.Occurred{
		events.TypeDisclosureRecorded: {At: "2026-11-22T10:00:00Z", Precision: "day", LateReason: "on paper"},
		events.TypeSubjectsAdded:      {At: "2026-11-22T10:00:00Z", Precision: "day", LateReason: "on paper"},
		events.TypeDisclosureAmended:  {At: "2026-11-22T10:00:00Z", Precision: "day", LateReason: "on paper"},
		events.TypeSeriesOpened:       {At: "2026-11-22T10:00:00Z", Precision: "month"},
		events.TypePossibleRecorded:   {At: "2026-11-22T10:00:00Z", Precision: "day"},
		events.TypeUnsealed:           {At: "2026-11-22T10:00:00Z", Precision: "day", LateReason: "on paper"},
	}
	for _, c := range familyCases() {
		e := eventOf(t, c.typ, c.full)
		before := hx(events.MarshalFields(events.Fields(e)))
		share := events.ShareIn(e)
		want, held := at[c.typ]
		if (share != nil) != held || held && (share.Occurred != want || share.Recipient.ID != "org:contoso") {
			t.Errorf("%s: got %+v", c.typ, share)
		}
		if after := hx(events.MarshalFields(events.Fields(e))); after != before {
			t.Errorf("%s changed", c.typ)
		}
	}
}

// Whose labels an event carries, as far as its facts name recipients.
func TestRecipientsIn(t *testing.T) {
	for typ, want := range map[string][]string{
		events.TypeDisclosureRecorded:  {"org:contoso"},
		events.TypeSeriesOpened:        {"org:contoso"},
		events.TypeOnwardReported:      {"org:northwind", "org:contoso"},
		events.TypeRecipientRegistered: {"org:contoso"},
		events.TypeRecipientChanged:    {"org:contoso"},
		events.TypeRecipientsMerged:    {"org:contoso", "org:northwind"},
		events.TypeRelationshipChanged: {"org:contoso"},
		events.TypeSubprocessorAdded:   {"org:northwind", "org:contoso"},
		events.TypeUnsealed:            {"org:contoso"},
		events.TypeEventUnsealed:       {"org:contoso"},
		events.TypeSealRecorded:        nil,
		events.TypeSeriesUpdated:       nil,
		events.TypeConsentGiven:        nil,
	} {
		if got := events.RecipientsIn(eventOf(t, typ, caseOf(t, typ).full)); !slices.Equal(got, want) {
			t.Errorf("%s: got %v", typ, got)
		}
	}
}

// drawEvent draws a valid event of a type: from the fullest one, whatever may be
// another text, list or number, or absent, is.
func drawEvent(t *rapid.T, c familyCase) events.Event {
	full, err := events.Decode(c.typ, parseSpelled(spell(specGroups(c.full))))
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := full.(events.Validatable); ok {
		vary(t, e, reflect.ValueOf(e).Elem(), "")
		if err := e.Validate(now); err != nil {
			t.Fatal(err)
		}
	}
	return full
}

var drawnText = rapid.StringMatching(`[a-zA-Z0-9éßø漢字"\\<>&\x{2028}𝄞]{1,20}(\n[a-z]{1,5})?`)

func vary(t *rapid.T, e events.Validatable, v reflect.Value, path string) {
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			vary(t, e, v.Field(i), strings.Trim(path+"."+name, "."))
		}
		return
	}
	if v.Type() == reflect.TypeFor[[]byte]() {
		return // fields of another event
	}
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	if rapid.Bool().Draw(t, path+" absent") {
		v.SetZero()
	} else {
		switch v.Kind() {
		case reflect.String:
			v.SetString(drawnWord(path).Draw(t, path))
		case reflect.Uint64:
			v.SetUint(rapid.Uint64().Draw(t, path))
		case reflect.Slice:
			words := rapid.SliceOfNDistinct(drawnWord(path), 0, 4, rapid.ID).Draw(t, path)
			v.Set(reflect.MakeSlice(v.Type(), len(words), len(words)))
			for i, word := range words {
				v.Index(i).SetString(word)
			}
		case reflect.Pointer:
			vary(t, e, v.Elem(), path)
		}
	}
	if e.Validate(now) != nil {
		v.Set(was)
	}
}

// drawnWord draws a value of the field's enumeration, or any text.
func drawnWord(path string) *rapid.Generator[string] {
	if values := events.Terms()[path]; len(values) > 0 {
		return rapid.SampledFrom(values)
	}
	return drawnText
}

// Any valid event goes through its fields and through JSON, and each of its groups
// decodes by itself.
func TestEventsRoundTrip(t *testing.T) {
	cases := familyCases()
	rapid.Check(t, func(t *rapid.T) {
		for range 5 {
			roundTrip(t, rapid.SampledFrom(cases).Draw(t, "type"))
		}
	})
}

func roundTrip(t *rapid.T, c familyCase) {
	want := drawEvent(t, c)
	facts, got, err := events.ParseEvent(c.typ, events.FactsOf(want).Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if !events.Whole(c.typ, facts.Fields()) {
		t.Errorf("%s is not whole", c.typ)
	}
	throughJSON(t, got)
	for _, f := range facts.Fields() {
		part, err := events.Decode(c.typ, []events.Field{f})
		if err != nil {
			t.Fatalf("%s by itself: %v", f.Name, err)
		}
		leadsBack(t, part, []events.Field{f})
	}
}

type failer interface{ Errorf(string, ...any) }

func throughJSON(t failer, e events.Event) {
	text, err := events.MarshalJSON(e)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	back, err := events.Decode(e.Type(), nil)
	if err == nil {
		err = events.UnmarshalJSON(text, back)
	}
	if err != nil || !reflect.DeepEqual(e, back) {
		t.Errorf("%s gives %+v, %v", text, back, err)
	}
}

// leadsBack demands that an event has just the fields it was decoded from, beside
// those that every event of the type has.
func leadsBack(t failer, e events.Event, fields []events.Field) {
	again := map[uint16]string{}
	for _, g := range events.Fields(e) {
		again[g.Number] = g.Name + string(g.Value)
	}
	for _, f := range fields {
		if again[f.Number] != f.Name+string(f.Value) {
			t.Errorf("field %d decodes but does not lead back", f.Number)
		}
		delete(again, f.Number)
	}
	empty, err := events.Decode(e.Type(), nil)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	for _, g := range events.Fields(empty) {
		delete(again, g.Number)
	}
	if len(again) != 0 {
		t.Errorf("%v came from nowhere", slices.Sorted(maps.Keys(again)))
	}
}

// checkEvent: what is accepted as an event of a type leads back, through fields and
// JSON, and whoever looks at it does not panic.
func checkEvent(t *testing.T, typ string, b []byte) {
	t.Helper()
	fields, err := events.ParseFields(b)
	var other events.Event
	if err == nil {
		other, err = events.Decode(typ, fields)
	}
	facts, e, parseErr := events.ParseEvent(typ, b)
	if (err == nil) != (parseErr == nil) || err != nil && (err != events.ErrBody || parseErr != events.ErrBody) {
		t.Fatalf("Decode gives %v, ParseEvent %v", err, parseErr)
	}
	if err != nil {
		return
	}
	if !reflect.DeepEqual(other, e) || !bytes.Equal(facts.Marshal(), b) {
		t.Errorf("Decode gives %+v, ParseEvent %+v", other, e)
	}
	leadsBack(t, e, fields)
	if events.Whole(typ, fields) && !bytes.Equal(events.MarshalFields(events.Fields(e)), b) {
		t.Errorf("%x is whole and does not lead back", b)
	}
	throughJSON(t, e)
	events.ShareIn(e)
	events.RecipientsIn(e)
	if e, ok := e.(events.Validatable); ok {
		var field *events.FieldError
		if err := e.Validate(now); err != nil && !errors.As(err, &field) {
			t.Errorf("got error %v", err)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, v := range readVectors(f, "family.json") {
		f.Add(v.In["type"], events.MarshalFields(parseSpelled(v.In["fields"])))
	}
	for _, b := range vectorBytes(f, "fields.json", "body") {
		f.Add(events.TypeDisclosureRecorded, b)
	}
	f.Fuzz(checkEvent)
}

// An event with a flipped bit is another event of its type or none.
func TestFlipFamily(t *testing.T) {
	for _, c := range familyCases() {
		if len(c.full) > 10 && c.typ != events.TypeSeriesOpened {
			continue // one share stands for all
		}
		flips(t, specBody(specGroups(c.least)...), func(t *testing.T, bit int, flipped []byte) {
			checkEvent(t, c.typ, flipped)
		})
	}
}
