package decide_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// enrolled is a ledger that knows some identities.
type enrolled map[events.Identity]bool

func (enrolled) Identities() []events.IdentityRule                           { return events.DefaultRules().Identities }
func (enrolled) Known(id events.ID) bool                                     { return id == known }
func (e enrolled) Primary(_ events.Role, id events.Identity) events.Identity { return id }
func (e enrolled) Names(events.Role, events.Identity) int                    { return 0 }
func (e enrolled) Enrolled(_ events.Role, id events.Identity) bool           { return e[id] }

// known is the id of a record of every ledger here.
var known = events.ID{7}

func share() *decide.RecordDisclosure {
	return &decide.RecordDisclosure{
		Disclosure: events.DisclosureRecorded{
			Occurred:   events.Occurred{At: "2026-01-02T03:04:05Z"},
			Reasons:    []events.Reason{events.CompleteTransaction},
			Recipient:  events.Recipient{ID: "org:northwind", LegalName: "Northwind", Country: "IE", Category: "payment"},
			Data:       events.SharedData{Categories: []string{"name"}},
			Promise:    events.Promise{Statement: "privacy-statement/2017-01"},
			Provenance: events.Provenance{Grade: "native"},
		},
		Subjects: []decide.Subject{{ID: "email:ada@example.com"}, {ID: "email:grace@example.com"}},
	}
}

func TestRefusals(t *testing.T) {
	many := make([]decide.Subject, decide.MaxSubjects+1)
	for i := range many {
		many[i].ID = fmt.Sprintf("email:p%d@example.com", i)
	}
	for name, c := range map[string]struct {
		field  string
		change func(*decide.RecordDisclosure)
	}{
		"no time":             {"occurred.at", func(r *decide.RecordDisclosure) { r.Disclosure.Occurred.At = "" }},
		"future":              {"occurred.at", func(r *decide.RecordDisclosure) { r.Disclosure.Occurred.At = "2026-03-05T00:00:00Z" }},
		"not UTC":             {"occurred.at", func(r *decide.RecordDisclosure) { r.Disclosure.Occurred.At = "2026-01-02T03:04:05+01:00" }},
		"no reason":           {"reasons", func(r *decide.RecordDisclosure) { r.Disclosure.Reasons = nil }},
		"unknown reason":      {"reasons", func(r *decide.RecordDisclosure) { r.Disclosure.Reasons = []events.Reason{"because"} }},
		"no recipient":        {"recipient.id", func(r *decide.RecordDisclosure) { r.Disclosure.Recipient.ID = "" }},
		"recipient namespace": {"recipient.id", func(r *decide.RecordDisclosure) { r.Disclosure.Recipient.ID = "planet:mars" }},
		"country":             {"recipient.country", func(r *decide.RecordDisclosure) { r.Disclosure.Recipient.Country = "Ireland" }},
		"no data":             {"data.categories", func(r *decide.RecordDisclosure) { r.Disclosure.Data.Categories = nil }},
		"no grade":            {"provenance.grade", func(r *decide.RecordDisclosure) { r.Disclosure.Provenance.Grade = "" }},
		"parent":              {"links.parent", func(r *decide.RecordDisclosure) { r.Disclosure.Links.Parent = events.ID{8}.String() }},
		"extent":              {"extent", func(r *decide.RecordDisclosure) { r.Disclosure.Extent.Subjects = 2 }},
		"nobody":              {"subjects", func(r *decide.RecordDisclosure) { r.Subjects = nil }},
		"too many":            {"subjects", func(r *decide.RecordDisclosure) { r.Subjects = many }},
		"twice":               {"subjects[1].id", func(r *decide.RecordDisclosure) { r.Subjects[1].ID = "email:ADA@example.com" }},
		"no namespace":        {"subjects[1].id", func(r *decide.RecordDisclosure) { r.Subjects[1].ID = "grace" }},
		"control character":   {"subjects[0].id", func(r *decide.RecordDisclosure) { r.Subjects[0].ID = "email:a\x00b" }},
		"long text":           {"subjects.description", func(r *decide.RecordDisclosure) { r.Subjects[0].Description = strings.Repeat("x", 2001) }},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := share()
			c.change(cmd)
			planned, err := cmd.Decide(enrolled{}, nil, now)
			var refused *events.FieldError
			if !errors.As(err, &refused) || refused.Field != c.field || refused.Rule == "" || refused.Next == "" || planned != nil {
				t.Errorf("decided %v, %v: no refusal of %s", planned, err, c.field)
			}
		})
	}
}

// TestDecision wants the share first, then the enrolment of exactly those whom
// the ledger does not know, and the command untouched.
func TestDecision(t *testing.T) {
	cmd := share()
	cmd.Disclosure.Occurred.Precision = "instant"
	cmd.Subjects[0].Description = "order 7"
	cmd.Disclosure.Links.Parent = known.String()
	before := fmt.Sprintf("%+v", cmd)
	for _, there := range []enrolled{{}, {"email\x00ada@example.com": true}, {"email\x00ada@example.com": true, "email\x00grace@example.com": true, "org\x00northwind": true}} {
		first, err := cmd.Decide(there, nil, now)
		if err != nil {
			t.Fatal(err)
		}
		again, err := cmd.Decide(there, nil, now)
		if err != nil || cmp.Diff(first, again) != "" || fmt.Sprintf("%+v", cmd) != before {
			t.Errorf("the same question was answered otherwise, or changed: %v", err)
		}
		got := first[0].Event.(*events.DisclosureRecorded)
		if got.Extent.Subjects != 2 || got.Occurred.Precision != "" || len(first[0].Parties) != 3 || first[0].Parties[0].Role != events.RoleRecipient {
			t.Errorf("decided on %+v", first[0])
		}
		fresh := 3 - len(there)
		if fresh == 0 != (len(first) == 1) || fresh > 0 && len(first[1].Parties) != fresh {
			t.Errorf("of 3 parties %d are known, planned are %+v", len(there), first[1:])
		}
		for _, p := range first[1:] {
			for _, party := range p.Parties {
				if there[party.ID] || party.Private != nil {
					t.Errorf("the enrolment holds %+v", party)
				}
			}
		}
	}
}
