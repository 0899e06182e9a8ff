package projections_test

import (
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
	"github.com/sharetrail/sharetrail/verifier"
)

// TestEveryTypeIsProjected: nobody is parked by an event that a ledger records, the
// rows are those of the fold, and a report can be written about everybody: it
// compares every row with the evidence.
func TestEveryTypeIsProjected(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	ledgertest.Family(t, l)
	l.Publish(t)
	all := recorded(t, l)
	missing := map[string]bool{}
	for _, typ := range events.Types() {
		missing[typ] = typ != events.TypeClosed // nothing closes a sequence yet
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
	parties := map[verifier.Query]int{ // with how many entries
		{Role: events.RoleController, ID: controller}: 3,
	}
	for name, entries := range map[string]int{"ada": 16, "grace": 6, "joan": 3, "mary": 1, "edsger": 1, "nobody": 0} {
		parties[verifier.Query{Role: events.RoleSubject, ID: person(t, l, name)}] = entries
	}
	for name, entries := range map[string]int{"northwind": 20, "tailspin": 2, "contoso": 4} {
		parties[verifier.Query{Role: events.RoleRecipient, ID: identity(t, l, "org:"+name)}] = entries
	}
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		p := e.New(t)
		v := openViews(t, l, p)
		v.catchUp(t, l)
		if parked := v.model.Parked(); len(parked) > 0 {
			t.Fatalf("parked: %+v", parked)
		}
		reports := newReports(t, l, v)
		for q, entries := range parties {
			report, err := reports.Write(t.Context(), q)
			if err != nil || len(report.Verdict.Entries) != entries {
				t.Errorf("the report about %s has %d entries instead of %d: %v", q.ID, len(report.Verdict.Entries), entries, err)
			}
		}
		view, err := p.MustOpen(t, ledgertest.Origin).Open(t.Context(), "parties", 1)
		if err != nil {
			t.Fatal(err)
		}
		defer view.Close()
		pureFold(t, l.Keys, ledgertest.Origin, all).check(t, view, uint64(len(all)))
	})
}
