package events_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
)

// eventOf returns the event that some groups of the specification spell.
func eventOf(t testing.TB, typ string, parts []part) events.Event {
	t.Helper()
	e, err := events.Decode(typ, parseSpelled(spell(specGroups(parts))))
	if err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	return e
}

// facts is an event of any type that is validated.
type facts[E any] interface {
	*E
	events.Validatable
}

func caseOf(t testing.TB, typ string) familyCase {
	t.Helper()
	cases := familyCases()
	i := slices.IndexFunc(cases, func(c familyCase) bool { return c.typ == typ })
	if i < 0 {
		t.Fatalf("no case of a %s", typ)
	}
	return cases[i]
}

// breaks changes a valid event, with everything filled in, and demands the error
// it must give.
func breaks[E any, P facts[E]](t *testing.T, field, rule string, change func(P)) {
	t.Helper()
	typ := P(new(E)).Type()
	e := eventOf(t, typ, caseOf(t, typ).full).(P)
	change(e)
	fieldError(t, e.Validate(now), field, rule)
}

// keeps changes a valid event into another valid one.
func keeps[E any, P facts[E]](t *testing.T, change func(P)) {
	t.Helper()
	typ := P(new(E)).Type()
	e := eventOf(t, typ, caseOf(t, typ).full).(P)
	change(e)
	if err := e.Validate(now); err != nil {
		t.Errorf("%s: %v", typ, err)
	}
}

const (
	tomorrow = "2026-11-23T12:00:00Z"
	tooOld   = "1899-12-31T23:59:59Z"
)

func TestValidateCorrections(t *testing.T) {
	type amended = events.DisclosureAmended
	breaks(t, "recipient.country", "two capital letters", func(d *amended) { d.Recipient.Country = "de" })
	breaks(t, "occurred.at", "lies in the future", func(d *amended) { d.Occurred.At = tomorrow })
	breaks(t, "extent", "no part of an amendment", func(d *amended) { d.Extent.Subjects = 1 })
	breaks(t, "amendment.version", "must count", func(d *amended) { d.Amendment.Version = 0 })
	breaks(t, "amendment.kind", "not one of its values", func(d *amended) { d.Amendment.Kind = "retract" })
	breaks(t, "amendment.changed", "nothing would be different", func(d *amended) { d.Amendment.Changed = nil })
	breaks(t, "amendment.changed", "not one of its values", func(d *amended) { d.Amendment.Changed = []string{"data", "extent"} })
	breaks(t, "amendment.changed", "twice", func(d *amended) { d.Amendment.Changed = []string{"data", "promise", "data"} })

	breaks(t, "recipient.country", "two capital letters", func(s *events.SubjectsAdded) { s.Recipient.Country = "" })
	breaks(t, "occurred.at", "lies in the future", func(s *events.SubjectsAdded) { s.Occurred.At = tomorrow })

	type retracted = events.DisclosureRetracted
	breaks(t, "retraction.ground", "not one of its values", func(d *retracted) { d.Retraction.Ground = "other" })
	breaks(t, "retraction.scope", "not one of its values", func(d *retracted) { d.Retraction.Scope = "some" })
	breaks(t, "retraction.people", "must count", func(d *retracted) { d.Retraction.People = 0 })
	keeps(t, func(d *retracted) { d.Retraction.Scope, d.Retraction.People = "whole", 0 }) // everybody was erased

	breaks(t, "dispute.by", "not one of its values", func(d *events.DisclosureDisputed) { d.Dispute.By = "controller" })
	breaks(t, "dispute.ground", "not one of its values", func(d *events.DisclosureDisputed) { d.Dispute.Ground = "because" })
	breaks(t, "dispute.at", "lies in the future", func(d *events.DisclosureDisputed) { d.Dispute.At = tomorrow })
	breaks(t, "resolution.outcome", "not one of its values", func(d *events.DisputeResolved) { d.Resolution.Outcome = "open" })
	breaks(t, "resolution.at", "lies in the future", func(d *events.DisputeResolved) { d.Resolution.At = tomorrow })
}

