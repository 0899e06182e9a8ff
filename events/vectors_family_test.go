package events_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
)

// The values of the field groups, as the specification sees them: a text, a
// number, a list of texts, or members in the order of JSON.
type (
	members []member
	member  struct {
		name  string
		value any
	}
	// part is one field group of an event.
	part struct {
		number uint64
		name   string
		value  any
	}
)

// specCBOR is deterministic CBOR: the keys of a map in the order of their bytes,
// where the head comes first and so the shorter key.
func specCBOR(v any) []byte {
	switch v := v.(type) {
	case string:
		return cText(v)
	case int:
		return cUint(uint64(v))
	case bool:
		return []byte{0xf5}
	case []byte:
		return cBytes(v)
	case []string:
		var items [][]byte
		for _, s := range v {
			items = append(items, cText(s))
		}
		return cArray(items...)
	case members:
		sorted := slices.SortedFunc(slices.Values(v), func(a, b member) int { return bytes.Compare(cText(a.name), cText(b.name)) })
		var items [][]byte
		for _, m := range sorted {
			items = append(items, cText(m.name), specCBOR(m.value))
		}
		return cMap(items...)
	}
	panic(fmt.Sprintf("no CBOR for %T", v))
}

// specJSON is canonical JSON (docs/formats.md section 1).
func specJSON(v any) string {
	var items []string
	switch v := v.(type) {
	case string:
		return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\t", `\t`).Replace(v) + `"`
	case int, bool:
		return fmt.Sprint(v)
	case []byte:
		return `"` + base64.StdEncoding.EncodeToString(v) + `"`
	case []string:
		for _, s := range v {
			items = append(items, specJSON(s))
		}
		return "[" + strings.Join(items, ",") + "]"
	case members:
		for _, m := range v {
			items = append(items, specJSON(m.name)+":"+specJSON(m.value))
		}
		return "{" + strings.Join(items, ",") + "}"
	}
	panic(fmt.Sprintf("no JSON for %T", v))
}

func specGroups(parts []part) (fields []field) {
	for _, p := range parts {
		fields = append(fields, field{p.number, p.name, specCBOR(p.value)})
	}
	return fields
}

// specEventJSON has the groups in the order of their numbers, but for what stands
// in the place of a share's time, which follows the share.
func specEventJSON(parts []part) string {
	var all members
	for _, p := range parts {
		all = append(all, member{p.name, p.value})
	}
	if len(all) > 0 && (all[0].name == "series" || all[0].name == "period") {
		all = append(all[1:], all[0])
	}
	return specJSON(all)
}

// Groups that several types have, with the members that are always there and with
// all of them.
var (
	leastRecipient = members{{"id", "org:contoso"}, {"legal_name", "Contoso"}, {"country", "DE"}, {"category", "processor"}}
	fullRecipient  = members{{"id", "org:contoso"}, {"legal_name", `Contoso "Süd" <GmbH> & Co`}, {"address", "1 Main St\nBerlin"},
		{"contact", "dpo@contoso.example"}, {"representative", "Contoso EU"}, {"country", "DE"}, {"category", "affiliate"}, {"role", "joint_controller"}}
	leastData    = members{{"categories", []string{"contact"}}}
	fullData     = members{{"categories", []string{"contact", "health"}}, {"sensitivity", []string{"health"}}, {"kind", "content"}}
	someTransfer = members{{"from", "DE"}, {"to", "US"}, {"mechanism", "dpf_eu"}, {"safeguard", "audits"}, {"copy", "ask us"}}
	leastChange  = members{{"effective", "2027-01-01T00:00:00Z"}}
	fullChange   = members{{"effective", "2026-01-01T00:00:00.5Z"}, {"reason", "sold"}}
	leastChoice  = members{{"at", "2026-11-22T10:00:00Z"}}
	fullChoice   = members{{"at", "2026-11-22T10:00:00Z"}, {"method", "settings"}}
	leastScope   = members{{"purposes", []string{"research"}}}
	fullScope    = members{{"purposes", []string{"research", "advertising"}}, {"categories", []string{"health"}},
		{"recipients", []string{"org:contoso"}}, {"product_area", "health"}, {"statement", "2026-03"}, {"until", "2030-01-01T00:00:00Z"}}
	leastDocument = members{{"version", "2026-03"}, {"effective", "2026-03-01T00:00:00Z"}, {"sha256", hx(ramp(0x10))},
		{"size", 1}, {"media_type", "text/plain"}}
	fullDocument = members{{"version", "2026-03"}, {"effective", "2026-03-01T00:00:00Z"}, {"sha256", hx(ramp(0x10))},
		{"size", 70000}, {"media_type", "text/html; charset=utf-8"}, {"language", "pt-BR"}, {"title", "Privacy statement"},
		{"url", "https://example.com/privacy?v=1&l=pt"}}
)

func leastShare() []part {
	return []part{
		{0, "occurred", members{{"at", "2026-11-22T10:00:00Z"}}},
		{1, "reasons", []string{"consent"}},
		{4, "recipient", leastRecipient},
		{5, "data", leastData},
		{7, "promise", members{{"statement", "2026-03"}}},
		{12, "provenance", members{{"grade", "native"}}},
		{15, "extent", members{{"subjects", 1}, {"continuations", 0}}},
	}
}

func fullShare() []part {
	return []part{
		{0, "occurred", members{{"at", "2026-11-22T10:00:00Z"}, {"precision", "day"}, {"late_reason", "on paper"}}},
		{1, "reasons", []string{"consent", "research"}},
		{2, "purposes", []string{"delivery", "support"}},
		{3, "legal_bases", []string{"GDPR 6(1)(b)"}},
		{4, "recipient", fullRecipient},
		{5, "data", fullData},
		{6, "context", members{{"product_area", "health"}, {"account", "both"}, {"organisation", "Fabrikam"}, {"controller", "Us"}}},
		{7, "promise", members{{"statement", "2026-03"}, {"instrument", "DPA 7"}}},
		{8, "transfer", someTransfer},
		{9, "cpra", members{{"class", "sold"}, {"consideration", "a discount"}}},
		{10, "links", members{{"parent", "00112233-4455-6677-8899-aabbccddeeff"}}},
		{11, "conveyance", members{{"medium", "api"}, {"recurrence", "daily"}, {"retention", "30 days"}}},
		{12, "provenance", members{{"grade", "system_log"}, {"source", "shop"}, {"method", "electronic"}}},
		{13, "research", members{{"protocol", "NCT1"}, {"purpose", "cures"}, {"sponsor", "Ann, Main St, 555"}, {"researcher", "Bo, High St, 556"}}},
		{15, "extent", members{{"subjects", 300}, {"continuations", 2}}},
	}
}

// shareGroups are the names of a share's groups.
var shareGroups = func() (names []string) {
	for _, p := range fullShare() {
		names = append(names, p.name)
	}
	return names
}()

// instead puts a group in the place of the one with its number, or adds it.
func instead(parts []part, p part) []part {
	parts = slices.DeleteFunc(parts, func(q part) bool { return q.number == p.number })
	at := len(parts)
	if i := slices.IndexFunc(parts, func(q part) bool { return q.number > p.number }); i >= 0 {
		at = i
	}
	return slices.Insert(parts, at, p)
}

// familyCase is what events of one type hold at least and at most.
type familyCase struct {
	typ         string
	least, full []part
}

// familyCases are all types, in the order of docs/formats.md.
func familyCases() []familyCase { return slices.Concat(familyBlocks()...) }

// familyBlocks are the types in the order in which they came: golden files only
// grow, and hold first what is good of a block and then what is bad.
func familyBlocks() [][]familyCase {
	one := func(typ, name string, least, full members) familyCase {
		return familyCase{typ, []part{{0, name, least}}, []part{{0, name, full}}}
	}
	two := func(typ, name string, least, full members, second string, leastSecond, fullSecond members) familyCase {
		return familyCase{typ, []part{{0, name, least}, {1, second, leastSecond}}, []part{{0, name, full}, {1, second, fullSecond}}}
	}
	like := func(typ string, number uint64, name string, least, full members) familyCase {
		study := part{13, "research", fullShare()[13].value}
		c := familyCase{typ, instead(leastShare(), part{number, name, least}), instead(fullShare(), part{number, name, full})}
		switch typ {
		case "SeriesOpened":
			c.least = instead(c.least, part{11, "conveyance", members{{"recurrence", "monthly"}}})
		case "PossibleDisclosureRecorded":
			c.least = instead(c.least, study)
		}
		return c
	}
	at := "2026-11-22T10:00:00Z"
	return [][]familyCase{{
		{"Enrolled", nil, nil},
		{"Closed", nil, nil},
		{"DisclosureRecorded", leastShare(), fullShare()},
		{"SubjectsAdded", leastShare(), fullShare()},
		like("SeriesOpened", 0, "series", members{{"first", at}}, members{{"first", at}, {"precision", "month"}}),
		one("SeriesUpdated", "progress", members{{"count", 1}, {"last", at}}, members{{"count", 1 << 40}, {"last", at}}),
		two("SeriesClosed", "progress", members{{"count", 1}, {"last", at}}, members{{"count", 24}, {"last", at}},
			"closing", members{{"reason", "x"}}, members{{"reason", "the contract ended"}}),
		like("PossibleDisclosureRecorded", 0, "period", members{{"from", at}, {"to", at}}, members{{"from", "1999-12-31T00:00:00Z"}, {"to", at}}),
		like("DisclosureAmended", 15, "amendment", members{{"version", 1}, {"kind", "correct"}, {"reason", "x"}, {"changed", []string{"data"}}},
			members{{"version", 256}, {"kind", "supplement"}, {"reason", "more is known"}, {"changed", []string{"data", "transfer"}}}),
		one("DisclosureRetracted", "retraction", members{{"ground", "duplicate"}, {"scope", "whole"}, {"people", 0}},
			members{{"ground", "wrong_person"}, {"reason", "a namesake"}, {"scope", "part"}, {"people", 65536}}),
		one("DisclosureDisputed", "dispute", members{{"by", "subject"}, {"ground", "not_me"}, {"at", at}},
			members{{"by", "recipient"}, {"ground", "other"}, {"at", at}}),
		one("DisputeResolved", "resolution", members{{"outcome", "upheld"}, {"reason", "x"}, {"at", at}},
			members{{"outcome", "upheld_in_part"}, {"reason", "half of it"}, {"at", at}}),
		one("DisclosureAcknowledged", "acknowledgement", members{{"outcome", "received"}, {"at", at}},
			members{{"outcome", "not_received"}, {"at", at}, {"reference", "R-7"}}),
		{"OnwardDisclosureReported",
			[]part{{0, "onward", members{{"by", "org:northwind"}, {"at", at}}}, {1, "recipient", leastRecipient}, {2, "reasons", []string{"research"}}, {3, "data", leastData}},
			[]part{{0, "onward", members{{"by", "org:northwind"}, {"at", at}, {"precision", "day"}}}, {1, "recipient", fullRecipient},
				{2, "reasons", []string{"research", "consent"}}, {3, "data", fullData}, {4, "transfer", someTransfer}}},
		one("RecipientRegistered", "recipient", leastRecipient, fullRecipient),
		two("RecipientChanged", "recipient", leastRecipient, fullRecipient, "change", leastChange, fullChange),
		two("RecipientsMerged", "merger", members{{"from", "org:a"}, {"into", "org:b"}}, members{{"from", "org:contoso"}, {"into", "org:northwind"}},
			"change", leastChange, fullChange),
		two("RelationshipChanged", "relationship", members{{"recipient", "org:a"}, {"was", "affiliate"}, {"is", "third_party"}},
			members{{"recipient", "org:contoso"}, {"was", "third_party"}, {"is", "subsidiary"}}, "change", leastChange, fullChange),
		{"SubprocessorAdded",
			[]part{{0, "recipient", leastRecipient}, {1, "change", leastChange}, {2, "engagement", members{{"by", "org:northwind"}}}},
			[]part{{0, "recipient", fullRecipient}, {1, "change", fullChange}, {2, "engagement", members{{"by", "org:northwind"}, {"purpose", "mail"}}}}},
		one("StatementPublished", "document", leastDocument, fullDocument),
		one("TaxonomyReleased", "document", leastDocument, fullDocument),
		one("ProfileReleased", "document", leastDocument, fullDocument),
		two("ConsentGiven", "choice", leastChoice, fullChoice, "scope", leastScope, fullScope),
		two("ConsentRefused", "choice", leastChoice, fullChoice, "scope", leastScope, fullScope),
		one("ConsentWithdrawn", "choice", leastChoice, fullChoice),
		one("ConsentExpired", "choice", leastChoice, fullChoice),
	}, {
		{"SealRecorded", []part{{0, "step", members{{"kind", "lapsed"}, {"seal", "00112233-4455-6677-8899-aabbccddeeff"}}}},
			[]part{{0, "step", members{{"kind", "sealed"}, {"reason", "an order came with it"}}},
				{1, "order", members{{"authority", "org:court.example"}, {"basis", "us_2705a"}, {"form", "written"}, {"reference", "26-mc-117"}, {"issued", "2026-11-20T09:00:00Z"}}},
				{2, "period", members{{"until", "2027-02-01T00:00:00Z"}, {"review", "2027-01-04T00:00:00Z"}}},
				{3, "record", members{{"type", "DisclosureRecorded"}, {"fields", specBody(specGroups(fullShare())...)}}}}},
		two("DisclosureUnsealed", "unsealing", members{{"authority", "org:court.example"}, {"basis", "other"}, {"end", "lifted"}},
			members{{"authority", "org:court.example"}, {"basis", "hipaa_oral"}, {"end", "lapsed"}, {"supplement", true}},
			"record", members{{"type", "DisclosureRecorded"}, {"fields", specBody(specGroups(leastShare())...)}},
			members{{"type", "DisclosureRecorded"}, {"fields", specBody(specGroups(fullShare())...)}}),
		two("EventUnsealed", "unsealing", members{{"authority", "org:court.example"}, {"basis", "other"}, {"end", "lifted"}},
			members{{"authority", "org:court.example"}, {"basis", "us_nsl"}, {"end", "lifted"}, {"supplement", true}},
			"record", members{{"type", "ConsentExpired"}, {"fields", specBody(specGroups([]part{{0, "choice", leastChoice}})...)}},
			members{{"type", "RecipientRegistered"}, {"fields", specBody(specGroups([]part{{0, "recipient", fullRecipient}})...)}}),
	}, {
		one("ClosureRequested", "closure", members{{"action", "erase"}, {"ground", "unlawful"}, {"at", at}, {"until", at}, {"by", "000102030405060708090a0b0c0d0e0f"}},
			members{{"action", "rotate"}, {"ground", "copy_left"}, {"at", at}, {"until", "2026-12-22T10:00:00Z"}, {"by", "000102030405060708090a0b0c0d0e0f"}}),
		one("ClosureDeclined", "declining", members{{"at", at}, {"reason", "x"}}, members{{"at", at}, {"reason", "somebody else was meant"}}),
	}, {
		{"RecordContinued", []part{{0, "part", members{{"number", 1}, {"of", 1}, {"people", 1}}}},
			[]part{{0, "part", members{{"number", 2}, {"of", 157}, {"people", 64}}},
				{1, "record", members{{"index", 1 << 33}, {"leaf_hash", hx(ramp(0x70))}}}}},
	}}
}

func specFamily() []vector {
	var out []vector
	for i, block := range familyBlocks() {
		out = append(out, specBlock(block)...)
		if i == 0 {
			out = append(out, noTypes()...)
		}
	}
	return out
}

func specBlock(cases []familyCase) (out []vector) {
	seed := ramp(0x40)
	for _, c := range cases {
		for i, parts := range [][]part{c.least, c.full} {
			fields := specGroups(parts)
			var leaves [][]byte
			for j := range uint64(16) {
				leaves = append(leaves, specLeafHash(specFieldCommit(seed, j, fields)))
			}
			root, _ := specTree(leaves, 0)
			out = append(out, vector{Name: c.typ + []string{", least", ", full"}[i],
				In:  values{"type": c.typ, "fields": spell(fields), "seed": hx(seed)},
				Out: values{"body": hx(specBody(fields...)), "root": hx(root), "json": specEventJSON(parts)}})
		}
	}
	for _, c := range cases {
		out = append(out, badFamily(c)...)
	}
	return out
}

func noTypes() (out []vector) {
	seed := ramp(0x40)
	for _, typ := range []string{"", "StateRecorded", "disclosureRecorded", "DisclosureRecorded2", "PossibleRecorded", "Disclosure Recorded"} {
		out = append(out, vector{Name: fmt.Sprintf("type %q", typ), In: values{"type": typ, "fields": "", "seed": hx(seed)}, Refused: true})
	}
	return out
}

// badFamily breaks one rule at a time. A single group is a part of an event, which
// may be shown by itself: it is refused for what it is, not for what is missing.
func badFamily(c familyCase) (out []vector) {
	refuse := func(name string, f ...field) {
		out = append(out, vector{Name: c.typ + ": " + name, In: values{"type": c.typ, "fields": spell(f), "part": "1"}, Refused: true})
	}
	alien := field{0, "document", specCBOR(leastDocument)}
	if strings.HasSuffix(c.typ, "Published") || strings.HasSuffix(c.typ, "Released") {
		alien = field{0, "choice", specCBOR(leastChoice)}
	}
	refuse("another type's "+alien.name, alien)
	for i := range c.least {
		fields := slices.Delete(specGroups(c.least), i, i+1)
		// Some types need a group that events of the type do not always have.
		if name := c.least[i].name; name != "conveyance" && name != "research" {
			out = append(out, vector{Name: c.typ + ": no " + name, In: values{"type": c.typ, "fields": spell(fields), "seed": hx(ramp(0x40))}, Refused: true})
		}
	}
	// What a share's groups must be is said once.
	own := slices.DeleteFunc(slices.Clone(c.full), func(p part) bool {
		return len(c.full) > 10 && c.typ != "DisclosureRecorded" && slices.Contains(shareGroups, p.name)
	})
	for _, p := range own {
		value := specCBOR(p.value)
		refuse(p.name+" under another number", field{p.number ^ 1, p.name, value})
		refuse(p.name+" under a number beyond the width", field{p.number + 16, p.name, value})
		refuse(p.name+" in capitals", field{p.number, strings.ToUpper(p.name), value})
		group, ok := p.value.(members)
		if !ok {
			refuse(p.name+" a text", field{p.number, p.name, cText("x")})
			refuse(p.name+" of numbers", field{p.number, p.name, cArray(cUint(1))})
			continue
		}
		refuse(p.name+" a list", field{p.number, p.name, cArray(value)})
		refuse(p.name+" with an unknown member", field{p.number, p.name, specCBOR(append(slices.Clone(group), member{"zz", "x"}))})
		refuse(p.name+" without members", field{p.number, p.name, cMap()})
		wrong := slices.Clone(group)
		if _, text := wrong[0].value.(string); text {
			wrong[0].value = 7
		} else {
			wrong[0].value = "7"
		}
		refuse(p.name+" with a member of another kind", field{p.number, p.name, specCBOR(wrong)})
	}
	for _, p := range own {
		empty := map[string]any{"purposes": []string{}, "legal_bases": []string{}, "cpra": members{{"class", ""}}, "links": members{{"parent", ""}}}[p.name]
		if empty != nil {
			refuse(p.name+" empty", field{p.number, p.name, specCBOR(empty)})
		}
		if slices.Contains([]string{"transfer", "research", "order", "period"}, p.name) && c.typ != "PossibleDisclosureRecorded" {
			refuse(p.name+" null", field{p.number, p.name, []byte{0xf6}})
		}
		i := slices.IndexFunc(c.least, func(q part) bool { return q.name == p.name })
		if i < 0 {
			continue
		}
		there, _ := c.least[i].value.(members)
		for _, m := range there.optional(p.value) {
			empty := any("")
			if _, list := m.value.([]string); list {
				empty = []string{}
			}
			refuse(p.name+" with an empty "+m.name, field{p.number, p.name, specCBOR(append(slices.Clone(there), member{m.name, empty}))})
		}
	}
	if len(c.full) > 10 {
		refuse("the reserved policy", field{14, "policy", cMap(cText("verdict"), cText("pass"))})
	}
	return out
}

// optional returns the members of a group that its least form m lacks.
func (m members) optional(full any) (out members) {
	all, _ := full.(members)
	for _, o := range all {
		if !slices.ContainsFunc(m, func(n member) bool { return n.name == o.name }) {
			out = append(out, o)
		}
	}
	return out
}

var errPart = errors.New("it lacks fields that every event of the type has")

func runFamily(in values) (values, error) {
	typ, fields := in["type"], parseSpelled(in["fields"])
	e, err := events.Decode(typ, fields)
	if err != nil {
		return nil, err
	}
	if in["part"] == "" && !events.Whole(typ, fields) {
		return nil, errPart
	}
	body := events.MarshalFields(events.Fields(e))
	facts, again, err := events.ParseEvent(typ, body)
	if err != nil {
		return nil, err
	}
	tree, err := facts.Body(hash(in["seed"]), events.FieldWidth)
	if err != nil {
		return nil, err
	}
	text, err := events.MarshalJSON(again)
	if err != nil {
		return nil, err
	}
	back, err := events.Decode(typ, nil)
	if err != nil {
		return nil, err
	}
	if err := events.UnmarshalJSON(text, back); err != nil {
		return nil, err
	}
	if !bytes.Equal(events.MarshalFields(events.Fields(back)), body) || !bytes.Equal(events.FactsOf(e).Marshal(), body) {
		return nil, differ("the JSON of an event")
	}
	root := tree.Root()
	return values{"body": hx(body), "root": hx(root[:]), "json": string(text)}, nil
}

// No type can be forgotten: each has vectors, and what they hold is valid.
func TestFamilyIsWhole(t *testing.T) {
	good := map[string]bool{}
	for _, v := range readVectors(t, "family.json") {
		if v.Refused {
			continue
		}
		good[v.Name] = true
		e, err := events.Decode(v.In["type"], parseSpelled(v.In["fields"]))
		if err != nil {
			t.Fatal(err)
		}
		if facts, ok := e.(events.Validatable); ok {
			if err := facts.Validate(now); err != nil {
				t.Errorf("%s: %v", v.Name, err)
			}
		} else if typ := e.Type(); typ != events.TypeEnrolled && typ != events.TypeClosed {
			t.Errorf("nobody validates a %s", typ)
		}
	}
	for _, typ := range events.Types() {
		if !good[typ+", least"] || !good[typ+", full"] {
			t.Errorf("family.json has no vectors of a %s", typ)
		}
	}
}

// What the table of types says of each holds together.
func TestKinds(t *testing.T) {
	rules := events.DefaultRules()
	for _, c := range familyCases() {
		empty, err := events.Decode(c.typ, nil)
		if err != nil {
			t.Fatal(err)
		}
		if empty.Type() != c.typ {
			t.Errorf("the table makes a %s for a %s", empty.Type(), c.typ)
		}
		// It panics if the groups are in another order than the numbers, or have other
		// names.
		events.Fields(empty)
		names, seen := rules.Fields[c.typ], map[string]bool{}
		if len(names) > events.FieldWidth {
			t.Errorf("%s has %d field groups", c.typ, len(names))
		}
		for j, name := range names {
			full := slices.ContainsFunc(c.full, func(p part) bool { return p.name == name && p.number == uint64(j) })
			if seen[name] || name == "" || full == (name == "policy") {
				t.Errorf("%s: field %d, %q, is there twice or nowhere", c.typ, j, name)
			}
			seen[name] = true
		}
		if len(rules.Labels[c.typ]) == 0 {
			t.Errorf("a %s carries nobody's label", c.typ)
		}
		for _, typ := range events.About(c.typ) {
			if !slices.Contains(events.Types(), typ) {
				t.Errorf("a %s is about a %s, which is none", c.typ, typ)
			}
			for _, role := range []events.Role{events.RoleSubject, events.RoleRecipient, events.RoleController} {
				if events.Carries(c.typ, role) && !events.Carries(typ, role) {
					t.Errorf("a %s is about a %s, in which a %s has no entry", c.typ, typ, role)
				}
			}
		}
	}
	if got := events.About("Unknown"); len(got) != 0 || events.Carries("Unknown", events.RoleSubject) {
		t.Errorf("an unknown type is about %v", got)
	}
}
