package events_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
)

// firstRules is the rules document new ledgers begin with, letter by letter.
const firstRules = `{"version":1,"previous":null,"unicode":"15.0.0","identities":[` +
	`{"namespace":"account","case":"preserve"},{"namespace":"email","case":"lower-ascii"},` +
	`{"namespace":"org","case":"lower-ascii"},{"namespace":"phone","case":"preserve"}],` +
	`"grain_ms":60000,"width":16,"fields":{"DisclosureRecorded":["occurred","reasons","purposes","legal_bases",` +
	`"recipient","data","context","promise","transfer","cpra","links","conveyance","provenance","research","policy","extent"],` +
	`"Enrolled":[]},"labels":{"DisclosureRecorded":["subject","recipient"],"Enrolled":["subject","recipient"]},` +
	`"authorities":[],"publication":"restricted"}`

// familyRules know the whole family of events.
const familyRules = `{"version":1,"previous":null,"unicode":"15.0.0","identities":[{"namespace":"account","case":"preserve"},{"namespace":"email","case":"lower-ascii"},{"namespace":"org","case":"lower-ascii"},{"namespace":"phone","case":"e164"}],` +
	`"grain_ms":60000,"width":16,"fields":{"Closed":[],"ConsentExpired":["choice"],` +
	`"ConsentGiven":["choice","scope"],"ConsentRefused":["choice","scope"],"ConsentWithdrawn":["choice"],` +
	`"DisclosureAcknowledged":["acknowledgement"],` +
	`"DisclosureAmended":["occurred","reasons","purposes","legal_bases","recipient","data","context","promise","transfer","cpra","links","conveyance","provenance","research","policy","amendment"],` +
	`"DisclosureDisputed":["dispute"],` +
	`"DisclosureRecorded":["occurred","reasons","purposes","legal_bases","recipient","data","context","promise","transfer","cpra","links","conveyance","provenance","research","policy","extent"],` +
	`"DisclosureRetracted":["retraction"],"DisputeResolved":["resolution"],"Enrolled":[],` +
	`"OnwardDisclosureReported":["onward","recipient","reasons","data","transfer"],` +
	`"PossibleDisclosureRecorded":["period","reasons","purposes","legal_bases","recipient","data","context","promise","transfer","cpra","links","conveyance","provenance","research","policy","extent"],` +
	`"ProfileReleased":["document"],"RecipientChanged":["recipient","change"],"RecipientRegistered":["recipient"],` +
	`"RecipientsMerged":["merger","change"],"RelationshipChanged":["relationship","change"],` +
	`"SeriesClosed":["progress","closing"],` +
	`"SeriesOpened":["series","reasons","purposes","legal_bases","recipient","data","context","promise","transfer","cpra","links","conveyance","provenance","research","policy","extent"],` +
	`"SeriesUpdated":["progress"],"StatementPublished":["document"],` +
	`"SubjectsAdded":["occurred","reasons","purposes","legal_bases","recipient","data","context","promise","transfer","cpra","links","conveyance","provenance","research","policy","extent"],` +
	`"SubprocessorAdded":["recipient","change","engagement"],"TaxonomyReleased":["document"]},"labels":{"Closed":["subject"],` +
	`"ConsentExpired":["subject"],"ConsentGiven":["subject"],"ConsentRefused":["subject"],` +
	`"ConsentWithdrawn":["subject"],"DisclosureAcknowledged":["subject","recipient"],` +
	`"DisclosureAmended":["subject","recipient"],"DisclosureDisputed":["subject","recipient"],` +
	`"DisclosureRecorded":["subject","recipient"],"DisclosureRetracted":["subject","recipient"],` +
	`"DisputeResolved":["subject","recipient"],"Enrolled":["subject","recipient","controller"],` +
	`"OnwardDisclosureReported":["subject","recipient"],"PossibleDisclosureRecorded":["subject","recipient"],` +
	`"ProfileReleased":["controller"],"RecipientChanged":["recipient"],"RecipientRegistered":["recipient"],` +
	`"RecipientsMerged":["recipient"],"RelationshipChanged":["recipient"],"SeriesClosed":["subject","recipient"],` +
	`"SeriesOpened":["subject","recipient"],"SeriesUpdated":["subject","recipient"],` +
	`"StatementPublished":["controller"],"SubjectsAdded":["subject","recipient"],"SubprocessorAdded":["recipient"],` +
	`"TaxonomyReleased":["controller"]},"authorities":[],"publication":"restricted"}`

