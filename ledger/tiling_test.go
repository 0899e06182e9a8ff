package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
)

// tiled is a ledger that was closed after it published more than one full tile.
func tiled(t *testing.T) *ledgertest.Ledger {
	t.Helper()
	l := ledgertest.New(t, ledgertest.Config{})
	for i := range 90 {
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("share-", i), fmt.Sprint("person-", i)))
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("again-", i), fmt.Sprint("person-", i)))
		if i%30 == 29 {
			l.Publish(t)
		}
	}
	l.Check(t)
	if l.Status().Published <= tiles.Width {
		t.Fatalf("only %d leaves were published", l.Status().Published)
	}
	return l
}

// copyTiles returns the content of all tiles.
func copyTiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTilesLost: whatever is missing or cut is told by a verification and made
// again, with the same bytes, by the next start, without anything being recorded.
func TestTilesLost(t *testing.T) {
	l := tiled(t)
	dir := l.TilesDir()
	before := copyTiles(t, dir)
	for _, lose := range []string{"", "tile", "tile/0/000", "tile/entries/000", "tile/1", "rules", "checkpoint"} {
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, lose)); err != nil {
			t.Fatal(err)
		}
		parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parts.Verify(t.Context()); !errors.Is(err, tiles.ErrLost) && lose != "rules" {
			t.Errorf("without %q a verification says %v", lose, err)
		}
		if err := parts.Close(); err != nil {
			t.Fatal(err)
		}
		l.Open(t, ledgertest.Config{})
		l.MustRecord(t, ledgertest.Share("after-"+strings.ReplaceAll(lose, "/", "-")+".", "ada"))
		l.Check(t)
		for path, content := range copyTiles(t, dir) {
			if want, ok := before[path]; ok && content != want && !strings.HasSuffix(path, "checkpoint") {
				t.Errorf("without %q %s was made with other bytes", lose, path)
			}
		}
	}
}

