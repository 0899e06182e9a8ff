package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// TestEraseAmongMany erases one of a thousand people of a share, and gives another one
// another key: what the others are told, and the header, open as before, the one's
// report says that they are erased, and the other's that nothing is lost.
func TestEraseAmongMany(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MaxReports = 20
	cmd := ledgertest.Share("many", ledgertest.People("p", 1_000)...)
	a := l.MustRecord(t, cmd)
	l.Alias(t, "alias", "p-2", "countess")
	l.Erase(t, "erase", "p-0")
	l.Rotate(t, "rotate", "p-1")
	for range 2 {
		l.Publish(t)
		l.Check(t)
		if b := l.MustRecord(t, cmd); !b.Repeat || b.Index != a.Index || b.Continuations != a.Continuations {
			t.Errorf("the same again gave %+v", b)
		}
		less := ledgertest.Share("many", ledgertest.People("p", 999)...)
		if _, err := l.Record(t.Context(), less); !errors.Is(err, ledger.ErrKeyReused) {
			t.Errorf("another share with the same key: %v", err)
		}
		l.Reopen(t, ledgertest.Config{})
	}
	share := cmd.Record.(*decide.RecordDisclosure).Disclosure
	share.Data = events.SharedData{Categories: []string{"name"}}
	amended := &events.DisclosureAmended{DisclosureRecorded: share, Amendment: events.Amendment{Version: 1, Kind: "correct", Reason: "less", Changed: []string{"data"}}}
	change := ledger.Command{Recorder: ledgertest.Recorder, Key: "amend", Record: &decide.Amend{ID: a.ID, Kind: "correct", Reason: "less", Changes: []byte(`{"data":{"categories":["name"]}}`)}}
	b, err := l.Record(t.Context(), change)
	if err != nil {
		t.Fatal(err)
	}
	l.Model.Expect(b.Index, decide.Planned{Event: amended, Parties: aboutAll(a.Index, thousand(1, 1_000)...)})
	l.Publish(t)
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
}

// thousand are some of the people of a share, and its recipient.
func thousand(from, to int) (parties []decide.Party) {
	for i := from; i < to; i++ {
		parties = append(parties, decide.Party{Role: events.RoleSubject, ID: events.Identity(fmt.Sprintf("email\x00p-%d@example.com", i))})
	}
	return append(parties, decide.Party{Role: events.RoleRecipient, ID: "org\x00northwind"})
}

// TestEraseWhileOpen erases people between the continuations of a share, and of an
// amendment of it: the same command completes it for those who are left, once.
func TestEraseWhileOpen(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MaxReports = 10
	share := ledgertest.Share("many", ledgertest.People("p", 700)...)
	die(t, l, share)
	erased := map[events.Identity]bool{}
	for i := 0; len(erased) < 3; i++ {
		name := fmt.Sprintf("p-%d", i)
		a, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: "erase " + name, Record: &decide.Close{Subject: ledgertest.Email(name), Reason: events.ReasonErased}})
		if err == nil {
			l.Model.Ended(a.Index, name, events.ReasonErased)
			erased[events.Identity("email\x00"+name+"@example.com")] = true
		}
	}
	_, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: "alias", Record: &decide.AddAlias{Subject: ledgertest.Email("p-99"), Alias: ledgertest.Email("countess")}})
	if refused := (*events.FieldError)(nil); !errors.As(err, &refused) || refused.Field != "alias" {
		t.Errorf("an alias came between: %v", err)
	}
	a := finish(t, l, share)
	if a.Continuations != 11 {
		t.Errorf("got %+v", a)
	}
	if err := l.Model.Accepted(share, a.Index); err != nil {
		t.Fatal(err)
	}
	l.Publish(t)
	l.Check(t)

	amended := share.Record.(*decide.RecordDisclosure).Disclosure
	amended.Data = events.SharedData{Categories: []string{"name"}}
	change := ledger.Command{Recorder: ledgertest.Recorder, Key: "amend", Record: &decide.Amend{ID: a.ID, Kind: "correct", Reason: "less", Changes: []byte(`{"data":{"categories":["name"]}}`)}}
	die(t, l, change)
	for i := 600; i < 660; i++ { // some have their entry and some have not
		l.Erase(t, fmt.Sprint("erase ", i), fmt.Sprintf("p-%d", i))
	}
	l.Rotate(t, "rotate", "p-599")
	b := finish(t, l, change)
	told := slices.DeleteFunc(thousand(0, 700), func(p decide.Party) bool { return erased[p.ID] })
	l.Model.Expect(b.Index, decide.Planned{
		Event:   &events.DisclosureAmended{DisclosureRecorded: amended, Amendment: events.Amendment{Version: 1, Kind: "correct", Reason: "less", Changed: []string{"data"}}},
		Parties: aboutAll(a.Index, told...),
	})
	l.Publish(t)
	l.Check(t)
	l.Reopen(t, ledgertest.Config{})
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	verify(t, l)
}

// die stops a ledger amid the continuations of a command, and starts it anew.
func die(t *testing.T, l *ledgertest.Ledger, cmd ledger.Command) {
	t.Helper()
	f := &failing{left: 2, late: false}
	restartWith(t, l, ledgertest.Config{Store: func(s ledger.Store) ledger.Store { f.Store = s; return f }})
	if _, err := l.Record(t.Context(), cmd); !errors.Is(err, errDied) {
		t.Fatalf("got %v", err)
	}
	restartWith(t, l, ledgertest.Config{})
	if open, err := l.Unfinished(t.Context()); err != nil || len(open) != 1 {
		t.Fatalf("open are %+v, %v", open, err)
	}
}

// finish repeats a command that was cut short.
func finish(t *testing.T, l *ledgertest.Ledger, cmd ledger.Command) ledger.Accepted {
	t.Helper()
	a, err := l.Record(t.Context(), cmd)
	if err != nil || !a.Repeat {
		t.Fatalf("got %+v, %v", a, err)
	}
	if open, err := l.Unfinished(t.Context()); err != nil || len(open) > 0 {
		t.Fatalf("open are %+v, %v", open, err)
	}
	b, err := l.Record(t.Context(), cmd)
	if err != nil || b.Index != a.Index || b.Continuations != a.Continuations || b.Last != a.Last {
		t.Fatalf("the same again gave %+v, %v, and not %+v", b, err, a)
	}
	return a
}
