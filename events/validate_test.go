package events_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
)

type share = events.DisclosureRecorded

func TestValidateAccepts(t *testing.T) {
	if err := someShare().Validate(now); err != nil {
		t.Error(err)
	}
	for _, at := range []string{"2026-11-22T12:01:00Z", "1900-01-01T00:00:00Z", "2026-11-22T10:00:00.123Z"} {
		d := someShare()
		d.Occurred.At = at
		if err := d.Validate(now); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	d := someShare()
	d.Context, d.Transfer, d.Purposes, d.LegalBases = events.Context{}, nil, nil, nil
	d.Recipient.Address = "1 Main St\n\tBerlin"
	if err := d.Validate(now); err != nil {
		t.Error(err)
	}
}

// Every rule names the field it is about, what must hold, and what to do.
func TestValidateRefuses(t *testing.T) {
	for _, at := range []string{"", "yesterday", "2026-11-22", "2026-11-22T10:00:00", "2026-11-22T10:00:00+01:00",
		"2026-11-22T1:00:00Z", "2026-11-22T10:00:00,5Z", "2026-11-22T10:00Z", "2026-02-30T10:00:00Z", "2026-11-22t10:00:00z"} {
		refused(t, "occurred.at", "must be a time in UTC", func(d *share) { d.Occurred.At = at })
	}
	refused(t, "occurred.at", "lies in the future", func(d *share) { d.Occurred.At = "2026-11-22T12:01:01Z" })
	refused(t, "occurred.at", "lies before 1900", func(d *share) { d.Occurred.At = "1899-12-31T23:59:59Z" })
	refused(t, "reasons", "at least one", func(d *share) { d.Reasons = nil })
	refused(t, "reasons", "twice", func(d *share) { d.Reasons = append(d.Reasons, d.Reasons[0]) })
	refused(t, "reasons", "not one of its values", func(d *share) { d.Reasons[1] = "because" })
	refused(t, "reasons", "not one of its values", func(d *share) { d.Reasons[1] = "" })
	refused(t, "reasons", "at most 32", func(d *share) { d.Reasons = make([]events.Reason, 33) })
	for field, set := range map[string]func(*share, string){
		"occurred.precision":   func(d *share, s string) { d.Occurred.Precision = s },
		"recipient.category":   func(d *share, s string) { d.Recipient.Category = s },
		"data.kind":            func(d *share, s string) { d.Data.Kind = s },
		"context.product_area": func(d *share, s string) { d.Context.ProductArea = s },
		"context.account":      func(d *share, s string) { d.Context.Account = s },
		"transfer.mechanism":   func(d *share, s string) { d.Transfer.Mechanism = s },
		"provenance.grade":     func(d *share, s string) { d.Provenance.Grade = s },
	} {
		refused(t, field, "not one of its values", func(d *share) { set(d, "Native") })
	}
	for _, required := range []struct {
		field string
		set   func(*share)
	}{
		{"recipient.category", func(d *share) { d.Recipient.Category = "" }},
		{"transfer.mechanism", func(d *share) { d.Transfer.Mechanism = "" }},
		{"provenance.grade", func(d *share) { d.Provenance.Grade = "" }},
	} {
		refused(t, required.field, "not one of its values", required.set)
	}
	for field, set := range map[string]func(*share, string){
		"recipient.country": func(d *share, s string) { d.Recipient.Country = s },
		"transfer.from":     func(d *share, s string) { d.Transfer.From = s },
		"transfer.to":       func(d *share, s string) { d.Transfer.To = s },
	} {
		for _, s := range []string{"", "D", "de", "De", "DEU", "D1", "Ä"} {
			refused(t, field, "two capital letters", func(d *share) { set(d, s) })
		}
	}
}

func TestValidateTexts(t *testing.T) {
	for _, text := range []struct {
		field    string
		required bool
		set      func(*share, string)
	}{
		{"occurred.late_reason", false, func(d *share, s string) { d.Occurred.LateReason = s }},
		{"recipient.id", true, func(d *share, s string) { d.Recipient.ID = s }},
		{"recipient.legal_name", true, func(d *share, s string) { d.Recipient.LegalName = s }},
		{"recipient.address", false, func(d *share, s string) { d.Recipient.Address = s }},
		{"recipient.contact", false, func(d *share, s string) { d.Recipient.Contact = s }},
		{"recipient.representative", false, func(d *share, s string) { d.Recipient.Representative = s }},
		{"context.organisation", false, func(d *share, s string) { d.Context.Organisation = s }},
		{"context.controller", false, func(d *share, s string) { d.Context.Controller = s }},
		{"promise.statement", true, func(d *share, s string) { d.Promise.Statement = s }},
		{"promise.instrument", false, func(d *share, s string) { d.Promise.Instrument = s }},
		{"transfer.safeguard", false, func(d *share, s string) { d.Transfer.Safeguard = s }},
		{"transfer.copy", false, func(d *share, s string) { d.Transfer.Copy = s }},
		{"provenance.source", false, func(d *share, s string) { d.Provenance.Source = s }},
		{"purposes", true, func(d *share, s string) { d.Purposes = []string{s} }},
		{"legal_bases", true, func(d *share, s string) { d.LegalBases = []string{s} }},
		{"data.categories", true, func(d *share, s string) { d.Data.Categories = []string{s} }},
		{"data.sensitivity", true, func(d *share, s string) { d.Data.Sensitivity = []string{s} }},
	} {
		refuse := func(s, rule string) {
			t.Helper()
			refused(t, text.field, rule, func(d *share) { text.set(d, s) })
		}
		refuse(strings.Repeat("x", 2001), "at most 2000 bytes")
		refuse("\xff", "must be UTF-8")
		refuse("a\x00", "control characters")
		refuse("a\u0085b", "control characters")
		refuse(" a", "white space")
		refuse("a\n", "white space")
		if text.required {
			refuse("", "is required")
		}
	}
	for field, set := range map[string]func(*share, []string){
		"purposes":         func(d *share, s []string) { d.Purposes = s },
		"legal_bases":      func(d *share, s []string) { d.LegalBases = s },
		"data.categories":  func(d *share, s []string) { d.Data.Categories = s },
		"data.sensitivity": func(d *share, s []string) { d.Data.Sensitivity = s },
	} {
		many := make([]string, 33)
		for i := range many {
			many[i] = fmt.Sprint("x", i)
		}
		refused(t, field, "at most 32", func(d *share) { set(d, many) })
		refused(t, field, "twice", func(d *share) { set(d, []string{"a", "b", "a"}) })
	}
	refused(t, "data.categories", "at least one", func(d *share) { d.Data.Categories = nil })
}

func TestValidatePrivate(t *testing.T) {
	if err := (&events.Private{Description: "two\nlines", Reference: "R-1"}).Validate(); err != nil {
		t.Error(err)
	}
	fieldError(t, (&events.Private{Description: "a\x00"}).Validate(), "subjects.description", "control characters")
	fieldError(t, (&events.Private{Reference: strings.Repeat("x", 2001)}).Validate(), "subjects.reference", "at most 2000 bytes")
}

// refused changes a valid share and demands the error it must give.
func refused(t *testing.T, field, rule string, change func(*share)) {
	t.Helper()
	d := someShare()
	change(d)
	fieldError(t, d.Validate(now), field, rule)
}

func fieldError(t *testing.T, err error, field, rule string) {
	t.Helper()
	var e *events.FieldError
	if !errors.As(err, &e) {
		t.Errorf("%s, %q: got %v", field, rule, err)
		return
	}
	if e.Field != field || !strings.Contains(e.Rule, rule) || e.Next == "" {
		t.Errorf("got %v, want %s: %s", e, field, rule)
	}
	if e.Error() != e.Field+": "+e.Rule+"; "+e.Next {
		t.Errorf("got %q", e.Error())
	}
}
