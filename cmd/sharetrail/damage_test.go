package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const pageBytes = 4096 // of SQLite

// damages are what may happen to a file on disk.
var damages = map[string]func(now, older []byte) []byte{
	"emptied":           func(now, _ []byte) []byte { return nil },
	"cut in the middle": func(now, _ []byte) []byte { return now[:len(now)/2] },
	"cut by a page":     func(now, _ []byte) []byte { return now[:len(now)-pageBytes] },
	"another beginning": func(now, _ []byte) []byte { return append(make([]byte, 16), now[16:]...) },
	"a page flipped":    func(now, _ []byte) []byte { return flipped(now, len(now)/pageBytes/2*pageBytes, pageBytes) },
	"the last page":     func(now, _ []byte) []byte { return flipped(now, len(now)-pageBytes, pageBytes) },
	"older":             func(_, older []byte) []byte { return older },
}

func flipped(b []byte, at, n int) []byte {
	b = bytes.Clone(b)
	for i := at; i < at+n; i++ {
		b[i] ^= 0xff
	}
	return b
}

// says is what fsck answers about each file: its name, and what to do. Read models,
// of which there are several files, are found in the directory.
var says = map[string][]string{
	"events.db":        {"events.db", "restore it from its backup"},
	"keys.db":          {"keys.db", "restore it and wrap.key from their backup"},
	"holds.db":         {"holds.db", "the newest copy"},
	"log.db":           {"log.db", "delete it", "from the stream"},
	"state.db":         {"state.db", "delete it", "from the stream"},
	"events-groups.db": {"events-groups.db", "delete it"},
	"actors.db":        {"actors.db", "delete it", "add the actors anew"},
	indexEntries:       {"index", "delete the directory"},
	indexLog:           nil, // where it is torn it ends, and the rest is inserted again
}

// The label index of a ledger whose index was built again: a generation of
// entries, and what came since.
const (
	indexEntries = "index/00000001.gen"
	indexLog     = "index/00000001.log"
)

// filesOf returns what fsck says about each file of a directory.
func filesOf(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files := maps.Clone(says)
	views, err := filepath.Glob(filepath.Join(dir, "views", "*.db"))
	if err != nil || len(views) < 2 {
		t.Fatalf("read models: %v, %v", views, err)
	}
	for _, path := range views {
		files["views/"+filepath.Base(path)] = []string{filepath.Base(path), "delete the directory views"}
	}
	return files
}

// harmless are the cells in which nothing is wrong: a file that lags behind goes on
// from where it is, at the next start.
func harmless(cell string) bool {
	return strings.HasPrefix(cell, indexLog) || cell == indexEntries+" older" || cell == "state.db older" || cell == "actors.db older" || cell == "events-groups.db older" || strings.HasPrefix(cell, "views/") && strings.HasSuffix(cell, " older")
}

// older is what fsck says instead about files that are whole, but from yesterday.
var older = map[string][]string{
	"events.db": {"events.db", "older copy", "bring back the newer one"},
	"keys.db":   {"keys.db", "older than the event store", "bring back the newer"},
	"holds.db":  {"holds.db", "older than keys.db", "bring back the newest"},
	"log.db":    {"log.db", "the next start makes the rest again"},
}

// long asks for every round and cell.
var long = os.Getenv("SHARETRAIL_LONG") == "1"

// TestDamage does everything to every file, or what differs most without
// SHARETRAIL_LONG. fsck finds it, names the file and says what to do; and where that
// is to delete the file, that is the cure.
func TestDamage(t *testing.T) {
	dir, yesterday := newLedger(t), filepath.Join(t.TempDir(), "yesterday")
	grow := func(seed string, shares string) {
		made := filepath.Join(t.TempDir(), "shares.jsonl")
		if err := os.WriteFile(made, []byte(must(t, "generate", "--shares", shares, "--subjects", "20", "--seed", seed)), 0o600); err != nil {
			t.Fatal(err)
		}
		must(t, "import", "jsonl", made, "--data", dir)
		must(t, recordArgs(dir, "email:"+seed+"@example.com")...)
	}
	grow("1", "60")
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	must(t, "status", "--data", dir) // builds the index again
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(must(t, "actor", "add", "counsel", "--role", "keyholder", "--data", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	hold := func(matter string) {
		must(t, "hold", "place", matter, "--subject", "email:1@example.com", "--ground", "litigation", "--reason", "claim", "--token-file", token, "--data", dir)
	}
	hold("M-1")
	copyDir(t, dir, yesterday)
	hold("M-2")
	grow("2", "120")
	must(t, "fsck", "--data", dir)
	for name, words := range filesOf(t, dir) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, then := readBytes(t, dir, name), readBytes(t, yesterday, name)
			for damage, do := range damages {
				if !long && damage != "emptied" && damage != "a page flipped" && damage != "older" {
					continue
				}
				sick := filepath.Join(t.TempDir(), "data")
				copyDir(t, dir, sick)
				if err := os.WriteFile(filepath.Join(sick, name), do(now, then), 0o600); err != nil {
					t.Fatal(err)
				}
				cell := name + " " + damage
				out, stderr, code := sharetrail(t, "fsck", "--data", sick)
				if harmless(cell) {
					if code != 0 {
						t.Errorf("%s: fsck exits with %d: %s%s", cell, code, out, stderr)
					}
				} else {
					checkSaid(t, cell, words, out+stderr, code)
				}
				if damage == "a page flipped" && strings.Contains(out, "delete") || harmless(cell) {
					cured(t, cell, sick, name)
				}
			}
		})
	}
}

func checkSaid(t *testing.T, cell string, words []string, said string, code int) {
	t.Helper()
	name, damage, _ := strings.Cut(cell, " ")
	if damage == "older" {
		words = older[name]
	}
	if name == "keys.db" && damage == "emptied" {
		words = []string{"keys.db", "empty", "restore"}
	}
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Errorf("%s: fsck does not say %q: %s", cell, w, said)
		}
	}
	if code != exitNo {
		t.Errorf("%s: fsck exits with %d: %s", cell, code, said)
	}
}

// cured does what fsck says: without the file, a start makes it again.
func cured(t *testing.T, cell, dir, name string) {
	t.Helper()
	if !harmless(cell) {
		first, _, _ := strings.Cut(name, "/")
		for _, path := range []string{first, first + "-wal", first + "-shm"} {
			if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	must(t, recordArgs(dir, "email:after@example.com")...)
	if out, stderr, code := sharetrail(t, "fsck", "--data", dir); code != 0 {
		t.Errorf("%s, cured: fsck exits with %d: %s%s", cell, code, out, stderr)
	}
}

// TestDamagedStart: what cannot be opened is named, with what to do.
func TestDamagedStart(t *testing.T) {
	t.Parallel()
	dir := newLedger(t)
	must(t, recordArgs(dir, person)...)
	for name, words := range filesOf(t, dir) {
		if name == indexEntries || name == indexLog {
			continue // it would be built again
		}
		sick := filepath.Join(t.TempDir(), "data")
		copyDir(t, dir, sick)
		path := filepath.Join(sick, name)
		if err := os.WriteFile(path, damages["cut in the middle"](readBytes(t, dir, name), nil), 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, code := sharetrail(t, "status", "--data", sick)
		if code != exitUsage {
			t.Errorf("%s: it starts: %d, %s", name, code, stderr)
		}
		for _, w := range append([]string{path + ": the file is damaged"}, words...) {
			if !strings.Contains(stderr, w) {
				t.Errorf("%s: a start does not say %q: %s", name, w, stderr)
			}
		}
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("%w: %s", err, out))
	}
}

func readBytes(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
