package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateEvents = flag.Bool("update-events", false, "add missing vectors to testdata/vectors; never changes or drops one")

const vectorDir = "testdata/vectors"

// values are the members of an input or a result: hexadecimal for bytes,
// decimal for numbers, text for names.
type values map[string]string

// vector is one case of a golden file. A refused one has only an input and,
// where a person gets an error, the error's members.
type vector struct {
	Name    string `json:"name"`
	In      values `json:"in"`
	Out     values `json:"out,omitempty"`
	Refused bool   `json:"refused,omitempty"`
}

// vectorSet is one golden file. spec computes it from the specification alone,
// with SHA-256 and byte concatenation; run asks the package under test.
type vectorSet struct {
	file string
	spec func() []vector
	run  func(in values) (values, error)
}

func vectorSets() []vectorSet {
	return []vectorSet{
		{"commit.json", specCommits, runCommit},
		{"opening.json", specOpenings, runOpening},
		{"event.json", specEvents, runEvent},
		{"label.json", specLabels, runLabel},
		{"vrf.json", specVRF, runVRF},
		{"foreign.json", specForeign, runForeign},
		{"leaf.json", specLeaves, runLeaf},
		{"state.json", specStates, runState},
		{"slot.json", specSlots, runSlot},
		{"part.json", specParts, runPart},
		{"fields.json", specFields, runFields},
		{"body.json", specBodies, runBody},
		{"family.json", specFamily, runFamily},
		{"stored.json", specStored, runStored},
		{"additional.json", specAdditional, runAdditional},
		{"provenance.json", specProvenance, runProvenance},
		{"padding.json", specPadding, runPadding},
		{"rules.json", specRules, runRules},
		{"identity.json", specIdentities, runIdentity},
		{"text.json", specTexts, runText},
	}
}

// The golden files hold exactly what the specification gives.
func TestVectorsGrow(t *testing.T) {
	known := map[string]bool{}
	for _, set := range vectorSets() {
		known[set.file] = true
		want := set.spec()
		if *updateEvents {
			grow(t, set.file, want)
		}
		if diff := cmp.Diff(readVectors(t, set.file), want); diff != "" {
			t.Errorf("%s (-there +spec):\n%s", set.file, diff)
		}
	}
	files, err := os.ReadDir(vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !known[f.Name()] {
			t.Errorf("%s is checked by nothing", f.Name())
		}
	}
}

// grow writes a golden file unless that would change or drop what is there.
func grow(t *testing.T, file string, want []vector) {
	t.Helper()
	path := filepath.Join(vectorDir, file)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		old := readVectors(t, file)
		if diff := cmp.Diff(old, want[:min(len(old), len(want))]); diff != "" {
			t.Fatalf("%s would change, golden files only grow (-there +new):\n%s", file, diff)
		}
	}
	text, err := json.MarshalIndent(want, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(vectorDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The package gives what the golden files hold, and refuses what they refuse.
func TestVectors(t *testing.T) {
	for _, set := range vectorSets() {
		for _, v := range readVectors(t, set.file) {
			t.Run(set.file+"/"+v.Name, func(t *testing.T) {
				got, err := set.run(v.In)
				if (err != nil) != v.Refused {
					t.Fatalf("got error %v, want refused %v", err, v.Refused)
				}
				if v.Refused && v.Out == nil {
					return
				}
				if diff := cmp.Diff(v.Out, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func readVectors(t testing.TB, file string) []vector {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorDir, file))
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var vectors []vector
	if err := dec.Decode(&vectors); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
	names := map[string]bool{}
	for _, v := range vectors {
		if names[v.Name] {
			t.Errorf("%s: %q stands twice", file, v.Name)
		}
		names[v.Name] = true
	}
	return vectors
}

// vectorBytes returns the bytes under a member of every vector of a file, good
// and bad: the seeds of a fuzz target.
func vectorBytes(t testing.TB, file, member string) (all [][]byte) {
	t.Helper()
	for _, v := range readVectors(t, file) {
		for _, from := range []values{v.In, v.Out} {
			if text, ok := from[member]; ok {
				all = append(all, unhex(text))
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no %s", file, member)
	}
	return all
}

// refusals turns named byte strings into vectors that must be refused.
func refusals(member string, bad []named) []vector {
	var out []vector
	for _, b := range bad {
		out = append(out, vector{Name: b.name, In: values{member: hx(b.bytes)}, Refused: true})
	}
	return out
}

type named struct {
	name  string
	bytes []byte
}

// differ says that two functions of the package contradict each other.
func differ(what string) error { return fmt.Errorf("%s does not lead back", what) }
