package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
)

// folded is what the rows must be: a fold of the stream in memory, that shares no
// code with the projections and knows nothing of pages, positions or stores. It
// walks along each party's labels.
type folded struct {
	entries map[keystore.PartyID][]projections.Entry
	usage   map[keystore.PartyID]projections.Usage
}

func pureFold(t testing.TB, keys *keystore.Store, origin string, all []events.Recorded) *folded {
	t.Helper()
	type place struct {
		sealed *keystore.Sealed
		slot   uint16
	}
	labels := map[events.Hash]place{}
	secrets, err := keys.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if !secrets.Ours(e) {
			continue
		}
		sealed, err := keystore.Parse(origin, e)
		if err != nil {
			t.Fatal(err)
		}
		for k, slot := range sealed.Leaf.Slots {
			labels[slot.Label] = place{sealed, uint16(k)}
		}
	}
	f := &folded{map[keystore.PartyID][]projections.Entry{}, map[keystore.PartyID]projections.Usage{}}
	for p, err := range keys.Parties(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		f.entries[p.ID] = nil
		if p.Role == events.RoleAuthority {
			continue // no rows hold what is under seal
		}
		for i := uint64(0); ; i++ {
			at, found := labels[events.EntryLabel(p.Handle, i)]
			if !found {
				break
			}
			f.add(t, p, i, at.sealed, at.slot)
		}
	}
	return f
}

func (f *folded) add(t testing.TB, p keystore.Party, i uint64, sealed *keystore.Sealed, slot uint16) {
	t.Helper()
	opened, err := sealed.Open(slot, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	facts, err := events.MarshalJSON(opened.Event)
	if err != nil {
		t.Fatal(err)
	}
	var private []byte
	if opened.Content.Private != nil {
		if private, err = events.MarshalJSON(opened.Content.Private); err != nil {
			t.Fatal(err)
		}
	}
	at := time.UnixMilli(int64(sealed.Leaf.TimeMS)).UTC()
	row, about := facts, opened.Content.TargetIndex // of an unsealed record, what the record would say
	if told := events.UnsealedIn(opened.Event); told != nil {
		about = nil
		if row, err = insideOf(told); err != nil {
			t.Fatal(err)
		}
	}
	var says struct {
		Occurred  events.Occurred
		Onward    struct{ At string }
		Series    struct{ First string }
		Period    struct{ To string }
		Recipient events.Recipient
	}
	if err := json.Unmarshal(row, &says); err != nil {
		t.Fatal(err)
	}
	entry := projections.Entry{
		Party: p.Root, Number: projections.Number(p.Generation, i), Index: sealed.Revision, EventID: sealed.ID, Type: sealed.Type, Recorded: at,
		OccurredAt:  says.Occurred.At + says.Onward.At + says.Series.First + says.Period.To, // one of them
		RecipientID: says.Recipient.ID, Recipient: says.Recipient.LegalName, Country: says.Recipient.Country,
		Category: says.Recipient.Category, Facts: string(facts), About: about, Private: string(private),
	}
	entry.WrapFor(&p)
	f.entries[p.Root] = append(f.entries[p.Root], entry)
	if p.Role == events.RoleRecipient {
		f.count(p, sealed, row, at)
	}
}

// insideOf is the JSON of a share that was under seal; of anything else rows say
// nothing.
func insideOf(told *events.Unsealed) ([]byte, error) {
	inner, err := told.Record.Event()
	if err != nil || told.Record.Type != "DisclosureRecorded" {
		return []byte("{}"), err
	}
	return events.MarshalJSON(inner)
}

// count counts an event that is about a recipient in the register.
func (f *folded) count(p keystore.Party, sealed *keystore.Sealed, facts []byte, at time.Time) {
	var says struct {
		Extent    events.Extent
		Recipient events.Recipient
	}
	if err := json.Unmarshal(facts, &says); err != nil {
		panic(err) // it was read before
	}
	u := f.usage[p.ID]
	switch sealed.Type {
	case "DisclosureRecorded", "SeriesOpened", "DisclosureUnsealed":
		u.Shares, u.Subjects = u.Shares+1, u.Subjects+says.Extent.Subjects
	case "SubjectsAdded":
		u.Subjects += says.Extent.Subjects
	case "PossibleDisclosureRecorded", "RecipientRegistered", "RecipientChanged", "RecipientsMerged", "RelationshipChanged", "SubprocessorAdded":
	case "OnwardDisclosureReported":
		if says.Recipient.ID != p.Identity.String() {
			return
		}
	default:
		return
	}
	if f.usage[p.ID] == (projections.Usage{}) {
		u.First, u.FirstIndex = at, sealed.Revision
	}
	u.Last, u.LastIndex = at, sealed.Revision
	f.usage[p.ID] = u
}

// check compares a view with the fold.
func (f *folded) check(t testing.TB, v projections.View, next uint64) {
	t.Helper()
	for party, want := range f.entries {
		page, err := v.Entries(context.Background(), projections.EntryQuery{Party: party, Limit: 100_000, UpTo: 1 << 62})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, page.Entries); diff != "" || page.Next != next || page.Parked != nil {
			t.Fatalf("as of %d instead of %d, parked %v; rows of party %d (-want +got):\n%s", page.Next, next, page.Parked, party, diff)
		}
	}
	page, err := v.Recipients(context.Background(), projections.RecipientQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	got := map[keystore.PartyID]projections.Usage{}
	for _, r := range page.Recipients {
		got[r.Party] = r.Usage
	}
	if diff := cmp.Diff(f.usage, got); diff != "" {
		t.Fatalf("other recipients (-want +got):\n%s", diff)
	}
}

var errCrash = errors.New("crashed")

// crashing is a store whose commits fail when told so: before anything is
// written, or after all of it is and before anybody hears of it.
type crashing struct {
	projections.Store
	next func() (before, after bool)
}

func (c crashing) Open(ctx context.Context, name string, version int) (projections.View, error) {
	v, err := c.Store.Open(ctx, name, version)
	return crashingView{v, c.next}, err
}

type crashingView struct {
	projections.View
	next func() (before, after bool)
}

func (c crashingView) Commit(ctx context.Context, changes *projections.Changes) error {
	before, after := c.next()
	if before {
		return errCrash
	}
	if err := c.View.Commit(ctx, changes); err != nil {
		return err
	}
	if after {
		return errCrash
	}
	return nil
}

// randomLedger records shares of random people through a real ledger, and one event
// of every type among them.
func randomLedger(t *testing.T) *ledgertest.Ledger {
	l := ledgertest.New(t, ledgertest.Config{})
	people := ledgertest.People("p", 6)
	for i := range 60 {
		who := []string{people[i%6], people[(i*i+1)%6]}
		if who[0] == who[1] {
			who = who[:1]
		}
		cmd := ledgertest.Share(fmt.Sprint("k", i), who...)
		cmd.Record.(*decide.RecordDisclosure).Disclosure.Recipient.ID = fmt.Sprint("org:recipient-", i%4)
		cmd.Record.(*decide.RecordDisclosure).Disclosure.Recipient.LegalName = fmt.Sprint("Recipient ", i%4)
		l.MustRecord(t, cmd)
		if i%20 == 0 {
			l.Publish(t)
		}
		if i == 30 {
			ledgertest.Family(t, l)
		}
	}
	return l
}

// TestAnyPagesAndCrashesGiveTheFold: whatever the pages, wherever commits fail or
// get lost on the way back, and however often the process begins again, the rows
// are those of a fold that knows nothing of it; at every position on the way.
func TestAnyPagesAndCrashesGiveTheFold(t *testing.T) {
	l := randomLedger(t)
	all := recorded(t, l)
	made := map[int]*folded{}
	fold := func(n int) *folded {
		if made[n] == nil {
			made[n] = pureFold(t, l.Keys, ledgertest.Origin, all[:n])
		}
		return made[n]
	}
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		inner := e.New(t).MustOpen(t, ledgertest.Origin)
		for round := range 5 {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			// Each round builds a version of its own.
			project(t, rand.New(rand.NewPCG(seed, 0)), l, inner, round+1, all, fold)
		}
	})
}

