package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// keepIndex copies the label index of a closed ledger and returns what puts it
// back.
func keepIndex(t *testing.T, l *ledgertest.Ledger) (restore func()) {
	t.Helper()
	dir, copied := filepath.Join(l.Dir, "index"), t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(copied))); err != nil {
			t.Fatal(err)
		}
	}
}

// dropIndex removes the label index, so that the next start builds a generation.
func dropIndex(t *testing.T, l *ledgertest.Ledger) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(l.Dir, "index")); err != nil {
		t.Fatal(err)
	}
}

func indexFiles(t *testing.T, l *ledgertest.Ledger, kind string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(l.Dir, "index", "*."+kind))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s in the index: %v", kind, err)
	}
	return files
}

func flipByte(t *testing.T, file string, at int) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 4
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestIndexLags starts from a label index that is older than the state, from none,
// and from one of another time; the roots are always those of the state leaves.
func TestIndexLags(t *testing.T) {
	l, _ := recorded(t)
	older := keepIndex(t, l)
	dropIndex(t, l)
	if n := reopen(t, l); n > 4 {
		t.Errorf("without its index a start read %d events", n)
	}
	generation := keepIndex(t, l)
	for range 2 {
		reopen(t, l)
		if v := verify(t, l); v.Labels == 0 {
			t.Error("there is no index to verify")
		}
	}
	for _, restore := range []func(){older, generation} {
		restore()
		if n := reopen(t, l); n > 4 {
			t.Errorf("with an older index a start read %d events", n)
		}
	}
}

// TestStateBehindIndex starts with a state file that is older than the index.
func TestStateBehindIndex(t *testing.T) {
	l, _ := recorded(t)
	dropIndex(t, l)
	reopen(t, l)
	old := readFile(t, l.Dir, "state.db")
	reopen(t, l)
	dropIndex(t, l)
	reopen(t, l)
	writeFile(t, l.Dir, "state.db", old)
	reopen(t, l)
}

// TestIndexChanged changes each file of a closed ledger's index, here and there. It
// is noticed by Verify, and by the start or the first who reads that place; the
// index is built again.
func TestIndexChanged(t *testing.T) {
	l, _ := recorded(t)
	dropIndex(t, l)
	reopen(t, l)
	restore := keepIndex(t, l)
	for _, kind := range []string{"gen", "log"} {
		file := indexFiles(t, l, kind)[0]
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{0, 57, int(info.Size()) / 2, int(info.Size()) - 1} {
			flipByte(t, file, at)
			parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parts.Verify(t.Context()); kind == "gen" && !errors.Is(err, ledger.ErrCorrupt) {
				t.Errorf("%s changed at %d: Verify says %v", kind, at, err)
			}
			parts.Close()
			// Recording goes on or the ledger stops; no false root is published.
			l.Open(t, ledgertest.Config{})
			cmd := ledgertest.Share(fmt.Sprint("after-", kind, at), "ada", "new")
			if a, err := l.TryRecord(t, cmd); err == nil {
				if _, err := l.WaitPublished(t.Context(), a.Index); err != nil {
					t.Logf("%s changed at %d: %v", kind, at, err)
				}
			}
			if err := l.Close(t); err != nil && !errors.Is(err, ledger.ErrCorrupt) {
				t.Fatal(err)
			}
			restore()
			l.Open(t, ledgertest.Config{})
			l.MustRecord(t, cmd) // it may be in the stream, though nobody was told
			l.Check(t)           // every state leaf has the right root
			if err := l.Close(t); err != nil {
				t.Fatal(err)
			}
			restore()
			file = indexFiles(t, l, kind)[0]
		}
	}
}

// TestIndexChangedWhileRunning changes the entries of a running ledger's index.
// Nothing is published over them; the start that follows builds the index again.
func TestIndexChangedWhileRunning(t *testing.T) {
	l, _ := recorded(t)
	dropIndex(t, l)
	core, logs := observer.New(zap.ErrorLevel)
	l.Open(t, ledgertest.Config{Logger: zap.New(core)})
	before := l.Publish(t)
	file := indexFiles(t, l, "gen")[0]
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for at := 64; at < len(b)-200; at += 64 { // in place: the ledger has it open
		if _, err := f.WriteAt([]byte{b[at+63] ^ 1}, int64(at+63)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := ledgertest.Share("on a changed index", "ada", "grace")
	a, err := l.TryRecord(t, cmd)
	if err == nil {
		_, err = l.WaitPublished(t.Context(), a.Index)
	}
	if err == nil {
		t.Error("something was published over an index that was changed")
	}
	if p := l.Published(); p.Size != before.Size {
		t.Errorf("size %d was published after %d", p.Size, before.Size)
	}
	if err := l.Close(t); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("the ledger ended with %v", err)
	}
	if logs.FilterMessageSnippet("label index on disk was changed").Len() == 0 {
		t.Error("the log does not say why")
	}
	l.Open(t, ledgertest.Config{})
	l.MustRecord(t, cmd)
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
}

// TestIndexTorn cuts the log of the index where a crash might have, and elsewhere.
// Verify tells of it and finds nothing wrong in what is left; the next start inserts
// the rest, and the index is that of the stream, label for label.
func TestIndexTorn(t *testing.T) {
	l, _ := recorded(t)
	whole := verify(t, l)
	if whole.IndexCut != "" || whole.Labels == 0 {
		t.Fatalf("%+v", whole)
	}
	file := indexFiles(t, l, "log")[0]
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	state := readFile(t, l.Dir, "state.db")
	told, labels := 0, uint64(0)
	for n := 0; n < len(b); n += len(b)/12 + 1 {
		if err := os.WriteFile(file, b[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		torn := verify(t, l)
		if torn.Labels < labels || torn.Labels >= whole.Labels {
			t.Errorf("cut at %d of %d: %d labels, after %d", n, len(b), torn.Labels, labels)
		}
		if labels = torn.Labels; torn.IndexCut != "" {
			told++
		}
		l.Open(t, ledgertest.Config{})
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		if v := verify(t, l); v.IndexCut != "" || v.Labels < whole.Labels {
			t.Errorf("cut at %d, after the next start: %+v", n, v)
		}
		if err := os.RemoveAll(filepath.Join(l.Dir, "index")); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, l.Dir, "state.db", state)
	}
	if told < 10 {
		t.Errorf("Verify told of %d cuts", told)
	}
}
