package projections_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
	"github.com/sharetrail/sharetrail/verifier"
)

// TestEveryTypeIsProjected: nobody is parked by an event that a ledger records, the
// rows are those of the fold, and a report can be written about everybody: it
// compares every row with the evidence.
func TestEveryTypeIsProjected(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{Authorities: []string{"org:court.example"}})
	ledgertest.Family(t, l)
	l.Publish(t)
	all := recorded(t, l)
	missing := map[string]bool{}
	for _, typ := range events.Types() {
		// TestShred has who is erased; what is sealed stands as a share; TestCrowd has many people.
		missing[typ] = typ != events.TypeClosed && typ != events.TypeSealRecorded && typ != events.TypeRecordContinued
	}
	for _, e := range all {
		delete(missing, e.Type)
	}
	for typ, wanted := range missing {
		if wanted {
			t.Errorf("the family lacks %s", typ)
		}
	}
	controller, err := decide.Controller(l.IdentityRules(), l.Origin())
	if err != nil {
		t.Fatal(err)
	}
	type party struct {
		role events.Role
		id   events.Identity
	}
	parties := map[party]int{{events.RoleController, controller}: 3} // with how many entries
	for name, entries := range map[string]int{"ada": 18, "grace": 6, "joan": 5, "mary": 1, "edsger": 1, "nobody": 0} {
		parties[party{events.RoleSubject, person(t, l, name)}] = entries
	}
	for name, entries := range map[string]int{"northwind": 21, "tailspin": 2, "contoso": 4} {
		parties[party{events.RoleRecipient, identity(t, l, "org:"+name)}] = entries
	}
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		p := e.New(t)
		v := openViews(t, l, p)
		v.catchUp(t, l)
		if parked := v.model.Parked(); len(parked) > 0 {
			t.Fatalf("parked: %+v", parked)
		}
		reports := newReports(t, l, v)
		for p, entries := range parties {
			report, err := reports.Write(t.Context(), verifier.Query{Role: p.role, IDs: []events.Identity{p.id}})
			if err != nil || len(report.Verdict.Entries) != entries {
				t.Errorf("the report about %s has %d entries instead of %d: %v", p.id, len(report.Verdict.Entries), entries, err)
			}
		}
		view, err := p.MustOpen(t, ledgertest.Origin).Open(t.Context(), projections.Name, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer view.Close()
		pureFold(t, l.Keys, ledgertest.Origin, all).check(t, view, uint64(len(all)))
	})
}

// summary says in short what a listing says of a share.
func summary(d *projections.Disclosure) string {
	s := d.Status
	text := fmt.Sprintf("v%d %s", d.Version, s.State)
	for _, r := range s.Retractions {
		text += " " + r.Ground
	}
	for _, dispute := range s.Disputes {
		text += " by " + dispute.By
		if dispute.Resolved != nil {
			text += " " + dispute.Resolved.Outcome
		}
	}
	if s.Disputed {
		text += " disputed"
	}
	for _, a := range s.Acknowledgements {
		text += " " + a.Outcome
	}
	for _, o := range s.Onward {
		text += " to " + o.Recipient.ID
	}
	if s.Added > 0 {
		text += fmt.Sprint(" +", s.Added)
	}
	if s.Series != nil {
		text += " from " + s.Series.First[:10]
		if s.Series.Progress != nil {
			text += fmt.Sprint(" ", s.Series.Progress.Count)
		}
		if s.Series.Closing != nil {
			text += " closed"
		}
	}
	return text
}