func project(t *testing.T, rng *rand.Rand, l *ledgertest.Ledger, inner projections.Store, version int,
	all []events.Recorded, fold func(int) *folded,
) {
	t.Helper()
	_, active, err := inner.Versions(t.Context(), projections.Name)
	if err == nil {
		err = inner.Activate(t.Context(), projections.Name, active, version)
	}
	if err != nil {
		t.Fatal(err)
	}
	store := crashing{inner, func() (before, after bool) {
		n := rng.IntN(6)
		return n == 1, n == 2
	}}
	m := reopenModel(t, store, l, nil)
	defer func() { m.Close() }()
	stop := 1 + rng.IntN(len(all))
	for next := 0; next < len(all); {
		end := len(all)
		if next < stop {
			end = stop
		}
		// Pages come again, from anywhere at or below the position.
		from := max(0, next-[]int{0, 0, 0, 1, 7}[rng.IntN(5)])
		to := min(end, next+1+rng.IntN(25))
		if err := m.Apply(t.Context(), all[from:to]); errors.Is(err, errCrash) {
			m = reopenModel(t, store, l, m)
		} else if err != nil {
			t.Fatal(err)
		}
		at, err := m.Position(t.Context())
		if err != nil || int(at) != to && int(at) != next {
			t.Fatalf("at %d after a page from %d to %d: %v", at, next, to, err)
		}
		if next = int(at); next == stop || next == len(all) {
			v, err := inner.Open(t.Context(), projections.Name, version)
			if err != nil {
				t.Fatal(err)
			}
			fold(next).check(t, v, at)
			v.Close()
		}
	}
}

func reopenModel(t *testing.T, store projections.Store, l *ledgertest.Ledger, old *projections.ReadModel) *projections.ReadModel {
	if old != nil {
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m, err := projections.OpenReadModel(context.Background(), store, l.Keys)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRunnersAtOnce has several runners project the same stream into the same
// place, each at its own page size.
func TestRunnersAtOnce(t *testing.T) {
	l := randomLedger(t)
	all := recorded(t, l)
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		p := e.New(t)
		var running sync.WaitGroup
		for _, size := range []int{3, 5, 7} {
			m, err := projections.OpenReadModel(t.Context(), p.MustOpen(t, ledgertest.Origin), l.Keys)
			if err != nil {
				t.Fatal(err)
			}
			running.Go(func() {
				for from := 0; from < len(all); from += size {
					if err := m.Apply(t.Context(), all[from:min(from+size, len(all))]); err != nil {
						t.Error(err)
					}
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		v, err := p.MustOpen(t, ledgertest.Origin).Open(t.Context(), projections.Name, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		pureFold(t, l.Keys, ledgertest.Origin, all).check(t, v, uint64(len(all)))
	})
}
