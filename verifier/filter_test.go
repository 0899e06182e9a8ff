package verifier_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// filtered writes a party's report under a filter, as an honest ledger does.
func (f *forger) filtered(p *party, filter *verifier.Filter) *verifier.Report {
	f.t.Helper()
	r := f.write(p)
	part(r).Filter = filter
	records, facts := map[uint64]uint64{}, map[uint64][]events.Event{}
	for i := range gen(r).Entries {
		e := &gen(r).Entries[i]
		w := f.events[e.Index]
		content, err := events.ParseSlotContent(e.Content)
		if err != nil {
			f.t.Fatal(err)
		}
		root := e.Index
		if content.TargetIndex != nil {
			root = records[*content.TargetIndex]
		}
		records[e.Index] = root
		event, err := events.Decode(w.typ, w.fields)
		if err != nil {
			f.t.Fatal(err)
		}
		facts[root] = append(facts[root], event)
	}
	for i := range gen(r).Entries {
		if e := &gen(r).Entries[i]; !filter.Passes(facts[records[e.Index]]) {
			f.hide(e, filter)
		}
	}
	return r
}

// late shows the shares of Ada's from the third of September on: the last.
var late = &verifier.Filter{Version: 1, Since: "2026-09-03"}

// underFilter is Ada's report under a filter with a change to it.
func underFilter(change func(*standard, *verifier.Report)) func(*standard, *reader) []byte {
	return func(s *standard, _ *reader) []byte {
		r := s.filtered(s.ada, late)
		change(s, r)
		return s.sign(r)
	}
}

// filterOf is Ada's report under a filter, which it follows.
func filterOf(filter verifier.Filter) func(*standard, *reader) []byte {
	filter.Version = verifier.FilterVersion
	return func(s *standard, _ *reader) []byte { return s.sign(s.filtered(s.ada, &filter)) }
}

var filterLies = []lie{
	{"the filter hides what it should show", underFilter(func(s *standard, r *verifier.Report) {
		s.hide(&gen(r).Entries[2], late)
	}), "filter"},
	{"the filter shows what it should hide", underFilter(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0] = s.shown(s.ada, 0, s.ada.entries[0], s.next())
	}), "filter"},
	{"the filter is another one", underFilter(func(s *standard, r *verifier.Report) {
		part(r).Filter = &verifier.Filter{Version: 1, Since: "2026-09-02"}
	}), "filter"},
	{"the filter is missing", underFilter(func(s *standard, r *verifier.Report) { part(r).Filter = nil }), "entry 1"},
	{"the filter is of another version", underFilter(func(s *standard, r *verifier.Report) {
		part(r).Filter = &verifier.Filter{Version: 2, Since: late.Since}
	}), "filter"},
	{"the filter has no condition", edited(func(s *standard, r *verifier.Report) {
		part(r).Filter = &verifier.Filter{Version: 1}
	}), "filter"},
	{"the filter says that nothing was shared with anyone", filterOf(verifier.Filter{Recipients: []string{"anyone"}}), "filter"},
	{"the filter says it by a kind of recipient", filterOf(verifier.Filter{Kinds: []string{"anybody"}}), "filter"},
	{"the filter says it by a reason", filterOf(verifier.Filter{Reasons: []string{"whatever"}}), "filter"},
	{"the filter says it by a type", filterOf(verifier.Filter{Types: []string{"any"}}), "filter"},
	{"the filter is out of order", underFilter(func(s *standard, r *verifier.Report) {
		part(r).Filter = &verifier.Filter{Version: 1, Since: late.Since, Types: []string{events.TypeSeriesOpened, events.TypeDisclosureRecorded}}
	}), "filter"},
	{"a field that the filter read is altered", underFilter(func(s *standard, r *verifier.Report) {
		fields := events.Fields(sample(9))
		gen(r).Entries[0].Shown[0].Value = fields[0].Value
	}), "entry 1"},
	{"a field that the filter read is another one", underFilter(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Shown[0] = gen(r).Entries[1].Shown[0]
	}), "entry 1"},
	{"a field that the filter read is left out", underFilter(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Shown = nil
	}), "entry 1"},
	{"a field that the filter read is doubled", underFilter(func(s *standard, r *verifier.Report) {
		e := &gen(r).Entries[0]
		e.Shown = append(e.Shown, e.Shown[0])
	}), "entry 1"},
	{"a field that the filter did not read", underFilter(func(s *standard, r *verifier.Report) {
		e := &gen(r).Entries[0]
		s.hide(e, &verifier.Filter{Version: 1, Since: late.Since, Recipients: []string{"org:x"}})
		e.Shown = e.Shown[1:]
	}), "entry 1"},
	{"a path of another width", underFilter(func(s *standard, r *verifier.Report) {
		e := &gen(r).Entries[0].Shown[0]
		e.Path = append(e.Path, e.Path[0])
	}), "entry 1"},
	{"a filtered entry opens its slot", underFilter(func(s *standard, r *verifier.Report) {
		whole := s.shown(s.ada, 0, s.ada.entries[0], s.next())
		gen(r).Entries[0].Opening, gen(r).Entries[0].Content = whole.Opening, whole.Content
	}), "entry 1"},
	{"a filtered entry of another type", underFilter(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Type = events.TypeConsentGiven
	}), "entry 1"},
	{"a filtered entry with a seed", underFilter(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Seed = s.shown(s.ada, 0, s.ada.entries[0], s.next()).Seed
	}), "entry 1"},
	{"a filtered entry that opens nothing", underFilter(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Event = nil
	}), "entry 1"},
	{"a filtered entry is left out", underFilter(func(s *standard, r *verifier.Report) {
		gen(r).Entries = gen(r).Entries[1:]
	}), "entry 1"},
	{"a filtered entry's label is another", underFilter(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Slot ^= 1
	}), "entry 1"},
	{"an amendment into the window is hidden", func(s *standard, _ *reader) []byte {
		a := &events.DisclosureAmended{DisclosureRecorded: *sample(9), Amendment: events.Amendment{
			Version: 1, Kind: "correct", Reason: "wrong day", Changed: []string{"occurred", "recipient"}}}
		s.about(a, s.ada.entries[0].index, s.ada)
		s.state()
		r := s.filtered(s.ada, late)
		s.hide(&gen(r).Entries[0], late)
		s.hide(&gen(r).Entries[3], late)
		return s.sign(r)
	}, "filter"},
}

