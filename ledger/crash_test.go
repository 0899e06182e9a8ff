package ledger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

const (
	// crashDir makes the test binary the child of TestKilled.
	crashDir       = "SHARETRAIL_TEST_LEDGER_CRASH_DIR"
	crashRecorders = 8

	// crashMany makes the child record a share to many people as well.
	crashMany = "SHARETRAIL_TEST_LEDGER_CRASH_MANY"
)

// manyToCrash is a share that is still being recorded when the child is killed.
func manyToCrash() ledger.Command { return ledgertest.Share("many", ledgertest.People("m", 6_000)...) }

// TestKilledAmongMany kills a process that records a share to many people beside small
// ones, again and again. Each start finds what was appended, and goes on from there;
// nobody is recorded twice or left out.
func TestKilledAmongMany(t *testing.T) {
	rounds := 2
	if os.Getenv("SHARETRAIL_LONG") == "1" {
		rounds = 8
	}
	t.Setenv(crashMany, "1")
	dir := t.TempDir()
	acked := map[[2]int]uint64{}
	for range rounds {
		killAfter(t, dir, 20+rand.IntN(100), acked)
	}
	l := ledgertest.New(t, ledgertest.Config{Dir: dir})
	adoptStored(t, l)
	if a := l.MustRecord(t, manyToCrash()); a.Continuations != 94 {
		t.Errorf("got %+v", a)
	}
	for share, index := range acked {
		if a := l.MustRecord(t, crashShare(share[0], share[1])); !a.Repeat || a.Index != index {
			t.Errorf("share %v was acknowledged as leaf %d and is %+v", share, index, a)
		}
	}
	if open, err := l.Unfinished(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("%+v, %v", open, err)
	}
	l.Publish(t)
	l.MaxReports = 4
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
}

// crashShare is share n of a recorder in every round.
func crashShare(recorder, n int) ledger.Command {
	return ledgertest.Share(fmt.Sprintf("crash-%d-%d", recorder, n),
		fmt.Sprintf("c%d", n%7), fmt.Sprintf("r%d", recorder), fmt.Sprintf("n%d-%d", recorder, n))
}

// recordUntilKilled is the child: it records and prints a line for each answer.
func recordUntilKilled(dir string) {
	ctx := context.Background()
	die := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	parts, err := ledgertest.OpenParts(ctx, dir, nil)
	if err != nil {
		die(err)
	}
	l, err := parts.OpenLedger(ctx, ledgertest.Config{Tick: 20 * time.Millisecond})
	if err != nil {
		die(err)
	}
	running := ledgertest.Run(ctx, l)
	if os.Getenv(crashMany) != "" {
		go func() {
			if _, err := running.Record(ctx, manyToCrash()); err != nil {
				die(err)
			}
		}()
	}
	for recorder := range crashRecorders {
		go func() {
			for n := 0; ; n++ {
				a, err := running.Record(ctx, crashShare(recorder, n))
				if err != nil {
					die(err)
				}
				size := uint64(0)
				if p := running.Published(); p != nil {
					size = p.Size
				}
				fmt.Printf("%d %d %d %d\n", recorder, n, a.Index, size) // one write: a line is whole or missing
			}
		}()
	}
	die(running.Wait())
}

// TestKilled kills a process that records, and wants every acknowledged share to
// be there once, at its index, and nothing published to be taken back.
func TestKilled(t *testing.T) {
	rounds := 3
	if os.Getenv("SHARETRAIL_LONG") == "1" {
		rounds = 10
	}
	dir := t.TempDir()
	acked := map[[2]int]uint64{}
	for range rounds {
		published := killAfter(t, dir, 20+rand.IntN(150), acked)
		l := ledgertest.New(t, ledgertest.Config{Dir: dir})
		if got := l.Published(); published > 0 && (got == nil || got.Size < published) {
			t.Fatalf("size %d was published before the kill, now it is %+v", published, got)
		}
		adoptStored(t, l)
		for share, index := range acked {
			if a := l.MustRecord(t, crashShare(share[0], share[1])); !a.Repeat || a.Index != index {
				t.Errorf("share %v was acknowledged as leaf %d and is %+v", share, index, a)
			}
		}
		l.MaxReports = 4
		l.Check(t)
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		verify(t, l)
	}
}

// adoptStored tells the model of shares whose answer was lost: those of the
// recorders' next keys that repeating finds.
func adoptStored(t *testing.T, l *ledgertest.Ledger) {
	t.Helper()
	for recorder := range crashRecorders {
		for n := 0; ; n++ {
			a := l.MustRecord(t, crashShare(recorder, n))
			if !a.Repeat { // the first that the child had not stored
				break
			}
		}
	}
}

func killAfter(t *testing.T, dir string, lines int, acked map[[2]int]uint64) (published uint64) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir, "TMPDIR="+t.TempDir()) // it cannot clean up after itself
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for scan := bufio.NewScanner(out); scan.Scan(); { // what it wrote before it died counts
		var recorder, n int
		var index, size uint64
		if _, err := fmt.Sscan(scan.Text(), &recorder, &n, &index, &size); err != nil {
			t.Fatalf("the child wrote %q: %v", scan.Text(), err)
		}
		if before, ok := acked[[2]int{recorder, n}]; ok && before != index {
			t.Fatalf("share %d-%d was leaf %d and is leaf %d", recorder, n, before, index)
		}
		acked[[2]int{recorder, n}], published = index, max(published, size)
		if seen++; seen == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return published
}