func TestValidateSeries(t *testing.T) {
	type opened = events.SeriesOpened
	breaks(t, "series.first", "lies in the future", func(s *opened) { s.Series.First = tomorrow })
	breaks(t, "series.precision", "not one of its values", func(s *opened) { s.Series.Precision = "year" })
	breaks(t, "promise.statement", "is required", func(s *opened) { s.Promise.Statement = "" })
	breaks(t, "occurred", "is no part of a series", func(s *opened) { s.Occurred.At = s.Series.First })
	breaks(t, "occurred", "is no part of a series", func(s *opened) { s.Occurred.Precision = "day" })
	for _, recurrence := range []string{"", "once"} {
		breaks(t, "conveyance.recurrence", "how often", func(s *opened) { s.Conveyance.Recurrence = recurrence })
	}
	breaks(t, "conveyance.recurrence", "not one of its values", func(s *opened) { s.Conveyance.Recurrence = "often" })

	breaks(t, "progress.count", "must count", func(s *events.SeriesUpdated) { s.Progress.Count = 0 })
	breaks(t, "progress.last", "lies in the future", func(s *events.SeriesUpdated) { s.Progress.Last = tomorrow })
	breaks(t, "progress.count", "must count", func(s *events.SeriesClosed) { s.Progress.Count = 0 })
	breaks(t, "progress.last", "lies before 1900", func(s *events.SeriesClosed) { s.Progress.Last = tooOld })

	type possible = events.PossibleRecorded
	breaks(t, "period.from", "lies before 1900", func(p *possible) { p.Period.From = tooOld })
	breaks(t, "period.to", "lies in the future", func(p *possible) { p.Period.To = tomorrow })
	breaks(t, "period.to", "before the beginning", func(p *possible) { p.Period.From, p.Period.To = p.Period.To, p.Period.From })
	breaks(t, "data.categories", "at least one", func(p *possible) { p.Data.Categories = nil })
	breaks(t, "occurred", "is not known", func(p *possible) { p.Occurred.At = p.Period.To })
	breaks(t, "research", "is required", func(p *possible) { p.Research = nil })
	breaks(t, "research.purpose", "is required", func(p *possible) { p.Research.Purpose = "" })
	breaks(t, "research.sponsor", "is required", func(p *possible) { p.Research.Sponsor = "" })
	breaks(t, "research.researcher", "is required", func(p *possible) { p.Research.Researcher = "" })
	keeps(t, func(d *share) { d.Research = &events.Study{Protocol: "NCT1"} }) // of a share, the protocol will do
}

func TestValidateAnswers(t *testing.T) {
	breaks(t, "acknowledgement.outcome", "not one of its values", func(d *events.DisclosureAcknowledged) { d.Acknowledgement.Outcome = "ok" })
	breaks(t, "acknowledgement.at", "lies in the future", func(d *events.DisclosureAcknowledged) { d.Acknowledgement.At = tomorrow })

	type onward = events.OnwardReported
	breaks(t, "onward.at", "lies in the future", func(o *onward) { o.Onward.At = tomorrow })
	breaks(t, "onward.precision", "not one of its values", func(o *onward) { o.Onward.Precision = "hour" })
	breaks(t, "recipient.category", "not one of its values", func(o *onward) { o.Recipient.Category = "friend" })
	breaks(t, "recipient.id", "who passed the data on", func(o *onward) { o.Recipient.ID = o.Onward.By })
	breaks(t, "reasons", "twice", func(o *onward) { o.Reasons = append(o.Reasons, o.Reasons[0]) })
	breaks(t, "data.kind", "not one of its values", func(o *onward) { o.Data.Kind = "both" })
	breaks(t, "transfer.to", "two capital letters", func(o *onward) { o.Transfer.To = "USA" })
	keeps(t, func(o *onward) { o.Transfer = nil })
}

