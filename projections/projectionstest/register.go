package projectionstest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/projections"
)

func describe(party projections.PartyID, r events.Recipient, index uint64) projections.Description {
	at := time.UnixMilli(int64(index) * 60_000).UTC()
	return projections.Description{Party: party, Recipient: r, Described: &index, Usage: projections.Usage{
		FirstIndex: index, LastIndex: index, First: at, Last: at, Shares: 1, Subjects: 2,
	}}
}

func testRecipients(t *testing.T, p Place) {
	v := openView(t, p.MustOpen(t, Origin), 1)
	north := events.Recipient{ID: "org:north", LegalName: "North", Country: "IE", Category: "payment", Address: "Dublin"}
	moved := north
	moved.Country, moved.Address = "DE", "Köln"
	south := events.Recipient{ID: "org:South", LegalName: "South", Country: "IE", Category: "payment"}
	for i, d := range []projections.Description{describe(1, north, 0), describe(2, south, 1), describe(1, north, 2), describe(1, moved, 3)} {
		commit(t, v, uint64(i+1), projections.Changes{Additions: projections.Additions{Recipients: []projections.Description{d}}})
	}
	// One that repeats an old description, and one that only names a recipient.
	again := describe(1, north, 4)
	again.Described, again.Shares = nil, 0
	named := describe(3, events.Recipient{ID: "org:named"}, 5)
	named.Described, named.Shares, named.Subjects = nil, 0, 0
	registered := describe(4, events.Recipient{ID: "org:registered", LegalName: "Registered", Country: "FR", Category: "court"}, 6)
	registered.Shares, registered.Subjects = 0, 0
	standing := entry(1, 9, 7)
	standing.Type = events.TypeRelationshipChanged
	commit(t, v, 8, projections.Changes{Additions: projections.Additions{
		Recipients: []projections.Description{again, named, registered}, Entries: []projections.Entry{standing, entry(1, 8, 6)},
	}})
	total := describe(1, moved, 3)
	total.FirstIndex, total.First = 0, time.UnixMilli(0).UTC()
	total.LastIndex, total.Last, total.Shares, total.Subjects = 4, time.UnixMilli(240_000).UTC(), 3, 8
	want := []projections.Description{describe(2, south, 1), named, total, registered} // bytes decide the order, in every engine
	page, err := v.Recipients(t.Context(), projections.RecipientQuery{Limit: 10})
	if diff := cmp.Diff(want, page.Recipients); diff != "" || err != nil || page.Next != 8 {
		t.Errorf("recipients as of %d, %v (-want +got):\n%s", page.Next, err, diff)
	}
	page.Standing = slices.CompactFunc(page.Standing, func(a, b projections.Entry) bool { return a.Number == b.Number })
	if diff := cmp.Diff([]projections.Entry{standing}, page.Standing); diff != "" {
		t.Errorf("what else is known of them (-want +got):\n%s", diff)
	}
	page, err = v.Recipients(t.Context(), projections.RecipientQuery{Limit: 1, After: "org:South"})
	if diff := cmp.Diff(want[1:2], page.Recipients); diff != "" || err != nil || len(page.Standing) > 0 {
		t.Errorf("the second page, %v (-want +got):\n%s", err, diff)
	}
	page, err = v.Recipients(t.Context(), projections.RecipientQuery{Limit: 10, Country: "IE", Category: "payment"})
	if diff := cmp.Diff(want[:1], page.Recipients); diff != "" || err != nil {
		t.Errorf("those in Ireland, %v (-want +got):\n%s", err, diff)
	}
	if all, err := v.Descriptions(t.Context(), 3); len(all) > 0 || err != nil {
		t.Errorf("of one that is only named: %+v, %v", all, err)
	}
	all, err := v.Descriptions(t.Context(), 1)
	first := describe(1, north, 0)
	described := uint64(2)
	first.Described = &described
	first.LastIndex, first.Last, first.Shares, first.Subjects = 4, time.UnixMilli(240_000).UTC(), 2, 6
	if diff := cmp.Diff([]projections.Description{first, describe(1, moved, 3)}, all); diff != "" || err != nil {
		t.Errorf("descriptions, %v (-want +got):\n%s", err, diff)
	}
	next, totals, err := v.Totals(t.Context())
	if diff := cmp.Diff([]projections.Total{
		{Country: "DE", Category: "payment", Recipients: 1, Shares: 1, Subjects: 2},
		{Country: "IE", Category: "payment", Recipients: 2, Shares: 3, Subjects: 8},
	}, totals); diff != "" || err != nil || next != 8 {
		t.Errorf("totals as of %d, %v (-want +got):\n%s", next, err, diff)
	}
}