func TestLogAheadOfStream(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("kept", "ada"))
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	old := readFile(t, l.Dir, "events.db")
	l.Open(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("lost", "ada"))
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	newer := readFile(t, l.Dir, "events.db")
	writeFile(t, l.Dir, "events.db", old)
	err := l.TryOpen(t, ledgertest.Config{})
	if !errors.Is(err, ledger.ErrCorrupt) {
		t.Fatalf("an older event store was opened: %v", err)
	}
	t.Log(err)
	writeFile(t, l.Dir, "events.db", newer)
	l.Open(t, ledgertest.Config{})
	l.Check(t)
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOldKeystore restores a keystore that lacks the keys of somebody in the
// stream: whatever it wrote would be lost, or labelled a second time.
func TestOldKeystore(t *testing.T) {
	for _, also := range []string{"state.db", "no-such-file"} { // with a replay, and without
		l := ledgertest.New(t, ledgertest.Config{})
		l.MustRecord(t, ledgertest.Share("kept", "ada"))
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		old := readFile(t, l.Dir, "keys.db")
		l.Open(t, ledgertest.Config{})
		l.MustRecord(t, ledgertest.Share("newer", "grace"))
		l.Check(t)
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		newer := readFile(t, l.Dir, "keys.db")
		writeFile(t, l.Dir, "keys.db", old)
		if err := os.Remove(filepath.Join(l.Dir, also)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := l.TryOpen(t, ledgertest.Config{}); !errors.Is(err, ledger.ErrCorrupt) || !errors.Is(err, keystore.ErrNoParty) {
			t.Fatalf("opening with an old keystore: %v", err)
		}
		writeFile(t, l.Dir, "keys.db", newer)
		l.Open(t, ledgertest.Config{})
		l.Check(t)
	}
}

// TestOldEventStore restores what an operator might: the events of yesterday,
// alone or with everything that can be made from them, or none at all. Going on
// would sign sizes a second time.
func TestOldEventStore(t *testing.T) {
	derived := []string{"log.db", "state.db"}
	for name, restored := range map[string]map[string]bool{
		"events":     {"events.db": true},
		"all":        {"events.db": true, "log.db": true, "state.db": true},
		"no log":     {"events.db": true, "log.db": false, "state.db": false},
		"no events":  {"events.db": false, "log.db": false, "state.db": false},
		"events, no": {"events.db": false},
	} {
		t.Run(name, func(t *testing.T) {
			l := ledgertest.New(t, ledgertest.Config{})
			l.MustRecord(t, ledgertest.Share("kept", "ada"))
			l.Check(t)
			if err := l.Close(t); err != nil {
				t.Fatal(err)
			}
			files := append([]string{"events.db"}, derived...)
			old, newer := map[string][]byte{}, map[string][]byte{}
			for _, f := range files {
				old[f] = readFile(t, l.Dir, f)
			}
			l.Open(t, ledgertest.Config{})
			l.MustRecord(t, ledgertest.Share("lost", "ada"))
			l.Check(t)
			if err := l.Close(t); err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				newer[f] = readFile(t, l.Dir, f)
			}
			for f, kept := range restored {
				if err := os.Remove(filepath.Join(l.Dir, f)); err != nil {
					t.Fatal(err)
				}
				if kept {
					writeFile(t, l.Dir, f, old[f])
				}
			}
			if err := l.TryOpen(t, ledgertest.Config{}); !errors.Is(err, ledger.ErrCorrupt) {
				t.Fatalf("opening what was restored: %v", err)
			}
			for _, f := range files {
				writeFile(t, l.Dir, f, newer[f])
			}
			l.Open(t, ledgertest.Config{})
			l.Check(t)
		})
	}
}

// TestCheckpointAhead puts a well-signed checkpoint of a larger size into the
// checkpoint stream: the event store is then older than what was published.
func TestCheckpointAhead(t *testing.T) {
	for _, size := range []uint64{2, 99} { // 2 is no state leaf
		l := ledgertest.New(t, ledgertest.Config{})
		l.MustRecord(t, ledgertest.Share("one", "ada"))
		l.Check(t)
		forgeCheckpoint(t, l, size, events.Hash{1})
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		if err := l.TryOpen(t, ledgertest.Config{}); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("opened under a checkpoint of size %d: %v", size, err)
		}
	}
}

func TestOtherKeystore(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	keys, err := keystore.Open(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(keys.Create(t.Context(), ledgertest.Origin), keys.Close()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, l.Dir, "keys.db", readFile(t, other, "keys.db"))
	writeFile(t, l.Dir, "wrap.key", readFile(t, other, "wrap.key"))
	if err := l.TryOpen(t, ledgertest.Config{}); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("opened with another ledger's keys: %v", err)
	}
}
