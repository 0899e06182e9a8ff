package verifier_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// twoOfThree is the policy that ledgers are meant to have.
func twoOfThree(t testing.TB) string {
	var b strings.Builder
	fmt.Fprintf(&b, "log %s\n", newSigner(t, "ledger.example/2026", 1).vkey)
	for i := range 3 {
		fmt.Fprintf(&b, "witness w%d %s https://w%d.example/\n", i+1, cosigner(t, fmt.Sprintf("w%d.example", i+1), byte(10+i)), i+1)
	}
	for i := range 2 {
		fmt.Fprintf(&b, "witness a%d %s\n", i+1, cosigner(t, fmt.Sprintf("a%d.example", i+1), byte(20+i)))
	}
	b.WriteString("group witnesses 2 w1 w2 w3\ngroup auditors any a1 a2\ngroup both all witnesses auditors\nquorum both\n")
	return b.String()
}

func parsePolicy(t testing.TB, text string) *verifier.Policy {
	t.Helper()
	p, err := verifier.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPolicySpelling: white space, comments and order are free; one spelling comes
// out, and it is a policy with the same meaning.
func TestPolicySpelling(t *testing.T) {
	text := twoOfThree(t)
	if got := parsePolicy(t, text).String(); got != text {
		t.Errorf("%s", got)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	free := "# ours\n\n\t" + strings.ReplaceAll(strings.Join(append(lines[1:6:6], append([]string{lines[0]}, lines[6:]...)...), ""), " ", " \t ")
	if got := parsePolicy(t, free).String(); got != text {
		t.Errorf("%s", got)
	}
	p := parsePolicy(t, text).Public()
	if strings.Contains(p.String(), "https") || parsePolicy(t, p.String()).String() != p.String() {
		t.Errorf("%s", p)
	}
	if !p.PinsAuditor() || !p.PinsWitness() || !slices.Equal(p.Auditors(), []string{"a1", "a2"}) {
		t.Errorf("auditor %v, witness %v, %v", p.PinsAuditor(), p.PinsWitness(), p.Auditors())
	}
}

// TestQuorum: what meets it, since when, and what it lacks.
func TestQuorum(t *testing.T) {
	p := parsePolicy(t, twoOfThree(t))
	for _, c := range []struct {
		by      verifier.Cosigned
		at      uint64
		missing string
	}{
		{verifier.Cosigned{"w1": 5, "w3": 9, "a2": 7}, 5, ""},
		{verifier.Cosigned{"w1": 5, "w2": 8, "w3": 9, "a2": 70}, 8, ""}, // the second newest of the witnesses
		{verifier.Cosigned{"w1": 5, "w2": 8, "w3": 9, "a1": 1, "a2": 7}, 7, ""},
		{verifier.Cosigned{"w1": 5, "w2": 6}, 0, "of group auditors 0 signed, 1 must; without: a1, a2"},
		{verifier.Cosigned{"w2": 6, "a1": 6}, 0, "of group witnesses 1 signed, 2 must; without: w1, w3"},
		{verifier.Cosigned{"x": 6}, 0, "of group witnesses 0 signed, 2 must; without: w1, w2, w3; of group auditors 0 signed, 1 must; without: a1, a2"},
	} {
		at, met := p.Met(c.by)
		if at != c.at || met != (c.missing == "") || p.Missing(c.by) != c.missing {
			t.Errorf("%v: %d, %v, %q", c.by, at, met, p.Missing(c.by))
		}
	}
	none := parsePolicy(t, verifier.NoQuorum(newSigner(t, "ledger.example/2026", 1).vkey))
	if at, met := none.Met(nil); at != 0 || !met || none.PinsAuditor() || none.PinsWitness() {
		t.Error("a quorum of nobody")
	}
	for quorum, want := range map[string][2]bool{ // pins a witness, pins an auditor
		"group all5 all w1 w2 w3 a1 a2\nquorum all5\n": {true, false}, // no group says that a1 audits
		"quorum w1\n": {true, false},
		"group auditors any a1 a2\nquorum auditors\n":                                                 {false, true},
		"group witnesses all w1\ngroup auditors all a1\ngroup or any witnesses auditors\nquorum or\n": {false, false},
		"group auditors all a1\ngroup one any w1 auditors\nquorum one\n":                              {false, false},
		"group eu all a1\ngroup auditors any eu a2\ngroup both all auditors w1\nquorum both\n":        {true, true},
	} {
		head, _, _ := strings.Cut(twoOfThree(t), "group")
		p := parsePolicy(t, head+quorum)
		if got := [2]bool{p.PinsWitness(), p.PinsAuditor()}; got != want {
			t.Errorf("%q: %v", quorum, got)
		}
	}
}

// TestMoreSigners: whoever signs more or later never makes a quorum unmet, or
// older; and what is missing is said if and only if it is unmet.
func TestMoreSigners(t *testing.T) {
	p := parsePolicy(t, twoOfThree(t))
	names := []string{"w1", "w2", "w3", "a1", "a2"}
	rapid.Check(t, func(t *rapid.T) {
		by := verifier.Cosigned{}
		for _, n := range names {
			if rapid.Bool().Draw(t, n) {
				by[n] = rapid.Uint64Range(1, 9).Draw(t, n+" at")
			}
		}
		more := maps.Clone(by)
		n := rapid.SampledFrom(names).Draw(t, "more")
		more[n] = max(more[n], rapid.Uint64Range(1, 9).Draw(t, "more at"))
		at, met := p.Met(by)
		later, still := p.Met(more)
		if met && !still || later < at || met != (p.Missing(by) == "") {
			t.Fatalf("%v: %d %v; %v: %d %v", by, at, met, more, later, still)
		}
	})
}

// TestBadPolicies: an error names the line and what to do.
func TestBadPolicies(t *testing.T) {
	for name, c := range badPolicies(t) {
		var field *events.FieldError
		if p, err := verifier.ParsePolicy(c.text); !errors.As(err, &field) || field.Field != c.field || field.Rule == "" || field.Next == "" {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

type badPolicy struct{ text, field string }

func badPolicies(t testing.TB) map[string]badPolicy {
	good := twoOfThree(t)
	log := newSigner(t, "ledger.example/2026", 1)
	w1 := cosigner(t, "w1.example", 10)
	own := cosigner(t, "ledger.example/2026", 1)
	return map[string]badPolicy{
		"empty":                     {"", "policy"},
		"no quorum":                 {strings.TrimSuffix(good, "quorum both\n"), "policy"},
		"two quorums":               {good + "quorum w1\n", "policy, line 11"},
		"the log is its witness":    {strings.Replace(good, cosigner(t, "w1.example", 10).String(), own.String(), 1), "policy, line 2"},
		"a key under two names":     {strings.Replace(good, cosigner(t, "w2.example", 11).String(), cosigner(t, "w2.example", 10).String(), 1), "policy, line 3"},
		"an auditor is a witness":   {strings.Replace(good, cosigner(t, "a1.example", 20).String(), w1.String(), 1), "policy, line 5"},
		"a log twice":               {"log " + log.vkey + "\n" + good, "policy, line 2"},
		"a witness with a log key":  {strings.Replace(good, w1.String(), newSigner(t, "w1.example", 9).vkey, 1), "policy, line 2"},
		"a log with a cosigner key": {"log " + w1.String() + "\nquorum none\n", "policy, line 1"},
		"defined twice":             {strings.Replace(good, "witness w2", "witness w1", 1), "policy, line 3"},
		"none defined":              {strings.Replace(good, "witness w2", "witness none", 1), "policy, line 3"},
		"none in a group":           {strings.Replace(good, "2 w1 w2 w3", "2 w1 w2 none", 1), "policy, line 7"},
		"unknown member":            {strings.Replace(good, "2 w1 w2 w3", "2 w1 w2 w4", 1), "policy, line 7"},
		"a later member":            {strings.Replace(good, "2 w1 w2 w3", "2 w1 w2 auditors", 1), "policy, line 7"},
		"a member twice":            {strings.Replace(good, "2 w1 w2 w3", "2 w1 w2 w2", 1), "policy, line 7"},
		"in two groups":             {strings.Replace(good, "any a1 a2", "any a1 w2", 1), "policy, line 8"},
		"threshold 0":               {strings.Replace(good, "2 w1", "0 w1", 1), "policy, line 7"},
		"threshold 4":               {strings.Replace(good, "2 w1", "4 w1", 1), "policy, line 7"},
		"threshold 02":              {strings.Replace(good, "2 w1", "02 w1", 1), "policy, line 7"},
		"no members":                {strings.Replace(good, "any a1 a2", "any", 1), "policy, line 8"},
		"unknown quorum":            {strings.Replace(good, "quorum both", "quorum nobody", 1), "policy, line 10"},
		"unknown line":              {strings.Replace(good, "quorum both", "quorums both", 1), "policy, line 10"},
		"carriage return":           {strings.ReplaceAll(good, "\n", "\r\n"), "policy, line 1"},
		"too large":                 {good + "#" + strings.Repeat("x", 64<<10), "policy"},
	}
}

// FuzzParsePolicy: what is accepted has one spelling, which means the same.
func FuzzParsePolicy(f *testing.F) {
	f.Add(twoOfThree(f))
	f.Add("# comment\n\tquorum  none")
	f.Add(strings.Replace(twoOfThree(f), "2 w1 w2 w3", "any w1 w2 w3", 1))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := verifier.ParsePolicy(text)
		if err != nil {
			return
		}
		again, err := verifier.ParsePolicy(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q is spelled %q, which is read as %v, %v", text, p, again, err)
		}
		everybody := verifier.Cosigned{}
		for i, w := range p.Witnesses {
			everybody[w.Name] = uint64(i + 1)
		}
		at, met := p.Met(everybody)
		if at2, met2 := again.Met(everybody); !met || !met2 || at != at2 {
			t.Errorf("%q: everybody signed: %d %v, %d %v", text, at, met, at2, met2)
		}
		if _, met := p.Met(nil); met && (p.PinsAuditor() || p.PinsWitness()) {
			t.Errorf("%q: met by nobody, and pins somebody", text)
		}
	})
}
