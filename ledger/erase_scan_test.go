package ledger_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// veiled is something to be searched for that does not stand in memory itself.
type veiled []byte

func veil(b []byte) veiled {
	v := make(veiled, len(b))
	for i := range b {
		v[i] = ^b[i]
	}
	return v
}

// in reports whether the bytes stand in b, without ever making them.
func (v veiled) in(b []byte) bool {
	for i := 0; i+len(v) <= len(b); i++ {
		next := bytes.IndexByte(b[i:], ^v[0])
		if next < 0 || i+next+len(v) > len(b) {
			return false
		}
		i += next
		k := 1
		for k < len(v) && b[i+k] == ^v[k] {
			k++
		}
		if k == len(v) {
			return true
		}
	}
	return false
}

// secretsOf reads what must be gone once somebody is erased, in a function of its
// own, so that nothing of it stays on the stack.
//
//go:noinline
func secretsOf(t *testing.T, parts *ledgertest.Parts, name, alias veiled) map[string]veiled {
	id := events.Identity("email\x00" + name.text() + "@example.com")
	all, err := parts.Keys.Generations(t.Context(), events.RoleSubject, id)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d generations: %v", len(all), err)
	}
	found := map[string]veiled{"identity": veil([]byte(id)), "address": veil([]byte(name.text() + "@example.com")),
		"alias": veil([]byte(alias.text() + "@example.com"))}
	for _, p := range all {
		found[fmt.Sprint("key ", p.Generation)], found[fmt.Sprint("handle ", p.Generation)] = veil(p.Key[:]), veil(p.Handle[:])
	}
	db, err := sql.Open("sqlite", filepath.Join(parts.Dir, "keys.db")+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, p := range all {
		for _, column := range []string{"key", "secrets"} {
			var wrapped []byte
			if err := db.QueryRow("SELECT "+column+" FROM party WHERE id = ?", int64(p.ID)).Scan(&wrapped); err != nil {
				t.Fatal(err)
			}
			found[fmt.Sprint("wrapped ", column, p.Generation)] = veil(wrapped)
		}
	}
	return found
}

func (v veiled) text() string { return string(veil(v)) }

// recordVeiled records with a person whose name nothing else holds.
//
//go:noinline
func recordVeiled(t *testing.T, l *ledger.Ledger, name, alias veiled) {
	t.Helper()
	do := func(key string, record decide.Command) {
		if _, err := l.Record(t.Context(), ledger.Command{Recorder: "till", Key: key, Record: record}); err != nil {
			t.Fatal(err)
		}
	}
	do("share", ledgertest.Share("share", name.text(), "grace").Record)
	do("alias", &decide.AddAlias{Subject: ledgertest.Email(name.text()), Alias: ledgertest.Email(alias.text())})
	do("rotate", &decide.Close{Subject: ledgertest.Email(name.text()), Reason: events.ReasonRotated})
	do("alias share", ledgertest.Share("alias share", alias.text(), "joan").Record)
	for i := range 50 { // neighbours in the files
		do(fmt.Sprint("more-", i), ledgertest.Share(fmt.Sprint("more-", i), ledgertest.People(fmt.Sprint("n", i), 5)...).Record)
	}
	do("again", ledgertest.Share("again", name.text()).Record)
}

//go:noinline
func eraseVeiled(t *testing.T, l *ledger.Ledger, name veiled) {
	t.Helper()
	_, err := l.Record(t.Context(), ledger.Command{Recorder: "till", Key: "erase", Record: &decide.Close{Subject: ledgertest.Email(name.text()), Reason: events.ReasonErased}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNothingIsLeft erases somebody and searches for their identities, keys and
// handles in every file of the data directory and in everything that the process
// can still reach in memory.
func TestNothingIsLeft(t *testing.T) {
	parts, err := ledgertest.OpenParts(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer parts.Close()
	opened, err := parts.OpenLedger(t.Context(), ledgertest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	running := ledgertest.Run(context.WithoutCancel(t.Context()), opened)
	name, alias := veil([]byte("adaverylovelace")), veil([]byte("countessoflovelace"))
	recordVeiled(t, opened, name, alias)
	secrets := secretsOf(t, parts, name, alias)
	if left := search(t, parts.Dir, secrets); len(left) == 0 { // else the search finds nothing at all
		t.Error("a living person's wrapped key is in no file, and their key not in memory")
	}
	eraseVeiled(t, opened, name)
	if _, err := opened.WaitPublished(t.Context(), opened.Status().Accepted-1); err != nil {
		t.Fatal(err)
	}
	for _, where := range search(t, parts.Dir, secrets) {
		t.Error(where)
	}
	if err := running.Stop(); err != nil {
		t.Fatal(err)
	}
}

// search returns what is found where.
func search(t *testing.T, dir string, secrets map[string]veiled) (found []string) {
	t.Helper()
	look := func(where string, b []byte) {
		for what, s := range secrets {
			if s.in(b) {
				found = append(found, fmt.Sprintf("the %s is in %s", what, where))
			}
		}
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		look(filepath.Base(path), b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	look("memory", heap(t))
	return found
}

// heap returns what the program can reach, as the runtime tells it.
func heap(t *testing.T) []byte {
	t.Helper()
	for range 3 { // pools keep what they had for a round
		runtime.GC()
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "heap"))
	if err != nil {
		t.Fatal(err)
	}
	debug.WriteHeapDump(f.Fd())
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
