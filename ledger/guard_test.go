package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// TestRestoredBackup restores everything of yesterday, keystore and all: only the
// witness can tell. Nothing is written, and the newer copy still opens.
func TestRestoredBackup(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	w1, w2 := ledgertest.NewWitness(t, l, "w1", 1), ledgertest.NewWitness(t, l, "w2", 2)
	l.Cosign(t, ledgertest.Policy(1, []*ledgertest.Witness{w1, w2}, nil), ledger.MissingWait)
	l.MustRecord(t, ledgertest.Share("kept", "ada"))
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	old := copyDir(t, l.Dir)
	l.Open(t, ledgertest.Config{})
	for i := range 2 {
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("lost-", i), "ada"))
		l.Check(t)
	}
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	newer := copyDir(t, l.Dir)
	putDir(t, l.Dir, old)
	err := l.TryOpen(t, ledgertest.Config{})
	if !errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), "bring back the newer one") {
		t.Fatalf("a restored backup was opened: %v", err)
	}
	t.Log(err)
	// One of two that has seen it is enough.
	w1.Down()
	if err := l.TryOpen(t, ledgertest.Config{}); !errors.Is(err, ledger.ErrCorrupt) {
		t.Fatalf("with one of two: %v", err)
	}
	// If no one answers, the policy lets it start. As soon as a witness shows that it
	// has seen more than there is, the ledger stops, and has published nothing.
	w2.Down()
	l.Open(t, ledgertest.Config{Tick: soon})
	before := l.Published().Size
	a, err := l.Record(t.Context(), ledgertest.Share("another history", "grace"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.WaitPublished(t.Context(), a.Index); !errors.Is(err, ledger.ErrQuorum) {
		t.Fatalf("published without a witness: %v", err)
	}
	w2.Up()
	if err := l.Wait(); !errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), "older copy") {
		t.Errorf("the ledger ended with %v", err)
	}
	if l.Published().Size != before {
		t.Errorf("size %d was published", l.Published().Size)
	}
	l.Close(t)
	w2.Down()
	l.Open(t, ledgertest.Config{})
	// Grown to the same size it is another history, as the next start finds.
	for l.Status().Accepted < 9 {
		if _, err := l.Record(t.Context(), ledgertest.Share(fmt.Sprint("more-", l.Status().Accepted), "grace")); err != nil {
			t.Fatal(err)
		}
	}
	l.Close(t)
	w2.Up()
	if err := l.TryOpen(t, ledgertest.Config{}); !errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), "another root") {
		t.Fatalf("another history was opened: %v", err)
	}
	w1.Up()
	putDir(t, l.Dir, newer)
	l.Open(t, ledgertest.Config{})
	l.Check(t)
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// putDir makes a directory what a copy of it was.
func putDir(t *testing.T, dir, from string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(from))); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Type().IsRegular() {
			if err := os.Chmod(filepath.Join(dir, f.Name()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestGuardAdopts: a checkpoint that only a witness knows, of what the stream has,
// is taken over.
func TestGuardAdopts(t *testing.T) {
	gate := newFaults()
	cfg := ledgertest.Config{Store: gate.wrap}
	l := ledgertest.New(t, cfg)
	w := ledgertest.NewWitness(t, l, "w1", 1)
	l.Cosign(t, ledgertest.Policy(1, []*ledgertest.Witness{w}, nil), ledger.MissingWait)
	l.MustRecord(t, ledgertest.Share("one", "ada"))
	l.Check(t)
	before := l.Published()
	gate.next(checkpoints, fault{before: errDisk}) // the state leaf is there, its checkpoint is not
	a := l.MustRecord(t, ledgertest.Share("two", "ada"))
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan struct{})
	go func() { defer close(waited); l.WaitPublished(ctx, a.Index) }()
	until(t, "the append has failed", func() bool { return gate.pending(checkpoints) == 0 })
	size := l.Status().Accepted
	root := rootOf(t, l, size)
	path, err := l.Parts.Log.Consistency(t.Context(), before.Size, size)
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := l.Keys.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = l.Running.Stop()
	cancel()
	<-waited
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: verifier.Checkpoint{Origin: ledgertest.Origin, Size: size, Root: root}.Format()}, secrets.Log)
	if err != nil {
		t.Fatal(err)
	}
	r := &witness.Request{Old: before.Size, Checkpoint: string(signed)}
	for _, h := range path {
		r.Proof = append(r.Proof, h)
	}
	tell(t, w, r)
	for _, without := range []string{"", "log.db"} { // also where the log lost its tree
		l.Close(t)
		if without != "" {
			files, err := filepath.Glob(filepath.Join(l.Dir, without+"*"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			for _, f := range files {
				if err := os.Remove(f); err != nil {
					t.Fatal(err)
				}
			}
		}
		l.Open(t, cfg)
		p, err := l.WaitPublished(t.Context(), a.Index)
		if err != nil || p.Size != size || p.Root != root {
			t.Fatalf("published %+v, %v", p, err)
		}
		l.Check(t)
		seen(t, l)
	}
}

// rootOf is the root that the log gives at its newest size.
func rootOf(t *testing.T, l *ledgertest.Ledger, size uint64) events.Hash {
	t.Helper()
	for {
		n, root, err := l.Parts.Log.Root(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == size {
			return root
		}
	}
}

// TestOtherMark: another root at the size that the keystore remembers is shown to
// nobody, not beside the tiles either.
func TestOtherMark(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("one", "ada"))
	l.Publish(t)
	before := l.Published()
	a, err := l.Record(t.Context(), ledgertest.Share("two", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	mark, _, err := l.Keys.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mark.Size, mark.Root = l.Status().Accepted+1, events.Hash{1} // with the state leaf
	if err := l.Keys.SetMark(t.Context(), mark); err != nil {
		t.Fatal(err)
	}
	if _, err := l.WaitPublished(t.Context(), a.Index); err == nil {
		t.Fatal("another root was published")
	}
	if err := l.Wait(); !errors.Is(err, ledger.ErrCorrupt) || !errors.Is(err, keystore.ErrOtherMark) {
		t.Errorf("the ledger ended with %v", err)
	}
	if shown, err := os.ReadFile(filepath.Join(l.TilesDir(), "checkpoint")); err != nil || string(shown) != before.Note {
		t.Errorf("the tiles show %s, %v", shown, err)
	}
	l.Close(t)
}

// TestForkStops: a copy of yesterday that grew beyond what was lost, while no witness
// answered, is another history under the same key. The first witness that is back
// shows it; then nothing is published, whatever the policy.
func TestForkStops(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	w := ledgertest.NewWitness(t, l, "w1", 1)
	l.Cosign(t, ledgertest.Policy(1, []*ledgertest.Witness{w}, nil), ledger.MissingPublish)
	l.MustRecord(t, ledgertest.Share("kept", "ada"))
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	old := copyDir(t, l.Dir)
	l.Open(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("lost", "ada"))
	l.Check(t)
	lost := l.Published().Size
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	putDir(t, l.Dir, old)
	w.Down()
	l.Open(t, ledgertest.Config{})
	before := l.Published().Size
	var last ledger.Accepted
	for i := 0; l.Status().Accepted < lost+3; i++ {
		var err error
		if last, err = l.Record(t.Context(), ledgertest.Share(fmt.Sprint("more-", i), "grace")); err != nil {
			t.Fatal(err)
		}
	}
	w.Up()
	if _, err := l.WaitPublished(t.Context(), last.Index); err == nil {
		t.Fatal("a second history was published")
	}
	if err := l.Wait(); !errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), "another root") {
		t.Errorf("the ledger ended with %v", err)
	}
	if l.Published().Size != before {
		t.Errorf("size %d was published", l.Published().Size)
	}
	l.Close(t)
}
