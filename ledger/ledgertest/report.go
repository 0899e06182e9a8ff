package ledgertest

import (
	"math/rand/v2"
	"reflect"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
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
		verdict := a.report(l, p.Role, p.Identity)
		if !verdict.Enrolled || len(verdict.Entries) != len(p.entries) {
			a.t.Fatalf("the report about %s has %d entries, not %d", p.Identity, len(verdict.Entries), len(p.entries))
		}
		shares := a.sharesOf(p.Role, p.Identity)
		if len(shares) != len(p.entries) {
			a.t.Fatalf("%s has %d entries and was named in %d shares", p.Identity, len(p.entries), len(shares))
		}
		for k, e := range verdict.Entries {
			if e.Index != uint64(p.entries[k].index) {
				a.t.Fatalf("entry %d about %s is leaf %d, not %d", k, p.Identity, e.Index, p.entries[k].index)
			}
			a.compare(e, shares[e.Index], p.Identity)
		}
	}
	if v := a.report(l, events.RoleSubject, "email\x00nobody@example.com"); v.Enrolled || len(v.Entries) > 0 {
		a.t.Fatal("the report about nobody has entries")
	}
}

func (a *Audit) report(l *ledger.Ledger, role events.Role, id events.Identity) *verifier.Verdict {
	a.t.Helper()
	evidence, err := l.Prove(a.t.Context(), verifier.Query{Role: role, ID: id})
	if err != nil {
		a.t.Fatalf("proving what is held about %s: %v", id, err)
	}
	file, err := verifier.FormatReport(&verifier.Report{Trust: string(l.Trust().Canonical()), Evidence: evidence}, a.secrets.Report)
	if err != nil {
		a.t.Fatal(err)
	}
	verdict, err := verifier.CheckReport(file, role, id.String(), l.Trust())
	if err != nil {
		a.t.Fatalf("checking the report about %s: %v", id, err)
	}
	return verdict
}

// sharesOf returns the model's shares that concern a party, by leaf index.
func (a *Audit) sharesOf(role events.Role, id events.Identity) map[uint64]ledger.Command {
	a.t.Helper()
	identities := events.DefaultRules().Identities
	parse := func(text string) events.Identity {
		got, err := events.ParseIdentity(identities, text)
		if err != nil {
			a.t.Fatal(err)
		}
		return got
	}
	shares := map[uint64]ledger.Command{}
	for i, cmd := range a.model.shares {
		if role == events.RoleRecipient && parse(cmd.Record.Disclosure.Recipient.ID) == id {
			shares[i] = cmd
		}
		for _, s := range cmd.Record.Subjects {
			if role == events.RoleSubject && parse(s.ID) == id {
				shares[i] = cmd
			}
		}
	}
	return shares
}

func (a *Audit) compare(shown verifier.ShownEntry, cmd ledger.Command, id events.Identity) {
	a.t.Helper()
	want := cmd.Record.Disclosure
	want.Recipient.ID = shown.Event.(*events.DisclosureRecorded).Recipient.ID // in its canonical form
	want.Extent = events.Extent{Subjects: uint64(len(cmd.Record.Subjects))}
	if diff := cmp.Diff(&want, shown.Event); diff != "" {
		a.t.Fatalf("leaf %d does not show %s's share (-recorded +shown):\n%s", shown.Index, id, diff)
	}
	for _, s := range cmd.Record.Subjects {
		if s.ID == id.String() && shown.Private != nil && !reflect.DeepEqual(*shown.Private, s.Private) {
			a.t.Fatalf("leaf %d says of %s %+v", shown.Index, id, shown.Private)
		}
	}
}
