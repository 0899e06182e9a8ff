package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

func holdOn(matter string, names ...string) ledger.HoldRequest {
	r := ledger.HoldRequest{Matter: matter, Ground: "litigation", Reason: "the claim of 2026"}
	for _, name := range names {
		r.Subjects = append(r.Subjects, ledgertest.Email(name))
	}
	return r
}

func placeHold(t *testing.T, l *ledger.Ledger, matter string, names ...string) {
	t.Helper()
	if _, err := l.PlaceHold(t.Context(), "counsel-1", holdOn(matter, names...)); err != nil {
		t.Fatal(err)
	}
}

// releaseHold has two keyholders release a hold.
func releaseHold(t *testing.T, l *ledger.Ledger, matter string) {
	t.Helper()
	if v, err := l.ProposeHoldRelease(t.Context(), "counsel-1", matter, "settled"); err != nil || v.State != "proposed" {
		t.Fatalf("%+v, %v", v, err)
	}
	_, err := l.ReleaseHold(t.Context(), "counsel-1", nil, matter)
	refusedField(t, err, "actor")
	_, err = l.ReleaseHold(t.Context(), "counsel-2", []string{"operator", "counsel-1"}, matter)
	refusedField(t, err, "actor")
	if v, err := l.ReleaseHold(t.Context(), "counsel-2", nil, matter); err != nil || v.State != "released" || len(v.Subjects) > 0 {
		t.Fatalf("%+v, %v", v, err)
	}
}

func refusedField(t *testing.T, err error, field string) {
	t.Helper()
	if refused := (*events.FieldError)(nil); !errors.As(err, &refused) || refused.Field != field {
		t.Errorf("refused for %v, not %s", err, field)
	}
}

// heldShares returns, of each share that is held, the key it was recorded with and
// whose it was.
func heldShares(t *testing.T, l *ledger.Ledger, matter string) (found []string) {
	t.Helper()
	_, entries, err := l.HeldEntries(t.Context(), matter)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Type == events.TypeClosed { // of a rotation
			continue
		}
		share, ok := e.Event.(*events.DisclosureRecorded)
		if !ok || e.Type != events.TypeDisclosureRecorded || e.Private == nil || !strings.HasPrefix(e.Private.Description, "order of ") {
			t.Fatalf("held is %+v", e)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(e.Subject, "email:"), "@")
		found = append(found, strings.TrimPrefix(share.Purposes[0], "payment processing for ")+" "+name)
	}
	return found
}

func wantHeld(t *testing.T, l *ledger.Ledger, matter string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, heldShares(t, l, matter)); diff != "" {
		t.Errorf("under %s (-want +held):\n%s", matter, diff)
	}
}

// TestHold: an erasure under a hold destroys the person's keys like any other, and
// what it was about opens under the hold until that is released: entries under keys
// of before a rotation, under an alias, and of who came back under the same name.
func TestHold(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("both", "ada", "grace"))
	l.Alias(t, "alias", "ada", "countess")
	l.Rotate(t, "rotate", "ada")
	placeHold(t, l.Ledger, "M-1", "countess") // of the person
	placeHold(t, l.Ledger, "M-1", "ada")      // so already
	placeHold(t, l.Ledger, "M-2", "grace", "ada")
	l.MustRecord(t, ledgertest.Share("by alias", "countess"))
	l.Rotate(t, "rotate again", "ada")
	l.MustRecord(t, ledgertest.Share("last", "ada"))
	wantHeld(t, l.Ledger, "M-1") // it is in the ledger still
	before := stored(t, l)
	l.Erase(t, "erase", "ada")
	if all, err := l.Keys.Generations(t.Context(), events.RoleSubject, "email\x00ada@example.com"); len(all) > 0 || err != nil {
		t.Errorf("%d keys of who was erased are there: %v", len(all), err)
	}
	if after := stored(t, l); len(after) != len(before)+1 {
		t.Errorf("the erasure appended %d events", len(after)-len(before))
	}
	held := []string{"both ada", "by alias ada", "last ada"}
	for range 2 {
		l.Check(t)
		wantHeld(t, l.Ledger, "M-1", held...)
		wantHeld(t, l.Ledger, "M-2", held...)
		l.Reopen(t, ledgertest.Config{})
	}
	l.MustRecord(t, ledgertest.Share("back", "ada", "grace"))
	l.Erase(t, "erase again", "ada")
	wantHeld(t, l.Ledger, "M-1", append(held, "back ada")...)
	releaseHold(t, l.Ledger, "M-1")
	wantHeld(t, l.Ledger, "M-1")
	wantHeld(t, l.Ledger, "M-2", append(held, "back ada")...)
	_, err := l.PlaceHold(t.Context(), "counsel-1", holdOn("M-1", "grace"))
	refusedField(t, err, "matter")
	l.Erase(t, "erase grace", "grace")
	wantHeld(t, l.Ledger, "M-1")
	wantHeld(t, l.Ledger, "M-2", "both ada", "both grace", "by alias ada", "last ada", "back ada", "back grace")
	l.Check(t)
	if views, err := l.Holds(t.Context()); err != nil || len(views) != 2 || views[0].Matter != "M-1" || len(views[0].Steps) != 3 || len(views[1].Subjects) != 2 {
		t.Errorf("holds are %+v, %v", views, err)
	}
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
}

