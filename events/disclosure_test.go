package events_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// someShare is a valid share with every group filled in.
func someShare() *events.DisclosureRecorded {
	return &events.DisclosureRecorded{
		Occurred:   events.Occurred{At: "2026-11-22T10:00:00Z", Precision: "day", LateReason: "paper form"},
		Reasons:    []events.Reason{events.Consent, events.Research},
		Purposes:   []string{"delivery"},
		LegalBases: []string{"GDPR 6(1)(b)"},
		Recipient: events.Recipient{ID: "org:contoso", LegalName: "Contoso Ltd", Address: "1 Main St", Contact: "dpo@contoso",
			Representative: "Contoso EU", Country: "DE", Category: "processor"},
		Data:       events.SharedData{Categories: []string{"contact"}, Sensitivity: []string{"health"}, Kind: "content"},
		Context:    events.Context{ProductArea: "health", Account: "personal", Organisation: "Fabrikam", Controller: "Us"},
		Promise:    events.Promise{Statement: "2026-03", Instrument: "DPA 7"},
		Transfer:   &events.Transfer{From: "DE", To: "US", Mechanism: "dpf_eu", Safeguard: "audit", Copy: "ask us"},
		Provenance: events.Provenance{Grade: "native", Source: "shop"},
		Extent:     events.Extent{Subjects: 2},
	}
}

// drawShare draws a valid share.
func drawShare(t *rapid.T) *events.DisclosureRecorded {
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.TrimSpace(rapid.StringMatching(`[a-zA-Z0-9éßø漢字\-.,"<>&]{1,20}( [a-z]{1,5})?`).Draw(t, "text"))
	})
	maybe := rapid.OneOf(rapid.Just(""), text)
	words := func(least int) *rapid.Generator[[]string] { return rapid.SliceOfNDistinct(text, least, 4, rapid.ID) }
	one := func(of ...string) *rapid.Generator[string] { return rapid.SampledFrom(of) }
	country := rapid.StringMatching(`[A-Z]{2}`)
	at := time.Unix(rapid.Int64Range(-2_000_000_000, now.Unix()).Draw(t, "at"), 0).UTC().Format(time.RFC3339)
	d := &events.DisclosureRecorded{
		Occurred: events.Occurred{At: at, Precision: one("", "instant", "day", "month").Draw(t, "precision"),
			LateReason: maybe.Draw(t, "late")},
		Reasons: rapid.SliceOfNDistinct(rapid.SampledFrom([]events.Reason{events.Consent, events.VendorOnBehalf,
			events.LegalProcess, events.Research}), 1, 4, rapid.ID).Draw(t, "reasons"),
		Purposes:   words(0).Draw(t, "purposes"),
		LegalBases: words(0).Draw(t, "bases"),
		Recipient: events.Recipient{ID: "org:" + text.Draw(t, "id"), LegalName: text.Draw(t, "name"),
			Address: maybe.Draw(t, "address"), Contact: maybe.Draw(t, "contact"), Representative: maybe.Draw(t, "representative"),
			Country: country.Draw(t, "country"), Category: one("affiliate", "court", "payment").Draw(t, "category")},
		Data: events.SharedData{Categories: words(1).Draw(t, "categories"), Sensitivity: words(0).Draw(t, "sensitivity"),
			Kind: one("", "content", "metadata").Draw(t, "kind")},
		Context: events.Context{ProductArea: one("", "account", "search_ai").Draw(t, "area"),
			Account: one("", "both").Draw(t, "account"), Organisation: maybe.Draw(t, "org"), Controller: maybe.Draw(t, "controller")},
		Promise:    events.Promise{Statement: text.Draw(t, "statement"), Instrument: maybe.Draw(t, "instrument")},
		Provenance: events.Provenance{Grade: one("native", "reconstructed").Draw(t, "grade"), Source: maybe.Draw(t, "source")},
		Extent:     events.Extent{Subjects: rapid.Uint64().Draw(t, "subjects"), Continuations: rapid.Uint64Max(30).Draw(t, "more")},
	}
	if rapid.Bool().Draw(t, "transfers") {
		d.Transfer = &events.Transfer{From: country.Draw(t, "from"), To: country.Draw(t, "to"),
			Mechanism: one("adequacy", "dpf_uk").Draw(t, "mechanism"), Safeguard: maybe.Draw(t, "safeguard"), Copy: maybe.Draw(t, "copy")}
	}
	return d
}

// A share goes through its fields, and each subset of them gives the same
// groups and leaves the others zero.
func TestFieldsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawShare(t)
		if err := want.Validate(now); err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		fields, err := events.ParseFields(events.MarshalFields(events.Fields(want)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := events.Decode(want.Type(), fields)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events.Event(want), got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		kept := rapid.SliceOfN(rapid.Bool(), len(fields), len(fields)).Draw(t, "kept")
		var some []events.Field
		for i, f := range fields {
			if kept[i] {
				some = append(some, f)
			}
		}
		part, err := events.Decode(want.Type(), some)
		if err != nil {
			t.Fatal(err)
		}
		again := events.Fields(part)
		for _, f := range some {
			i := slices.IndexFunc(again, func(g events.Field) bool { return g.Number == f.Number })
			if i < 0 || again[i].Name != f.Name || string(again[i].Value) != string(f.Value) {
				t.Errorf("%s does not lead back", f.Name)
			}
		}
	})
}

