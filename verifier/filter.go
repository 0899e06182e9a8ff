package verifier

import (
	"errors"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Filter says which entries of a report are shown in full. It is data, in a
// language that is closed and versioned: the report holds it, and whoever checks
// the report evaluates it again over fields that every filtered entry opens. All
// conditions that are given must hold; a list holds if one of its values does.
//
// A condition binds only events that say something of its kind: a filter by
// recipient hides no consent. An event about an earlier record is shown if the
// record is, and a record is shown if any version of it passes.
type Filter struct {
	Version    int      `json:"version"`              // 1
	Since      string   `json:"since,omitempty"`      // first day, YYYY-MM-DD, on which it may have happened
	Until      string   `json:"until,omitempty"`      // last day
	Recipients []string `json:"recipients,omitempty"` // who received it, namespace:local
	Kinds      []string `json:"kinds,omitempty"`      // category of the recipient, such as law_enforcement
	Reasons    []string `json:"reasons,omitempty"`    // one of the reasons
	Categories []string `json:"categories,omitempty"` // one of the categories of data
	Types      []string `json:"types,omitempty"`      // type of the record
}

// FilterVersion is the version of the language this program speaks.
const FilterVersion = 1

// ErrFilter says that a filter cannot be evaluated.
var ErrFilter = errors.New("malformed filter")

const maxFilterValues = 100

// Valid reports whether a filter is in the one form that is written: lists sorted,
// each value once, days that exist.
func (f *Filter) Valid() error {
	if f.Version != FilterVersion || f.IsZero() {
		return ErrFilter
	}
	for _, date := range []string{f.Since, f.Until} {
		if t, err := time.Parse(time.DateOnly, date); date != "" && (err != nil || t.Format(time.DateOnly) != date) {
			return ErrFilter
		}
	}
	if f.Since != "" && f.Until != "" && f.Since > f.Until {
		return ErrFilter
	}
	for _, list := range [][]string{f.Recipients, f.Kinds, f.Reasons, f.Categories, f.Types} {
		if len(list) > maxFilterValues || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) || slices.Contains(list, "") {
			return ErrFilter
		}
	}
	// The verdict says them in its own sentence: a value of somebody's own could make
	// that say that nothing was shared with anyone.
	terms := events.Terms()
	for list, known := range map[*[]string][]string{&f.Kinds: terms["recipient.category"], &f.Reasons: terms["reasons"], &f.Types: events.Types()} {
		if slices.ContainsFunc(*list, func(v string) bool { return !slices.Contains(known, v) }) {
			return ErrFilter
		}
	}
	return nil
}

// IsZero reports whether a filter has no condition.
func (f *Filter) IsZero() bool {
	return f.Since == "" && f.Until == "" && len(f.Recipients)+len(f.Kinds)+len(f.Reasons)+len(f.Categories)+len(f.Types) == 0
}

// Reads lists the field groups that the filter reads of an event of a type; each
// is one that every event of the type has.
func (f *Filter) Reads(typ string) (names []string) {
	e, err := events.Decode(typ, nil)
	if err != nil || !judged(e) {
		return nil
	}
	add := func(wanted bool, group string) {
		if wanted {
			names = append(names, group)
		}
	}
	add(f.Since != "" || f.Until != "", dateGroup(e))
	add(len(f.Recipients) > 0 || len(f.Kinds) > 0, "recipient")
	add(len(f.Reasons) > 0, "reasons")
	add(len(f.Categories) > 0, "data")
	return names
}

// judged reports whether an event says what conditions read.
// What was under seal until now is shown whatever the conditions.
func judged(e events.Event) bool {
	_, onward := e.(*events.OnwardReported)
	return onward || events.ShareIn(e) != nil && events.UnsealedIn(e) == nil
}

// dateGroup is the field group that says when what the event records happened.
func dateGroup(e events.Event) string {
	switch e.(type) {
	case *events.SeriesOpened:
		return "series"
	case *events.PossibleRecorded:
		return "period"
	case *events.OnwardReported:
		return "onward"
	}
	return "occurred"
}

// Passes evaluates the filter over one record with everything that it became: the
// record first, then the events about it.
func (f *Filter) Passes(record []events.Event) bool {
	if len(f.Types) > 0 && !slices.Contains(f.Types, record[0].Type()) {
		return false
	}
	if !judged(record[0]) {
		return true
	}
	return slices.ContainsFunc(record, func(e events.Event) bool { return judged(e) && f.holds(e) })
}

// holds evaluates the conditions over one event.
func (f *Filter) holds(e events.Event) bool {
	var recipient events.Recipient
	var reasons []events.Reason
	var data events.SharedData
	if onward, ok := e.(*events.OnwardReported); ok {
		recipient, reasons, data = onward.Recipient, onward.Reasons, onward.Data
	} else {
		share := events.ShareIn(e)
		recipient, reasons, data = share.Recipient, share.Reasons, share.Data
	}
	in := func(list []string, values ...string) bool {
		return len(list) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(list, v) })
	}
	var why []string
	for _, r := range reasons {
		why = append(why, string(r))
	}
	return f.inWindow(e) && in(f.Recipients, recipient.ID) && in(f.Kinds, recipient.Category) &&
		in(f.Reasons, why...) && in(f.Categories, data.Categories...)
}

// inWindow reports whether what an event records may have happened within the
// window. What cannot be dated is not hidden, and neither is a series that began
// before the window's end: it may go on.
func (f *Filter) inWindow(e events.Event) bool {
	if f.Since == "" && f.Until == "" {
		return true
	}
	first, last := "", ""
	switch e := e.(type) {
	case *events.SeriesOpened:
		first, _ = days(e.Series.First, e.Series.Precision)
	case *events.PossibleRecorded:
		first, _ = days(e.Period.From, "day")
		_, last = days(e.Period.To, "day")
	case *events.OnwardReported:
		first, last = days(e.Onward.At, e.Onward.Precision)
	default:
		occurred := events.ShareIn(e).Occurred
		first, last = days(occurred.At, occurred.Precision)
	}
	return (f.Until == "" || first == "" || first <= f.Until) && (f.Since == "" || last == "" || last >= f.Since)
}

// days returns the first and the last day on which something may have happened,
// on the calendar of whoever recorded it or in UTC; empty if nobody can say.
func days(at, precision string) (first, last string) {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return "", ""
	}
	first, last = t.Format(time.DateOnly), t.Format(time.DateOnly)
	switch precision {
	case "month":
		begin := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
		return begin.Format(time.DateOnly), begin.AddDate(0, 1, -1).Format(time.DateOnly)
	case "day":
		return first, last
	case "", "instant":
		utc := t.UTC().Format(time.DateOnly)
		return min(first, utc), max(last, utc)
	}
	return "", ""
}