// TestHoldRefused: what cannot be held or released is said, and nothing is stored.
func TestHoldRefused(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("both", "ada", "grace"))
	l.Erase(t, "erase", "ada")
	for field, change := range map[string]func(*ledger.HoldRequest){
		"matter":      func(r *ledger.HoldRequest) { r.Matter = "a/b" },
		"ground":      func(r *ledger.HoldRequest) { r.Ground = "whim" },
		"reason":      func(r *ledger.HoldRequest) { r.Reason = "" },
		"subjects":    func(r *ledger.HoldRequest) { r.Subjects = nil },
		"subjects[0]": func(r *ledger.HoldRequest) { r.Subjects[0] = "nobody" },
		"subjects[1]": func(r *ledger.HoldRequest) { r.Subjects = append(r.Subjects, ledgertest.Email("ada")) }, // after the erasure
	} {
		r := holdOn("M-1", "grace")
		change(&r)
		_, err := l.PlaceHold(t.Context(), "counsel-1", r)
		refusedField(t, err, field)
	}
	if _, err := l.ProposeHoldRelease(t.Context(), "counsel-1", "M-1", "settled"); !errors.Is(err, ledger.ErrNoHold) {
		t.Error(err)
	}
	if _, err := l.ReleaseHold(t.Context(), "counsel-1", nil, "M-1"); !errors.Is(err, ledger.ErrNoHold) {
		t.Error(err)
	}
	if _, _, err := l.HeldEntries(t.Context(), "M-1"); !errors.Is(err, ledger.ErrNoHold) {
		t.Error(err)
	}
	if views, err := l.Holds(t.Context()); err != nil || len(views) > 0 {
		t.Errorf("holds are %+v, %v", views, err)
	}
	placeHold(t, l.Ledger, "M-1", "grace")
	_, err := l.ReleaseHold(t.Context(), "counsel-2", nil, "M-1")
	refusedField(t, err, "matter")
	if _, err := l.ProposeHoldRelease(t.Context(), "counsel-1", "M-1", "settled"); err != nil {
		t.Error(err)
	}
	placeHold(t, l.Ledger, "M-1", "grace") // takes the proposal back
	_, err = l.ReleaseHold(t.Context(), "counsel-2", nil, "M-1")
	refusedField(t, err, "matter")
	releaseHold(t, l.Ledger, "M-1")
	for range 2 {
		_, err = l.ReleaseHold(t.Context(), "counsel-2", nil, "M-1")
		refusedField(t, err, "matter")
	}
}

// TestHoldsBroughtBack restores older files: of keys.db, which takes nothing from
// what is held and gives nothing back of what was released; of both, after which
// what the log says to be erased is held first; and of holds.db alone, which is
// refused.
func TestHoldsBroughtBack(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("share", "ada", "grace"))
	l.Rotate(t, "rotate", "ada")
	copies := func() (keys, holds []byte) {
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		return readFile(t, l.Dir, "keys.db"), readFile(t, l.Dir, "holds.db")
	}
	before, _ := copies()
	l.Open(t, ledgertest.Config{})
	placeHold(t, l.Ledger, "M-1", "ada")
	placeHold(t, l.Ledger, "M-2", "ada")
	keys, holds := copies()
	l.Open(t, ledgertest.Config{})
	l.Erase(t, "erase", "ada")
	restored := func(file string, b []byte) {
		t.Helper()
		if err := l.Close(t); err != nil {
			t.Fatal(err)
		}
		writeFile(t, l.Dir, file, b)
		if file == "holds.db" {
			writeFile(t, l.Dir, "keys.db", keys)
			remove(t, l.Dir, "state.db")
		}
		l.Open(t, ledgertest.Config{})
		if all, err := l.Keys.Generations(t.Context(), events.RoleSubject, "email\x00ada@example.com"); len(all) > 0 || err != nil {
			t.Errorf("%d keys of who was erased came back: %v", len(all), err)
		}
	}
	for range 2 {
		wantHeld(t, l.Ledger, "M-1", "share ada")
		restored("keys.db", before)
	}
	restored("holds.db", holds)
	wantHeld(t, l.Ledger, "M-1", "share ada")
	releaseHold(t, l.Ledger, "M-1")
	restored("keys.db", before)
	wantHeld(t, l.Ledger, "M-1")
	wantHeld(t, l.Ledger, "M-2", "share ada")
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	newest := readFile(t, l.Dir, "holds.db")
	for what, spoil := range map[string]func(){
		"an older one": func() { writeFile(t, l.Dir, "holds.db", holds) },
		"none":         func() { remove(t, l.Dir, "holds.db") },
	} {
		spoil()
		if err := l.TryOpen(t, ledgertest.Config{}); !errors.Is(err, keystore.ErrHolds) {
			t.Errorf("with %s: %v", what, err)
		}
	}
	writeFile(t, l.Dir, "holds.db", newest)
	l.Open(t, ledgertest.Config{})
	wantHeld(t, l.Ledger, "M-2", "share ada")
	l.Check(t)
}

