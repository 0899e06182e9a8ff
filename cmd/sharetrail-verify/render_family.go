package main

import (
	"fmt"
	"io"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// renderEntry prints an entry: a share, or what became of one.
func renderEntry(w io.Writer, e verifier.ShownEntry) {
	switch event := e.Event.(type) {
	case *events.DisclosureRecorded:
		renderShare(w, e, event)
		renderRecord(w, e, event)
	case *events.SubjectsAdded:
		renderShare(w, e, &event.DisclosureRecorded)
		line(w, "added later", "to a share that was recorded before")
		renderRecord(w, e, &event.DisclosureRecorded)
	case *events.DisclosureAmended:
		renderAmended(w, e, event)
	case *events.SeriesOpened:
		renderShare(w, e, events.ShareIn(event))
		line(w, "a series", "of like shares; this was the first")
		renderRecord(w, e, &event.DisclosureRecorded)
	case *events.PossibleRecorded:
		renderShare(w, e, events.ShareIn(event))
		line(w, "possible", fmt.Sprintf("the data may have been shared between %s and %s", shown(event.Period.From), shown(event.Period.To)))
		renderRecord(w, e, &event.DisclosureRecorded)
	case *events.Unsealed:
		renderUnsealed(w, e, event)
	default:
		head(w, e, headline(e.Event))
		renderSince(w, e.Sealed)
		renderFacts(w, e.Event)
		if e.Private != nil {
			renderPrivate(w, e.Private)
		}
		renderEvent(w, e)
	}
}

func renderAmended(w io.Writer, e verifier.ShownEntry, d *events.DisclosureAmended) {
	a := d.Amendment
	renderShare(w, e, &d.DisclosureRecorded)
	line(w, "amends", fmt.Sprintf("entry %d, as version %d: %s", number(e.About), a.Version, words(a.Kind)))
	line(w, "because", a.Reason)
	list(w, "different", a.Changed, "")
	renderRecord(w, e, &d.DisclosureRecorded)
}

// number is an entry's number as people count; 0 if there is none.
func number(about *uint64) uint64 {
	if about == nil {
		return 0
	}
	return *about + 1
}

// head prints the first line of an entry that is no share.
func head(w io.Writer, e verifier.ShownEntry, text string) {
	if e.About != nil {
		text += fmt.Sprintf(" (entry %d)", number(e.About))
	}
	wrapped(w, fmt.Sprintf("\n%d. ", e.Number+1), text)
}

// headline says what an event is, in the words of a lay person.
func headline(e events.Event) string {
	switch e.(type) {
	case *events.DisclosureRetracted:
		return "RETRACTED: this record is not to be relied on"
	case *events.DisclosureDisputed:
		return "DISPUTED"
	case *events.DisputeResolved:
		return "The dispute ended"
	case *events.DisclosureAcknowledged:
		return "The recipient answered"
	case *events.OnwardReported:
		return "PASSED ON by a recipient"
	case *events.SeriesUpdated:
		return "The series goes on"
	case *events.SeriesClosed:
		return "The series ended"
	case *events.RecipientRegistered, *events.RecipientChanged:
		return "The recipient was described"
	case *events.RecipientsMerged:
		return "A recipient became part of another"
	case *events.RelationshipChanged:
		return "The recipient has another relationship to the controller"
	case *events.SubprocessorAdded:
		return "A recipient engages a subprocessor"
	case *events.StatementPublished:
		return "A version of the privacy statement was published"
	case *events.TaxonomyReleased:
		return "A taxonomy was released"
	case *events.ProfileReleased:
		return "A regime profile was released"
	case *events.ConsentGiven:
		return "CONSENT given"
	case *events.ConsentRefused:
		return "OBJECTION: the person refused"
	case *events.ConsentWithdrawn:
		return "The consent was withdrawn"
	case *events.ConsentExpired:
		return "The consent expired"
	case *events.Closed:
		return "This sequence ended; the next one goes on from here"
	case *events.SealRecorded:
		return "A step in the life of a seal"
	case *events.EventUnsealed:
		return "UNSEALED: the law delayed notice of this until now"
	case *events.ClosureRequested:
		return "REQUEST to erase the person, or to give them another key"
	case *events.ClosureDeclined:
		return "The request was declined"
	}
	return verifier.Plain(e.Type())
}

// renderFacts prints every opened field of an event that is no share.
func renderFacts(w io.Writer, e events.Event) {
	switch e := e.(type) {
	case *events.DisclosureRetracted:
		line(w, "because", words(e.Retraction.Ground))
		line(w, "reason", e.Retraction.Reason)
		line(w, "for", fmt.Sprintf("%s: %d people", shown(words(e.Retraction.Scope)), e.Retraction.People))
	case *events.DisclosureDisputed:
		line(w, "by", words(e.Dispute.By))
		line(w, "because", words(e.Dispute.Ground))
		line(w, "when", e.Dispute.At)
	case *events.DisputeResolved:
		line(w, "outcome", words(e.Resolution.Outcome))
		line(w, "because", e.Resolution.Reason)
		line(w, "when", e.Resolution.At)
	case *events.DisclosureAcknowledged:
		line(w, "answer", words(e.Acknowledgement.Outcome))
		line(w, "when", e.Acknowledgement.At)
		line(w, "reference", e.Acknowledgement.Reference)
	case *events.OnwardReported:
		renderOnward(w, e)
	case *events.SeriesUpdated:
		renderProgress(w, e.Progress)
	case *events.SeriesClosed:
		renderProgress(w, e.Progress)
		line(w, "because", e.Closing.Reason)
	case *events.ClosureRequested:
		line(w, "for", words(e.Closure.Action))
		line(w, "because", words(e.Closure.Ground))
		line(w, "when", e.Closure.At)
		line(w, "until", e.Closure.Until)
		line(w, "by", e.Closure.By)
	case *events.ClosureDeclined:
		line(w, "when", e.Declining.At)
		line(w, "because", e.Declining.Reason)
	case *events.StatementPublished:
		renderDocument(w, e.Document)
	case *events.TaxonomyReleased:
		renderDocument(w, e.Document)
	case *events.ProfileReleased:
		renderDocument(w, e.Document)
	case *events.ConsentGiven:
		renderChoice(w, e.Choice, &e.Scope)
	case *events.ConsentRefused:
		renderChoice(w, e.Choice, &e.Scope)
	case *events.ConsentWithdrawn:
		renderChoice(w, e.Choice, nil)
	case *events.ConsentExpired:
		renderChoice(w, e.Choice, nil)
	case *events.SealRecorded:
		renderSeal(w, e)
	case *events.EventUnsealed:
		renderUnsealing(w, e.Unsealing)
		renderInner(w, e.Record)
	default:
		renderTold(w, e)
	}
}

func renderOnward(w io.Writer, e *events.OnwardReported) {
	line(w, "by", shown(e.Onward.By))
	line(w, "when", asGivenOr(events.Occurred{At: e.Onward.At, Precision: e.Onward.Precision}))
	line(w, "to", e.Recipient.LegalName)
	line(w, "country", e.Recipient.Country)
	line(w, "category", words(e.Recipient.Category))
	renderRecipient(w, e.Recipient)
	list(w, "why", reasons(e.Reasons), "not recorded")
	list(w, "what", e.Data.Categories, "not recorded")
	list(w, "sensitive", e.Data.Sensitivity, "")
	line(w, "kind of data", words(e.Data.Kind))
	renderTransfer(w, e.Transfer)
}

// asGivenOr shows a time with its precision, all that was recorded of it.
func asGivenOr(o events.Occurred) string {
	if given := asGiven(o); given != "" {
		return given
	}
	return when(o)
}

// renderTold prints what is said about recipients.
func renderTold(w io.Writer, e events.Event) {
	var change *events.Change
	switch e := e.(type) {
	case *events.RecipientRegistered:
		renderDescribed(w, e.Recipient)
	case *events.RecipientChanged:
		renderDescribed(w, e.Recipient)
		change = &e.Change
	case *events.RecipientsMerged:
		line(w, "from", shown(e.Merger.From))
		line(w, "into", shown(e.Merger.Into))
		change = &e.Change
	case *events.RelationshipChanged:
		line(w, "recipient", shown(e.Relationship.Recipient))
		line(w, "was", words(e.Relationship.Was))
		line(w, "is", words(e.Relationship.Is))
		change = &e.Change
	case *events.SubprocessorAdded:
		line(w, "engaged by", shown(e.Engagement.By))
		line(w, "purpose", e.Engagement.Purpose)
		renderDescribed(w, e.Recipient)
		change = &e.Change
	}
	if change != nil {
		line(w, "effective", change.Effective)
		line(w, "because", change.Reason)
	}
}

func renderDescribed(w io.Writer, r events.Recipient) {
	line(w, "name", r.LegalName)
	line(w, "country", r.Country)
	line(w, "category", words(r.Category))
	renderRecipient(w, r)
}

func renderProgress(w io.Writer, p events.SeriesProgress) {
	line(w, "so far", fmt.Sprintf("%d shares, the last %s", p.Count, shown(p.Last)))
}

func renderDocument(w io.Writer, d events.Document) {
	line(w, "version", shown(d.Version))
	line(w, "title", d.Title)
	line(w, "in force from", d.Effective)
	line(w, "language", d.Language)
	line(w, "found at", d.URL)
	line(w, "file", fmt.Sprintf("%s, %d bytes, SHA-256 %s", shown(d.MediaType), d.Size, shown(d.SHA256)))
}

func renderChoice(w io.Writer, c events.Choice, s *events.Scope) {
	line(w, "when", c.At)
	line(w, "how", words(c.Method))
	if s == nil {
		return
	}
	list(w, "for", s.Purposes, "not recorded")
	list(w, "data", s.Categories, "any")
	list(w, "recipients", s.Recipients, "any")
	line(w, "product area", words(s.ProductArea))
	line(w, "statement", s.Statement)
	line(w, "until", s.Until)
}

// renderEvent prints where an entry stands.
func renderEvent(w io.Writer, e verifier.ShownEntry) {
	line(w, "recorded", fmt.Sprintf("%s, leaf %d", minute(time.UnixMilli(int64(e.TimeMS)).UTC()), e.Index))
	line(w, "event", e.ID.String())
}
