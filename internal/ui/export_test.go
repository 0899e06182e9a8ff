package ui

import (
	"bytes"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// RenderShare is a share as the preview and the report show it.
func RenderShare(d *events.DisclosureRecorded, p *events.Private) (string, error) {
	var b bytes.Buffer
	err := pages["report"].ExecuteTemplate(&b, "share", showShare(d, p))
	return b.String(), err
}

// RenderEntry is an entry as the report shows it.
func RenderEntry(e verifier.ShownEntry) (string, error) {
	var b bytes.Buffer
	err := pages["report"].ExecuteTemplate(&b, "main", &reportPage{Verdict: new(verifier.Verdict), Entries: []shownEntry{showEntry(e)}})
	return b.String(), err
}

// Summary is who has the data, by an account of the entries.
func Summary(entries []verifier.ShownEntry) (out []string) {
	for _, h := range holders(tell(entries)) {
		out = append(out, fmt.Sprint(h.Name, ", ", h.Times, " since ", h.Since, h.Notes))
	}
	return out
}

// Worded are the reasons that have a choice and an answer in plain words.
func Worded() (all []string) {
	for _, list := range [][]worded{statementReasons, otherReasons} {
		for _, w := range list {
			if w.Choice != "" && w.Answer != "" {
				all = append(all, string(w.Reason))
			}
		}
	}
	return all
}

// KeepReport keeps whom a report is about in a session, and returns all that is kept
// and what opens it.
func KeepReport(cookie, id, subject string) (kept string, subjectOf func(cookie, id string) (string, bool)) {
	one := &session{subjects: map[string][]byte{}}
	one.keepReport(cookie, id, subject)
	return fmt.Sprintf("%s %q %q", one.subjects, one.order, one.statement), one.subjectOf
}