// TestStatusOfShares: a listing tells, as of any state, what had become of each
// share, and to whom that was said.
func TestStatusOfShares(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	at := ledgertest.Family(t, l)
	ada, grace, joan := person(t, l, "ada"), person(t, l, "grace"), person(t, l, "joan")
	northwind := identity(t, l, "org:northwind")
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		v := openViews(t, l, e.New(t))
		v.catchUp(t, l)
		for _, c := range []struct {
			role events.Role
			id   events.Identity
			asOf string // the last event that is seen; empty: all
			want string // of each share
		}{
			{events.RoleSubject, ada, "share", "v0 recorded"},
			{events.RoleSubject, ada, "amend 1", "v1 amended"},
			{events.RoleSubject, ada, "add", "v2 amended"}, // it is not about her
			{events.RoleSubject, ada, "", "v2 amended by recipient disputed received to org:tailspin; v0 retracted duplicate; " +
				"v0 recorded from 2025-01-01 368 closed; v0 recorded"},
			{events.RoleSubject, ada, "update", "v2 amended by recipient disputed received to org:tailspin; v0 retracted duplicate; " +
				"v0 recorded from 2025-01-01 365"},
			{events.RoleSubject, grace, "dispute", "v2 amended by subject disputed"},
			{events.RoleSubject, grace, "resolve", "v2 amended by subject upheld"},
			{events.RoleSubject, grace, "", "v2 retracted wrong_person by subject upheld"},
			{events.RoleSubject, joan, "amend added", "v1 amended"},
			{events.RoleRecipient, northwind, "amend added", "v2 amended +1; v1 amended"},
			{events.RoleRecipient, northwind, "", "v2 retracted_in_part wrong_person by subject upheld by recipient disputed received to org:tailspin +1; " +
				"v1 amended; v0 recorded; v0 retracted duplicate; v0 recorded from 2025-01-01 368 closed; v0 recorded"},
		} {
			q := projections.ListQuery{Limit: 100}
			if c.asOf != "" {
				q.From.AsOf = at[c.asOf].Index + 1
			}
			listing, err := v.model.List(t.Context(), c.role, c.id, q)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range listing.Disclosures {
				got = append(got, summary(&listing.Disclosures[i]))
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("%s as of %q (-want +got):\n%s", c.id, c.asOf, diff)
			}
		}
	})
}

// TestVersionsOfAShare: no amendment takes the original away.
func TestVersionsOfAShare(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	at := ledgertest.Family(t, l)
	grace := person(t, l, "grace")
	original := ledgertest.Share("share").Record.(*decide.RecordDisclosure).Disclosure
	original.Extent.Subjects = 2
	first, second := original, original
	first.Data.Categories = []string{"name"}
	second.Data.Categories, second.LegalBases = []string{"name"}, []string{"GDPR 6(1)(b)"}
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		v := openViews(t, l, e.New(t))
		v.catchUp(t, l)
		versions, err := v.model.History(t.Context(), events.RoleSubject, grace, 0)
		if err != nil || len(versions) != 3 {
			t.Fatalf("%d versions, %v", len(versions), err)
		}
		for i, want := range []struct {
			share   events.DisclosureRecorded
			made    string
			summary string
		}{{original, "share", "v0 recorded"}, {first, "amend 1", "v1 amended"}, {second, "amend 2", "v2 retracted wrong_person by subject upheld"}} {
			d := versions[i]
			made := d.Index
			if d.Amended != nil {
				made = d.Amended.Index
			}
			if diff := cmp.Diff(want.share, d.Share); diff != "" || made != at[want.made].Index || summary(&d) != want.summary {
				t.Errorf("version %d, by leaf %d, %s (-want +got):\n%s", i, made, summary(&d), diff)
			}
			if d.EventID != at["share"].ID || d.Private == nil || d.Private.Description != "order of grace" {
				t.Errorf("version %d: %s, %+v", i, d.EventID, d.Private)
			}
		}
		listing, err := v.model.List(t.Context(), events.RoleSubject, grace, projections.ListQuery{Limit: 1, AsRecorded: true})
		if err != nil || len(listing.Disclosures) != 1 {
			t.Fatal(listing, err)
		}
		if diff := cmp.Diff(versions[0], listing.Disclosures[0]); diff != "" {
			t.Errorf("as recorded (-want +got):\n%s", diff)
		}
		for _, number := range []uint64{1, 1000} { // an amendment, and nothing
			if none, err := v.model.History(t.Context(), events.RoleSubject, grace, number); err != nil || none != nil {
				t.Errorf("entry %d has the versions %+v, %v", number, none, err)
			}
		}
	})
}
