package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// interop is the folder of a program in another language that checks reports by
// docs/formats.md alone.
const interop = "../docs/interop/report"

// beyond begins the names of the lies that the other program does not look for: it
// reads no shapes of values and no numbers from 2^53 on.
var beyond = []string{
	"the log has a field of another shape", "a checkpoint larger than arithmetic",
	"an entry's index is beyond every log", "an entry's index is negative for tlog", "a checkpoint of nothing",
}

// TestSecondImplementation gives every golden report, every lie of the matrix, and
// those about shares to many, seals and quorums, to a second program: it must come to the
// same verdict, and where a report is refuted, by the same check. It installs the program's two
// libraries, so it wants a network and SHARETRAIL_LONG=1.
func TestSecondImplementation(t *testing.T) {
	if os.Getenv("SHARETRAIL_LONG") != "1" {
		t.Skip("SHARETRAIL_LONG is not 1")
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("SHARETRAIL_REQUIRE_BACKENDS") == "1" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "bytes.mjs", "shape.mjs", "rules.mjs", "vocabulary.mjs", "filter.mjs", "target.mjs", "seal.mjs", "policy.mjs", "name.mjs", "verify.mjs"} {
		if err := os.WriteFile(filepath.Join(dir, name), must(t)(os.ReadFile(filepath.Join(interop, name))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere(t, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	golden, err := filepath.Abs(reportVectors)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere(t, dir, "node", "verify.mjs", "--golden", golden)
	elsewhere(t, dir, "node", "verify.mjs", "--golden", writeLies(t))
}

func elsewhere(t *testing.T, dir string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	formats, err := filepath.Abs("../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "SHARETRAIL_FORMATS="+formats)
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "ok ") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
}

// writeLies writes each lie as a report with the verdict of this package beside it.
func writeLies(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	n := 0
	for _, l := range slices.Concat(allLies(), quorumLies()) {
		s := newStandard(t)
		r := &reader{role: events.RoleSubject, id: adaID, trust: s.trust()}
		file := l.tell(s, r)
		if errors.Is(asError(l.want), verifier.ErrTooLarge) || slices.ContainsFunc(beyond, func(name string) bool { return strings.HasPrefix(l.name, name) }) {
			continue
		}
		if _, err := verifier.ParseTrust(r.trust.Canonical()); err != nil {
			continue // nobody pins such a file
		}
		n++
		writeTold(t, dir, fmt.Sprintf("%03d %s", n, l.name), r, file)
	}
	for group, lies := range map[string]map[string]remark{
		"continued": continuedLies(), "sealed": sealLies(), "nonsense": sealNonsense(), "register": registerLies(), "ended": endedRegisters(), "under an alias": sealedAliasLies(),
		"foreign":        {"controller": {tell: foreignController}},
		"about nonsense": {"in a report": {tell: aboutNonsense(false)}, "in a copy": {tell: aboutNonsense(true)}},
	} {
		for name, l := range lies {
			r, file := l.tell(t)
			writeTold(t, dir, group+" "+name, r, file)
		}
	}
	for name, groups := range metQuorums {
		r, file := cosignedBy(groups)(t)
		writeTold(t, dir, "met "+name, r, file)
	}
	r, file := seenAfter(-60)(t) // a grain
	writeTold(t, dir, "seen a grain before", r, file)
	writeBadTrust(t, dir)
	return dir
}

// writeBadTrust writes an honest report to readers whose trust files are none.
func writeBadTrust(t *testing.T, dir string) {
	t.Helper()
	s := newStandard(t)
	policies := badTrustPolicies(t)
	for name, bad := range badPolicies(t) {
		policies[name] = regexp.MustCompile(` https://\S+`).ReplaceAllString(bad.text, "") // trust files have no addresses
	}
	for name, policy := range policies {
		r, report := s.pin(policy)
		_, err := verifier.ParseTrust(r.trust.Marshal())
		if err == nil {
			t.Fatalf("%s is a policy", name)
		}
		verdict := goldenVerdict{Role: r.role.String(), ID: r.id, Error: err.Error()}
		writeFiles(t, dir, "trust "+name, map[string][]byte{".sharetrail": s.sign(report), ".trust.json": r.trust.Marshal(), ".json": verdict.marshal(t)})
	}
}

// writeTold writes a report, the trust file of its reader, and the verdict.
func writeTold(t *testing.T, dir, name string, r *reader, file []byte) {
	t.Helper()
	writeFiles(t, dir, name, map[string][]byte{".sharetrail": file, ".trust.json": r.trust.Marshal(), ".json": verdictOf(r, file).marshal(t)})
}

func writeFiles(t *testing.T, dir, name string, files map[string][]byte) {
	t.Helper()
	path := filepath.Join(dir, strings.ReplaceAll(name, "/", " "))
	for end, b := range files {
		if err := os.WriteFile(path+end, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func asError(want any) error {
	err, _ := want.(error)
	return err
}
