package main

import (
	"fmt"
	"io"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// render prints a verdict for a person: the sentence, who has the data and why,
// what was checked, what was not shown, and what the operator says beside it.
// Texts out of the file go through line, so that none can look like one of ours.
// now is the reader's own clock.
func render(w io.Writer, v *verifier.Verdict, now time.Time) {
	fmt.Fprintln(w, v.Sentence)
	fmt.Fprintln(w, v.Limit)
	if state := time.UnixMilli(int64(v.StateTimeMS)); state.After(now.Add(24 * time.Hour)) {
		fmt.Fprintf(w, "CAUTION: the ledger dates this later than your clock, which says %s; one of the two is wrong.\n", minute(now.UTC()))
	}
	renderNames(w, v)
	for _, e := range v.Entries {
		renderEntry(w, e)
	}
	fmt.Fprintln(w, "\nChecked:")
	for _, c := range v.Checks {
		fmt.Fprintf(w, "  + %s: %s\n", c.Name, c.Detail)
	}
	fmt.Fprintln(w, "Not shown:")
	for _, s := range v.NotShown {
		fmt.Fprintf(w, "  - %s\n", s)
	}
	fmt.Fprintln(w, "The operator's statement, not proven:")
	line(w, "made at", v.Statement.GeneratedAt)
	line(w, "notice", v.Statement.Notice)
}

// renderShare prints every opened field of an entry; a test holds it to that.
func renderShare(w io.Writer, e verifier.ShownEntry, d *events.DisclosureRecorded) {
	r := d.Recipient
	wrapped(w, fmt.Sprintf("\n%d. ", e.Number+1),
		fmt.Sprintf("%s %s, %s (%s)", when(d.Occurred), shown(r.LegalName), shown(r.Country), shown(words(r.Category))))
	line(w, "time as given", asGiven(d.Occurred))
	if e.Later {
		line(w, "CAUTION", "dated later than recorded")
	}
	line(w, "recorded late", d.Occurred.LateReason)
	list(w, "why", reasons(d.Reasons), "not recorded")
	list(w, "purposes", d.Purposes, "")
	list(w, "legal bases", d.LegalBases, "")
	renderData(w, d)
	if e.Private != nil {
		renderPrivate(w, e.Private)
	}
	renderRecipient(w, r)
	renderConveyance(w, d)
	renderPromise(w, d)
	renderStudy(w, d.Research)
}

func renderData(w io.Writer, d *events.DisclosureRecorded) {
	list(w, "what", d.Data.Categories, "not recorded")
	list(w, "sensitive", d.Data.Sensitivity, "")
	line(w, "kind of data", words(d.Data.Kind))
	people := fmt.Sprint(d.Extent.Subjects)
	if n := d.Extent.Continuations; n != 0 {
		people += fmt.Sprintf(", in %d more events", n)
	}
	line(w, "people", people)
}

func renderPrivate(w io.Writer, p *events.Private) {
	line(w, "about you", p.Description)
	line(w, "reference", p.Reference)
	line(w, "your consent", p.Consent)
	line(w, "legal request", p.LegalRequest)
	for _, f := range p.Evidence {
		line(w, "evidence", fmt.Sprintf("%s, %d bytes, SHA-256 %s", shown(f.MediaType), f.Size, shown(f.SHA256)))
	}
}

func renderRecipient(w io.Writer, r events.Recipient) {
	line(w, "recipient", shown(r.ID))
	line(w, "acting as", words(r.Role))
	line(w, "address", r.Address)
	line(w, "contact", r.Contact)
	line(w, "representative", r.Representative)
}

func renderConveyance(w io.Writer, d *events.DisclosureRecorded) {
	line(w, "by way of", words(d.Conveyance.Medium))
	line(w, "how often", words(d.Conveyance.Recurrence))
	line(w, "kept for", d.Conveyance.Retention)
	line(w, "product area", words(d.Context.ProductArea))
	line(w, "account", words(d.Context.Account))
	line(w, "organisation", d.Context.Organisation)
	line(w, "controller", d.Context.Controller)
	renderTransfer(w, d.Transfer)
}

func renderTransfer(w io.Writer, t *events.Transfer) {
	if t == nil {
		return
	}
	line(w, "transfer", fmt.Sprintf("%s to %s, %s", shown(t.From), shown(t.To), shown(words(t.Mechanism))))
	line(w, "safeguard", t.Safeguard)
	line(w, "a copy of it", t.Copy)
}

func renderPromise(w io.Writer, d *events.DisclosureRecorded) {
	line(w, "promised in", shown(d.Promise.Statement))
	line(w, "under", d.Promise.Instrument)
	line(w, "CPRA class", words(d.CPRA.Class))
	line(w, "in return for", d.CPRA.Consideration)
}

func renderStudy(w io.Writer, s *events.Study) {
	if s == nil {
		return
	}
	line(w, "study", shown(s.Protocol))
	line(w, "its purpose", s.Purpose)
	line(w, "its sponsor", s.Sponsor)
	line(w, "researcher", s.Researcher)
}

func renderRecord(w io.Writer, e verifier.ShownEntry, d *events.DisclosureRecorded) {
	line(w, "passed on from", d.Links.Parent)
	line(w, "record", shown(words(d.Provenance.Grade)))
	line(w, "kept as", words(d.Provenance.Method))
	line(w, "data from", d.Provenance.Source)
	renderEvent(w, e)
}
