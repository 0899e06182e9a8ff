package ui

import (
	"fmt"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// shownShare is a share as the person it concerns sees it: in the preview before
// it is recorded, and in the report after.
type shownShare struct {
	When string
	To   events.Recipient
	Kind string
	Why  []string
	What []string
	More []line
}

// line is one more field of a share; empty ones are left out.
type line struct {
	Label string
	Texts []string
}

// showShare shows every field of a share.
func showShare(d *events.DisclosureRecorded, private *events.Private) shownShare {
	s := shownShare{When: verifier.Plain(when(d.Occurred)), To: d.Recipient, Kind: words(d.Recipient.Category), What: plain(d.Data.Categories)}
	s.To.LegalName, s.To.Country = verifier.Plain(s.To.LegalName), verifier.Plain(s.To.Country)
	for _, r := range d.Reasons {
		s.Why = append(s.Why, answer(r))
	}
	s.More = append(s.More, aboutYou(private)...)
	s.add("Special categories", d.Data.Sensitivity...)
	s.add("Kind of data", words(d.Data.Kind))
	s.add("May be used for", d.Purposes...)
	s.add("Legal basis", d.LegalBases...)
	s.add("Recipient’s id", d.Recipient.ID)
	s.add("Acting as", words(d.Recipient.Role))
	s.add("Address", d.Recipient.Address)
	s.add("Contact", d.Recipient.Contact)
	s.add("Representative", d.Recipient.Representative)
	s.add("Promised in", d.Promise.Statement)
	s.add("Under", d.Promise.Instrument)
	if t := d.Transfer; t != nil {
		s.add("Transfer", fmt.Sprintf("%s to %s: %s", t.From, t.To, words(t.Mechanism)))
		s.add("Safeguard", t.Safeguard)
		s.add("A copy of it", t.Copy)
	}
	s.add("By way of", words(d.Conveyance.Medium))
	s.add("How often", words(d.Conveyance.Recurrence))
	s.add("Kept for", d.Conveyance.Retention)
	s.add("Product area", words(d.Context.ProductArea))
	s.add("Account", words(d.Context.Account))
	s.add("Organisation", d.Context.Organisation)
	s.add("Controller", d.Context.Controller)
	s.add("California class", words(d.CPRA.Class))
	s.add("In return for", d.CPRA.Consideration)
	if r := d.Research; r != nil {
		s.add("Study", r.Protocol, r.Purpose)
		s.add("Its sponsor", r.Sponsor)
		s.add("Its researcher", r.Researcher)
	}
	s.add("Passed on from", d.Links.Parent)
	s.add("Recorded late because", d.Occurred.LateReason)
	s.add("Kind of record", grade(d.Provenance.Grade))
	s.add("Kept as", words(d.Provenance.Method))
	s.add("Data came from", d.Provenance.Source)
	if n := d.Extent.Subjects; n > 1 {
		s.add("People concerned", fmt.Sprint(n))
	}
	return s
}

// aboutYou shows what is said to the person alone.
func aboutYou(p *events.Private) []line {
	if p == nil {
		return nil
	}
	var s shownShare
	s.add("About you", p.Description)
	s.add("Your consent", p.Consent)
	s.add("Order or request", p.LegalRequest)
	s.add("Their reference", p.Reference)
	for _, e := range p.Evidence {
		s.add("Evidence kept", fmt.Sprintf("%s, %d bytes, SHA-256 %s", e.MediaType, e.Size, e.SHA256))
	}
	return s.More
}

func (s *shownShare) add(label string, texts ...string) {
	if kept := plain(texts); len(kept) > 0 {
		s.More = append(s.More, line{label, kept})
	}
}

// plain leaves out empty texts, and spells out what could move others about on
// the page, such as a change of the direction of writing.
func plain(texts []string) (kept []string) {
	for _, t := range texts {
		if t != "" {
			kept = append(kept, verifier.Plain(t))
		}
	}
	return kept
}
