package ledger_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// TestVerifyHeld changes what is held, behind the journal: it is found, the matter is
// named, and nobody it is about.
func TestVerifyHeld(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("one", "ada", "grace", "joan"))
	l.Rotate(t, "rotate", "ada")
	l.MustRecord(t, ledgertest.Share("two", "ada"))
	placeHold(t, l.Ledger, "M-1", "ada", "grace")
	placeHold(t, l.Ledger, "M-2", "joan")
	placeHold(t, l.Ledger, "M-3", "joan")
	l.Erase(t, "erase", "ada")
	l.Erase(t, "erase joan", "joan")
	releaseHold(t, l.Ledger, "M-3")
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
	whole := readFile(t, l.Dir, "holds.db")
	for what, c := range map[string]struct{ says, change string }{
		"bytes of a copy":    {"M-1: row 1", "UPDATE held SET entries = CAST(substr(entries, 1, 99) || x'0000000000' || substr(entries, 105) AS BLOB) WHERE id = 1"},
		"a row less":         {"M-1: 1 rows are held, and 1 more were kept", "DELETE FROM held WHERE id = 2"},
		"no rows":            {"M-1: 0 rows are held, and 2 more were kept", "DELETE FROM held"},
		"two rows swapped":   {"M-1: row 1", swap("entries")},
		"two places swapped": {"M-1: row 1", swap("lookup")},
		"another hold's":     {"M-1: 1 rows are held, and 1 more were kept", "UPDATE held SET hold = (SELECT hold FROM held WHERE id = 3) WHERE id = 1"},
		"a hold less":        {"M-2: its key is not there", "DELETE FROM hold WHERE id = 2"},
		"a hold ended":       {"M-2: its key is not there", "UPDATE hold SET released = 1 WHERE id = 2"},
		"a hold reopened":    {"M-3", "UPDATE hold SET released = 0 WHERE id = 3"},
		"a person less":      {"M-1: an erasure would not find", "DELETE FROM person WHERE id = 2"},
		"a person of others": {"M-1: an erasure would not find", "UPDATE person SET hold = 2 WHERE id = 2"},
	} {
		writeFile(t, l.Dir, "holds.db", whole)
		inHolds(t, l.Dir, c.change)
		parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parts.Verify(t.Context())
		if !errors.Is(err, keystore.ErrHolds) || !strings.Contains(err.Error(), "the matter "+c.says) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && (strings.Contains(err.Error(), "ada") || strings.Contains(err.Error(), "joan") || strings.Contains(err.Error(), "payment")) {
			t.Errorf("%s: it tells of whom it is: %v", what, err)
		}
		if err := parts.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestVerifyHeldForged: a copy that was made with all keys, and is not what its leaf
// commits to, is found and named by its leaf.
func TestVerifyHeldForged(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	at := l.MustRecord(t, ledgertest.Share("one", "ada"))
	placeHold(t, l.Ledger, "M-1", "ada")
	l.Erase(t, "erase", "ada")
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
	parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer parts.Close()
	keys, err := parts.Keys.HoldsOn(t.Context(), events.RoleSubject, "email\x00ada@example.com")
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	held, err := parts.Keys.Kept(t.Context(), "M-1")
	if err != nil || len(held) != 1 || held[0].Index != at.Index {
		t.Fatal(held, err)
	}
	for what, spoil := range map[string]func(h *keystore.Held){
		"opening": func(h *keystore.Held) { h.Opening[7] ^= 1 },
		"secrets": func(h *keystore.Held) { h.Secrets[7] ^= 1 },
		"leaf":    func(h *keystore.Held) { h.Index-- },
		"beyond":  func(h *keystore.Held) { h.Index += 1000 },
	} {
		forged := held[0]
		forged.Secrets = slices.Clone(forged.Secrets)
		spoil(&forged)
		if err := parts.Keys.Keep(t.Context(), keys[0], events.Hash{1}, 0, []keystore.Held{forged}); err != nil {
			t.Fatal(err)
		}
		_, err := parts.Verify(t.Context())
		fault := (*ledger.Fault)(nil)
		if !errors.As(err, &fault) || fault.Index != forged.Index || !strings.Contains(fault.What, "the matter M-1 (holds.db)") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// swap exchanges a column of the first two rows of what is held.
func swap(column string) string {
	return strings.ReplaceAll(`CREATE TABLE other AS SELECT id, COLUMN FROM held WHERE id < 3; UPDATE held SET COLUMN = randomblob(32) WHERE id < 3;
		UPDATE held SET COLUMN = (SELECT COLUMN FROM other WHERE id = 3 - held.id) WHERE id < 3; DROP TABLE other`, "COLUMN", column)
}

func inHolds(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "holds.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
