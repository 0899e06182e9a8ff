package embedded_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/eventstest"
)

// openSQL opens the file behind the back of the node.
func openSQL(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestImmutable tries every statement that would change what is recorded.
func TestImmutable(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, embedded.Config{Path: dir})
	store := openStore(t, node.Target())
	all := eventstest.Events("immutable", 5)
	mustAppend(t, store, "immutable", events.NoStream, all...)
	db := openSQL(t, filepath.Join(dir, "events.db"))
	const values = `, type, content_type, created, data, metadata) VALUES `
	for _, statement := range []string{
		`UPDATE events SET data = x'00'`,
		`UPDATE events SET revision = 9 WHERE position = 5`,
		`DELETE FROM events`,
		`DELETE FROM events WHERE position = 5`,
		`UPDATE streams SET name = 'other'`,
		`DELETE FROM streams`,
		`INSERT OR REPLACE INTO streams (id, name) VALUES (1, 'other')`,
		`INSERT OR REPLACE INTO streams (id, name) VALUES (2, 'immutable')`,
		`INSERT OR REPLACE INTO events (position, stream, revision, id` + values + `(5, 1, 4, zeroblob(16), 't', 'c', 0, x'', x'')`,
		`INSERT OR REPLACE INTO events (position, stream, revision, id` + values + `(6, 1, 4, zeroblob(16), 't', 'c', 0, x'', x'')`,
		`INSERT INTO events (position, stream, revision, id` + values + `(6, 1, 6, zeroblob(16), 't', 'c', 0, x'', x'')`,
		`INSERT INTO events (position, stream, revision, id` + values + `(7, 1, 5, zeroblob(16), 't', 'c', 0, x'', x'')`,
	} {
		if _, err := db.Exec(statement); err == nil {
			t.Errorf("taken: %s", statement)
		} else if !strings.Contains(err.Error(), "events: ") && !strings.Contains(err.Error(), "streams: ") {
			t.Errorf("%s: refused, but not by a trigger: %v", statement, err)
		}
	}
	checkStream(t, store, "immutable", all)
}

// TestSecondWriter lets another process write to the file. The node must not
// write over it or go on as if nothing had happened.
func TestSecondWriter(t *testing.T) {
	dir := t.TempDir()
	node := openNode(t, embedded.Config{Path: dir})
	store := openStore(t, node.Target())
	all := eventstest.Events("fenced", 2)
	mustAppend(t, store, "fenced", events.NoStream, all[0])
	db := openSQL(t, filepath.Join(dir, "events.db"))
	_, err := db.Exec(`INSERT INTO events (position, stream, revision, id, type, content_type, created, data, metadata)
		VALUES (2, 1, 1, zeroblob(16), 't', 'c', 0, x'', x'')`)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if last, err := store.Append(t.Context(), "fenced", 0, all[1]); err == nil {
			t.Fatalf("append answered %d", last)
		}
	}
}

func TestOtherFiles(t *testing.T) {
	for name, c := range map[string]struct{ statement, want string }{
		"newer":   {"PRAGMA user_version = 2", "upgrade"},
		"unknown": {"PRAGMA user_version = -1", "backup"},
		"foreign": {"PRAGMA application_id = 7", "another directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			closeNode(t, openNode(t, embedded.Config{Path: dir}))
			db := openSQL(t, filepath.Join(dir, "events.db"))
			if _, err := db.Exec(c.statement); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			node, err := embedded.Open(t.Context(), embedded.Config{Path: dir})
			if err == nil {
				node.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the error does not say what to do: %v", err)
			}
		})
	}
}

func TestPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a new # place?", "v1.0")
	for path, want := range map[string]string{
		dir:                             filepath.Join(dir, "events.db"),
		filepath.Join(dir, "ledger.db"): filepath.Join(dir, "ledger.db"),
	} {
		closeNode(t, openNode(t, embedded.Config{Path: path}))
		if info, err := os.Stat(want); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", want, info, err)
		}
	}
	if _, err := embedded.Open(t.Context(), embedded.Config{}); err == nil {
		t.Error("opened without a path")
	}
}

func TestCreatedIsOurs(t *testing.T) {
	at := time.Date(2031, 5, 6, 7, 8, 9, 123456700, time.UTC)
	node := openNode(t, embedded.Config{Path: t.TempDir(), Now: func() time.Time { return at }})
	store := openStore(t, node.Target())
	mustAppend(t, store, "clock", events.NoStream, eventstest.Event("clock"))
	if e, found, err := store.Last(t.Context(), "clock"); err != nil || !found || !e.Created.Equal(at) {
		t.Fatalf("created at %v, %v, %v; want %v", e.Created, found, err, at)
	}
}
