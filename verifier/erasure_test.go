package verifier_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

const erasureVectors = "testdata/erasure"

// goldenErasure is what every later program must say of a receipt.
type goldenErasure struct {
	ID         string `json:"id"` // that the reader types
	Refused    bool   `json:"refused,omitempty"`
	Identity   string `json:"identity,omitempty"`
	Generation uint64 `json:"generation"`
	Index      uint64 `json:"index,omitempty"`
	Size       uint64 `json:"size,omitempty"`
	Assumed    bool   `json:"assumed,omitempty"`
}

// receipt proves the newest erasure of a party in its own ledger.
func (f *forger) receipt(p *party, change func(*verifier.Erasure)) []byte {
	f.t.Helper()
	size := f.next()
	at := f.proven(p.close.index, size)
	_, vrf := f.vrfOf(events.CloseContext, p, p.number)
	stored := &verifier.Proof{Leaf: at.Leaf, Index: at.Index, Path: at.Inclusion, Checkpoint: f.signedCheckpoint(size)}
	e := verifier.NewErasure(f.origin, p.role, p.number, vrf, p.close.slot, stored, f.leaves[0], f.rules)
	change(e)
	return must(f.t.(*testing.T))(verifier.FormatErasure(e))
}

// erasedUnder is a ledger with identity rules in which somebody was erased.
func erasedUnder(s *standard, rules *events.Rules, id string) (*forger, *party) {
	f := s.under(rules)
	identity, err := events.ParseIdentity(rules.Identities, id)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &party{role: events.RoleSubject, id: identity, handle: f.draw()}
	f.enrol(p)
	f.close(verifier.ClosedErased, p)
	f.state()
	return f, p
}

func otherIdentities() *events.Rules {
	rules := events.DefaultRules()
	rules.Identities = []events.IdentityRule{{Namespace: "email", Case: events.CasePreserve}, {Namespace: "member", Case: events.CaseLowerASCII}}
	return rules
}

func first(e *verifier.Erasure) {
	e.Format, e.Genesis, e.Rules = "sharetrail/v1/erasure", nil, nil
}

// goldenErasures are receipts, good and bad, and what the reader types.
var goldenErasures = map[string]struct {
	rules     func() *events.Rules
	of, typed string
	change    func(*verifier.Erasure)
}{
	"first":         {events.DefaultRules, adaID, "email:Ada@EXAMPLE.com", first},
	"second":        {events.DefaultRules, adaID, "email:Ada@EXAMPLE.com", func(*verifier.Erasure) {}},
	"other-rules":   {otherIdentities, "member:m-17", "member:M-17", func(*verifier.Erasure) {}},
	"first-unknown": {otherIdentities, "member:m-17", "member:m-17", first},
	"preserved":     {otherIdentities, "email:Ada@example.com", "email:Ada@example.com", func(*verifier.Erasure) {}},
	"another-case":  {otherIdentities, adaID, "email:Ada@example.com", func(*verifier.Erasure) {}},
	"brings-rules": {otherIdentities, adaID, "email:Ada@example.com", func(e *verifier.Erasure) {
		e.Rules = events.DefaultRules().Marshal()
	}},
	"half": {events.DefaultRules, adaID, adaID, func(e *verifier.Erasure) { e.Genesis = nil }},
}

// TestGoldenErasures checks the committed receipts against what stands beside them.
func TestGoldenErasures(t *testing.T) {
	if *updateReport {
		addErasures(t)
	}
	files, err := filepath.Glob(filepath.Join(erasureVectors, "*.receipt"))
	if err != nil || len(files) < len(goldenErasures) {
		t.Fatalf("%d receipts, %v", len(files), err)
	}
	for _, path := range files {
		base := path[:len(path)-len(".receipt")]
		trust, err := verifier.ParseTrust(must(t)(os.ReadFile(base + ".trust.json")))
		if err != nil {
			t.Fatal(err)
		}
		var want goldenErasure
		if err := json.Unmarshal(must(t)(os.ReadFile(base+".json")), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, erasureSays(must(t)(os.ReadFile(path)), want.ID, trust)); diff != "" {
			t.Errorf("%s (-committed +said):\n%s", base, diff)
		}
	}
}

func erasureSays(file []byte, id string, trust *verifier.Trust) goldenErasure {
	v, err := verifier.CheckErasure(file, events.RoleSubject, id, trust)
	if err != nil {
		return goldenErasure{ID: id, Refused: true}
	}
	return goldenErasure{ID: id, Identity: v.Identity, Generation: v.Generation, Index: v.Index, Size: v.Size, Assumed: v.Assumed}
}

func addErasures(t *testing.T) {
	t.Helper()
	for name, g := range goldenErasures {
		f, p := erasedUnder(newStandard(t), g.rules(), g.of)
		file, base := f.receipt(p, g.change), filepath.Join(erasureVectors, name)
		if addFile(t, base+".receipt", file) {
			addFile(t, base+".trust.json", f.trust().Marshal())
			said := must(t)(json.MarshalIndent(erasureSays(file, g.typed, f.trust()), "", "  "))
			addFile(t, base+".json", append(said, '\n'))
		}
	}
}

// TestErasureRules: no bit of a receipt can be changed, those of the rules that it
// brings least of all.
func TestErasureRules(t *testing.T) {
	f, p := erasedUnder(newStandard(t), otherIdentities(), "member:m-17")
	file := f.receipt(p, func(*verifier.Erasure) {})
	if v, err := verifier.CheckErasure(file, events.RoleSubject, "member:M-17", f.trust()); err != nil || v.Assumed || v.Identity != "member:m-17" {
		t.Fatalf("%+v, %v", v, err)
	}
	from := bytes.Index(file, []byte(`"genesis"`))
	for i := from; i < len(file); i++ {
		for bit := range 8 {
			file[i] ^= 1 << bit
			if _, err := verifier.CheckErasure(file, events.RoleSubject, "member:m-17", f.trust()); !errors.Is(err, verifier.ErrErasure) {
				t.Fatalf("bit %d of byte %d was changed: %v", bit, i, err)
			}
			file[i] ^= 1 << bit
		}
	}
	longest := f.receipt(p, func(e *verifier.Erasure) { e.Rules = append(e.Rules, make([]byte, 64<<10)...) })
	if _, err := verifier.CheckErasure(longest, events.RoleSubject, "member:m-17", f.trust()); !errors.Is(err, verifier.ErrErasure) {
		t.Errorf("rules without end: %v", err)
	}
}
