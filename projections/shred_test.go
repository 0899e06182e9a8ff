package projections_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
)

// lived records a life: shares under a name and an alias, corrected and disputed,
// a consent, another key, more shares.
func lived(t *testing.T, l *ledgertest.Ledger) (first events.ID) {
	t.Helper()
	do := func(key string, cmd decide.Command) events.ID {
		a, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: key, Record: cmd})
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return a.ID
	}
	first = do("first", ledgertest.Share("first", "ada", "grace").Record)
	do("alias", &decide.AddAlias{Subject: ledgertest.Email("ada"), Alias: ledgertest.Email("countess")})
	do("by alias", ledgertest.Share("by alias", "countess").Record)
	do("consent", &decide.Choose{
		Event:   &events.ConsentGiven{Choice: events.Choice{At: "2026-01-02T03:04:05Z", Method: "form"}, Scope: events.Scope{Purposes: []string{"a purpose of hers alone"}}},
		Subject: decide.Subject{ID: ledgertest.Email("ada"), Private: events.Private{Description: "form of ada"}},
	})
	do("rotate", &decide.Close{Subject: ledgertest.Email("ada"), Reason: events.ReasonRotated})
	do("after", ledgertest.Share("after", "ada").Record)
	do("amend", &decide.Amend{ID: first, Kind: "supplement", Reason: "the basis", Changes: []byte(`{"legal_bases":["GDPR 6(1)(b)"]}`)})
	return first
}

// TestShred follows somebody who got another key and was erased then: all her rows
// are listed under each of her names, and all are gone afterwards, while those of the
// others stay as they are. Rows that are made anew are the same.
func TestShred(t *testing.T) {
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		for name, behind := range map[string]bool{"followed": false, "behind": true} {
			t.Run(name, func(t *testing.T) {
				l := ledgertest.New(t, ledgertest.Config{})
				place := e.New(t)
				v := openViews(t, l, place)
				first := lived(t, l)
				v.catchUp(t, l)
				for _, name := range []string{"ada", "countess"} {
					all := mustList(t, v.model, person(t, l, name))
					if len(all) != 3 || all[0].EventID != first || all[0].Version != 1 || all[0].Private.Description != "order of ada" {
						t.Fatalf("under %s are listed: %+v", name, all)
					}
					consents, err := v.model.Consents(t.Context(), person(t, l, name), projections.ConsentQuery{})
					if err != nil || len(consents.Consents) != 1 || consents.Consents[0].Private.Description != "form of ada" {
						t.Fatalf("consents under %s: %+v, %v", name, consents, err)
					}
				}
				others := func() (all []projections.Disclosure) {
					return append(mustList(t, v.model, person(t, l, "grace")), mustListAs(t, v.model, events.RoleRecipient, identity(t, l, "org:northwind"))...)
				}
				before := others()
				if behind { // the rows are of before, the key is destroyed, and then they follow
					if err := v.stop(); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: "erase", Record: &decide.Close{Subject: ledgertest.Email("countess"), Reason: events.ReasonErased}}); err != nil {
					t.Fatal(err)
				}
				if behind {
					v = openViews(t, l, place)
				}
				l.Publish(t)
				v.catchUp(t, l)
				for _, name := range []string{"ada", "countess"} {
					if all := mustList(t, v.model, person(t, l, name)); len(all) > 0 {
						t.Errorf("under %s are listed: %+v", name, all)
					}
				}
				if diff := cmp.Diff(before, others()); diff != "" {
					t.Error(diff)
				}
				if parked := v.model.Parked(); len(parked) > 0 {
					t.Errorf("parked: %+v", parked)
				}
				l.MustRecord(t, ledgertest.Share("back", "countess"))
				v.catchUp(t, l)
				if all := mustList(t, v.model, person(t, l, "countess")); len(all) != 1 || len(mustList(t, v.model, person(t, l, "ada"))) > 0 {
					t.Errorf("who came back has %+v", all)
				}
				before = others()
				if _, err := v.model.Rebuild(t.Context(), rebuildLedger(l)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, others()); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

func rebuildLedger(l *ledgertest.Ledger) projections.Rebuild {
	return projections.Rebuild{
		Source: l.Store, Stream: ledger.Stream(ledgertest.ID),
		Head: func(context.Context) (uint64, error) { return l.Status().Accepted, nil },
	}
}

// TestRowsSayNothing: what describes a person stands in no file of the read model in
// clear, and once the person is erased neither do their rows, wrapped as they were.
func TestRowsSayNothing(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	dir := t.TempDir()
	v := openViews(t, l, projectionstest.Place(dir))
	lived(t, l)
	v.catchUp(t, l)
	clear := [][]byte{[]byte("order of ada"), []byte("form of ada"), []byte("a purpose of hers alone"), []byte("ada@example.com")}
	inFiles(t, dir, clear, "in clear")
	ada, _, err := l.Keys.Party(t.Context(), events.RoleSubject, "email\x00ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	rows := wrappedRows(t, l, ada)
	if _, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: "erase", Record: &decide.Close{Subject: ledgertest.Email("ada"), Reason: events.ReasonErased}}); err != nil {
		t.Fatal(err)
	}
	l.Publish(t)
	v.catchUp(t, l)
	if err := v.stop(); err != nil {
		t.Fatal(err)
	}
	inFiles(t, dir, append(clear, rows...), "after the erasure")
}

// wrappedRows returns what rows say about a person's last generation.
func wrappedRows(t *testing.T, l *ledgertest.Ledger, p keystore.Party) (all [][]byte) {
	t.Helper()
	var stream []events.Recorded
	for e, err := range l.Store.Read(t.Context(), ledger.Stream(ledgertest.ID), 0, esdb.All) {
		if err != nil {
			t.Fatal(err)
		}
		stream = append(stream, e)
	}
	for _, row := range pureFold(t, l.Keys, ledgertest.Origin, stream).entries[p.Root] {
		if row.Private != "" {
			all = append(all, []byte(row.Private))
		}
	}
	if len(all) == 0 {
		t.Fatal("no row says anything of the person")
	}
	return all
}

func inFiles(t *testing.T, dir string, wanted [][]byte, when string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, w := range wanted {
			if bytes.Contains(b, w) {
				t.Errorf("%q is in %s %s", w, filepath.Base(path), when)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
