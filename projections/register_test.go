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
)

// entered says in short what the register says of a recipient.
func entered(r *projections.Registered) string {
	text := fmt.Sprintf("%s %q %s, %d shares of %d", r.Recipient.ID, r.Recipient.LegalName, r.Recipient.Category, r.Shares, r.Subjects)
	for _, c := range r.Relationships {
		text += fmt.Sprintf(", %s %s from %s", c.Relationship.Recipient, c.Is, c.Effective[:10])
	}
	for _, m := range r.MergedInto {
		text += ", into " + m.Into
	}
	for _, m := range r.Merged {
		text += ", with " + m.From
	}
	for _, s := range r.EngagedBy {
		text += ", engaged by " + s.Engagement.By
	}
	for _, s := range r.Subprocessors {
		text += ", engages " + s.Subprocessor.ID
	}
	return text
}

// TestRegister: the description that was given last wins, whatever an older share
// said that is amended or gets more people; counts stay with what shares named.
func TestRegister(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	at := ledgertest.Family(t, l)
	renamed := events.Recipient{ID: "org:northwind", LegalName: "Northwind Europe (sample)", Country: "DE", Category: "processor"}
	change := events.Change{Effective: "2026-03-01T00:00:00Z"}
	mustDo(t, l, "rename", &decide.TellRecipient{Event: &events.RecipientChanged{Recipient: renamed, Change: change}})
	mustDo(t, l, "amend old", &decide.Amend{ID: at["share"].ID, Kind: "correct", Reason: "x", Changes: []byte(`{"recipient":{"address":"Dublin"}}`)})
	last := mustDo(t, l, "add to old", &decide.AddSubjects{ID: at["share"].ID, Subjects: []decide.Subject{{ID: ledgertest.Email("zoe")}}})
	mustDo(t, l, "stranger", &decide.TellRecipient{Event: &events.RelationshipChanged{
		Relationship: events.Relationship{Recipient: "org:stranger", Was: "affiliate", Is: "third_party"}, Change: change,
	}})
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		v := openViews(t, l, e.New(t))
		v.catchUp(t, l)
		register, err := v.model.Recipients(t.Context(), projections.RecipientQuery{Limit: 10})
		if err != nil || register.Parked != 0 || register.AsOf != l.Status().Accepted {
			t.Fatalf("%+v, %v", register, err)
		}
		var got []string
		for i := range register.Recipients {
			got = append(got, entered(&register.Recipients[i]))
		}
		want := []string{
			`org:contoso "Contoso Europe (sample)" affiliate, 0 shares of 0, org:contoso third_party from 2026-02-01, into org:northwind`,
			`org:northwind "Northwind Europe (sample)" processor, 4 shares of 7, with org:contoso, engages org:tailspin`,
			`org:stranger "" , 0 shares of 0, org:stranger third_party from 2026-03-01`,
			`org:tailspin "Tailspin (sample)" subprocessor, 0 shares of 0, engaged by org:northwind`,
		}
		if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")); diff != "" {
			t.Errorf("the register (-want +got):\n%s", diff)
		}
		if n := register.Recipients[1]; n.FirstIndex > at["share"].Index || n.LastIndex != last.Index {
			t.Errorf("northwind is named from leaf %d to %d", n.FirstIndex, n.LastIndex)
		}
		second, err := v.model.Recipients(t.Context(), projections.RecipientQuery{Limit: 1, After: "org:contoso"})
		if err != nil || len(second.Recipients) != 1 || entered(&second.Recipients[0]) != want[1] {
			t.Errorf("the second page: %+v, %v", second, err)
		}
		_, totals, err := v.model.Totals(t.Context())
		if diff := cmp.Diff([]projections.Total{{Country: "IE", Category: "payment", Recipients: 1, Shares: 4, Subjects: 7}}, totals); diff != "" || err != nil {
			t.Errorf("totals, %v (-want +got):\n%s", err, diff)
		}
	})
}
