package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// stored returns every event of the stream as it is stored.
func stored(t *testing.T, l *ledgertest.Ledger) (all [][]byte) {
	t.Helper()
	for e, err := range l.Store.Read(t.Context(), ledger.Stream(ledgertest.ID), 0, esdb.All) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, append(append(bytes.Clone(e.ID[:]), e.Data...), e.Metadata...))
	}
	return all
}

// TestErase erases one of two people of a share: their key is gone, the other's
// entries and the recipient's open as before, nothing that was written changes, and
// they can come back as somebody new.
func TestErase(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("both", "ada", "grace"))
	l.MustRecord(t, ledgertest.Share("one", "ada"))
	l.Check(t)
	before := stored(t, l)
	l.Erase(t, "erase", "ada")
	if _, found, err := l.Keys.Party(t.Context(), events.RoleSubject, "email\x00ada@example.com"); found || err != nil {
		t.Errorf("the key of who was erased is there: %v", err)
	}
	l.Check(t)
	for i, b := range stored(t, l)[:len(before)] {
		if !bytes.Equal(b, before[i]) {
			t.Errorf("event %d was changed", i)
		}
	}
	// The same key answers the same, although nobody can compare any more.
	l.RepeatAll(t)
	if a, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: "erase", Record: &decide.Close{Subject: ledgertest.Email("ada"), Reason: events.ReasonErased}}); err != nil || !a.Repeat {
		t.Errorf("erasing again with the same key: %+v, %v", a, err)
	}
	refuseClose(t, l, "ada")
	refuseClose(t, l, "nobody")
	for round := range 3 {
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("back-", round), "ada", "grace"))
		l.Check(t)
		l.Reopen(t, ledgertest.Config{})
		l.Check(t)
		l.RepeatAll(t)
		l.Erase(t, fmt.Sprint("erase-", round), "ada")
		l.Reopen(t, ledgertest.Config{})
		l.Check(t)
		l.RepeatAll(t)
	}
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
}

func refuseClose(t *testing.T, l *ledgertest.Ledger, name string) {
	t.Helper()
	_, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: "refused", Record: &decide.Close{Subject: ledgertest.Email(name), Reason: events.ReasonErased}})
	if refused := (*events.FieldError)(nil); !errors.As(err, &refused) || refused.Field != "subject" {
		t.Errorf("erasing %s, who is not there: %v", name, err)
	}
}

// TestRotate gives somebody another key, twice: the entries under the old ones
// open, and erasing destroys all of them.
func TestRotate(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("first", "ada", "grace"))
	l.Check(t)
	for round := range 2 {
		old, _, err := l.Keys.Party(t.Context(), events.RoleSubject, "email\x00ada@example.com")
		if err != nil {
			t.Fatal(err)
		}
		a := l.Rotate(t, fmt.Sprint("rotate-", round), "ada")
		now, _, err := l.Keys.Party(t.Context(), events.RoleSubject, "email\x00ada@example.com")
		if err != nil || now.Generation != old.Generation+1 || now.Handle == old.Handle || now.Key == old.Key {
			t.Fatalf("after a rotation generation %d became %d: %v", old.Generation, now.Generation, err)
		}
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("after-", round), "ada"))
		l.Check(t)
		l.RepeatAll(t)
		l.Reopen(t, ledgertest.Config{})
		l.Check(t)
		l.RepeatAll(t)
		again, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: fmt.Sprint("rotate-", round), Record: &decide.Close{Subject: ledgertest.Email("ada"), Reason: events.ReasonRotated}})
		if err != nil || !again.Repeat || again.Index != a.Index {
			t.Errorf("rotating again with the same key: %+v, %v", again, err)
		}
		for _, other := range []decide.Close{{Subject: ledgertest.Email("grace"), Reason: events.ReasonRotated}, {Subject: ledgertest.Email("ada"), Reason: events.ReasonErased}} {
			if _, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: fmt.Sprint("rotate-", round), Record: &other}); !errors.Is(err, ledger.ErrKeyReused) {
				t.Errorf("%+v with the same key: %v", other, err)
			}
		}
	}
	l.Erase(t, "erase", "ada")
	if all, err := l.Keys.Generations(t.Context(), events.RoleSubject, "email\x00ada@example.com"); len(all) > 0 || err != nil {
		t.Errorf("%d keys of who was erased are there: %v", len(all), err)
	}
	l.Check(t)
	l.Reopen(t, ledgertest.Config{})
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
}