// sealRules know seals, and no authority yet.
var sealRules = strings.NewReplacer(
	`"DisclosureRetracted":["retraction"],`, `"DisclosureRetracted":["retraction"],"DisclosureUnsealed":["unsealing","record"],`,
	`"Enrolled":[],`, `"Enrolled":[],"EventUnsealed":["unsealing","record"],`,
	`"SeriesClosed":["progress","closing"]`, `"SealRecorded":["step","order","period","record"],"SeriesClosed":["progress","closing"]`,
	`"DisclosureRetracted":["subject","recipient"],`, `"DisclosureRetracted":["subject","recipient"],"DisclosureUnsealed":["subject","recipient"],`,
	`"Enrolled":["subject","recipient","controller"],`, `"Enrolled":["subject","recipient","controller","authority"],"EventUnsealed":["subject","recipient"],`,
	`"SeriesClosed":["subject","recipient"]`, `"SealRecorded":["authority"],"SeriesClosed":["subject","recipient"]`,
).Replace(familyRules)

// closureRules know the steps towards the end of a generation too.
var closureRules = strings.NewReplacer(
	`"fields":{"Closed":[],`, `"fields":{"Closed":[],"ClosureDeclined":["declining"],"ClosureRequested":["closure"],`,
	`"labels":{"Closed":["subject"],`, `"labels":{"Closed":["subject"],"ClosureDeclined":["subject"],"ClosureRequested":["subject"],`,
).Replace(sealRules)

// continuedRules know the continuations of a record too.
var continuedRules = strings.NewReplacer(
	`"RelationshipChanged":["relationship","change"]`, `"RecordContinued":["part","record"],"RelationshipChanged":["relationship","change"]`,
	`"RelationshipChanged":["recipient"]`, `"RecordContinued":["subject"],"RelationshipChanged":["recipient"]`,
).Replace(closureRules)

// Parts of firstRules.
const (
	sharesFields = `["occurred","reasons","purposes","legal_bases",` +
		`"recipient","data","context","promise","transfer","cpra","links","conveyance","provenance","research","policy","extent"]`
	sharesLabels = `"labels":{"DisclosureRecorded":["subject","recipient"],`
)