// TestHoldAmongMany holds the entry of one of so many people that it is a
// continuation: what it continues opens too.
func TestHoldAmongMany(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("many", ledgertest.People("m", 700)...))
	placeHold(t, l.Ledger, "M-1", "m-699")
	l.Erase(t, "erase", "m-699")
	_, entries, err := l.HeldEntries(t.Context(), "M-1")
	if err != nil || len(entries) != 1 || entries[0].Subject != ledgertest.Email("m-699") || entries[0].Header == nil {
		t.Fatalf("held are %+v, %v", entries, err)
	}
	share, ok := entries[0].Header.Event.(*events.DisclosureRecorded)
	if !ok || share.Purposes[0] != "payment processing for many" || entries[0].Header.Index == entries[0].Index {
		t.Errorf("it continues %+v", entries[0].Header)
	}
}

// failingAppends fails the appends of a store while it is told to.
type failingAppends struct {
	ledger.Store
	lost   *atomic.Bool // the append is not made
	silent *atomic.Bool // it is made, and nobody is told
}

func (s failingAppends) Append(ctx context.Context, stream string, expected events.Expected, evs ...events.Proposed) (uint64, error) {
	if s.lost.Load() {
		return 0, errors.New("the store is away")
	}
	last, err := s.Store.Append(ctx, stream, expected, evs...)
	if s.silent.Load() {
		return 0, errors.New("the connection broke")
	}
	return last, err
}

// TestHoldInterrupted ends an erasure between its steps: after what is held is
// durable, and after the append, before the key is destroyed.
func TestHoldInterrupted(t *testing.T) {
	var lost, silent atomic.Bool
	cfg := ledgertest.Config{Store: func(s ledger.Store) ledger.Store { return failingAppends{s, &lost, &silent} }}
	l := ledgertest.New(t, cfg)
	l.MustRecord(t, ledgertest.Share("share", "ada", "grace"))
	placeHold(t, l.Ledger, "M-1", "ada")
	erase := ledger.Command{Recorder: ledgertest.Recorder, Key: "erase", Record: &decide.Close{Subject: ledgertest.Email("ada"), Reason: events.ReasonErased}}
	keys := func() int {
		all, err := l.Keys.Generations(t.Context(), events.RoleSubject, "email\x00ada@example.com")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	lost.Store(true)
	if _, err := l.Record(t.Context(), erase); err == nil {
		t.Fatal("it was erased without a store")
	}
	lost.Store(false)
	wantHeld(t, l.Ledger, "M-1", "share ada") // durable before the append
	if keys() != 1 {
		t.Error("the key went before the append")
	}
	l.Reopen(t, cfg)
	l.MustRecord(t, ledgertest.Share("after", "ada")) // is held too, in the end
	silent.Store(true)
	if _, err := l.Record(t.Context(), erase); err == nil {
		t.Fatal("a broken connection was not noticed")
	}
	silent.Store(false)
	if keys() != 1 {
		t.Error("the key went before the append was known")
	}
	l.Reopen(t, cfg)
	if keys() != 0 {
		t.Error("the start did not destroy the key")
	}
	wantHeld(t, l.Ledger, "M-1", "share ada", "after ada")
	if a, err := l.Record(t.Context(), erase); err != nil || !a.Repeat {
		t.Errorf("%+v, %v", a, err)
	}
	releaseHold(t, l.Ledger, "M-1")
	wantHeld(t, l.Ledger, "M-1")
}

// TestNothingIsLeftUnderHold searches for what an erasure destroys when there is a
// hold, and, after its release, for what was kept.
func TestNothingIsLeftUnderHold(t *testing.T) {
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
	placeVeiled(t, opened, name)
	secrets := secretsOf(t, parts, name, alias)
	eraseVeiled(t, opened, name)
	for _, where := range search(t, parts.Dir, secrets) {
		t.Error(where)
	}
	if n := heldVeiled(t, opened); n != 3 {
		t.Errorf("%d entries are held", n)
	}
	rows := heldRows(t, parts.Dir)
	if len(rows) != 4 { // the hold's key, whom it is about, and a row for each generation
		t.Errorf("%d rows", len(rows))
	}
	if found := search(t, parts.Dir, rows); len(found) < len(rows) { // else the search finds nothing at all
		t.Errorf("of what is held there is %q", found)
	}
	releaseHold(t, opened, "M-1")
	for _, where := range search(t, parts.Dir, rows) {
		t.Error(where)
	}
	for _, where := range search(t, parts.Dir, secrets) {
		t.Error(where)
	}
	if err := running.Stop(); err != nil {
		t.Fatal(err)
	}
}

//go:noinline
func placeVeiled(t *testing.T, l *ledger.Ledger, name veiled) {
	t.Helper()
	placeHold(t, l, "M-1", name.text())
}

//go:noinline
func heldVeiled(t *testing.T, l *ledger.Ledger) int {
	t.Helper()
	return len(slices.Clip(heldShares(t, l, "M-1")))
}