func TestValidateRecipients(t *testing.T) {
	breaks(t, "recipient.category", "not one of its values", func(r *events.RecipientRegistered) { r.Recipient.Category = "" })
	breaks(t, "recipient.role", "not one of its values", func(r *events.RecipientChanged) { r.Recipient.Role = "owner" })
	breaks(t, "change.effective", "must be a time in UTC", func(r *events.RecipientChanged) { r.Change.Effective = "2027-01-01" })
	keeps(t, func(r *events.RecipientChanged) { r.Change.Effective = tomorrow })

	breaks(t, "merger.into", "the recipient that ends", func(r *events.RecipientsMerged) { r.Merger.Into = r.Merger.From })
	breaks(t, "change.effective", "lies before 1900", func(r *events.RecipientsMerged) { r.Change.Effective = tooOld })

	breaks(t, "relationship.was", "not one of its values", func(r *events.RelationshipChanged) { r.Relationship.Was = "friend" })
	breaks(t, "relationship.is", "not one of its values", func(r *events.RelationshipChanged) { r.Relationship.Is = "foe" })
	breaks(t, "relationship.is", "what it was", func(r *events.RelationshipChanged) { r.Relationship.Is = r.Relationship.Was })
	breaks(t, "change.effective", "must be a time in UTC", func(r *events.RelationshipChanged) { r.Change.Effective = "" })

	breaks(t, "recipient.country", "two capital letters", func(s *events.SubprocessorAdded) { s.Recipient.Country = "D" })
	breaks(t, "change.effective", "must be a time in UTC", func(s *events.SubprocessorAdded) { s.Change.Effective = "soon" })
	breaks(t, "engagement.by", "is the subprocessor", func(s *events.SubprocessorAdded) { s.Engagement.By = s.Recipient.ID })
}

func TestValidateDocuments(t *testing.T) {
	type published = events.StatementPublished
	breaks(t, "document.version", "is required", func(s *published) { s.Document.Version = "" })
	breaks(t, "document.effective", "must be a time in UTC", func(s *published) { s.Document.Effective = "2017" })
	for _, digest := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("0", 66), strings.Repeat("A", 64), strings.Repeat("g", 64)} {
		breaks(t, "document.sha256", "64 lower-case", func(s *published) { s.Document.SHA256 = digest })
	}
	breaks(t, "document.size", "length in bytes", func(s *published) { s.Document.Size = 0 })
	for _, media := range []string{"", "text", "text/", "/plain", "text/plain; charset", "text/" + strings.Repeat("x", 123)} {
		breaks(t, "document.media_type", "must be a media type", func(s *published) { s.Document.MediaType = media })
	}
	for _, tag := range []string{"e", "german language", "de_DE", "-de", "de-", "toolonglang", "de--DE", "dé"} {
		breaks(t, "document.language", "must be a language tag", func(s *published) { s.Document.Language = tag })
	}
	for _, tag := range []string{"", "en", "pt-BR", "zh-Hant-TW", "de-CH-1996", "sl-rozaj-biske"} {
		keeps(t, func(s *published) { s.Document.Language = tag })
	}
	for _, address := range []string{"example.com/privacy", "ftp://example.com", "https://", "javascript:alert(1)", "https://exa mple.com"} {
		breaks(t, "document.url", "must be an http or https URL", func(s *published) { s.Document.URL = address })
	}
	keeps(t, func(s *published) { s.Document.URL = "" })
	keeps(t, func(s *published) { s.Document.Effective = tomorrow })
	breaks(t, "document.size", "length in bytes", func(s *events.TaxonomyReleased) { s.Document.Size = 0 })
	breaks(t, "document.size", "length in bytes", func(s *events.ProfileReleased) { s.Document.Size = 0 })
}