func specRules() []vector {
	swap := func(old, new string) string {
		if strings.Count(firstRules, old) != 1 {
			panic("no single " + old)
		}
		return strings.Replace(firstRules, old, new, 1)
	}
	var out []vector
	for _, c := range []struct{ name, text string }{
		{"first rules", firstRules},
		{"fewer fields", swap(`,"policy","extent"]`, `]`)},
		{"another grain", swap(`60000`, `1000`)},
		{"a grain of a millisecond", swap(`60000`, `1`)},
		{"a grain of a day", swap(`60000`, `86400000`)},
		{"one field", swap(sharesFields, `["occurred"]`)},
	} {
		out = append(out, vector{Name: c.name, In: values{"rules": c.text}, Out: values{"hash": hx(sum([]byte{0x15}, []byte(c.text)))}})
	}
	for _, c := range []struct{ name, text string }{
		{"nothing", ""},
		{"null", "null"},
		{"empty object", "{}"},
		{"cut by one byte", firstRules[:len(firstRules)-1]},
		{"a final newline", firstRules + "\n"},
		{"a space", swap(`"width":16`, `"width": 16`)},
		{"a second document", firstRules + firstRules},
		{"member twice", swap(`"width":16`, `"width":16,"width":16`)},
		{"unknown member", swap(`"width":16`, `"width":16,"depth":4`)},
		{"missing member", swap(`"width":16,`, ``)},
		{"members in another order", swap(`"version":1,"previous":null`, `"previous":null,"version":1`)},
		{"map keys in another order", swap(`"labels":{"DisclosureRecorded":["subject","recipient"],"Enrolled":["subject","recipient"]}`,
			`"labels":{"Enrolled":["subject","recipient"],"DisclosureRecorded":["subject","recipient"]}`)},
		{"member in capitals", swap(`"width"`, `"Width"`)},
		{"number as a float", swap(`"width":16`, `"width":16.0`)},
		{"number with exponent", swap(`60000`, `6e4`)},
		{"number with leading zero", swap(`60000`, `060000`)},
		{"letter escaped", swap(`restricted`, `\u0072estricted`)},
		{"version 2", swap(`"version":1`, `"version":2`)},
		{"previous rules", swap(`"previous":null`, `"previous":"`+base64.StdEncoding.EncodeToString(ramp(0))+`"`)},
		{"another Unicode", swap(`15.0.0`, `16.0.0`)},
		{"grain 0", swap(`60000`, `0`)},
		{"width 32", swap(`"width":16`, `"width":32`)},
		{"another publication", swap(`restricted`, `everybody`)},
		{"unknown event type", swap(`"Enrolled":[]`, `"Enroled":[]`)},
		{"unknown field", swap(`"cpra"`, `"ccpa"`)},
		{"too many fields", swap(`"extent"]`, `"extent","more"]`)},
		{"field moved", swap(`"occurred","reasons"`, `"reasons","occurred"`)},
		{"namespace in capitals", swap(`"phone"`, `"Phone"`)},
		{"namespace empty", swap(`"phone"`, `""`)},
		{"namespace of 64 bytes", swap(`"phone"`, `"`+strings.Repeat("p", 64)+`"`)},
		{"namespace twice", swap(`"phone"`, `"email"`)},
		{"unknown case rule", swap(`{"namespace":"phone","case":"preserve"}`, `{"namespace":"phone","case":"upper"}`)},
		{"no namespaces", swap(firstRules[strings.Index(firstRules, `[{"namespace"`):strings.Index(firstRules, `,"grain_ms"`)], `[]`)},
		{"list null", swap(`"authorities":[]`, `"authorities":null`)},
		{"field list null", swap(`"Enrolled":[]`, `"Enrolled":null`)},
		{"an authority", swap(`"authorities":[]`, `"authorities":["org:court"]`)},
		{"labels of an unknown type", swap(`"labels":{`, `"labels":{"A":["subject"],`)},
		{"no fields", swap(`"fields":{"DisclosureRecorded":`+sharesFields+`,"Enrolled":[]}`, `"fields":{}`)},
		{"fields of no share", swap(`"DisclosureRecorded":`+sharesFields+`,`, ``)},
		{"fields of no enrolment", swap(`,"Enrolled":[]`, ``)},
		{"a share without fields", swap(sharesFields, `[]`)},
		{"no labels", swap(sharesLabels+`"Enrolled":["subject","recipient"]}`, `"labels":{}`)},
		{"labels of no share", swap(sharesLabels, `"labels":{`)},
		{"labels of no enrolment", swap(`,"Enrolled":["subject","recipient"]`, ``)},
		{"a share without labels", swap(sharesLabels, `"labels":{"DisclosureRecorded":[],`)},
		{"a share without the subject's label", swap(sharesLabels, `"labels":{"DisclosureRecorded":["recipient"],`)},
		{"a share without the recipient's label", swap(sharesLabels, `"labels":{"DisclosureRecorded":["subject"],`)},
		{"a share with an authority's label", swap(sharesLabels, `"labels":{"DisclosureRecorded":["subject","recipient","authority"],`)},
		{"a share with a label twice", swap(sharesLabels, `"labels":{"DisclosureRecorded":["subject","subject"],`)},
		{"labels in another order", swap(sharesLabels, `"labels":{"DisclosureRecorded":["recipient","subject"],`)},
		{"an enrolment without the subject's label", swap(`"Enrolled":["subject","recipient"]`, `"Enrolled":["recipient"]`)},
		{"a grain of more than a day", swap(`60000`, `86400001`)},
		{"a grain beyond signed numbers", swap(`60000`, `9223372036854775808`)},
		{"labels of an unknown role", swap(`"labels":{"DisclosureRecorded":["subject",`, `"labels":{"DisclosureRecorded":["object",`)},
	} {
		out = append(out, vector{Name: c.name, In: values{"rules": c.text}, Refused: true})
	}
	// Golden files only grow: what came later stands here.
	for _, c := range []struct{ name, text string }{
		{"the whole family of events", familyRules},
		{"enrolments without a controller", strings.Replace(familyRules, `"Enrolled":["subject","recipient","controller"]`, `"Enrolled":["subject","recipient"]`, 1)},
	} {
		out = append(out, vector{Name: c.name, In: values{"rules": c.text}, Out: values{"hash": hx(sum([]byte{0x15}, []byte(c.text)))}})
	}
	for _, c := range []struct{ name, text string }{
		{"a type with fields and without labels", strings.Replace(familyRules, `,"TaxonomyReleased":["controller"]}`, `}`, 1)},
		{"a type with labels and without fields", strings.Replace(familyRules, `"TaxonomyReleased":["document"]`, `"X":["document"]`, 1)},
		{"a consent with the recipient's label", strings.Replace(familyRules, `"ConsentGiven":["subject"]`, `"ConsentGiven":["subject","recipient"]`, 1)},
		{"a retraction without the subject's label", strings.Replace(familyRules, `"DisclosureRetracted":["subject","recipient"]`, `"DisclosureRetracted":["recipient"]`, 1)},
	} {
		out = append(out, vector{Name: c.name, In: values{"rules": c.text}, Refused: true})
	}
	for _, c := range []struct{ name, text string }{
		{"seals", sealRules},
		{"two authorities", strings.Replace(sealRules, `"authorities":[]`, `"authorities":["org:court.example","org:agency.example"]`, 1)},
	} {
		out = append(out, vector{Name: c.name, In: values{"rules": c.text}, Out: values{"hash": hx(sum([]byte{0x15}, []byte(c.text)))}})
	}
	for _, c := range []struct{ name, text string }{
		{"an authority twice", strings.Replace(sealRules, `"authorities":[]`, `"authorities":["org:a","org:a"]`, 1)},
		{"an authority in another spelling", strings.Replace(sealRules, `"authorities":[]`, `"authorities":["org:Court"]`, 1)},
		{"an authority of an unknown namespace", strings.Replace(sealRules, `"authorities":[]`, `"authorities":["court:a"]`, 1)},
		{"an authority and no seals", strings.Replace(familyRules, `"authorities":[]`, `"authorities":["org:court"]`, 1)},
	} {
		out = append(out, vector{Name: c.name, In: values{"rules": c.text}, Refused: true})
	}
	out = append(out, vector{Name: "closures", In: values{"rules": closureRules}, Out: values{"hash": hx(sum([]byte{0x15}, []byte(closureRules)))}})
	out = append(out, vector{Name: "closures with the recipient's label", Refused: true,
		In: values{"rules": strings.Replace(closureRules, `"ClosureRequested":["subject"]`, `"ClosureRequested":["subject","recipient"]`, 1)}})
	public := strings.Replace(familyRules, `restricted`, `public`, 1)
	out = append(out, vector{Name: "published for everybody", In: values{"rules": public}, Out: values{"hash": hx(sum([]byte{0x15}, []byte(public)))}})
	out = append(out, vector{Name: "with continuations", In: values{"rules": continuedRules}, Out: values{"hash": hx(sum([]byte{0x15}, []byte(continuedRules)))}})
	out = append(out, vector{Name: "continuations with the recipient's label", Refused: true,
		In: values{"rules": strings.Replace(continuedRules, `"RecordContinued":["subject"]`, `"RecordContinued":["recipient"]`, 1)}})
	covered := func(rules, cover string) string { return strings.TrimSuffix(rules, "}") + `,"cover":` + cover + "}" }
	for _, c := range []struct {
		name, rules string
		refused     bool
	}{
		{"public with cover", covered(public, "4"), false},
		{"as much cover as there can be", covered(public, "256"), false},
		{"more cover than there can be", covered(public, "257"), true},
		{"cover below nothing", covered(public, "-1"), true},
		{"no cover, written", covered(public, "0"), true},
		{"cover for nobody", covered(continuedRules, "4"), true},
	} {
		v := vector{Name: c.name, In: values{"rules": c.rules}, Refused: c.refused}
		if !c.refused {
			v.Out = values{"hash": hx(sum([]byte{0x15}, []byte(c.rules)))}
		}
		out = append(out, v)
	}
	return out
}

