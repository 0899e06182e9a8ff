package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const doc = "text\n\n| attack | noticed by | how | test |\n|---|---|---|---|\n" +
	"| omit | the reader | absence | `verifier TestAdversary/the last entry is left out`, `ledger TestX` |\n\nmore"

func TestParseRows(t *testing.T) {
	rows, err := parseRows(doc)
	want := []row{{"omit", "the reader", []test{
		{"verifier", "TestAdversary/the_last_entry_is_left_out"}, {"ledger", "TestX"},
	}}}
	if err != nil || !cmp.Equal(rows, want, cmp.AllowUnexported(row{}, test{})) {
		t.Errorf("%v %v", rows, err)
	}
	for name, bad := range map[string]string{
		"no table":     "| row |\n",
		"no test":      strings.ReplaceAll(doc, "`", ""),
		"no package":   strings.ReplaceAll(doc, "ledger TestX", "TestX"),
		"no function":  strings.ReplaceAll(doc, "ledger TestX", "ledger X"),
		"another cell": strings.ReplaceAll(doc, "| absence", "| a | b"),
		"nobody":       strings.ReplaceAll(doc, "the reader", ""),
	} {
		if rows, err := parseRows(bad); err == nil {
			t.Errorf("%s: %v", name, rows)
		}
	}
}

// TestOutcomes: a test that failed, was skipped or does not exist holds nothing.
func TestOutcomes(t *testing.T) {
	rows, err := parseRows(doc)
	if err != nil {
		t.Fatal(err)
	}
	for printed, want := range map[string]bool{
		`{"Action":"pass","Test":"TestX"}`: true,
		`{"Action":"fail","Test":"TestX"}`: false,
		`{"Action":"skip","Test":"TestX"}`: false,
		`{"Action":"pass","Test":"TestY"}`: false,
	} {
		r := results{map[test]outcome{rows[0].tests[0]: passed}, map[test]string{}}
		r.read("ledger", []byte(printed))
		var out strings.Builder
		if held := printTable(&out, rows, r, true); held != want {
			t.Errorf("%s: %s", printed, &out)
		}
	}
}

// attacks are the rows that the threat model must have, as the design lists them.
const attacks = `omit the last entry · omit a middle one · skip a counter · duplicate a label · two enrolments for one E · wrong handle · hidden generation · alias hidden · another identity's sequence · reorder · roll back · restore a backup and sign · split view · stale checkpoint · unsigned size · false map root, with an auditor · false map root, without one · swapped vrf_pk · identity vrf_pk · altered, renamed or doubled field · filter that lies · prose that differs from fields · swapped opening · altered envelope · entry moved to another subject · re-dealt sealed entry · back-dated sealed entry · slots added to a share · missing witness · witness that is the log itself · Trillian lying · Trillian ahead · Trillian behind · Trillian empty · foreign event · stream truncated or scavenged · wrong origin · bundle that brings its own trust`

// TestDocument: the document has every row, and each names tests that exist.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parseRows(string(b))
	if err != nil {
		t.Fatal(err)
	}
	for _, attack := range strings.Split(attacks, " · ") {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.attack == attack }) {
			t.Errorf("no row %q", attack)
		}
	}
	functions := map[string]string{}
	for _, r := range rows {
		for _, of := range r.tests {
			if functions[of.pkg] == "" {
				files, err := filepath.Glob(filepath.Join("../..", of.pkg, "*_test.go"))
				if err != nil || len(files) == 0 {
					t.Fatalf("%q: no tests in %s", r.attack, of.pkg)
				}
				for _, f := range files {
					b, err := os.ReadFile(f)
					if err != nil {
						t.Fatal(err)
					}
					functions[of.pkg] += string(b)
				}
			}
			if !regexp.MustCompile(`(?m)^func ` + of.function() + `\(`).MatchString(functions[of.pkg]) {
				t.Errorf("%q: %s has no %s", r.attack, of.pkg, of.function())
			}
		}
	}
}