func TestValidateConsents(t *testing.T) {
	type given = events.ConsentGiven
	breaks(t, "choice.at", "lies in the future", func(c *given) { c.Choice.At = tomorrow })
	breaks(t, "choice.method", "not one of its values", func(c *given) { c.Choice.Method = "silence" })
	breaks(t, "scope.purposes", "at least one", func(c *given) { c.Scope.Purposes = nil })
	breaks(t, "scope.categories", "twice", func(c *given) { c.Scope.Categories = []string{"health", "health"} })
	breaks(t, "scope.recipients", "twice", func(c *given) { c.Scope.Recipients = []string{"org:a", "org:a"} })
	breaks(t, "scope.product_area", "not one of its values", func(c *given) { c.Scope.ProductArea = "phones" })
	breaks(t, "scope.until", "must be a time in UTC", func(c *given) { c.Scope.Until = "2030" })
	breaks(t, "scope.until", "before the beginning", func(c *given) { c.Scope.Until = "2026-11-22T09:59:59Z" })
	keeps(t, func(c *given) { c.Scope = events.Scope{Purposes: []string{"any"}} })
	breaks(t, "scope.purposes", "at least one", func(c *events.ConsentRefused) { c.Scope.Purposes = nil })
	breaks(t, "choice.at", "lies in the future", func(c *events.ConsentRefused) { c.Choice.At = tomorrow })
	breaks(t, "choice.method", "not one of its values", func(c *events.ConsentWithdrawn) { c.Choice.Method = "silence" })
	breaks(t, "choice.at", "lies before 1900", func(c *events.ConsentWithdrawn) { c.Choice.At = tooOld })
	breaks(t, "choice.at", "lies in the future", func(c *events.ConsentExpired) { c.Choice.At = tomorrow })
}

func TestValidateClosures(t *testing.T) {
	type asked = events.ClosureRequested
	breaks(t, "closure.action", "not one of its values", func(c *asked) { c.Closure.Action = "forget" })
	breaks(t, "closure.ground", "not one of its values", func(c *asked) { c.Closure.Ground = "" })
	breaks(t, "closure.at", "lies in the future", func(c *asked) { c.Closure.At = tomorrow })
	breaks(t, "closure.until", "must be a time in UTC", func(c *asked) { c.Closure.Until = "" })
	breaks(t, "closure.until", "before the beginning", func(c *asked) { c.Closure.Until = "2026-11-22T09:59:59Z" })
	breaks(t, "closure.by", "32 lower-case", func(c *asked) { c.Closure.By = "counsel-2" })
	breaks(t, "declining.at", "lies in the future", func(c *events.ClosureDeclined) { c.Declining.At = tomorrow })
	breaks(t, "declining.reason", "is required", func(c *events.ClosureDeclined) { c.Declining.Reason = "" })
}

// No text of any type goes unchecked: bytes that are no UTF-8 would be stored as
// fields that nobody can decode. And what even the least event says is required.
func TestEveryTextIsChecked(t *testing.T) {
	for _, c := range familyCases() {
		full, ok := eventOf(t, c.typ, c.full).(events.Validatable)
		if !ok {
			continue
		}
		texts := 0
		eachText(reflect.ValueOf(full).Elem(), "", func(path string, text reflect.Value) {
			texts++
			was := text.String()
			for _, s := range []string{"\xff", "a\x00", "\ufffd", " " + was, strings.Repeat("x", 2001)} {
				text.SetString(s)
				if err := full.Validate(now); !fieldIs(err, path) {
					t.Errorf("%s: %s %.10q: got error %v", c.typ, path, s, err)
				}
			}
			text.SetString(was)
		})
		if err := full.Validate(now); err != nil || texts == 0 {
			t.Errorf("%s: %d texts, then %v", c.typ, texts, err)
		}
		least := eventOf(t, c.typ, c.least).(events.Validatable)
		eachText(reflect.ValueOf(least).Elem(), "", func(path string, text reflect.Value) {
			was := text.String()
			text.SetString("")
			if err := least.Validate(now); !fieldIs(err, path) {
				t.Errorf("%s without %s: got error %v", c.typ, path, err)
			}
			text.SetString(was)
		})
	}
}

func fieldIs(err error, path string) bool {
	var e *events.FieldError
	return errors.As(err, &e) && e.Field == path && e.Rule != "" && e.Next != ""
}

// eachText calls f with the JSON path of each text in a struct, and each element of
// its lists of texts, that is not empty.
func eachText(v reflect.Value, path string, f func(path string, text reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachText(v.Elem(), path, f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachText(v.Index(i), path, f)
		}
	case reflect.String:
		if v.Len() > 0 {
			f(path, v)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if path != "" && name != "" {
				name = "." + name
			}
			eachText(v.Field(i), path+name, f)
		}
	}
}
