package keystore_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

func openHolds(t *testing.T, dir string) *keystore.Store {
	t.Helper()
	s, err := keystore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestJournal: whoever changes, moves, adds or takes away a step of the journal, or
// whom it names, without the keys is found out at the next start.
func TestJournal(t *testing.T) {
	for name, statement := range map[string]string{
		"nothing":            "SELECT 1",
		"a byte":             "UPDATE journal SET step = CAST(substr(step, 1, 40) || x'00' || substr(step, 42) AS BLOB) WHERE seq = 2",
		"a chain":            "UPDATE journal SET mac = randomblob(32) WHERE seq = 2",
		"the last":           "DELETE FROM journal WHERE seq = 3",
		"one in the middle":  "DELETE FROM journal WHERE seq = 2",
		"two in other order": "UPDATE journal SET seq = -seq; UPDATE journal SET seq = CASE seq WHEN -1 THEN 2 WHEN -2 THEN 1 ELSE 3 END",
		"one more":           "INSERT INTO journal SELECT 4, step, mac FROM journal WHERE seq = 3",
		"all":                "DELETE FROM journal",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openHolds(t, dir)
			for _, who := range []events.Identity{"email\x00ada@example.com", "email\x00grace@example.com"} {
				if err := s.PlaceHold(t.Context(), keystore.HoldStep{Matter: "M-1", Reason: "claim", By: "a"}, []events.Identity{who}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.ProposeRelease(t.Context(), keystore.HoldStep{Matter: "M-1", By: "a"}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", filepath.Join(dir, "holds.db"))
			if err != nil {
				t.Fatal(err)
			}
			if name != "nothing" {
				for _, first := range []string{"UPDATE journal SET seq = seq", "DELETE FROM journal"} {
					if _, err := db.Exec(first); err == nil {
						t.Errorf("%s: nothing holds it up", first)
					}
				}
				statement = "DROP TRIGGER journal_unchanged; DROP TRIGGER journal_whole; " + statement
			}
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			s, err = keystore.Open(t.Context(), dir)
			if name != "nothing" {
				if !errors.Is(err, keystore.ErrHolds) {
					t.Errorf("it was not found: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			h, found, err := s.Hold(t.Context(), "M-1")
			if err != nil || !found || len(h.Steps) != 3 || len(h.People) != 2 || h.Released() || h.Last().Kind != keystore.HoldProposed {
				t.Errorf("%+v, %v, %v", h, found, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestHeldFlips: what is held opens an entry as its owner's key did, and no bit of it
// can be another.
func TestHeldFlips(t *testing.T) {
	key := [32]byte{1}
	label := events.Hash{1, 1}
	s := sealed(t, draft(keystore.Draw{Key: key, Label: label, Content: events.EntryContent(events.RoleSubject, 7, "email\x00ada@example.com", &events.Private{Description: "seat 7"})}))
	slot := uint16(slotOf(s, label))
	held, err := s.Hold(slot, key)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := s.OpenHeld(held)
	if err != nil || opened.Content.Private.Description != "seat 7" || opened.Event == nil {
		t.Fatalf("%+v, %v", opened, err)
	}
	if _, err := s.Hold(slot^1, key); !errors.Is(err, keystore.ErrCannotOpen) {
		t.Errorf("a decoy is held: %v", err)
	}
	refused := func(what string, at int, h keystore.Held) {
		t.Helper()
		if _, err := s.OpenHeld(h); err == nil {
			t.Errorf("it opens with another %s at %d", what, at)
		}
	}
	for bit := range 8 * len(held.Opening) {
		h := held
		h.Opening[bit/8] ^= 1 << (bit % 8)
		refused("opening", bit, h)
	}
	for bit := range 8 * len(held.Content) {
		h := held
		h.Content = slices.Clone(held.Content)
		h.Content[bit/8] ^= 1 << (bit % 8)
		refused("content", bit, h)
	}
	for bit := range 8 * 64 { // behind them are the target's, and there is none
		h := held
		h.Secrets = slices.Clone(held.Secrets)
		h.Secrets[bit/8] ^= 1 << (bit % 8)
		refused("secret", bit, h)
	}
	for n := range 64 {
		h := held
		h.Secrets = held.Secrets[:n]
		refused("length", n, h)
	}
	h := held
	h.Slot ^= 1
	refused("slot", int(h.Slot), h)
	h.Slot = 1 << 15
	refused("slot", int(h.Slot), h)
	h = held
	h.Index++
	refused("index", int(h.Index), h)
}
