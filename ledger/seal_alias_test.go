package ledger_test

import (
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
)

// What is under seal about a name that becomes an alias meanwhile is told to the
// person whose alias it is, once for each slot, and the report proves that it is
// theirs. Whoever makes the alias must not learn that anything is sealed about it.
func TestSealedNameBecomesAlias(t *testing.T) {
	s := newSealing(t)
	s.MustRecord(t, ledgertest.Share("before", "grace"))
	one, both := s.do("seal", secrecy("2026-03-01T00:00:00Z")), secrecy("2026-03-01T00:00:00Z")
	both.Subjects = append(both.Subjects, decide.Subject{ID: ledgertest.Email("grace")})
	two := s.do("seal both", both)
	s.do("alias", &decide.AddAlias{Subject: ledgertest.Email("grace"), Alias: ledgertest.Email("ada")})
	for _, id := range []events.ID{one.ID, two.ID} {
		s.do("propose "+id.String(), &decide.ProposeLift{ID: id, By: "counsel", Reason: "vacated"})
		lift := &decide.LiftSeal{ID: id, By: "counsel-2"}
		s.do("lift "+id.String(), lift)
		if again := s.do("lift "+id.String(), lift); !again.Repeat {
			t.Errorf("again: %+v", again)
		}
	}
	s.reopen()
	for _, name := range []string{"grace", "ada"} {
		v := s.report(events.RoleSubject, ledgertest.Email(name))
		if len(v.Entries) != 4 || len(v.Names) != 2 {
			t.Fatalf("%s has %d entries under %d names", name, len(v.Entries), len(v.Names))
		}
		for _, e := range v.Entries[1:] {
			if e.Sealed == nil {
				t.Errorf("%s: it says %+v", name, e)
			}
		}
	}
	if v := s.report(events.RoleRecipient, agency); len(v.Entries) != 2 {
		t.Errorf("the recipient has %d entries", len(v.Entries))
	}

	// Without the alias, what was sealed about one person cannot be dealt to another.
	id, err := s.ParseIdentity(ledgertest.Email("grace"))
	if err != nil {
		t.Fatal(err)
	}
	evidence, err := s.Prove(t.Context(), verifier.Query{Role: events.RoleSubject, IDs: []events.Identity{id}})
	if err != nil {
		t.Fatal(err)
	}
	evidence.Names = evidence.Names[:1]
	secrets, err := s.Keys.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file, err := verifier.FormatReport(&verifier.Report{Trust: string(s.Trust().Canonical()), Parts: []verifier.Evidence{evidence}}, secrets.Report)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, id.String()), s.Trust()); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("without the alias: %v", err)
	}

	// The copies under seal die with the person, those under the alias too.
	s.do("erase", &decide.Close{Subject: ledgertest.Email("grace"), Reason: events.ReasonErased})
	for _, id := range []events.ID{one.ID, two.ID} {
		if left, err := s.Keys.SealKeys(t.Context(), id); err != nil || len(left) != 0 {
			t.Errorf("%d keys are left: %v", len(left), err)
		}
	}
	s.reopen()
}
