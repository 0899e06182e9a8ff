package events

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Validatable is an event whose facts come from outside.
type Validatable interface {
	Event
	// Validate checks the facts before anything is stored. Its error is the first
	// rule broken, as a *[FieldError]. now bounds what must have happened already.
	Validate(now time.Time) error
}

// Validate checks the share as amended, and what is said of the amendment.
func (d *DisclosureAmended) Validate(now time.Time) error {
	v := &validator{err: d.DisclosureRecorded.Validate(now)}
	if d.Extent != (Extent{}) {
		v.fail("extent", "is no part of an amendment, which concerns whom the record concerns", "leave it out, or add the people")
	}
	v.amendment(d.Amendment)
	return v.err
}

func (v *validator) amendment(a Amendment) {
	if a.Version == 0 {
		v.fail("amendment.version", "must count the amendments of the record, this one among them", "give a number from 1 on")
	}
	v.term("amendment.kind", a.Kind, true)
	v.text("amendment.reason", a.Reason, true)
	if len(a.Changed) == 0 {
		v.fail("amendment.changed", "nothing would be different", "say what is to be amended, or leave the record as it is")
	}
	for i, name := range a.Changed {
		v.term("amendment.changed", name, true)
		if slices.Contains(a.Changed[:i], name) {
			v.fail("amendment.changed", "names a group twice", "name each group once")
		}
	}
}

// Validate implements [Validatable].
func (d *DisclosureRetracted) Validate(time.Time) error {
	v := &validator{}
	v.term("retraction.ground", d.Retraction.Ground, true)
	v.text("retraction.reason", d.Retraction.Reason, false)
	v.term("retraction.scope", d.Retraction.Scope, true)
	if d.Retraction.Scope == "part" && d.Retraction.People == 0 {
		v.fail("retraction.people", "must count the people it is withdrawn for", "name them, or withdraw the whole record")
	}
	return v.err
}

// Validate implements [Validatable].
func (d *DisclosureDisputed) Validate(now time.Time) error {
	v := &validator{}
	v.term("dispute.by", d.Dispute.By, true)
	v.term("dispute.ground", d.Dispute.Ground, true)
	v.moment("dispute.at", d.Dispute.At, now)
	return v.err
}

// Validate implements [Validatable].
func (d *DisputeResolved) Validate(now time.Time) error {
	v := &validator{}
	v.term("resolution.outcome", d.Resolution.Outcome, true)
	v.text("resolution.reason", d.Resolution.Reason, true)
	v.moment("resolution.at", d.Resolution.At, now)
	return v.err
}

// Validate implements [Validatable].
func (s *SeriesOpened) Validate(now time.Time) error {
	v := &validator{}
	v.moment("series.first", s.Series.First, now)
	v.term("series.precision", s.Series.Precision, false)
	v.share(&s.DisclosureRecorded)
	if s.Occurred != (Occurred{}) {
		v.fail("occurred", "is no part of a series", "give series.first")
	}
	if r := s.Conveyance.Recurrence; r == "" || r == "once" {
		v.fail("conveyance.recurrence", "must say how often a series recurs", "use daily, weekly, monthly or continuous, or record a single share")
	}
	return v.err
}

// Validate implements [Validatable].
func (s *SeriesUpdated) Validate(now time.Time) error {
	v := &validator{}
	v.progress(s.Progress, now)
	return v.err
}

// Validate implements [Validatable].
func (s *SeriesClosed) Validate(now time.Time) error {
	v := &validator{}
	v.progress(s.Progress, now)
	v.text("closing.reason", s.Closing.Reason, true)
	return v.err
}

func (v *validator) progress(p SeriesProgress, now time.Time) {
	if p.Count == 0 {
		v.fail("progress.count", "must count the shares so far, the first among them", "give a number from 1 on")
	}
	v.moment("progress.last", p.Last, now)
}

// Validate implements [Validatable].
func (p *PossibleRecorded) Validate(now time.Time) error {
	v := &validator{}
	v.date("period.from", p.Period.From)
	v.moment("period.to", p.Period.To, now)
	v.span("period.to", p.Period.From, p.Period.To)
	v.share(&p.DisclosureRecorded)
	if p.Occurred != (Occurred{}) {
		v.fail("occurred", "is not known of a possible share", "give the period")
	}
	v.study(p.Research)
	return v.err
}

// study demands what everybody whose data may have been shared is told of the
// study (45 CFR 164.528(b)(4)(i)); [validator.share] has checked the texts.
func (v *validator) study(s *Study) {
	if s == nil {
		v.fail("research", "is required where data may have been shared for a study", "describe the study")
		return
	}
	v.text("research.purpose", s.Purpose, true)
	v.text("research.sponsor", s.Sponsor, true)
	v.text("research.researcher", s.Researcher, true)
}

// Validate implements [Validatable].
func (d *DisclosureAcknowledged) Validate(now time.Time) error {
	v := &validator{}
	v.term("acknowledgement.outcome", d.Acknowledgement.Outcome, true)
	v.moment("acknowledgement.at", d.Acknowledgement.At, now)
	v.text("acknowledgement.reference", d.Acknowledgement.Reference, false)
	return v.err
}