// TestFilters: what is asked for is what is shown, whatever is asked, and the
// verdict names it.
func TestFilters(t *testing.T) {
	for name, c := range map[string]struct {
		filter verifier.Filter
		want   int
		says   string
	}{
		"since":          {verifier.Filter{Since: "2026-09-02"}, 2, "since 2026-09-02"},
		"until":          {verifier.Filter{Until: "2026-09-01"}, 1, "until 2026-09-01"},
		"window":         {verifier.Filter{Since: "2026-09-02", Until: "2026-09-02"}, 1, "since 2026-09-02 until 2026-09-02"},
		"nothing since":  {verifier.Filter{Since: "2026-10-01"}, 0, "VERIFIED: no disclosure of data of email:ada@example.com since 2026-10-01 is recorded"},
		"recipient":      {verifier.Filter{Recipients: []string{"org:northwind"}}, 3, `to "org:northwind"`},
		"other":          {verifier.Filter{Recipients: []string{"org:contoso"}, Since: "2026-09-01"}, 0, `VERIFIED: no disclosure of data of email:ada@example.com to "org:contoso" since 2026-09-01 is recorded`},
		"kind":           {verifier.Filter{Kinds: []string{"law_enforcement"}}, 0, "to recipients of kind law enforcement"},
		"reason":         {verifier.Filter{Reasons: []string{"consent", "vendor_on_behalf"}}, 3, "because of consent or vendor on behalf"},
		"category":       {verifier.Filter{Categories: []string{"name"}}, 3, `with data of the category "name"`},
		"other category": {verifier.Filter{Categories: []string{"blood"}}, 0, `with data of the category "blood"`},
		"type":           {verifier.Filter{Types: []string{events.TypeConsentGiven}}, 0, "of type ConsentGiven"},
	} {
		s := newStandard(t)
		c.filter.Version = 1
		v, err := verifier.CheckReport(s.sign(s.filtered(s.ada, &c.filter)), verifier.About(events.RoleSubject, adaID), s.trust())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(v.Entries) != c.want || int(v.Filtered) != 3-c.want || !strings.Contains(v.Sentence, c.says) {
			t.Errorf("%s: %d shown, %d filtered: %s", name, len(v.Entries), v.Filtered, v.Sentence)
		}
	}
}

