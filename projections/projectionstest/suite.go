package projectionstest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/projections"
)

// TestStore is the suite that every store passes.
func TestStore(t *testing.T, e Engine) {
	for name, test := range map[string]func(*testing.T, Place){
		"rows and position move together": testCommit,
		"runners fence each other":        testFence,
		"what became of entries":          testLater,
		"kinds of entries":                testKinds,
		"pages under one snapshot":        testPaging,
		"parked parties":                  testParked,
		"recipients":                      testRecipients,
		"versions of a read model":        testReadModelVersions,
		"kept after closing":              testReopen,
		"one ledger":                      testOneLedger,
	} {
		t.Run(name, func(t *testing.T) { test(t, e.New(t)) })
	}
}

const viewName = "disclosures-by-subject"

func openView(t *testing.T, s projections.Store, version int) projections.View {
	t.Helper()
	v, err := s.Open(t.Context(), viewName, version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Errorf("closing a view: %v", err)
		}
	})
	return v
}

func entry(party projections.PartyID, number, index uint64) projections.Entry {
	return projections.Entry{
		Party: party, Number: number, Index: index, EventID: events.ID{byte(index), 15: 7}, Type: "DisclosureRecorded",
		Recorded: time.UnixMilli(int64(index) * 60_000).UTC(), OccurredAt: "2026-01-02T03:04:05Z",
		RecipientID: "org:æther", Recipient: "Æther & Söhne", Country: "IE", Category: "payment",
		Facts: `{"a":"'\"\\ü"}`, Private: `{"description":"x"}`,
	}
}

