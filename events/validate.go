package events

import (
	"encoding/hex"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits on what one share may carry.
const (
	maxText      = 2000
	maxList      = 32
	maxMediaType = 127
	// MaxPrivate bounds what one slot says about its subject: padded and
	// encrypted it must stay below 65,536 bytes.
	MaxPrivate = 24_000
)

// Validate checks a share before anything is stored. Its error is the first
// rule broken, as a *[FieldError]. now bounds the time of the share.
func (d *DisclosureRecorded) Validate(now time.Time) error {
	v := &validator{}
	v.moment("occurred.at", d.Occurred.At, now)
	v.term("occurred.precision", d.Occurred.Precision, false)
	v.text("occurred.late_reason", d.Occurred.LateReason, false)
	v.share(d)
	return v.err
}

// share checks everything of a share but when it was.
func (v *validator) share(d *DisclosureRecorded) {
	v.reasons(d.Reasons)
	v.texts("purposes", d.Purposes, false)
	v.texts("legal_bases", d.LegalBases, false)
	v.recipient(&d.Recipient)
	v.data(d.Data)
	v.term("context.product_area", d.Context.ProductArea, false)
	v.term("context.account", d.Context.Account, false)
	v.text("context.organisation", d.Context.Organisation, false)
	v.text("context.controller", d.Context.Controller, false)
	v.text("promise.statement", d.Promise.Statement, true)
	v.text("promise.instrument", d.Promise.Instrument, false)
	v.transfer(d.Transfer)
	if d.CPRA != (CPRA{}) {
		v.term("cpra.class", d.CPRA.Class, true)
		v.text("cpra.consideration", d.CPRA.Consideration, false)
	}
	if d.Links != (Links{}) {
		v.id("links.parent", d.Links.Parent)
	}
	v.term("conveyance.medium", d.Conveyance.Medium, false)
	v.term("conveyance.recurrence", d.Conveyance.Recurrence, false)
	v.text("conveyance.retention", d.Conveyance.Retention, false)
	if r := d.Research; r != nil {
		v.text("research.protocol", r.Protocol, true)
		v.text("research.purpose", r.Purpose, false)
		v.text("research.sponsor", r.Sponsor, false)
		v.text("research.researcher", r.Researcher, false)
	}
	v.term("provenance.method", d.Provenance.Method, false)
	v.term("provenance.grade", d.Provenance.Grade, true)
	v.text("provenance.source", d.Provenance.Source, false)
}

func (v *validator) reasons(reasons []Reason) {
	v.list("reasons", len(reasons), true)
	for i, r := range reasons {
		v.term("reasons", string(r), true)
		if slices.Contains(reasons[:i], r) {
			v.fail("reasons", "names a value twice", "name each value once")
		}
	}
}

func (v *validator) data(d SharedData) {
	v.texts("data.categories", d.Categories, true)
	v.texts("data.sensitivity", d.Sensitivity, false)
	v.term("data.kind", d.Kind, false)
}

func (v *validator) transfer(t *Transfer) {
	if t == nil {
		return
	}
	v.country("transfer.from", t.From)
	v.country("transfer.to", t.To)
	v.term("transfer.mechanism", t.Mechanism, true)
	v.text("transfer.safeguard", t.Safeguard, false)
	v.text("transfer.copy", t.Copy, false)
}

// Validate checks a recipient by itself, as part of a share.
func (r *Recipient) Validate() error {
	v := &validator{}
	v.recipient(r)
	return v.err
}

func (v *validator) recipient(r *Recipient) {
	v.text("recipient.id", r.ID, true)
	v.text("recipient.legal_name", r.LegalName, true)
	v.text("recipient.address", r.Address, false)
	v.text("recipient.contact", r.Contact, false)
	v.text("recipient.representative", r.Representative, false)
	v.country("recipient.country", r.Country)
	v.term("recipient.category", r.Category, true)
	v.term("recipient.role", r.Role, false)
}

// Validate checks what is said about one subject.
func (p *Private) Validate() error {
	v := &validator{}
	v.text("subjects.description", p.Description, false)
	v.text("subjects.reference", p.Reference, false)
	v.text("subjects.consent", p.Consent, false)
	v.text("subjects.legal_request", p.LegalRequest, false)
	v.list("subjects.evidence", len(p.Evidence), false)
	for _, e := range p.Evidence {
		v.evidence(e)
	}
	if v.err == nil && p.Size() > MaxPrivate {
		v.fail("subjects", fmt.Sprintf("must say at most %d bytes about one person, all in all", MaxPrivate), "shorten it, or keep the text elsewhere as evidence")
	}
	return v.err
}

func (v *validator) evidence(e Evidence) {
	v.file("subjects.evidence", e.SHA256, e.Size, e.MediaType)
}

// file checks what is said of a file that is kept elsewhere.
func (v *validator) file(field, digest string, size uint64, mediaType string) {
	v.hex(field+".sha256", digest, 32, "must be a SHA-256 in 64 lower-case hexadecimal digits", "hash the file with sha256sum")
	if size == 0 {
		v.fail(field+".size", "must be the file's length in bytes", "give the length")
	}
	if _, _, err := mime.ParseMediaType(mediaType); err != nil || !strings.Contains(mediaType, "/") || len(mediaType) > maxMediaType {
		v.fail(field+".media_type", "must be a media type", "use one such as application/pdf")
	}
	v.text(field+".media_type", mediaType, true)
}

// hex demands so many bytes in base 16.
func (v *validator) hex(field, s string, n int, rule, next string) {
	if b, err := hex.DecodeString(s); err != nil || len(b) != n || hex.EncodeToString(b) != s {
		v.fail(field, rule, next)
	}
}

// validator keeps the first rule that was broken.
type validator struct{ err error }

func (v *validator) fail(field, rule, next string) {
	if v.err == nil {
		v.err = bad(field, rule, next)
	}
}

func (v *validator) text(field, s string, required bool) {
	switch {
	case s == "" && required:
		v.fail(field, "is required", "fill it in")
	case len(s) > maxText:
		v.fail(field, fmt.Sprintf("must have at most %d bytes", maxText), "shorten it")
	case !utf8.ValidString(s), strings.ContainsRune(s, utf8.RuneError):
		v.fail(field, "must be UTF-8 without U+FFFD, which stands for what could not be read", "send the text in UTF-8")
	case strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) >= 0:
		v.fail(field, "must not contain control characters", "remove them")
	case strings.TrimSpace(s) != s:
		v.fail(field, "must not begin or end with white space", "trim it")
	}
}