// TestFilterWindow: whatever may have happened within the window is shown.
func TestFilterWindow(t *testing.T) {
	f := &verifier.Filter{Version: 1, Since: "2026-03-05", Until: "2026-03-31"}
	series := func(first string) events.Event {
		return &events.SeriesOpened{DisclosureRecorded: *sample(1), Series: events.Series{First: first}}
	}
	possible := func(from, to string) events.Event {
		return &events.PossibleRecorded{DisclosureRecorded: *sample(1), Period: events.Period{From: from, To: to}}
	}
	share := func(at, precision string) events.Event {
		d := sample(1)
		d.Occurred = events.Occurred{At: at, Precision: precision}
		return d
	}
	for _, c := range []struct {
		e    events.Event
		want bool
	}{
		{share("2026-03-05T00:00:00Z", "day"), true}, {share("2026-03-04T23:59:59Z", ""), false},
		{share("2026-03-05T01:00:00+05:00", ""), true}, {share("2026-03-04T23:00:00-05:00", "instant"), true},
		{share("2026-03-04T23:00:00-05:00", "day"), false}, {share("2026-03-01T00:00:00Z", "month"), true},
		{share("2026-02-01T00:00:00Z", "month"), false}, {share("2026-04-01T00:00:00Z", "month"), false},
		{share("some time", ""), true}, {share("2026-03-31T23:59:59Z", "instant"), true}, {share("2026-01-01T00:00:00Z", "year"), true},
		{series("2026-01-01T00:00:00Z"), true}, {series("2026-04-01T00:00:00Z"), false},
		{possible("2026-01-01T00:00:00Z", "2026-03-05T00:00:00Z"), true}, {possible("2026-01-01T00:00:00Z", "2026-03-04T00:00:00Z"), false},
		{possible("2026-04-01T00:00:00Z", "2026-05-04T00:00:00Z"), false},
		{&events.OnwardReported{Onward: events.Onward{At: "2026-03-06T00:00:00Z"}}, true},
		{&events.ConsentGiven{}, true},
	} {
		if got := f.Passes([]events.Event{c.e}); got != c.want {
			t.Errorf("%+v: %v", c.e, got)
		}
	}
}

// TestFilterReads: what a filter reads is in every event of the type, so that none
// can leave out what would show it; and what it reads is enough to evaluate it.
func TestFilterReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := func(name string, values ...string) []string {
			picked := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.SampledFrom(values), 0, 2).Draw(t, name))))
			if len(picked) == 0 {
				return nil
			}
			return picked
		}
		f := &verifier.Filter{Version: 1, Recipients: some("recipients", "org:a", "org:b"), Kinds: some("kinds", "processor", "court"),
			Reasons: some("reasons", "consent", "research"), Categories: some("categories", "name", "email")}
		if rapid.Bool().Draw(t, "since") {
			f.Since = "2026-05-05"
		}
		if f.IsZero() {
			return
		}
		typ := rapid.SampledFrom(events.Types()).Draw(t, "type")
		d := *sample(rapid.IntRange(1, 9).Draw(t, "day"))
		d.Occurred.At = rapid.SampledFrom([]string{"2026-05-04T00:00:00Z", "2026-05-06T00:00:00Z"}).Draw(t, "at")
		d.Recipient.ID = rapid.SampledFrom([]string{"org:a", "org:c"}).Draw(t, "recipient")
		d.Recipient.Category = rapid.SampledFrom([]string{"court", "payment"}).Draw(t, "category")
		d.Reasons = []events.Reason{events.Reason(rapid.SampledFrom([]string{"consent", "legal_process"}).Draw(t, "reason"))}
		whole := map[string]events.Event{
			events.TypeDisclosureRecorded: &d, events.TypeSubjectsAdded: &events.SubjectsAdded{DisclosureRecorded: d},
			events.TypeDisclosureAmended: &events.DisclosureAmended{DisclosureRecorded: d},
			events.TypeSeriesOpened:      &events.SeriesOpened{DisclosureRecorded: d, Series: events.Series{First: d.Occurred.At}},
			events.TypePossibleRecorded:  &events.PossibleRecorded{DisclosureRecorded: d, Period: events.Period{From: d.Occurred.At, To: d.Occurred.At}},
			events.TypeOnwardReported: &events.OnwardReported{Onward: events.Onward{At: d.Occurred.At}, Recipient: d.Recipient,
				Reasons: d.Reasons, Data: d.Data},
		}[typ]
		reads := f.Reads(typ)
		if whole == nil {
			if len(reads) > 0 {
				t.Fatalf("%s: reads %v", typ, reads)
			}
			return
		}
		var read []events.Field
		for _, field := range events.Fields(whole) {
			if slices.Contains(reads, field.Name) {
				read = append(read, field)
			}
		}
		partly, err := events.Decode(typ, read)
		if err != nil || len(read) != len(reads) {
			t.Fatalf("%s: %d of %v are there: %v", typ, len(read), reads, err)
		}
		if f.Passes([]events.Event{whole}) != f.Passes([]events.Event{partly}) {
			t.Errorf("%s: %+v is judged otherwise than what it reads of it", typ, whole)
		}
	})
}

