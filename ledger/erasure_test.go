package ledger_test

import (
	"errors"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
)

// TestErasureReceipt: the receipt holds for the identity that was erased, after each
// erasure, for its aliases too, and for nobody else; no bit of it can be changed.
func TestErasureReceipt(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("share", "ada", "grace"))
	l.Alias(t, "alias", "ada", "countess")
	l.Rotate(t, "rotate grace", "grace")
	for _, name := range []string{"ada", "grace", "nobody"} { // a rotation is no erasure
		if _, err := l.ErasureReceipt(t.Context(), events.RoleSubject, subject(name, "").ID); !errors.Is(err, ledger.ErrNotErased) {
			t.Errorf("%s has a receipt: %v", name, err)
		}
	}
	for round := range uint64(3) {
		l.Erase(t, string(rune('a'+round)), "ada")
		l.Reopen(t, ledgertest.Config{})
		names := []string{"ada", "countess"}[:2-min(round, 1)] // the alias ended with the first
		for _, name := range names {
			e, err := l.ErasureReceipt(t.Context(), events.RoleSubject, subject(name, "").ID)
			if err != nil {
				t.Fatal(err)
			}
			file, err := verifier.FormatErasure(e)
			if err != nil {
				t.Fatal(err)
			}
			verdict, err := verifier.CheckErasure(file, events.RoleSubject, "email:"+name+"@EXAMPLE.com", l.Trust())
			if err != nil || verdict.Identity != ledgertest.Email(name) || verdict.Generation != round {
				t.Fatalf("the receipt of %s says %+v: %v", name, verdict, err)
			}
			for _, other := range []string{"grace", "nobody"} {
				if _, err := verifier.CheckErasure(file, events.RoleSubject, ledgertest.Email(other), l.Trust()); err == nil {
					t.Errorf("the receipt of %s holds for %s", name, other)
				}
			}
			if _, err := verifier.CheckErasure(file, events.RoleRecipient, ledgertest.Email(name), l.Trust()); err == nil {
				t.Error("the receipt holds for a recipient")
			}
			if round == 0 {
				everyBit(t, file, name, l.Trust())
			}
		}
		l.MustRecord(t, ledgertest.Share("again "+string(rune('a'+round)), "ada"))
	}
}

func everyBit(t *testing.T, file []byte, name string, trust *verifier.Trust) {
	t.Helper()
	for i := range file {
		for bit := range 8 {
			file[i] ^= 1 << bit
			if _, err := verifier.CheckErasure(file, events.RoleSubject, ledgertest.Email(name), trust); err == nil {
				t.Fatalf("bit %d of byte %d was changed and the receipt holds", bit, i)
			}
			file[i] ^= 1 << bit
		}
	}
}