// TestTilesOfLostLog: tiles stay as they are while a log that was lost is rebuilt.
func TestTilesOfLostLog(t *testing.T) {
	l := tiled(t)
	before := copyTiles(t, l.TilesDir())
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"log.db", "log.db-wal", "log.db-shm"} {
		if err := os.Remove(filepath.Join(l.Dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	l.Open(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("after", "ada"))
	l.Check(t)
	for path, content := range before {
		b, err := os.ReadFile(path)
		if old := strings.Contains(path, ".p/") && errors.Is(err, os.ErrNotExist); !old && (err != nil || string(b) != content && !strings.HasSuffix(path, "checkpoint")) {
			t.Errorf("%s is another or gone: %v", path, err)
		}
	}
}

// TestTilesTampered: tiles that are not the stream's stop the ledger at the next
// start that has to read them, and a verification names the first leaf.
func TestTilesTampered(t *testing.T) {
	l := tiled(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(l.TilesDir(), "tile", "entries", "000")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, err := tiles.ParseBundle(b, tiles.Width)
	if err != nil {
		t.Fatal(err)
	}
	first[3][50] ^= 1 // shares b
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var fault *ledger.Fault
	if _, err := parts.Verify(t.Context()); !errors.As(err, &fault) || fault.Index != 3 || !strings.Contains(err.Error(), "delete") {
		t.Errorf("a verification says %v", err)
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(l.TilesDir(), "tile", "0", "000")); err != nil { // now all is read again
		t.Fatal(err)
	}
	l.Open(t, ledgertest.Config{Tick: soon})
	if err := l.Running.Wait(); !errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), "from leaf 3 on") {
		t.Errorf("the ledger ended with %v", err)
	}
}

// TestTilesNewer: tiles that show more than the stream has, or another root, say
// that the event store is an older copy or not theirs.
func TestTilesNewer(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("a", "ada"))
	l.Check(t)
	size := l.Status().Published
	for name, forge := range map[string]func() (uint64, events.Hash){
		"a size beyond the stream":  func() (uint64, events.Hash) { return size + 7, events.Hash{1} },
		"another root at this size": func() (uint64, events.Hash) { return size, events.Hash{1} },
		"another root before":       func() (uint64, events.Hash) { return 1, events.Hash{1} },
	} {
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(l.TilesDir(), "checkpoint")
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		n, root := forge()
		forged := signCheckpoint(t, parts, n, root)
		if err := errors.Join(os.WriteFile(path, forged, 0o600), parts.Close()); err != nil {
			t.Fatal(err)
		}
		if err := l.TryOpen(t, ledgertest.Config{}); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("%s: opening says %v", name, err)
			if l.Running != nil {
				l.Close(t)
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		l.Open(t, ledgertest.Config{})
		l.Check(t)
	}
}

// TestTilesCrash: a crash after any step of a publication leaves tiles from which
// the next start goes on, and never a checkpoint without its tiles.
func TestTilesCrash(t *testing.T) {
	gate := newFaults()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap})
	l.MustRecord(t, ledgertest.Share("first", "ada"))
	l.Check(t)
	shown, err := os.ReadFile(filepath.Join(l.TilesDir(), "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	// The tiles are written and the checkpoint is signed; its append never returns.
	gate.holdNext(checkpoints)
	l.MustRecord(t, ledgertest.Share("second", "ada"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := l.WaitPublished(ctx, l.Status().Accepted-1); done <- err }()
	<-gate.held
	if now, err := os.ReadFile(filepath.Join(l.TilesDir(), "checkpoint")); err != nil || !bytes.Equal(now, shown) {
		t.Errorf("the checkpoint is shown before it is in its stream: %v", err)
	}
	entries, err := tiles.ReadEntries(t.Context(), tiles.Dir(l.TilesDir()), 0, int(l.Status().Accepted))
	if err != nil || len(entries) != int(l.Status().Accepted) {
		t.Errorf("the checkpoint is signed before its tiles are there: %v", err)
	}
	cancel()
	<-done
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	l.Open(t, ledgertest.Config{})
	l.Check(t)
	// Appended and not shown: an older checkpoint stands beside newer tiles.
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.TilesDir(), "checkpoint"), shown, 0o600); err != nil {
		t.Fatal(err)
	}
	l.Open(t, ledgertest.Config{Tick: soon})
	l.MustRecord(t, ledgertest.Share("third", "ada"))
	l.Check(t)
}

// TestProofsWithoutTiles: a proof comes from the tiles or, if they were changed or
// lost, from the log, and somebody is told once.
func TestProofsWithoutTiles(t *testing.T) {
	l := tiled(t)
	want := prove(t, l, verifier.Query{IDs: []events.Identity{tiledPerson(7)}})
	for name, harm := range map[string]func(path string) error{
		"changed": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte{7}, 256*32), 0o600) },
		"lost":    os.Remove,
	} {
		core, logs := observer.New(zapcore.ErrorLevel)
		l.Reopen(t, ledgertest.Config{Logger: zap.New(core)})
		path := filepath.Join(l.TilesDir(), "tile/0/000")
		kept, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := harm(path); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			got := prove(t, l, verifier.Query{IDs: []events.Identity{tiledPerson(7)}})
			if diff := cmp.Diff(want.Names, got.Names); diff != "" {
				t.Errorf("tiles %s (-before +after):\n%s", name, diff)
			}
			if _, err := check(t, l, verifier.About(events.RoleSubject, tiledPerson(7).String()), got); err != nil {
				t.Errorf("tiles %s: %v", name, err)
			}
		}
		if n := logs.FilterMessageSnippet("cannot be read from the tiles").Len(); n != 1 {
			t.Errorf("tiles %s: it was told %d times", name, n)
		}
		if err := os.WriteFile(path, kept, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func tiledPerson(i int) events.Identity {
	return events.Identity(fmt.Sprintf("email\x00person-%d@example.com", i))
}
