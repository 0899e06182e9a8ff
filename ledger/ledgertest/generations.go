package ledgertest

import (
	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
)

// generations wants every entry of everybody whose key is there to open, to what
// the model knows; nobody's key to be there that was erased; and of everybody as
// many generations as there were rotations since.
func (a *Audit) generations() {
	a.t.Helper()
	opened, keys := map[who]int{}, map[who]int{}
	for p, err := range a.parts.Keys.Parties(a.t.Context()) {
		if err != nil {
			a.t.Fatal(err)
		}
		if _, enrolled := a.labels[p.Label]; !enrolled {
			continue // a crash came between its key and its enrolment
		}
		of := who{p.Role, p.Identity}
		known := a.entriesOf(p.Role, p.Identity)
		keys[of]++
		for i := uint64(0); ; i++ {
			at, found := a.labels[events.EntryLabel(p.Handle, i)]
			if !found {
				break
			}
			opened[of]++
			a.openedAs(p, i, at, known)
		}
	}
	for of, n := range keys {
		first, rotated := uint64(0), 0
		if of.role == events.RoleSubject {
			first, rotated = a.model.erasedBefore(of.id)
		}
		if n > rotated+1 {
			a.t.Fatalf("there are %d keys of %q, whose entries begin at leaf %d and who had another key %d times since", n, of.id, first, rotated)
		}
		if want := len(a.entriesOf(of.role, of.id)); opened[of] != want {
			a.t.Fatalf("%d entries of %q open, not %d", opened[of], of.id, want)
		}
	}
}

// closed has reports verified about everybody who was an alias, or whose generation
// was closed: all that is known under the primary identity and can still be opened,
// and a tombstone for each erasure.
func (a *Audit) closed(l *ledger.Ledger) {
	a.t.Helper()
	for id := range a.model.closed {
		verdict := a.report(l, events.RoleSubject, id)
		known := a.entriesOf(events.RoleSubject, a.model.primary(id))
		if len(verdict.Entries) != len(known) {
			a.t.Fatalf("the report about %s has %d entries, not %d", id, len(verdict.Entries), len(known))
		}
		for _, e := range verdict.Entries {
			a.compare(verdict, e, known[recordOf(e)], id)
		}
		erased := 0
		for _, s := range verdict.Names[0].Sequences {
			if s.Ended == "erased" {
				erased++
			}
		}
		if want := a.model.erasures(id); erased != want {
			a.t.Fatalf("the report about %s names %d erasures, not %d: %+v", id, erased, want, verdict.Names)
		}
	}
}

// openedAs opens entry i of a party and compares what it says.
func (a *Audit) openedAs(p keystore.Party, i uint64, at place, known map[uint64]said) {
	a.t.Helper()
	sealed := &keystore.Sealed{Recorded: a.recorded[at.index], Origin: Origin, Stored: a.stored[at.index], Leaf: a.leaves[at.index]}
	opened, err := sealed.Open(uint16(at.slot), p.Key)
	if err != nil {
		a.fatal(at.index, "entry %d of party %d: %v", i, p.ID, err)
	}
	record, event := uint64(at.index), opened.Event
	if _, continued := event.(*events.RecordContinued); continued {
		record = *opened.Content.TargetIndex
		event = a.headerOf(at.index, opened)
	}
	want, is := known[record]
	if !is {
		a.fatal(at.index, "it is an entry of party %d and nobody was told", p.ID)
	}
	if want.private != nil && want.private.IsZero() {
		want.private = nil
	}
	if diff := cmp.Diff(want.event, event) + cmp.Diff(want.private, opened.Content.Private); diff != "" {
		a.fatal(at.index, "it says something else to party %d (-recorded +opened):\n%s", p.ID, diff)
	}
	if *opened.Content.Number != i || events.Identity(opened.Content.ID) != p.Identity {
		a.fatal(at.index, "its slot is of entry %d, not %d, or of somebody else", *opened.Content.Number, i)
	}
}

// headerOf opens what a continuation continues.
func (a *Audit) headerOf(at int, opened *keystore.Opened) events.Event {
	a.t.Helper()
	index := *opened.Content.TargetIndex
	if h := a.header; h == nil || a.headerAt != index || h.Seed != opened.Target.Seed || h.DataKey != opened.Target.DataKey {
		sealed, err := keystore.Parse(Origin, a.recorded[index])
		if err != nil {
			a.fatal(at, "%v", err)
		}
		if a.header, err = sealed.OpenHeader(opened.Target); err != nil {
			a.fatal(at, "%v", err)
		}
		a.headerAt = index
	}
	return a.header.Event
}
