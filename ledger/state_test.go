package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	_ "modernc.org/sqlite"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// counting counts the events that a ledger reads one after the other.
type counting struct {
	ledger.Store
	read atomic.Int64
}

func (c *counting) Read(ctx context.Context, stream string, from, count uint64) iter.Seq2[events.Recorded, error] {
	return func(yield func(events.Recorded, error) bool) {
		for e, err := range c.Store.Read(ctx, stream, from, count) {
			c.read.Add(1)
			if !yield(e, err) {
				return
			}
		}
	}
}

func (c *counting) wrap(s ledger.Store) ledger.Store {
	c.Store = s
	return c
}

// recorded returns a closed ledger with a few publications behind it.
func recorded(t *testing.T) (l *ledgertest.Ledger, accepted uint64) {
	l = ledgertest.New(t, ledgertest.Config{})
	for i := range 5 {
		for k := range 4 {
			l.MustRecord(t, ledgertest.Share(fmt.Sprintf("%d-%d", i, k), "ada", fmt.Sprintf("p%d", (i+k)%6)))
		}
		l.Check(t)
	}
	accepted = l.Status().Accepted
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	return l, accepted
}

// reopen opens, audits and closes, and returns how many events the start read.
func reopen(t *testing.T, l *ledgertest.Ledger) int64 {
	t.Helper()
	store := new(counting)
	l.Open(t, ledgertest.Config{Store: store.wrap})
	read := store.read.Load()
	l.RepeatAll(t)
	l.MustRecord(t, ledgertest.Share(fmt.Sprint("again-", l.Model.Keys()), "ada", "new"))
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
	return read
}

// verify wants a closed ledger to be in order.
func verify(t *testing.T, l *ledgertest.Ledger) ledger.Verified {
	t.Helper()
	parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer parts.Close()
	found, err := parts.Verify(t.Context())
	if err != nil || found.Logged != found.Events || found.Foreign != uint64(l.Foreign) {
		t.Errorf("%+v: %v", found, err)
	}
	return found
}

func TestStartFromState(t *testing.T) {
	l, accepted := recorded(t)
	found := verify(t, l)
	if found.Events != accepted || found.Recorded != accepted || found.Checkpoints < 5 || found.Opened < 3*20 {
		t.Errorf("%d events were accepted, %+v", accepted, found)
	}
	for range 3 {
		if n := reopen(t, l); n > 4 {
			t.Errorf("a start of %d events read %d", accepted, n)
		}
	}
}

// TestStateLags starts from a state file that is older than the stream, as after
// a crash, from none, and from files that are of no use.
func TestStateLags(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	var files [][]byte
	for i := range 4 {
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("share-", i), "ada", fmt.Sprint("p", i)))
		l.Check(t)
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		files = append(files, readFile(t, l.Dir, "state.db"))
		l.Open(t, ledgertest.Config{})
	}
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	for _, old := range files {
		writeFile(t, l.Dir, "state.db", old)
		reopen(t, l)
	}
	if err := os.Remove(filepath.Join(l.Dir, "state.db")); err != nil {
		t.Fatal(err)
	}
	if n := reopen(t, l); n < 10 {
		t.Errorf("a start without a state read %d events", n)
	}
	if n := reopen(t, l); n > 4 {
		t.Errorf("the start behind it read %d events", n)
	}
}

// TestStateIsChanged edits the state file. The stream has the last word, and
// Verify says where they differ.
func TestStateIsChanged(t *testing.T) {
	for name, change := range map[string]string{
		"a record":            "UPDATE run SET records = CAST(substr(records, 1, 40) || x'00' || substr(records, 42) AS BLOB) WHERE first = (SELECT max(first) FROM run WHERE first < 9)",
		"a hole":              "DELETE FROM run WHERE first = (SELECT max(first) FROM run WHERE first < 9)",
		"a state's mark":      "UPDATE run SET state = 1 - state",
		"a count":             "UPDATE run SET count = count + 1 WHERE first = 0",
		"a count beyond all":  "UPDATE run SET count = 9223372036854775807",
		"a count of the last": "UPDATE run SET count = count + 1000 WHERE first = (SELECT max(first) FROM run)",
	} {
		t.Run(name, func(t *testing.T) {
			l, accepted := recorded(t)
			db, err := sql.Open("sqlite", filepath.Join(l.Dir, "state.db"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(change); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parts.Verify(t.Context())
			var fault *ledger.Fault
			if !errors.As(err, &fault) || !errors.Is(err, ledger.ErrCorrupt) || fault.Index > 9 && name != "a count of the last" {
				t.Errorf("Verify said %v", err)
			}
			if err := parts.Close(); err != nil {
				t.Fatal(err)
			}
			if n := reopen(t, l); n < int64(accepted) {
				t.Errorf("a start from a changed state read %d of %d events", n, accepted)
			}
		})
	}
}

// TestStateAhead: the stream has fewer events than the state.
func TestStateAhead(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("kept", "ada"))
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	events, log := readFile(t, l.Dir, "events.db"), readFile(t, l.Dir, "log.db")
	l.Open(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("lost", "ada"))
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	writeFile(t, l.Dir, "events.db", events)
	writeFile(t, l.Dir, "log.db", log) // the log does not tell
	if err := l.TryOpen(t, ledgertest.Config{}); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("an event store older than the state was opened: %v", err)
	}
}

// TestStateOfAnotherPast: the event store and the log were restored from a
// backup and have gone on otherwise than the state file remembers.
func TestStateOfAnotherPast(t *testing.T) {
	backup, _ := recorded(t)
	grow := func(shares ...string) string {
		dir := t.TempDir()
		for _, name := range []string{"events.db", "log.db", "keys.db", "wrap.key", "state.db"} {
			writeFile(t, dir, name, readFile(t, backup.Dir, name))
		}
		l := ledgertest.New(t, ledgertest.Config{Dir: dir})
		for _, key := range shares {
			l.MustRecord(t, ledgertest.Share(key, "ada", "somebody of "+key))
			l.Publish(t)
		}
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	one, other := grow("one"), grow("other", "another")
	writeFile(t, other, "state.db", readFile(t, one, "state.db"))
	core, logs := observer.New(zapcore.ErrorLevel)
	l := ledgertest.New(t, ledgertest.Config{Dir: other, Logger: zap.New(core)})
	if logs.FilterMessageSnippet("does not agree with the stream").Len() != 1 {
		t.Errorf("the state of another past was taken: %v", logs.All())
	}
	l.Publish(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
}

// TestVerifyFinds wants Verify to name what differs outside the state file.
func TestVerifyFinds(t *testing.T) {
	l, accepted := recorded(t)
	l.Open(t, ledgertest.Config{})
	forgeCheckpoint(t, l, accepted, events.Hash{1})
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer parts.Close()
	var fault *ledger.Fault
	if _, err := parts.Verify(t.Context()); !errors.As(err, &fault) || fault.Index != accepted {
		t.Errorf("a forged checkpoint of size %d: %v", accepted, err)
	}
}
