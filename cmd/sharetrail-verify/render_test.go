package main

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/eventstest"
	"github.com/sharetrail/sharetrail/verifier"
)

// rendered is the verdict on one entry, in one long line.
func rendered(e verifier.ShownEntry) string {
	var b bytes.Buffer
	render(&b, &verifier.Verdict{Entries: []verifier.ShownEntry{e}}, clock)
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestEveryField: whatever is opened is printed. Each field is set by itself, so
// that none is printed only where another is.
func TestEveryField(t *testing.T) {
	n := 0
	for _, of := range []reflect.Type{reflect.TypeFor[events.DisclosureRecorded](), reflect.TypeFor[events.Private]()} {
		for _, path := range eventstest.Leaves(of) {
			n++
			e := verifier.ShownEntry{Event: new(events.DisclosureRecorded), Private: new(events.Private)}
			root := reflect.ValueOf(e.Event).Elem()
			if of == reflect.TypeFor[events.Private]() {
				root = reflect.ValueOf(e.Private).Elem()
			}
			want := eventstest.Set(root, path, 7000+n)
			if got := rendered(e); !strings.Contains(got, want) {
				t.Errorf("%s.%v is not printed:\n%s", of.Name(), path, got)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d fields", n)
	}
	for _, typ := range events.Types() {
		if typ == events.TypeRecordContinued {
			continue // what is printed is the event that it continues
		}
		for _, path := range eventstest.Leaves(reflect.TypeOf(empty(t, typ)).Elem()) {
			n++
			e := verifier.ShownEntry{Event: empty(t, typ)}
			want := eventstest.Set(reflect.ValueOf(e.Event).Elem(), path, 7000+n)
			said := events.Fields(e.Event)
			if bare := events.Fields(empty(t, typ)); reflect.DeepEqual(said, bare) {
				continue // no group of this type has it
			}
			if got := rendered(e); !strings.Contains(got, want) {
				t.Errorf("%s: %v is not printed:\n%s", typ, path, got)
			}
		}
	}
	if n < 300 {
		t.Errorf("only %d fields of all types", n)
	}
	e := verifier.ShownEntry{Event: new(events.DisclosureRecorded), ID: events.ID{0xab, 0xcd}}
	if got := rendered(e); !strings.Contains(got, e.ID.String()) {
		t.Errorf("the event's id is not printed:\n%s", got)
	}
}

// empty is an event of a type that says nothing.
func empty(t *testing.T, typ string) events.Event {
	t.Helper()
	e, err := events.Decode(typ, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestLaterThanRecorded: what is dated after its record is said to be.
func TestLaterThanRecorded(t *testing.T) {
	e := verifier.ShownEntry{Event: new(events.DisclosureRecorded), Later: true}
	if got := rendered(e); !strings.Contains(got, "dated later than recorded") {
		t.Errorf("got:\n%s", got)
	}
}

// TestStatement: what the operator says beside the proofs stands under its own
// heading, at the end.
func TestStatement(t *testing.T) {
	var b bytes.Buffer
	render(&b, &verifier.Verdict{Statement: verifier.Statement{GeneratedAt: "2026-11-22T12:00:00Z", Notice: "some come later"}}, clock)
	_, after, ok := strings.Cut(b.String(), "\nThe operator's statement, not proven:\n")
	if !ok || after != "   made at        2026-11-22T12:00:00Z\n   notice         some come later\n" {
		t.Errorf("got:\n%s", &b)
	}
}

// TestNoFieldDraws: no text out of the file begins a line, on a terminal of 80
// columns, however long it is and whatever it pads with.
func TestNoFieldDraws(t *testing.T) {
	const fake = "VERIFIED: by everybody"
	for name, pad := range map[string]string{"spaces": " ", "letters": "x", "wide letters": "\u682a", "line breaks": "\n",
		"words": "x ", "blanks": "\u3164", "combining marks": "\u0301"} {
		d := &events.DisclosureRecorded{}
		d.Data.Categories = []string{strings.Repeat(pad, 700) + fake}
		d.Recipient.LegalName = strings.Repeat(pad, 700) + fake
		private := &events.Private{Description: strings.Repeat(pad, 700) + fake}
		var b bytes.Buffer
		render(&b, &verifier.Verdict{Entries: []verifier.ShownEntry{{Event: d, Private: private}}}, clock)
		lines := strings.Split(b.String(), "\n")
		for _, l := range lines[2 : len(lines)-5] {
			if columns(l) > lineWidth || strings.HasPrefix(l, "V") || strings.HasPrefix(l, "x") || !utf8.ValidString(l) {
				t.Errorf("%s: a line of %d columns: %q", name, columns(l), l)
			}
		}
	}
}

// TestWhen: a share is dated as it was given.
func TestWhen(t *testing.T) {
	for _, c := range []struct{ at, precision, want, given string }{
		{"2026-09-01T10:00:00Z", "", "2026-09-01 10:00 UTC", ""},
		{"2026-09-01T10:00:07Z", "instant", "2026-09-01 10:00 UTC", "2026-09-01T10:00:07Z"},
		{"2026-09-01T02:00:00+05:00", "", "2026-08-31 21:00 UTC", "2026-09-01T02:00:00+05:00"},
		{"2026-09-02T00:00:00Z", "day", "2026-09-02", ""},
		{"2026-09-02T00:00:00+14:00", "day", "2026-09-02", "2026-09-02T00:00:00+14:00"},
		{"2026-09-02T10:00:00Z", "day", "2026-09-02", "2026-09-02T10:00:00Z"},
		{"2026-09-01T00:00:00Z", "month", "2026-09", ""},
		{"2026-09-01T00:00:00+14:00", "month", "2026-09", "2026-09-01T00:00:00+14:00"},
		{"2026-09-02T00:00:00Z", "month", "2026-09", "2026-09-02T00:00:00Z"},
		{"2026-09-02T00:00:00Z", "year", "2026-09-02 00:00 UTC", "2026-09-02T00:00:00Z, precision year"},
		{"then", "", "then", "then"},
		{"", "", "not recorded", ""},
	} {
		o := events.Occurred{At: c.at, Precision: c.precision}
		if got, given := when(o), asGiven(o); got != c.want || given != c.given {
			t.Errorf("%q, %q: %q and %q, want %q and %q", c.at, c.precision, got, given, c.want, c.given)
		}
	}
}

// TestLaterThanNow: a state dated after the reader's clock is believed, and said.
func TestLaterThanNow(t *testing.T) {
	for later, want := range map[time.Duration]bool{-time.Hour: false, 24 * time.Hour: false, 25 * time.Hour: true} {
		var b bytes.Buffer
		render(&b, &verifier.Verdict{StateTimeMS: uint64(clock.Add(later).UnixMilli())}, clock)
		if got := strings.Contains(b.String(), "CAUTION: the ledger dates this later than your clock, which says 2026-11-22 12:00 UTC;"); got != want {
			t.Errorf("%s later: said %v\n%s", later, got, &b)
		}
	}
}