// asCopy is Ada's report for third parties.
func asCopy(s *standard) *verifier.Report { return leftOut(s.write(s.ada)) }

// leftOut makes a copy for third parties of a report.
func leftOut(r *verifier.Report) *verifier.Report {
	part(r).Copy = true
	name(r).Absences, gen(r).Absences = []verifier.Absence{}, []verifier.Absence{}
	gen(r).Enrol = nil
	for i := range gen(r).Entries {
		gen(r).Entries[i].Member = nil
	}
	return r
}

func inCopy(change func(*standard, *verifier.Report)) func(*standard, *reader) []byte {
	return func(s *standard, _ *reader) []byte {
		r := asCopy(s)
		change(s, r)
		return s.sign(r)
	}
}

var copyLies = []lie{
	{"a copy that says it is none", inCopy(func(_ *standard, r *verifier.Report) { part(r).Copy = false }), "enrolment"},
	{"a copy that proves more than it says", inCopy(func(s *standard, r *verifier.Report) {
		gen(r).Enrol = s.write(s.ada).Parts[0].Names[0].Generations[0].Enrol
	}), "copy"},
	{"a copy with absences", inCopy(func(s *standard, r *verifier.Report) {
		name(r).Absences = name(s.write(s.ada)).Absences
	}), "copy"},
	{"a copy of another's entry", inCopy(func(s *standard, r *verifier.Report) {
		s.grace.entries[1].slot = s.grace.entries[0].slot
		gen(r).Entries[0] = s.shown(s.grace, 0, s.grace.entries[0], s.next())
		gen(r).Entries[0].Member = nil
	}), "entry 1"},
	{"a copy with an altered entry", inCopy(func(s *standard, r *verifier.Report) {
		gen(r).Entries[1].Fields = events.MarshalFields(events.Fields(sample(9)))
	}), "entry 2"},
	{"a copy with an entry twice", inCopy(func(_ *standard, r *verifier.Report) {
		gen(r).Entries[1] = gen(r).Entries[0]
	}), "entries"},
	{"a copy with an entry that is not in the log", inCopy(func(_ *standard, r *verifier.Report) {
		gen(r).Entries[1].Inclusion[0][0] ^= 1
	}), "entry 2"},
	{"a copy with a filter", inCopy(func(_ *standard, r *verifier.Report) { part(r).Filter = late }), "person"},
}

// TestCopy: a copy says what it does not show, and holds nothing that leads to
// further entries.
func TestCopy(t *testing.T) {
	s := newStandard(t)
	r := asCopy(s)
	gen(r).Entries = gen(r).Entries[1:]
	file := s.sign(r)
	v, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, adaID), s.trust())
	if err != nil {
		t.Fatal(err)
	}
	if !v.Copy || len(v.Entries) != 2 || !strings.HasPrefix(v.Sentence, "VERIFIED, INCLUSION ONLY: 2 entries") || !strings.Contains(v.NotShown[0], "nothing is missing") {
		t.Errorf("%s\n%s", v.Sentence, v.NotShown[0])
	}
	if !holds(t, s.sign(s.write(s.ada)), s.ada.handle[:]) {
		t.Fatal("the handle is not found where it is")
	}
	_, proof := s.vrfOf(events.EnrolContext, s.ada, 0)
	for what, secret := range map[string][]byte{"handle": s.ada.handle[:], "VRF proof": proof[:32]} {
		if holds(t, file, secret) {
			t.Errorf("the copy holds the %s", what)
		}
	}
}

// holds reports whether a secret stands anywhere in a report.
func holds(t *testing.T, file, secret []byte) bool {
	t.Helper()
	_, doc, _ := bytes.Cut(file, []byte("===\n"))
	var all any
	if err := json.Unmarshal(doc, &all); err != nil {
		t.Fatal(err)
	}
	var in func(any) bool
	in = func(v any) bool {
		switch v := v.(type) {
		case string:
			b, err := base64.StdEncoding.DecodeString(v)
			return err == nil && bytes.Contains(b, secret)
		case []any:
			return slices.ContainsFunc(v, in)
		case map[string]any:
			return slices.ContainsFunc(slices.Collect(maps.Values(v)), in)
		}
		return false
	}
	return in(all)
}
