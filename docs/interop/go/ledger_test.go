// Package interop lets programs of others judge a ledger that this project wrote:
// clients of its log, and witnesses. It is a module of its own, because they want
// versions of shared modules that the product does not.
package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
)

const origin = "sharetrail.example/interop"

// program builds a command once, for all tests.
func program(t *testing.T, dir, pkg string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	path := filepath.Join(built.dir, filepath.Base(pkg))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	return path
}

var built struct {
	sync.Mutex
	dir string
}

func TestMain(m *testing.M) {
	var err error
	if built.dir, err = os.MkdirTemp("", "interop"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(built.dir)
	os.Exit(code)
}

// ledger is a data directory that the operator's program works on.
type ledger struct {
	dir   string
	shows note.Verifier // of its checkpoints
	seed  int
}

// newLedger has some hundred leaves: full tiles of level 0, and partial ones.
func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{dir: filepath.Join(t.TempDir(), "data")}
	l.run(t, "init", "--id", "interop", "--origin", origin)
	var trust struct{ Log, Policy string }
	l.trust(t, &trust)
	var err error
	if l.shows, err = note.NewVerifier(trust.Log); err != nil {
		t.Fatal(err)
	}
	l.grow(t, 700)
	return l
}

func (l *ledger) try(args ...string) (string, error) {
	var errs bytes.Buffer
	cmd := exec.Command(filepath.Join(built.dir, "sharetrail"), append(args, "--data", l.dir)...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	return string(out) + errs.String(), err
}

// run runs a verb, which must succeed.
func (l *ledger) run(t *testing.T, args ...string) string {
	t.Helper()
	program(t, "../../..", "./cmd/sharetrail")
	out, err := l.try(args...)
	if err != nil {
		t.Fatalf("sharetrail %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (l *ledger) trust(t *testing.T, into any) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trust.json")
	l.run(t, "trust", "-o", file)
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// grow records shares and waits until they are published.
func (l *ledger) grow(t *testing.T, shares int) {
	t.Helper()
	l.seed++
	cmd := exec.Command(program(t, "../../..", "./cmd/sharetrail"), "generate", "--shares", itoa(shares), "--subjects", "50", "--seed", itoa(l.seed))
	rows, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "shares-"+itoa(l.seed)+".jsonl")
	if err := os.WriteFile(file, rows, 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(t, "import", "jsonl", file, "--wait", "published")
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// copied is the ledger as it is now, in another directory: a backup.
func (l *ledger) copied(t *testing.T) *ledger {
	t.Helper()
	c := &ledger{dir: filepath.Join(t.TempDir(), "copy"), shows: l.shows, seed: l.seed + 1000}
	if out, err := exec.Command("cp", "-a", l.dir, c.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return c
}

func (l *ledger) tiles() string { return filepath.Join(l.dir, "tiles") }

// serve serves the tiles as any web server would.
func (l *ledger) serve(t *testing.T) *url.URL {
	t.Helper()
	s := httptest.NewServer(http.FileServer(http.Dir(l.tiles())))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (l *ledger) checkpoint(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(l.tiles(), "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fetcher reads the tiles with Tessera's client.
func (l *ledger) fetcher(t *testing.T) *client.HTTPFetcher {
	t.Helper()
	f, err := client.NewHTTPFetcher(l.serve(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// consistency proves with Tessera's client that the log has only grown.
func (l *ledger) consistency(t *testing.T, ctx context.Context, from, to uint64) [][]byte {
	t.Helper()
	b, err := client.NewProofBuilder(ctx, to, l.fetcher(t).ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.ConsistencyProof(ctx, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