func (v *validator) list(field string, n int, required bool) {
	switch {
	case n == 0 && required:
		v.fail(field, "must have at least one value", "add one")
	case n > maxList:
		v.fail(field, fmt.Sprintf("must have at most %d values", maxList), "shorten the list")
	}
}

func (v *validator) texts(field string, list []string, required bool) {
	v.list(field, len(list), required)
	for i, s := range list {
		v.text(field, s, true)
		if slices.Contains(list[:i], s) {
			v.fail(field, "names a value twice", "name each value once")
		}
	}
}

func (v *validator) term(field, s string, required bool) {
	if s == "" && !required {
		return
	}
	if values := terms[field]; !slices.Contains(values, s) {
		v.fail(field, "is not one of its values", "use one of "+strings.Join(values, ", "))
	}
}

// id demands the id of an event, as recording it answered.
func (v *validator) id(field, s string) {
	if new(ID).UnmarshalText([]byte(s)) != nil {
		v.fail(field, "must be the id of a recorded share", "use the id that recording it answered")
	}
}

func (v *validator) country(field, s string) {
	if len(s) != 2 || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' {
		v.fail(field, "must be a country code of two capital letters (ISO 3166-1 alpha-2)", "use one such as DE, JP or US")
	}
}

func (v *validator) moment(field, s string, now time.Time) {
	if t, ok := v.date(field, s); ok && t.After(now.Add(time.Minute)) {
		v.fail(field, "lies in the future", "record it when it has happened")
	}
}

// date is a moment that may lie ahead.
func (v *validator) date(field, s string) (t time.Time, ok bool) {
	t, err := time.Parse(time.RFC3339, s)
	// Parse takes one-digit hours and decimal commas too.
	strict := len(s) >= len("2026-11-22T10:00:00Z") && s[13] == ':' && (s[19] == '.' || s[19] == 'Z')
	switch {
	case err != nil || !strict || !strings.HasSuffix(s, "Z"):
		v.fail(field, "must be a time in UTC as in RFC 3339", "write it like 2026-11-22T10:00:00Z")
	case t.Year() < 1900:
		v.fail(field, "lies before 1900", "check the year")
	default:
		return t, true
	}
	return t, false
}

// span demands that one moment is not after another.
func (v *validator) span(field, from, to string) {
	a, errA := time.Parse(time.RFC3339, from)
	b, errB := time.Parse(time.RFC3339, to)
	if errA == nil && errB == nil && b.Before(a) {
		v.fail(field, "lies before the beginning", "check the two times")
	}
}