// commit builds changes on the view's newest state.
func commit(t *testing.T, v projections.View, next uint64, c projections.Changes) {
	t.Helper()
	s := state(t, v)
	c.From, c.Turn, c.Next = s.Next, s.Turn, next
	if err := v.Commit(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, v projections.View, labels ...events.Hash) projections.State {
	t.Helper()
	s, err := v.State(t.Context(), labels)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func list(t *testing.T, v projections.View, q projections.EntryQuery) projections.EntryPage {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	if q.UpTo == 0 {
		q.UpTo = 1 << 62
	}
	p, err := v.Entries(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func additions(entries ...projections.Entry) projections.Changes {
	return projections.Changes{Additions: projections.Additions{Entries: entries}}
}

func testCommit(t *testing.T, p Place) {
	v := openView(t, p.MustOpen(t, Origin), 1)
	if s := state(t, v, events.Hash{1}); s.Next != 0 || len(s.Sequences) != 0 || len(s.Parked) != 0 {
		t.Errorf("a new view has the state %+v", s)
	}
	c := additions(entry(7, 0, 1), entry(8, 0, 1), entry(7, 1, 2))
	c.Sequences = []projections.Sequence{{Party: 7, Label: events.Hash{1}, Next: 2}, {Party: 8, Label: events.Hash{2}, Next: 1}}
	commit(t, v, 3, c)
	s := state(t, v, events.Hash{9}, events.Hash{1}, events.Hash{1, 1})
	if diff := cmp.Diff([]projections.Sequence{c.Sequences[0]}, s.Sequences); diff != "" || s.Next != 3 {
		t.Errorf("next is %d; sequences (-want +got):\n%s", s.Next, diff)
	}
	page := list(t, v, projections.EntryQuery{Party: 7})
	if diff := cmp.Diff([]projections.Entry{entry(7, 0, 1), entry(7, 1, 2)}, page.Entries); diff != "" || page.Next != 3 {
		t.Errorf("as of %d, rows (-want +got):\n%s", page.Next, diff)
	}
	// A commit that fails in its midst leaves nothing: neither position nor rows.
	bad := additions(entry(9, 0, 3), entry(7, 1, 3))
	bad.From, bad.Turn, bad.Next = s.Next, s.Turn, 4
	bad.Sequences = []projections.Sequence{{Party: 7, Label: events.Hash{3}, Next: 3}}
	if err := v.Commit(t.Context(), &bad); err == nil {
		t.Error("the same entry twice must be refused")
	}
	if got := state(t, v, events.Hash{1}); !cmp.Equal(got.Sequences, s.Sequences) || got.Next != 3 || got.Turn != s.Turn {
		t.Errorf("after a failed commit the state is %+v", got)
	}
	if page := list(t, v, projections.EntryQuery{Party: 9}); len(page.Entries) != 0 {
		t.Errorf("a failed commit left %+v", page.Entries)
	}
	// Sequences move: the label of the entry before is forgotten.
	commit(t, v, 4, projections.Changes{Sequences: []projections.Sequence{{Party: 7, Label: events.Hash{3}, Next: 3}}})
	if got := state(t, v, events.Hash{1}, events.Hash{3}); len(got.Sequences) != 1 || got.Sequences[0].Next != 3 {
		t.Errorf("after a move: %+v", got.Sequences)
	}
}

// testFence has runners commit the same pages at once: each is committed once.
func testFence(t *testing.T, p Place) {
	const runners, pages = 4, 40
	var running sync.WaitGroup
	wins := make([]int, runners)
	for r := range runners {
		v := openView(t, p.MustOpen(t, Origin), 1)
		running.Go(func() {
			for {
				s, err := v.State(t.Context(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if s.Next == pages {
					return
				}
				c := additions(entry(7, s.Next, s.Next))
				c.From, c.Turn, c.Next = s.Next, s.Turn, s.Next+1
				c.Recipients = []projections.Description{{Party: 1, Usage: projections.Usage{Shares: 1, LastIndex: s.Next}}}
				switch err := v.Commit(t.Context(), &c); {
				case err == nil:
					wins[r]++
				case !errors.Is(err, projections.ErrMoved):
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	v := openView(t, p.MustOpen(t, Origin), 1)
	if page := list(t, v, projections.EntryQuery{Party: 7}); len(page.Entries) != pages || page.Next != pages {
		t.Errorf("%d rows as of %d, committed by %v", len(page.Entries), page.Next, wins)
	}
	all, err := v.Descriptions(t.Context(), 1)
	if err != nil || len(all) != 1 || all[0].Shares != pages {
		t.Errorf("counted %+v, %v", all, err)
	}
	// A commit that leaves the position alone fences too.
	s := state(t, v)
	commit(t, v, s.Next, projections.Changes{})
	late := projections.Changes{From: s.Next, Turn: s.Turn, Next: s.Next + 1}
	if err := v.Commit(t.Context(), &late); !errors.Is(err, projections.ErrMoved) {
		t.Errorf("a commit built on an older state: %v", err)
	}
}

// telling is an entry of another type about an earlier one.
func telling(typ string, party projections.PartyID, number, index, about uint64) projections.Entry {
	e := entry(party, number, index)
	e.Type, e.About = typ, &about
	return e
}

func testLater(t *testing.T, p Place) {
	v := openView(t, p.MustOpen(t, Origin), 1)
	amended := telling(events.TypeDisclosureAmended, 7, 2, 3, 1)
	disputed := telling(events.TypeDisclosureDisputed, 7, 3, 4, 1)
	resolved := telling(events.TypeDisputeResolved, 7, 5, 8, 4)
	added := telling(events.TypeSubjectsAdded, 7, 4, 6, 1)
	retracted := telling(events.TypeDisclosureRetracted, 7, 6, 9, 2)
	commit(t, v, 10, additions(entry(7, 0, 1), entry(8, 0, 1), entry(7, 1, 2), amended, disputed, added, resolved, retracted,
		telling(events.TypeDisclosureRetracted, 8, 1, 5, 1)))
	all := []projections.Entry{entry(7, 0, 1), entry(7, 1, 2), amended, disputed, added, resolved, retracted}
	shares := []projections.Entry{entry(7, 0, 1), entry(7, 1, 2), added}
	for name, c := range map[string]struct {
		query         projections.EntryQuery
		entries, tell []projections.Entry
	}{
		"all, and no more":       {projections.EntryQuery{}, all, nil},
		"shares":                 {projections.EntryQuery{Kind: projections.KindShare}, shares, nil},
		"shares, and their lot":  {projections.EntryQuery{Kind: projections.KindShare, Later: true}, shares, []projections.Entry{amended, disputed, added, resolved, retracted}},
		"the first share":        {projections.EntryQuery{Kind: projections.KindShare, Later: true, Limit: 1}, shares[:1], []projections.Entry{amended, disputed, added, resolved}},
		"the second share":       {projections.EntryQuery{Kind: projections.KindShare, Later: true, Limit: 1, From: 1}, shares[1:2], []projections.Entry{retracted}},
		"the third share":        {projections.EntryQuery{Kind: projections.KindShare, Later: true, Limit: 1, From: 2}, shares[2:], nil},
		"before the resolution":  {projections.EntryQuery{Kind: projections.KindShare, Later: true, Limit: 1, UpTo: 7}, shares[:1], []projections.Entry{amended, disputed, added}},
		"before the people came": {projections.EntryQuery{Kind: projections.KindShare, Later: true, UpTo: 5}, shares[:2], []projections.Entry{amended, disputed}},
		"at the amendment":       {projections.EntryQuery{Kind: projections.KindShare, Later: true, UpTo: 3}, shares[:2], []projections.Entry{amended}},
		"before the amendment":   {projections.EntryQuery{Kind: projections.KindShare, Later: true, UpTo: 2}, shares[:2], nil},
	} {
		c.query.Party = 7
		page := list(t, v, c.query)
		if diff := cmp.Diff(c.entries, page.Entries); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		slices.SortFunc(page.Later, func(a, b projections.Entry) int { return int(a.Index) - int(b.Index) })
		page.Later = slices.CompactFunc(page.Later, func(a, b projections.Entry) bool { return a.Index == b.Index })
		if diff := cmp.Diff(c.tell, page.Later); diff != "" {
			t.Errorf("%s: what became of them (-want +got):\n%s", name, diff)
		}
	}
}

func testKinds(t *testing.T, p Place) {
	v := openView(t, p.MustOpen(t, Origin), 1)
	var all []projections.Entry
	want := map[projections.Kind][]projections.Entry{}
	for i, typ := range events.Types() {
		if typ == events.TypeEnrolled || typ == events.TypeClosed || typ == events.TypeSealRecorded {
			continue
		}
		e := entry(7, uint64(i), uint64(i))
		e.Type = typ
		all = append(all, e)
		want[e.Kind()] = append(want[e.Kind()], e)
	}
	commit(t, v, 100, additions(all...))
	if len(want) != 5 {
		t.Errorf("there are %d kinds", len(want))
	}
	for kind, entries := range want {
		if diff := cmp.Diff(entries, list(t, v, projections.EntryQuery{Party: 7, Kind: kind}).Entries); diff != "" {
			t.Errorf("of kind %s (-want +got):\n%s", kind, diff)
		}
		last := entries[len(entries)-1:]
		got := list(t, v, projections.EntryQuery{Party: 7, Kind: kind, From: last[0].Number, UpTo: last[0].Index, Limit: 1})
		if diff := cmp.Diff(last, got.Entries); diff != "" {
			t.Errorf("the last of kind %s (-want +got):\n%s", kind, diff)
		}
		if last[0].Index > 0 && len(list(t, v, projections.EntryQuery{Party: 7, Kind: kind, UpTo: last[0].Index - 1}).Entries) != len(entries)-1 {
			t.Errorf("of kind %s, the last one is seen before it was recorded", kind)
		}
	}
}

// testPaging pages through a state while the view moves on.
func testPaging(t *testing.T, p Place) {
	v := openView(t, p.MustOpen(t, Origin), 1)
	var want []projections.Entry
	for i := range uint64(10) {
		want = append(want, entry(7, i, i))
	}
	commit(t, v, 10, additions(want...))
	var got []projections.Entry
	asOf := list(t, v, projections.EntryQuery{Party: 7, Limit: 1}).Next
	for from := uint64(0); ; {
		page := list(t, v, projections.EntryQuery{Party: 7, From: from, Limit: 3, UpTo: asOf - 1})
		got = append(got, page.Entries...)
		if len(page.Entries) < 3 {
			break
		}
		from = got[len(got)-1].Number + 1
		next := page.Next
		commit(t, v, next+1, additions(entry(7, next, next)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if page := list(t, v, projections.EntryQuery{Party: 8}); len(page.Entries) != 0 {
		t.Errorf("somebody else has %+v", page.Entries)
	}
}

func testParked(t *testing.T, p Place) {
	v := openView(t, p.MustOpen(t, Origin), 1)
	at := time.UnixMilli(1_700_000_000_000).UTC()
	parked := []projections.Parked{{Party: 7, Index: 3, Class: projections.ClassKey, Since: at}, {Party: 9, Index: 4, Class: projections.ClassType, Since: at}}
	commit(t, v, 5, projections.Changes{Parked: parked})
	if diff := cmp.Diff(parked, state(t, v).Parked); diff != "" {
		t.Errorf("parked (-want +got):\n%s", diff)
	}
	if page := list(t, v, projections.EntryQuery{Party: 7}); page.Parked == nil || *page.Parked != parked[0] {
		t.Errorf("the page about a parked party says %+v", page.Parked)
	}
	if page := list(t, v, projections.EntryQuery{Party: 8}); page.Parked != nil {
		t.Errorf("the page about another party says %+v", page.Parked)
	}
	// Moving on keeps since when a party waits.
	moved := projections.Parked{Party: 7, Index: 5, Class: projections.ClassContents, Since: at.Add(time.Hour)}
	commit(t, v, 5, projections.Changes{Parked: []projections.Parked{moved}, Unparked: []projections.PartyID{9}})
	moved.Since = at
	if diff := cmp.Diff([]projections.Parked{moved}, state(t, v).Parked); diff != "" {
		t.Errorf("parked after a retry (-want +got):\n%s", diff)
	}
}
