package keystore_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

const origin = "sharetrail.example/keys"

func open(t *testing.T, dir string) *keystore.Store {
	t.Helper()
	s, err := keystore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func create(t *testing.T, dir string) *keystore.Store {
	t.Helper()
	s := open(t, dir)
	if err := s.Create(t.Context(), origin); err != nil {
		t.Fatal(err)
	}
	return s
}

func add(t *testing.T, s *keystore.Store, name string, label byte) keystore.Party {
	t.Helper()
	added, err := s.Add(t.Context(), keystore.Party{Role: events.RoleSubject, Identity: events.Identity("email\x00" + name), Label: events.Hash{label}})
	if err != nil {
		t.Fatal(err)
	}
	return added[0]
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	p := add(t, s, "ada", 1)
	first, err := s.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), origin); err == nil {
		t.Error("a ledger's keys were made twice")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	second, err := s.Secrets(t.Context())
	if err != nil || first.Ledger != second.Ledger || first.LogVerifier != second.LogVerifier || first.ReportVerifier != second.ReportVerifier {
		t.Errorf("the secrets changed: %v", err)
	}
	for range 2 { // made again, they are the same
		for _, got := range []keystore.Party{byLabel(t, s, p.Label), add(t, s, "ada", 1)} {
			if got != p {
				t.Errorf("%+v became %+v", p, got)
			}
		}
	}
	if _, err := s.Add(t.Context(), keystore.Party{Role: events.RoleSubject, Identity: "email\x00eve", Label: p.Label}); err == nil {
		t.Error("another identity got the label of the first")
	}
	n := 0
	for got, err := range s.Parties(t.Context()) {
		if n++; err != nil || got != p {
			t.Errorf("party %d is %+v: %v", n, got, err)
		}
	}
	if n != 1 {
		t.Errorf("%d parties", n)
	}
}

func byLabel(t *testing.T, s *keystore.Store, label events.Hash) keystore.Party {
	t.Helper()
	p, found, err := s.ByLabel(t.Context(), label)
	if err != nil || !found {
		t.Fatalf("the party is gone: %v", err)
	}
	return p
}

func TestWrappingKey(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	add(t, s, "ada", 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "wrap.key")
	key, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"missing": nil, "short": key[:31], "empty": {}} {
		replace(t, path, b)
		if _, err := keystore.Open(t.Context(), dir); !errors.Is(err, keystore.ErrKeyMissing) {
			t.Errorf("opened with the wrapping key %s: %v", name, err)
		}
	}
	replace(t, path, bytes.Repeat([]byte{7}, 32))
	other := open(t, dir)
	if _, err := other.Secrets(t.Context()); !errors.Is(err, keystore.ErrKeyMissing) {
		t.Errorf("another wrapping key gave %v", err)
	}
	if _, _, err := other.ByLabel(t.Context(), events.Hash{1}); !errors.Is(err, keystore.ErrCannotOpen) {
		t.Errorf("another wrapping key gave a party: %v", err)
	}
}

func replace(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if b != nil {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpenedTogether: of those who open an empty keystore at once, all get the
// same wrapping key.
func TestOpenedTogether(t *testing.T) {
	dir := t.TempDir()
	var g errgroup.Group
	for range 8 {
		g.Go(func() error {
			s, err := keystore.Open(t.Context(), dir)
			if err != nil {
				return err
			}
			// One creates the ledger, everybody must be able to read it.
			created := s.Create(t.Context(), origin)
			if _, err := s.Secrets(t.Context()); err != nil {
				return errors.Join(err, created)
			}
			return s.Close()
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 || strings.HasSuffix(f.Name(), ".new") {
			t.Errorf("%s has mode %v: %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestBadOrigin(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Create(t.Context(), "a b+c"); err == nil {
		t.Error("an origin that cannot be a key name was taken")
	}
	if _, err := s.Origin(t.Context()); !errors.Is(err, keystore.ErrNoLedger) {
		t.Errorf("something was stored: %v", err)
	}
}

// TestNothingInClear: no key stands in the files as it is.
func TestNothingInClear(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	p := add(t, s, "ada", 1)
	secrets, err := s.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "keys.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{
		"party key": p.Key[:], "handle": p.Handle[:], "ledger secret": secrets.Ledger[:], "VRF key": secrets.VRF.Bytes(),
	} {
		if bytes.Contains(b, secret) {
			t.Errorf("the %s stands in the file", name)
		}
	}
}

// TestBulk asks for many parties at once: those there are, one that is not, and
// one whose key was made unreadable.
func TestBulk(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	var ids []keystore.PartyID
	labels := []events.Hash{{200}}
	for i := range 5 {
		p := add(t, s, strings.Repeat("a", i+1), byte(i+1))
		ids, labels = append(ids, p.ID), append(labels, p.Label)
	}
	if _, err := s.ByID(t.Context(), ids[0]); err != nil { // one of them is in memory
		t.Fatal(err)
	}
	found, err := s.ByLabels(t.Context(), labels)
	if err != nil || len(found) != 5 {
		t.Fatalf("%d of 5 labels, %v", len(found), err)
	}
	spoil(t, dir, "UPDATE party SET key = zeroblob(72) WHERE id = ?", ids[3])
	all, err := s.ByIDs(t.Context(), append(ids, 999))
	if err != nil || len(all) != 6 {
		t.Fatalf("%d of 6 parties, %v", len(all), err)
	}
	for i, id := range ids {
		got, want := all[id], found[labels[i+1]]
		if i == 3 {
			if !errors.Is(got.Err, keystore.ErrCannotOpen) || got.Party != (keystore.Party{ID: id, Root: id}) {
				t.Errorf("the party whose key is unreadable: %+v", got)
			}
		} else if got.Err != nil || got.Party != want {
			t.Errorf("party %d: %+v, want %+v", id, got, want)
		}
	}
	if got := all[999]; !errors.Is(got.Err, keystore.ErrNoParty) || got.Party.ID != 999 {
		t.Errorf("a party that is not there: %+v", got)
	}
	if _, err := s.ByLabels(t.Context(), labels); !errors.Is(err, keystore.ErrCannotOpen) {
		t.Errorf("labels of whom one is unreadable: %v", err)
	}
}

// spoil changes the file of a keystore behind its back.
func spoil(t *testing.T, dir, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "keys.db")+"?_pragma=busy_timeout(5000)")
	if err == nil {
		_, err = db.ExecContext(t.Context(), statement, args...)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}