func runRules(in values) (values, error) {
	rules, err := events.ParseRules([]byte(in["rules"]))
	if err != nil {
		return nil, err
	}
	if string(rules.Marshal()) != in["rules"] {
		return nil, differ("ParseRules")
	}
	h := events.RulesHash([]byte(in["rules"]))
	return values{"hash": hx(h[:])}, nil
}

// New ledgers begin with rules that a golden file holds.
func TestDefaultRules(t *testing.T) {
	got := string(events.DefaultRules().Marshal())
	for _, v := range readVectors(t, "rules.json") {
		if v.In["rules"] == got && !v.Refused {
			return
		}
	}
	t.Errorf("no vector holds the rules of a new ledger:\n%s", got)
}

func specIdentities() []vector {
	var out []vector
	mark := "\u0301"
	for _, c := range []struct{ name, text, want string }{
		{"lower case", "email:ada@example.com", "email\x00ada@example.com"},
		{"capitals where case does not count", "email:Ada@Example.COM", "email\x00ada@example.com"},
		{"capitals where case counts", "account:AbC", "account\x00AbC"},
		{"colon in the local part", "account:a:b:c", "account\x00a:b:c"},
		{"decomposed", "account:Ame\u0301lie", "account\x00Am\u00e9lie"},
		{"composed", "account:Am\u00e9lie", "account\x00Am\u00e9lie"},
		{"letters beyond ASCII keep their case", "email:\u00c9va@x", "email\x00\u00c9va@x"},
		{"decomposed capital beyond ASCII", "email:E\u0301va@x", "email\x00\u00c9va@x"},
		{"composes only in lower case", "email:H\u0331@x", "email\x00\u1e96@x"},
		{"composed in lower case", "email:\u1e96@x", "email\x00\u1e96@x"},
		{"Kelvin sign", "email:\u212a@x", "email\x00k@x"},
		{"compatibility forms stay", "account:\ufb01\uff21", "account\x00\ufb01\uff21"},
		{"marks in canonical order", "account:a\u0323\u0302", "account\x00\u1ead"},
		{"marks in another order", "account:a\u0302\u0323", "account\x00\u1ead"},
		{"Hangul", "account:\u1112\u1161\u11ab", "account\x00\ud55c"},
		{"space", "account:ada l", "account\x00ada l"},
		{"900 bytes", "account:" + strings.Repeat("x", 900), "account\x00" + strings.Repeat("x", 900)},
		{"900 bytes after composing", "account:" + strings.Repeat("e"+mark, 450), "account\x00" + strings.Repeat("\u00e9", 450)},
		{"30 marks", "account:x" + strings.Repeat(mark, 30), "account\x00x" + strings.Repeat(mark, 30)},
		{"private use", "account:\ue000", "account\x00\ue000"},
		{"Unicode 15.0.0", "account:\U0001fae8", "account\x00\U0001fae8"},
		{"a grapheme joiner of one's own", "account:a\u034fb", "account\x00a\u034fb"},
	} {
		out = append(out, vector{Name: c.name, In: values{"text": hx([]byte(c.text))}, Out: values{"identity": hx([]byte(c.want))}})
	}
	const (
		space   = "begins with a namespace that is not one of this ledger's"
		form    = "must be namespace:local, such as email:ada@example.com"
		length  = "the part after the colon must have 1 to 900 bytes"
		control = "must not contain control characters"
		old     = "must use characters of Unicode 15.0.0 only"
		format  = "must not contain format characters, nor spaces but the plain one"
		ends    = "must not begin or end with a space"
	)
	for _, c := range []struct{ name, text, rule string }{
		{"nothing", "", form},
		{"no colon", "ada@example.com", form},
		{"unknown namespace", "fax:1", space},
		{"namespace in capitals", "Email:ada@x", space},
		{"namespace empty", ":x", space},
		{"local part empty", "email:", length},
		{"901 bytes", "account:" + strings.Repeat("x", 901), length},
		{"not UTF-8", "account:\xff", "must be UTF-8"},
		{"a surrogate", "account:\xed\xa0\x80", "must be UTF-8"},
		{"NUL", "account:a\x00b", control},
		{"newline", "account:a\n", control},
		{"DEL", "account:\x7f", control},
		{"C1 control", "account:\u0085", control},
		{"Unicode 15.1", "account:\u2ffc", old},
		{"Unicode 16", "account:\u1c89", old},
		{"never assigned", "account:\u0378", old},
		{"noncharacter", "account:\uffff", old},
		{"zero width space", "account:a\u200bb", format},
		{"right to left override", "account:\u202eb", format},
		{"line separator", "account:a\u2028b", format},
		{"no-break space", "account:a\u00a0b", format},
		{"space in front", "email: ada@x", ends},
		{"space behind", "email:ada@x ", ends},
		{"31 marks", "account:x" + strings.Repeat(mark, 31), "must not put more than 30 combining marks on one letter"},
	} {
		out = append(out, vector{Name: c.name, In: values{"text": hx([]byte(c.text))},
			Out: values{"field": "id", "rule": c.rule}, Refused: true})
	}
	for _, c := range []struct{ name, id, rule string }{
		{"identity in capitals", "email\x00Ada@x", "is not in canonical form"},
		{"identity not in normal form", "account\x00e\u0301", "is not in canonical form"},
		{"identity with a colon", "email:ada@x", "is not in canonical form"},
		{"identity that composes in lower case", "email\x00h\u0331@x", "is not in canonical form"},
		{"identity without separator", "email", form},
		{"identity with two separators", "account\x00a\x00b", control},
	} {
		out = append(out, vector{Name: c.name, In: values{"identity": hx([]byte(c.id))},
			Out: values{"field": "id", "rule": c.rule}, Refused: true})
	}
	for _, c := range []struct{ name, text, want string }{
		{"telephone", "phone:+4930123456", "+4930123456"},
		{"telephone with separators", "phone:+49 (30) 123-45/6", "+4930123456"},
		{"telephone with dots", "phone:+1.202.555.0100", "+12025550100"},
		{"shortest telephone", "phone:+1 234", "+1234"},
		{"longest telephone", "phone:+123 456 789 012 345", "+123456789012345"},
	} {
		out = append(out, vector{Name: c.name, In: values{"text": hx([]byte(c.text))}, Out: values{"identity": hx([]byte("phone\x00" + c.want))}})
	}
	const number = "must be a telephone number in international form (E.164), with no zero in brackets"
	for _, c := range []named{
		{"telephone without plus", []byte("phone:030 123456")},
		{"telephone with 00", []byte("phone:0049 30 123456")},
		{"telephone with a zero in brackets", []byte("phone:+44 (0)20 7946 0000")},
		{"telephone with letters", []byte("phone:+1 800 FLOWERS")},
		{"telephone with an extension", []byte("phone:+49 30 123456 ext 7")},
		{"telephone with two plusses", []byte("phone:++4930123456")},
		{"telephone beginning with zero", []byte("phone:+0 30 123456")},
		{"telephone too short", []byte("phone:+123")},
		{"telephone too long", []byte("phone:+1234567890123456")},
		{"telephone in other digits", []byte("phone:+49\u0661\u0662\u0663\u0664")},
		{"telephone empty", []byte("phone:")},
	} {
		out = append(out, vector{Name: c.name, In: values{"text": hx(c.bytes)}, Out: values{"field": "id", "rule": number}, Refused: true})
	}
	out = append(out, vector{Name: "identity of a telephone with spaces", In: values{"identity": hx([]byte("phone\x00+49 30 123456"))},
		Out: values{"field": "id", "rule": "is not in canonical form"}, Refused: true})
	return out
}