// Validate implements [Validatable].
func (o *OnwardReported) Validate(now time.Time) error {
	v := &validator{}
	v.text("onward.by", o.Onward.By, true)
	v.moment("onward.at", o.Onward.At, now)
	v.term("onward.precision", o.Onward.Precision, false)
	v.recipient(&o.Recipient)
	if o.Recipient.ID == o.Onward.By {
		v.fail("recipient.id", "names who passed the data on", "name who received it from them")
	}
	v.reasons(o.Reasons)
	v.data(o.Data)
	v.transfer(o.Transfer)
	return v.err
}

// Validate implements [Validatable].
func (r *RecipientRegistered) Validate(time.Time) error { return r.Recipient.Validate() }

// Validate implements [Validatable].
func (r *RecipientChanged) Validate(time.Time) error {
	v := &validator{err: r.Recipient.Validate()}
	v.change(r.Change)
	return v.err
}

// Validate implements [Validatable].
func (r *RecipientsMerged) Validate(time.Time) error {
	v := &validator{}
	v.text("merger.from", r.Merger.From, true)
	v.text("merger.into", r.Merger.Into, true)
	if r.Merger.Into == r.Merger.From {
		v.fail("merger.into", "is the recipient that ends", "name the recipient that goes on")
	}
	v.change(r.Change)
	return v.err
}

// Validate implements [Validatable].
func (r *RelationshipChanged) Validate(time.Time) error {
	v := &validator{}
	v.text("relationship.recipient", r.Relationship.Recipient, true)
	v.term("relationship.was", r.Relationship.Was, true)
	v.term("relationship.is", r.Relationship.Is, true)
	if r.Relationship.Was == r.Relationship.Is {
		v.fail("relationship.is", "is what it was", "name the category it has now")
	}
	v.change(r.Change)
	return v.err
}

// Validate implements [Validatable].
func (s *SubprocessorAdded) Validate(time.Time) error {
	v := &validator{err: s.Recipient.Validate()}
	v.change(s.Change)
	v.text("engagement.by", s.Engagement.By, true)
	v.text("engagement.purpose", s.Engagement.Purpose, false)
	if s.Engagement.By == s.Recipient.ID {
		v.fail("engagement.by", "is the subprocessor", "name the recipient that engages it")
	}
	return v.err
}

func (v *validator) change(c Change) {
	v.date("change.effective", c.Effective)
	v.text("change.reason", c.Reason, false)
}

// Validate implements [Validatable].
func (s *StatementPublished) Validate(time.Time) error { return s.Document.validate() }

// Validate implements [Validatable].
func (t *TaxonomyReleased) Validate(time.Time) error { return t.Document.validate() }

// Validate implements [Validatable].
func (p *ProfileReleased) Validate(time.Time) error { return p.Document.validate() }

func (d *Document) validate() error {
	v := &validator{}
	v.text("document.version", d.Version, true)
	v.date("document.effective", d.Effective)
	v.file("document", d.SHA256, d.Size, d.MediaType)
	v.language("document.language", d.Language)
	v.text("document.title", d.Title, false)
	v.text("document.url", d.URL, false)
	if d.URL != "" && !webAddress(d.URL) {
		v.fail("document.url", "must be an http or https URL", "give the whole address, or leave it out")
	}
	return v.err
}

// language demands the shape of a BCP 47 tag, not that its parts are registered.
func (v *validator) language(field, tag string) {
	if tag != "" && !languageTag.MatchString(tag) {
		v.fail(field, "must be a language tag (BCP 47)", "use one such as en, ja or pt-BR")
	}
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,8}$`)

// webAddress reports whether a text is an http or https URL of a host, as far as
// its letters tell.
func webAddress(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	host, _, _ := strings.Cut(rest, "/")
	return ok && host != "" && !strings.ContainsAny(s, " \t\n\"<>\\^`{|}")
}

// Validate implements [Validatable].
func (c *ConsentGiven) Validate(now time.Time) error { return validConsent(c.Choice, c.Scope, now) }

// Validate implements [Validatable].
func (c *ConsentRefused) Validate(now time.Time) error { return validConsent(c.Choice, c.Scope, now) }

// Validate implements [Validatable].
func (c *ConsentWithdrawn) Validate(now time.Time) error {
	return validConsent(c.Choice, anyScope, now)
}

// Validate implements [Validatable].
func (c *ConsentExpired) Validate(now time.Time) error { return validConsent(c.Choice, anyScope, now) }

// anyScope stands where an event has no scope of its own.
var anyScope = Scope{Purposes: []string{"any"}}

func validConsent(c Choice, s Scope, now time.Time) error {
	v := &validator{}
	v.moment("choice.at", c.At, now)
	v.term("choice.method", c.Method, false)
	v.texts("scope.purposes", s.Purposes, true)
	v.texts("scope.categories", s.Categories, false)
	v.texts("scope.recipients", s.Recipients, false)
	v.term("scope.product_area", s.ProductArea, false)
	v.text("scope.statement", s.Statement, false)
	if s.Until != "" {
		v.date("scope.until", s.Until)
		v.span("scope.until", c.At, s.Until)
	}
	return v.err
}
