package projections_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
	"github.com/sharetrail/sharetrail/verifier"
)

// crowd records a share with 600 people, what became of it, and small shares with some
// of them around it.
func crowd(t *testing.T, l *ledgertest.Ledger) (share ledger.Accepted) {
	t.Helper()
	l.MustRecord(t, ledgertest.Share("before", "p-3", "ada"))
	share = l.MustRecord(t, ledgertest.Share("crowd", ledgertest.People("p", 600)...))
	l.MustRecord(t, ledgertest.Share("between", "p-3"))
	at := "2026-01-05T00:00:00Z"
	mustDo(t, l, "amend", &decide.Amend{ID: share.ID, Kind: "correct", Reason: "less", Changes: []byte(`{"data":{"categories":["name"]}}`)})
	mustDo(t, l, "mine", &decide.Dispute{ID: share.ID, Dispute: events.Dispute{By: "subject", Ground: "not_me", At: at}, Subject: decide.Subject{ID: ledgertest.Email("p-3")}})
	all := mustDo(t, l, "theirs", &decide.Dispute{ID: share.ID, Dispute: events.Dispute{By: "recipient", Ground: "inaccurate", At: at}})
	mustDo(t, l, "settled", &decide.ResolveDispute{ID: all.ID, Resolution: events.Resolution{Outcome: "rejected", Reason: "it was", At: at}})
	mustDo(t, l, "more", &decide.AddSubjects{ID: share.ID, Subjects: []decide.Subject{{ID: ledgertest.Email("ada")}}})
	mustDo(t, l, "withdrawn", &decide.Retract{ID: share.ID, Ground: "wrong_person", Subjects: []decide.Subject{{ID: ledgertest.Email("p-7")}}})
	l.MustRecord(t, ledgertest.Share("after", "p-3", "p-7"))
	l.Publish(t)
	return share
}

// TestCrowd: each of many people sees the one share, with what became of it; the
// recipient's list and the register have it once; and a report, which compares every
// row with the evidence, can be written about each.
func TestCrowd(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	share := crowd(t, l)
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		p := e.New(t)
		v := openViews(t, l, p)
		v.catchUp(t, l)
		if parked := v.model.Parked(); len(parked) > 0 {
			t.Fatalf("parked: %+v", parked)
		}
		said := func(all []projections.Disclosure) (out []string) {
			for i := range all {
				out = append(out, summary(&all[i]))
			}
			return out
		}
		const theirs = "v1 amended by recipient rejected"
		for name, want := range map[string][]string{
			"p-3":   {"v0 recorded", "v1 amended by subject by recipient rejected disputed", "v0 recorded", "v0 recorded"},
			"p-7":   {"v1 retracted wrong_person by recipient rejected", "v0 recorded"},
			"p-599": {theirs},
			"ada":   {"v0 recorded", "v0 recorded"},
		} {
			listed := mustList(t, v.model, person(t, l, name))
			if diff := cmp.Diff(want, said(listed)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			for _, d := range listed {
				if d.Header != nil && (*d.Header != share.Index || d.EventID != share.ID || d.Index <= share.Index || d.Share.Extent.Subjects != 600) {
					t.Errorf("%s: %+v", name, d)
				}
			}
			if versions, err := v.model.History(t.Context(), events.RoleSubject, person(t, l, "p-599"), 0); err != nil || len(versions) != 2 {
				t.Errorf("%d versions, %v", len(versions), err)
			}
		}
		northwind := identity(t, l, "org:northwind")
		want := []string{"v0 recorded", "v1 retracted_in_part wrong_person by subject by recipient rejected disputed +1", "v0 recorded", "v0 recorded", "v0 recorded"}
		if diff := cmp.Diff(want, said(mustListAs(t, v.model, events.RoleRecipient, northwind))); diff != "" {
			t.Errorf("northwind (-want +got):\n%s", diff)
		}
		register, err := v.model.Recipients(t.Context(), projections.RecipientQuery{Limit: 10})
		if err != nil || len(register.Recipients) != 1 || register.Recipients[0].Shares != 4 || register.Recipients[0].Subjects != 2+600+1+1+2 {
			t.Errorf("%+v, %v", register, err)
		}
		reports := newReports(t, l, v)
		for i := 0; i < 600; i += 97 {
			about := verifier.Query{Role: events.RoleSubject, IDs: []events.Identity{person(t, l, fmt.Sprint("p-", i))}}
			if _, err := reports.Write(t.Context(), about); err != nil {
				t.Errorf("the report about person %d: %v", i, err)
			}
		}
		for _, about := range []verifier.Query{
			{Role: events.RoleSubject, IDs: []events.Identity{person(t, l, "p-3")}},
			{Role: events.RoleSubject, IDs: []events.Identity{person(t, l, "p-3")}, Filter: &verifier.Filter{Version: 1, Since: "2026-01-01"}},
			{Role: events.RoleSubject, IDs: []events.Identity{person(t, l, "p-3")}, Filter: &verifier.Filter{Version: 1, Types: []string{"SeriesOpened"}}},
			{Role: events.RoleSubject, IDs: []events.Identity{person(t, l, "p-3")}, Copy: true},
			{Role: events.RoleRecipient, IDs: []events.Identity{northwind}},
		} {
			if _, err := reports.Write(t.Context(), about); err != nil {
				t.Errorf("%+v: %v", about, err)
			}
		}
		version, err := v.model.Rebuild(t.Context(), projections.Rebuild{
			Source: l.Store, Stream: ledger.Stream(ledgertest.ID), PageSize: 4,
			Head: func(context.Context) (uint64, error) { return l.Status().Accepted, nil },
		})
		if err != nil || version != 2 {
			t.Fatal(version, err)
		}
		if diff := cmp.Diff([]string{theirs}, said(mustList(t, v.model, person(t, l, "p-599")))); diff != "" {
			t.Errorf("built again (-want +got):\n%s", diff)
		}
	})
}