func runIdentity(in values) (values, error) {
	rules := events.DefaultRules().Identities
	var id events.Identity
	var err error
	if text, ok := in["identity"]; ok {
		err = events.CheckIdentity(rules, events.Identity(unhex(text)))
	} else {
		id, err = events.ParseIdentity(rules, string(unhex(in["text"])))
	}
	if err == nil {
		err = events.CheckIdentity(rules, id)
	}
	var field *events.FieldError
	switch {
	case errors.As(err, &field):
		return values{"field": field.Field, "rule": field.Rule}, err
	case err != nil:
		return nil, err
	}
	return values{"identity": hx([]byte(id))}, nil
}

func specTexts() []vector {
	b64 := base64.StdEncoding.EncodeToString
	id := unhex("00112233445566778899aabbccddeeff")
	out := []vector{
		{Name: "event id", In: values{"id": "00112233-4455-6677-8899-aabbccddeeff"}, Out: values{"bytes": hx(id)}},
		{Name: "zero event id", In: values{"id": "00000000-0000-0000-0000-000000000000"}, Out: values{"bytes": hx(fill(0, 16))}},
		{Name: "hash", In: values{"hash": b64(ramp(0xd0))}, Out: values{"bytes": hx(ramp(0xd0))}},
		{Name: "zero hash", In: values{"hash": b64(fill(0, 32))}, Out: values{"bytes": hx(fill(0, 32))}},
	}
	for _, c := range []struct{ name, member, text string }{
		{"no event id", "id", ""},
		{"event id in capitals", "id", "00112233-4455-6677-8899-AABBCCDDEEFF"},
		{"event id in braces", "id", "{00112233-4455-6677-8899-aabbccddeeff}"},
		{"event id without hyphens", "id", hx(id)},
		{"event id with hyphens elsewhere", "id", "0011223-34455-6677-8899-aabbccddeeff"},
		{"event id with other signs between", "id", "00112233_4455_6677_8899_aabbccddeeff"},
		{"event id cut", "id", "00112233-4455-6677-8899-aabbccddeef"},
		{"event id with a letter beyond f", "id", "00112233-4455-6677-8899-aabbccddeefg"},
		{"no hash", "hash", ""},
		{"hash of 31 bytes", "hash", b64(fill(1, 31))},
		{"hash of 33 bytes", "hash", b64(fill(1, 33))},
		{"hash without padding", "hash", strings.TrimRight(b64(fill(1, 32)), "=")},
		{"hash with spare bits set", "hash", strings.Replace(b64(fill(0, 32)), "A=", "B=", 1)},
		{"hash in the URL alphabet", "hash", base64.URLEncoding.EncodeToString(fill(0xff, 32))},
		{"hash with a newline", "hash", b64(fill(1, 32)) + "\n"},
		{"hash with a newline inside", "hash", "AAAA\n" + b64(fill(0, 32))[4:]},
		{"hash in hexadecimal", "hash", hx(fill(1, 32))},
	} {
		out = append(out, vector{Name: c.name, In: values{c.member: c.text}, Refused: true})
	}
	return out
}

func runText(in values) (values, error) {
	if text, ok := in["id"]; ok {
		var id events.ID
		if err := id.UnmarshalText([]byte(text)); err != nil {
			return nil, err
		}
		if id.String() != text {
			return nil, differ("the text of an id")
		}
		return values{"bytes": hx(id[:])}, nil
	}
	var h events.Hash
	if err := h.UnmarshalText([]byte(in["hash"])); err != nil {
		return nil, err
	}
	if h.String() != in["hash"] {
		return nil, differ("the text of a hash")
	}
	return values{"bytes": hx(h[:])}, nil
}
