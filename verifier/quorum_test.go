package verifier_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// watchers are the cosigners of a forged ledger: two witnesses, an auditor.
type watchers struct {
	w1, w2, a1 *verifier.CosignerKey
}

func newWatchers(t testing.TB) watchers {
	return watchers{cosigner(t, "w1.example", 41), cosigner(t, "w2.example", 42), cosigner(t, "a1.example", 43)}
}

func (w watchers) policy(s *standard, groups string) string {
	return fmt.Sprintf("log %s\nwitness w1 %s\nwitness w2 %s\nwitness a1 %s\n%s", s.log.vkey, w.w1, w.w2, w.a1, groups)
}

const (
	bothOfEach  = "group witnesses all w1 w2\ngroup auditors all a1\ngroup both all witnesses auditors\nquorum both\n"
	witnessOnly = "group witnesses any w1 w2\ngroup auditors all a1\nquorum witnesses\n"
	auditorOnly = "group witnesses any w1 w2\ngroup auditors all a1\nquorum auditors\n"
)

// pin is a reader who pins a policy, and Ada's report under it, cosigned.
func (s *standard) pin(policy string, lines ...string) (*reader, *verifier.Report) {
	trust := s.trust()
	trust.Policy = policy
	r := s.write(s.ada)
	r.Trust = string(trust.Canonical())
	part(r).Checkpoint += strings.Join(lines, "")
	return &reader{role: events.RoleSubject, id: adaID, trust: trust}, r
}

// cosign signs the standard ledger's newest checkpoint some seconds after its state.
func (s *standard) cosign(k *verifier.CosignerKey, after int64) string {
	s.t.Helper()
	text, _, _ := strings.Cut(s.signedCheckpoint(s.next()), "\n\n")
	c, err := verifier.ParseCheckpoint(text + "\n")
	if err != nil {
		s.t.Fatal(err)
	}
	line, err := k.Cosign(c, time.UnixMilli(int64(s.timeMS)).Add(time.Duration(after)*time.Second))
	if err != nil {
		s.t.Fatal(err)
	}
	return line
}

// cosignedBy is Ada's report to a reader who pins some groups of the watchers, all of
// whom signed, as did a stranger.
func cosignedBy(groups string) func(testing.TB) (*reader, []byte) {
	return func(t testing.TB) (*reader, []byte) {
		s, w := newStandard(t), newWatchers(t)
		stranger := cosigner(t, "stranger.example", 99)
		r, report := s.pin(w.policy(s, groups), s.cosign(w.w1, 5), s.cosign(stranger, 90000), s.cosign(w.w2, 9), s.cosign(w.a1, 7))
		return r, s.sign(report)
	}
}

// metQuorums are groups whose quorum all watchers meet.
var metQuorums = map[string]string{
	"both": bothOfEach, "witness": witnessOnly, "auditor": auditorOnly, "nobody": "quorum none\n",
	"one of 3": "group three any w1 w2 a1\nquorum three\n", "two of 3": "group three 2 w1 w2 a1\nquorum three\n",
	"one witness": "quorum w2\n", "auditors in groups": "group eu all a1\ngroup auditors any eu w2\ngroup both all auditors w1\nquorum both\n",
	"either": "group witnesses all w1\ngroup auditors all a1\ngroup or any witnesses auditors\nquorum or\n",
}

