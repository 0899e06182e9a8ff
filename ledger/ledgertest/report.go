package ledgertest

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/verifier"
)

// reports has reports about the parties verified and compares them with the
// model: every share of theirs, in order, with what was said, and no other.
func (a *Audit) reports(l *ledger.Ledger, limit int) {
	a.t.Helper()
	for n, i := range rand.Perm(len(a.parties)) {
		if n == limit {
			break
		}
		p := a.parties[i]
		if a.model.closed[p.Identity] {
			continue // closed checks it
		}
		verdict := a.report(l, p.Role, p.Identity)
		if !verdict.Enrolled || len(verdict.Entries) != len(p.entries) {
			a.t.Fatalf("the report about %s has %d entries, not %d", p.Identity, len(verdict.Entries), len(p.entries))
		}
		known := a.entriesOf(p.Role, p.Identity)
		if len(known) != len(p.entries) {
			a.t.Fatalf("%s has %d entries and was named in %d events", p.Identity, len(p.entries), len(known))
		}
		for k, e := range verdict.Entries {
			if e.Index != uint64(p.entries[k].index) {
				a.t.Fatalf("entry %d about %s is leaf %d, not %d", k, p.Identity, e.Index, p.entries[k].index)
			}
			a.compare(verdict, e, known[recordOf(e)], p.Identity)
		}
	}
	a.closed(l)
	if v := a.report(l, events.RoleSubject, "email\x00nobody@example.com"); v.Enrolled || len(v.Entries) > 0 {
		a.t.Fatal("the report about nobody has entries")
	}
}

func (a *Audit) report(l *ledger.Ledger, role events.Role, id events.Identity) *verifier.Verdict {
	a.t.Helper()
	return Report(a.t, l, a.secrets, role, id)
}

// Report returns the verdict on a report about a party, which must be a good one.
func Report(t testing.TB, l *ledger.Ledger, secrets *keystore.Secrets, role events.Role, id events.Identity) *verifier.Verdict {
	t.Helper()
	evidence, err := l.Prove(t.Context(), verifier.Query{Role: role, IDs: []events.Identity{id}})
	if err != nil {
		t.Fatalf("proving what is held about %s: %v", id, err)
	}
	file, err := verifier.FormatReport(&verifier.Report{Trust: string(l.Trust().Canonical()), Parts: []verifier.Evidence{evidence}}, secrets.Report)
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := verifier.CheckReport(file, verifier.About(role, id.String()), l.Trust())
	if err != nil {
		t.Fatalf("checking the report about %s: %v", id, err)
	}
	return verdict
}

// entriesOf returns what the model knows to concern a party, by leaf index.
func (a *Audit) entriesOf(role events.Role, id events.Identity) map[uint64]said {
	a.t.Helper()
	if a.told == nil {
		a.told = a.model.told(a.continued)
	}
	entries := a.told[who{role, id}]
	if role == events.RoleSubject {
		first, _ := a.model.erasedBefore(id)
		maps.DeleteFunc(entries, func(i uint64, _ said) bool { return i < first })
	}
	return entries
}

// who is a party.
type who struct {
	role events.Role
	id   events.Identity
}

// told lists what each party is told, by leaf index. continued counts the
// continuations of headers.
func (m *Model) told(continued map[uint64]uint64) map[who]map[uint64]said {
	all := map[who]map[uint64]said{}
	tell := func(of who, i uint64, what said) {
		if all[of] == nil {
			all[of] = map[uint64]said{}
		}
		all[of][i] = what
	}
	for i, cmd := range m.shares {
		record := cmd.Record.(*decide.RecordDisclosure)
		share := record.Disclosure
		recipient := parse(share.Recipient.ID)
		share.Recipient.ID = recipient.String()
		share.Extent = events.Extent{Subjects: uint64(len(record.Subjects)), Continuations: continued[i]}
		tell(who{events.RoleRecipient, recipient}, i, said{event: &share})
		for k := range record.Subjects {
			tell(who{events.RoleSubject, m.concerns[i][k]}, i, said{event: &share, private: &record.Subjects[k].Private})
		}
	}
	for i, planned := range m.others {
		for _, p := range planned.Parties {
			tell(who{p.Role, p.ID}, i, said{planned.Event, p.Private, p.About})
		}
	}
	return all
}

// said is what an entry must say to its party.
type said struct {
	event   events.Event
	private *events.Private
	about   *decide.Reference
}

func (a *Audit) compare(v *verifier.Verdict, shown verifier.ShownEntry, want said, id events.Identity) {
	a.t.Helper()
	if diff := cmp.Diff(want.event, shown.Event); diff != "" {
		a.t.Fatalf("leaf %d does not show %s's entry (-recorded +shown):\n%s", shown.Index, id, diff)
	}
	if want.private != nil && want.private.IsZero() {
		want.private = nil
	}
	if !reflect.DeepEqual(shown.Private, want.private) {
		a.t.Fatalf("leaf %d says of %s %+v", shown.Index, id, shown.Private)
	}
	if (want.about == nil) != (shown.About == nil) || want.about != nil && recordOf(v.Entries[*shown.About]) != want.about.Index {
		a.t.Fatalf("leaf %d of %s is about entry %v, not about %+v", shown.Index, id, shown.About, want.about)
	}
}

// recordOf is the leaf of what was recorded: that of the header of a continuation.
func recordOf(e verifier.ShownEntry) uint64 {
	if e.Header != nil {
		return *e.Header
	}
	return e.Index
}