func TestEnrolledCarriesNoFacts(t *testing.T) {
	if fields := events.Fields(&events.Enrolled{}); len(fields) != 0 {
		t.Errorf("got %v", fields)
	}
	if e, err := events.Decode(events.TypeEnrolled, nil); err != nil || e.Type() != events.TypeEnrolled {
		t.Errorf("got %v, %v", e, err)
	}
	if _, err := events.Decode(events.TypeEnrolled, []events.Field{{Name: "occurred", Value: cMap()}}); err == nil {
		t.Error("a field was accepted")
	}
}

func TestDecodeRefuses(t *testing.T) {
	at := cMap(cText("at"), cText("2026-11-22T10:00:00Z"))
	field := func(number uint16, name string, value []byte) events.Field {
		return events.Field{Number: number, Name: name, Value: value}
	}
	for name, fields := range map[string][]events.Field{
		"another name":            {field(0, "occured", at)},
		"another number":          {field(1, "occurred", at)},
		"number beyond the names": {field(16, "occurred", at)},
		"reserved name":           {field(9, "cpra", cMap())},
		"member missing":          {field(0, "occurred", cMap())},
		"unknown member":          {field(0, "occurred", cMap(cText("at"), cText("x"), cText("on"), cText("y")))},
		"member in capitals":      {field(0, "occurred", cMap(cText("At"), cText("x")))},
		"empty optional member":   {field(0, "occurred", cMap(cText("at"), cText("x"), cText("precision"), cText("")))},
		"text for a map":          {field(0, "occurred", cText("x"))},
		"number for a text":       {field(0, "occurred", cMap(cText("at"), cUint(0)))},
		"null":                    {field(8, "transfer", []byte{0xf6})},
		"empty list":              {field(2, "purposes", cArray())},
		"empty context":           {field(6, "context", cMap())},
		"negative count":          {field(15, "extent", cMap(cText("subjects"), []byte{0x20}, cText("continuations"), cUint(0)))},
		"field twice":             {field(0, "occurred", at), field(0, "occurred", at)},
		"fields out of order":     {field(2, "purposes", cArray(cText("x"))), field(0, "occurred", at)},
	} {
		if e, err := events.Decode(events.TypeDisclosureRecorded, fields); !errors.Is(err, events.ErrBody) {
			t.Errorf("%s: got %+v, %v", name, e, err)
		}
	}
	for _, typ := range []string{"", events.TypeState, "disclosureRecorded"} {
		if _, err := events.Decode(typ, nil); !errors.Is(err, events.ErrBody) {
			t.Errorf("type %q: got error %v", typ, err)
		}
	}
}

// Opening one field proves that field, and nothing else that is shown with it.
func TestCheckField(t *testing.T) {
	seed := hashOf(ramp(0x40))
	fields := events.Fields(someShare())
	bodies := map[int]*events.Body{}
	for _, width := range []int{16, 32, 64} {
		var err error
		if bodies[width], err = events.NewBody(seed, width, fields); err != nil {
			t.Fatal(err)
		}
	}
	for width, body := range bodies {
		for _, f := range fields {
			opening, path := events.Opening(seed, f.Number+1), body.Path(f.Number)
			check := func(f events.Field, opening events.Hash, path []events.Hash) error {
				return events.CheckField(body.Root(), f, opening, path)
			}
			if err := check(f, opening, path); err != nil {
				t.Fatalf("width %d, %s: %v", width, f.Name, err)
			}
			bent := slices.Clone(path)
			bent[len(bent)-1][31] ^= 1
			next := events.Field{Number: f.Number + 1, Name: f.Name, Value: f.Value}
			far := events.Field{Number: f.Number + uint16(width), Name: f.Name, Value: f.Value}
			for what, err := range map[string]error{
				"number":                check(next, opening, path),
				"number with opening":   check(next, events.Opening(seed, f.Number+2), path),
				"number past the width": check(far, opening, path),
				"name":                  check(events.Field{Number: f.Number, Name: f.Name + "s", Value: f.Value}, opening, path),
				"value":                 check(events.Field{Number: f.Number, Name: f.Name, Value: cText("x")}, opening, path),
				"value not CBOR":        check(events.Field{Number: f.Number, Name: f.Name}, opening, path),
				"opening":               check(f, events.Opening(seed, 0), path),
				"path bent":             check(f, opening, bent),
				"path cut":              check(f, opening, path[:len(path)-1]),
				"path longer":           check(f, opening, append(slices.Clone(path), events.Hash{})),
				"no path":               check(f, opening, nil),
				"root":                  events.CheckField(events.Hash{}, f, opening, path),
			} {
				if !errors.Is(err, events.ErrBody) {
					t.Errorf("width %d, %s, another %s: got error %v", width, f.Name, what, err)
				}
			}
			for other, body := range bodies {
				if err := events.CheckField(body.Root(), f, opening, path); (err == nil) != (other == width) {
					t.Errorf("%s: a path of width %d against width %d: got error %v", f.Name, width, other, err)
				}
			}
		}
	}
}
