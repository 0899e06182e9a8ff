package ui_test

import (
	"html"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/eventstest"
	"github.com/sharetrail/sharetrail/internal/ui"
	"github.com/sharetrail/sharetrail/verifier"
)

// TestEveryField: whatever a share says is shown to the person. Each field is
// set by itself, so that none is shown only where another is.
func TestEveryField(t *testing.T) {
	n := 0
	for _, of := range []reflect.Type{reflect.TypeFor[events.DisclosureRecorded](), reflect.TypeFor[events.Private]()} {
		for _, path := range eventstest.Leaves(of) {
			if name := strings.Join(path, "."); name == "Occurred.Precision" || name == "Extent.Continuations" {
				continue // how the time is shown; how the ledger stores many people
			}
			n++
			share, private := new(events.DisclosureRecorded), new(events.Private)
			root := reflect.ValueOf(share).Elem()
			if of == reflect.TypeFor[events.Private]() {
				root = reflect.ValueOf(private).Elem()
			}
			want := eventstest.Set(root, path, 7000+n)
			got, err := ui.RenderShare(share, private)
			if err != nil || !strings.Contains(html.UnescapeString(got), want) {
				t.Errorf("%s.%v is not shown (%v):\n%s", of.Name(), path, err, got)
			}
		}
	}
	if n < 48 {
		t.Errorf("only %d fields", n)
	}
}

// TestEveryEntry: the same of all that can become of a share, and of what stands
// in nobody's report yet.
func TestEveryEntry(t *testing.T) {
	all := []events.Event{
		new(events.SubjectsAdded), new(events.DisclosureAmended), new(events.DisclosureRetracted), new(events.DisclosureDisputed),
		new(events.DisputeResolved), new(events.DisclosureAcknowledged), new(events.OnwardReported), new(events.SeriesOpened),
		new(events.SeriesUpdated), new(events.SeriesClosed), new(events.PossibleRecorded), new(events.ConsentGiven),
		new(events.ConsentRefused), new(events.ConsentWithdrawn), new(events.ConsentExpired), new(events.RecipientRegistered),
		new(events.RecipientChanged), new(events.RecipientsMerged), new(events.RelationshipChanged), new(events.SubprocessorAdded),
		new(events.StatementPublished), new(events.TaxonomyReleased), new(events.ProfileReleased),
		new(events.ClosureRequested), new(events.ClosureDeclined),
	}
	n := 0
	for _, event := range all {
		of := reflect.TypeOf(event).Elem()
		for _, path := range eventstest.Leaves(of) {
			if path[0] == "DisclosureRecorded" || path[len(path)-1] == "Precision" {
				continue // shown as a share; how a time is shown
			}
			n++
			e := verifier.ShownEntry{Event: reflect.New(of).Interface().(events.Event), Private: new(events.Private)}
			want := eventstest.Set(reflect.ValueOf(e.Event).Elem(), path, 7000+n)
			if got, err := ui.RenderEntry(e); err != nil || !strings.Contains(html.UnescapeString(got), want) {
				t.Errorf("%s.%v is not shown (%v):\n%s", of.Name(), path, err, got)
			}
		}
		e := verifier.ShownEntry{Event: event, Private: &events.Private{Description: "said to you"}}
		if got, err := ui.RenderEntry(e); err != nil || !strings.Contains(got, "said to you") {
			t.Errorf("%s: what is said to the person is not shown (%v):\n%s", of.Name(), err, got)
		}
	}
	share := &events.DisclosureRecorded{Recipient: events.Recipient{LegalName: "Once Ltd"}}
	if got, err := ui.RenderEntry(verifier.ShownEntry{Event: share}); err != nil || strings.Count(got, "Once Ltd") != 1 {
		t.Errorf("a share is not shown once (%v):\n%s", err, got)
	}
	if n < 60 {
		t.Errorf("only %d fields", n)
	}
}

// TestSummary: who has the data is told from what is now known, not from what was
// recorded first.
func TestSummary(t *testing.T) {
	number := func(n uint64) *uint64 { return &n }
	share := func(name, at string) events.DisclosureRecorded {
		return events.DisclosureRecorded{
			Occurred:  events.Occurred{At: at + "T00:00:00Z", Precision: "day"},
			Recipient: events.Recipient{ID: "org:" + strings.ToLower(name), LegalName: name},
		}
	}
	wrong, right, second, gone, maybe := share("A", "2026-01-05"), share("B", "2026-01-04"), share("B", "2026-01-02"), share("C", "2026-01-01"), share("D", "2026-01-01")
	series := events.SeriesOpened{DisclosureRecorded: share("E", "2000-01-01"), Series: events.Series{First: "2026-01-07T00:00:00Z", Precision: "day"}}
	got := ui.Summary([]verifier.ShownEntry{
		{Number: 0, Event: &wrong},
		{Number: 1, Event: &gone},
		{Number: 2, Event: &events.DisclosureAmended{DisclosureRecorded: right}, About: number(0)},
		{Number: 3, Event: &events.DisclosureRetracted{}, About: number(1)},
		{Number: 4, Event: &second},
		{Number: 5, Event: &events.DisclosureDisputed{}, About: number(4)},
		{Number: 6, Event: &series},
		{Number: 7, Event: &events.SeriesUpdated{Progress: events.SeriesProgress{Count: 5}}, About: number(6)},
		{Number: 8, Event: &events.SeriesClosed{Progress: events.SeriesProgress{Count: 9}}, About: number(6)},
		{Number: 9, Event: &events.OnwardReported{Onward: events.Onward{By: "org:b", At: "2026-01-09T00:00:00Z", Precision: "day"},
			Recipient: events.Recipient{ID: "org:f", LegalName: "F"}}, About: number(4)},
		{Number: 10, Event: &events.DisclosureDisputed{}, About: number(6)},
		{Number: 11, Event: &events.DisputeResolved{}, About: number(10)},
		{Number: 12, Event: &events.PossibleRecorded{DisclosureRecorded: maybe, Period: events.Period{To: "2026-01-08T00:00:00Z"}}},
		{Number: 13, Event: &events.ConsentGiven{}},
	})
	want := []string{
		"B, 2 since 2 January 2026[disputed]", "E, 9 since 7 January 2026[]",
		"D, 1 since 8 January 2026[possibly: it is not known whether it happened]", "F, 1 since 9 January 2026[passed on by org:b]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTextsCannotPose: what somebody wrote into a field is text on the page, and
// moves nothing else about.
func TestTextsCannotPose(t *testing.T) {
	share := &events.DisclosureRecorded{Recipient: events.Recipient{LegalName: "<script>x</script>\u202eevil"}, Data: events.SharedData{Categories: []string{"<b>\u202e"}}}
	got, err := ui.RenderShare(share, &events.Private{Description: "</dd><h1>VERIFIED\u2066"})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<b>", "<h1>", "\u202e", "\u2066"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q is on the page:\n%s", bad, got)
		}
	}
}

// TestReasonsAreWorded: the form offers every reason, in words.
func TestReasonsAreWorded(t *testing.T) {
	have, want := ui.Worded(), events.Terms()["reasons"]
	slices.Sort(have)
	slices.Sort(want)
	if len(want) < 17 || !slices.Equal(have, want) {
		t.Errorf("in words: %q\nreasons: %q", have, want)
	}
}