// TestComplete: who says what is in the verdict, and only that.
func TestComplete(t *testing.T) {
	s := newStandard(t)
	for name, c := range map[string]struct {
		says, limit string
		notShown    int
	}{
		"both":     {"VERIFIED, COMPLETE for everything that the ledger ledger.example/2026 dated before 2026-", "This is of what was recorded.", 3},
		"witness":  {"VERIFIED: 3 entries about ", "Included; completeness not audited.", 4},
		"auditor":  {"VERIFIED: 3 entries about ", "Included; not witnessed.", 4},
		"nobody":   {"VERIFIED: 3 entries about ", "Included; completeness not audited; not witnessed.", 5},
		"one of 3": {"VERIFIED: 3 entries about ", "Included; completeness not audited.", 4},
	} {
		r, file := cosignedBy(metQuorums[name])(t)
		v, err := r.check(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.HasPrefix(v.Sentence, c.says) || !strings.HasPrefix(v.Limit, c.limit) || len(v.NotShown) != c.notShown {
			t.Errorf("%s: %s\n%s\n%q", name, v.Sentence, v.Limit, v.NotShown)
		}
		if name == "both" {
			want := time.UnixMilli(int64(s.timeMS)).Add(5 * time.Second).UTC().Format("2006-01-02 15:04:05 UTC")
			if !strings.Contains(v.Sentence, ": 3 entries about email:ada@example.com; each is in the log, ") || !strings.HasSuffix(v.Sentence, " Witnesses had seen this state, and none newer, by "+want+".") {
				t.Error(v.Sentence)
			}
		}
		// With nothing pinned the same file proves none of it.
		own, err := (&reader{role: events.RoleSubject, id: adaID}).check(file)
		if err != nil || strings.Contains(own.Sentence, "COMPLETE") || own.Pinned {
			t.Errorf("%s, unpinned: %+v, %v", name, own, err)
		}
	}
}

// quorumLies are told with everything else in order.
func quorumLies() (lies []lie) {
	for name, c := range map[string]struct {
		groups string
		lines  func(*standard, watchers) []string
		check  string
	}{
		"missing witness":                  {bothOfEach, func(s *standard, w watchers) []string { return []string{s.cosign(w.w1, 1), s.cosign(w.a1, 1)} }, verifier.CheckQuorum},
		"missing auditor":                  {bothOfEach, func(s *standard, w watchers) []string { return []string{s.cosign(w.w1, 1), s.cosign(w.w2, 1)} }, verifier.CheckQuorum},
		"nobody":                           {witnessOnly, func(*standard, watchers) []string { return nil }, verifier.CheckQuorum},
		"an auditor in place of a witness": {witnessOnly, func(s *standard, w watchers) []string { return []string{s.cosign(w.a1, 1)} }, verifier.CheckQuorum},
		"stranger":                         {witnessOnly, func(s *standard, w watchers) []string { return []string{s.cosign(cosigner(s.t, "w1.example", 99), 1)} }, verifier.CheckQuorum},
		"another key's line under a pinned name": {witnessOnly, func(s *standard, w watchers) []string {
			mine, theirs := strings.Fields(s.cosign(w.w1, 1)), strings.Fields(s.cosign(w.w2, 1))
			return []string{mine[0] + " " + mine[1] + " " + theirs[2] + "\n"}
		}, verifier.CheckQuorum},
		"cosigned, then grown": {witnessOnly, func(s *standard, w watchers) []string {
			line := s.cosign(w.w1, 1)
			s.state()
			return []string{line}
		}, verifier.CheckQuorum},
		"dated after it was seen": {witnessOnly, func(s *standard, w watchers) []string { return []string{s.cosign(w.w1, -61)} }, verifier.CheckQuorum},
		"one of two dates it": {bothOfEach, func(s *standard, w watchers) []string {
			return []string{s.cosign(w.w1, 9), s.cosign(w.w2, -61), s.cosign(w.a1, 9)}
		}, verifier.CheckQuorum},
		"the same witness twice": {bothOfEach, func(s *standard, w watchers) []string {
			return []string{s.cosign(w.w1, 1), s.cosign(w.w1, 2), s.cosign(w.a1, 1)}
		}, "checkpoint"},
		"a false one beside enough": {witnessOnly, func(s *standard, w watchers) []string {
			return []string{s.cosign(w.w1, 1), falsified(s.t, s.cosign(w.w2, 1))}
		}, verifier.CheckQuorum},
	} {
		lies = append(lies, lie{name, func(s *standard, r *reader) []byte {
			w := newWatchers(s.t)
			lines := c.lines(s, w)
			who, report := s.pin(w.policy(s, c.groups), lines...)
			*r = *who
			return s.sign(report)
		}, c.check})
	}
	return append(lies, lie{"nobody cosigned the older ledger", func(s *standard, r *reader) []byte {
		c := newChained(s, nil, nil)
		old := c.old.trust()
		old.Policy = newWatchers(s.t).policy(&standard{forger: c.old}, witnessOnly)
		r.trust = c.now.trust()
		r.trust.Predecessors = []string{string(old.Canonical())}
		report := c.write()
		report.Trust = string(r.trust.Canonical())
		return c.sign(report)
	}, verifier.CheckQuorum + " of ledger.example/2026"})
}

// falsified is a cosignature line with a bit of its signature flipped.
func falsified(t testing.TB, line string) string {
	f := strings.Fields(line)
	sig, err := base64.StdEncoding.DecodeString(f[2])
	if err != nil {
		t.Fatal(err)
	}
	sig[len(sig)-1] ^= 1
	return f[0] + " " + f[1] + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

// seenAfter is a report whose state a witness signed some seconds after its date.
func seenAfter(after int64) func(testing.TB) (*reader, []byte) {
	return func(t testing.TB) (*reader, []byte) {
		s, w := newStandard(t), newWatchers(t)
		r, report := s.pin(w.policy(s, witnessOnly), s.cosign(w.w1, after))
		return r, s.sign(report)
	}
}

// TestQuorumLies: each lie is refused by its check.
func TestQuorumLies(t *testing.T) {
	for _, l := range quorumLies() {
		t.Run(l.name, func(t *testing.T) {
			s := newStandard(t)
			r := &reader{role: events.RoleSubject, id: adaID, trust: s.trust()}
			file := l.tell(s, r)
			wantRefused(t, l.want, r, file)
		})
	}
	w := newWatchers(t)
	// A grain is no lie: leaf times are rounded.
	grain, file := seenAfter(-60)(t)
	if _, err := grain.check(file); err != nil {
		t.Error(err)
	}
	s := newStandard(t)
	r, _ := s.pin(w.policy(s, witnessOnly))
	// A bundle that brings its own trust: with another quorum than the pinned one.
	_, report := s.pin(w.policy(s, "quorum none\n"))
	wantRefused(t, "report signature", r, s.sign(report))
	// What is missing is named.
	r, report = s.pin(w.policy(s, bothOfEach), s.cosign(w.w1, 1))
	_, err := r.check(s.sign(report))
	if err == nil || !strings.Contains(err.Error(), "of group witnesses 1 signed, 2 must; without: w2; of group auditors 0 signed, 1 must; without: a1") {
		t.Error(err)
	}
}

// TestStale: an age is refused only if the reader sets a limit, and counts from the
// cosignatures.
func TestStale(t *testing.T) {
	s, w := newStandard(t), newWatchers(t)
	r, report := s.pin(w.policy(s, witnessOnly), s.cosign(w.w1, 3600))
	v, err := r.check(s.sign(report))
	if err != nil {
		t.Fatal(err)
	}
	seen := time.UnixMilli(int64(s.timeMS)).Add(time.Hour)
	for _, c := range []struct {
		now  time.Time
		good bool
	}{{seen, true}, {seen.Add(time.Minute), true}, {seen.Add(61 * time.Second), false}, {seen.Add(-9 * time.Minute), true}, {seen.Add(-11 * time.Minute), false}} {
		var no *verifier.RefutedError
		if err := v.CheckAge(c.now, time.Minute); (err == nil) != c.good || err != nil && (!errors.As(err, &no) || no.Check != verifier.CheckAge) {
			t.Errorf("%s after it was seen: %v", c.now.Sub(seen), err)
		}
	}
	r, report = s.pin(w.policy(s, "quorum none\n"))
	if v, err = r.check(s.sign(report)); err != nil {
		t.Fatal(err)
	}
	if err := v.CheckAge(seen, 59*time.Minute); err == nil {
		t.Error("without cosigners the ledger's own date counts")
	}
}

// TestTrustPolicies: a trust file pins one log, in one spelling, and nobody as a
// cosigner who signs for the ledger.
func TestTrustPolicies(t *testing.T) {
	s, w := newStandard(t), newWatchers(t)
	good := w.policy(s, bothOfEach)
	trust := func(policy string) *verifier.Trust {
		tr := s.trust()
		tr.Policy = policy
		return tr
	}
	if got, err := verifier.ParseTrust(trust(good).Marshal()); err != nil || got.Policy != good {
		t.Fatalf("%v, %v", got, err)
	}
	for name, policy := range badTrustPolicies(t) {
		if got, err := verifier.ParseTrust(trust(policy).Marshal()); err == nil {
			t.Errorf("%s: %s", name, got.Policy)
		}
	}
}

// badTrustPolicies are policies that no trust file can have.
func badTrustPolicies(t testing.TB) map[string]string {
	s, w := newStandard(t), newWatchers(t)
	good := w.policy(s, bothOfEach)
	return map[string]string{
		"a comment":            "# hello\n" + good,
		"two spaces":           strings.Replace(good, "quorum ", "quorum  ", 1),
		"another order":        strings.Replace(good, "log "+s.log.vkey+"\n", "", 1) + "log " + s.log.vkey + "\n",
		"another log":          strings.Replace(good, s.log.vkey, newSigner(t, s.origin, 77).vkey, 1),
		"two logs":             "log " + newSigner(t, "other.example/1", 77).vkey + "\n" + good,
		"no log":               strings.Replace(good, "log "+s.log.vkey+"\n", "", 1),
		"the report key signs": strings.Replace(good, w.w1.String(), sameKey(t, s.report.vkey).String(), 1),
	}
}

// sameKey is the cosigner that has the key of a signer of tests.
func sameKey(t testing.TB, vkey string) *verifier.CosignerKey {
	t.Helper()
	for n := range byte(10) {
		name, _, _ := strings.Cut(vkey, "+")
		if newSigner(t, name, n).vkey == vkey {
			return cosigner(t, "w1.example", n)
		}
	}
	t.Fatal("the key of no test's signer")
	return nil
}