// TestAlias: what is recorded under an alias goes to the primary identity, and
// erasing that ends the alias.
func TestAlias(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("own", "ada"))
	l.MustRecord(t, ledgertest.Share("other", "grace"))
	l.Alias(t, "alias", "ada", "countess")
	l.Alias(t, "new", "joan", "jo") // neither was known
	l.MustRecord(t, ledgertest.Share("alias share", "countess", "jo"))
	alias := func(key, name, alias string) (ledger.Accepted, error) {
		return l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: key, Record: &decide.AddAlias{Subject: ledgertest.Email(name), Alias: ledgertest.Email(alias)}})
	}
	for _, wrong := range [][3]string{
		{"ada", "grace", "alias"}, {"ada", "ada", "alias"}, {"countess", "lady", "subject"}, {"ada", "countess", "alias"}, {"grace", "countess", "alias"},
	} {
		_, err := alias("refused", wrong[0], wrong[1])
		if refused := (*events.FieldError)(nil); !errors.As(err, &refused) || refused.Field != wrong[2] {
			t.Errorf("%s as alias of %s: %v", wrong[1], wrong[0], err)
		}
	}
	if _, err := l.Record(t.Context(), ledgertest.Share("twice", "ada", "countess")); err == nil {
		t.Error("one person was named twice in a share")
	}
	l.Check(t)
	for range 2 {
		if a, err := alias("alias", "ada", "countess"); err != nil || !a.Repeat {
			t.Errorf("the same alias again: %+v, %v", a, err)
		}
		if _, err := alias("alias", "grace", "lady"); !errors.Is(err, ledger.ErrKeyReused) {
			t.Errorf("another alias under the same key: %v", err)
		}
		l.RepeatAll(t)
		l.Reopen(t, ledgertest.Config{})
		l.Check(t)
	}
	l.Rotate(t, "rotate", "countess")
	l.MustRecord(t, ledgertest.Share("later", "countess"))
	l.Check(t)
	l.Reopen(t, ledgertest.Config{})
	l.Check(t)
	l.Erase(t, "erase", "countess")
	l.Check(t)
	l.Reopen(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("as somebody", "countess")) // another person's address now, maybe
	l.Alias(t, "again", "grace", "ada")
	l.MustRecord(t, ledgertest.Share("to grace", "ada"))
	l.Check(t)
	l.Reopen(t, ledgertest.Config{})
	l.Check(t)
	l.RepeatAll(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
}

// TestKeysBroughtBack restores the keystore of before an erasure: its key is
// destroyed again before anything is served.
func TestKeysBroughtBack(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("share", "ada", "grace"))
	l.Alias(t, "alias", "ada", "countess")
	l.Rotate(t, "rotate", "ada")
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	old := readFile(t, l.Dir, "keys.db")
	l.Open(t, ledgertest.Config{})
	l.Erase(t, "erase", "ada")
	l.Check(t)
	for _, state := range []bool{true, false} { // with state.db, and without
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		writeFile(t, l.Dir, "keys.db", old)
		if !state {
			remove(t, l.Dir, "state.db")
		}
		l.Open(t, ledgertest.Config{})
		if all, err := l.Keys.Generations(t.Context(), events.RoleSubject, "email\x00countess@example.com"); len(all) > 0 || err != nil {
			t.Errorf("%d keys of who was erased came back: %v", len(all), err)
		}
		l.Check(t)
		l.RepeatAll(t)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}
