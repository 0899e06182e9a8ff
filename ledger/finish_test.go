package ledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
)

const ada = events.Identity("email\x00ada@example.com")

// prove is the evidence that a ledger gives for a query.
func prove(t *testing.T, l *ledgertest.Ledger, q verifier.Query) verifier.Evidence {
	t.Helper()
	q.Role = events.RoleSubject
	if q.IDs == nil {
		q.IDs = []events.Identity{ada}
	}
	e, err := l.Prove(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// check signs and checks a report of these parts, the last of which is l's.
func check(t *testing.T, l *ledgertest.Ledger, asked verifier.Asked, parts ...verifier.Evidence) (*verifier.Verdict, error) {
	t.Helper()
	secrets, err := l.Keys.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file, err := verifier.FormatReport(&verifier.Report{Trust: string(l.Trust().Canonical()), Parts: parts}, secrets.Report)
	if err != nil {
		t.Fatal(err)
	}
	if asked.IDs == nil {
		asked = verifier.Asked{Role: events.RoleSubject, IDs: []string{ada.String()}, Previous: asked.Previous}
	}
	return verifier.CheckReport(file, asked, l.Trust())
}

// TestFinish: what was accepted before the end is published under the final state,
// nothing is recorded after it, and it stays so.
func TestFinish(t *testing.T) {
	const next = "sharetrail.example/next"
	l := ledgertest.New(t, ledgertest.Config{})
	first := l.MustRecord(t, ledgertest.Share("one", "ada", "grace"))
	if _, _, ok := l.Final(); ok {
		t.Error("it ended before it was told to")
	}
	for _, bad := range []string{l.Origin(), strings.Repeat("x", 256)} {
		if _, err := l.Finish(t.Context(), bad); !isField(err, "successor") {
			t.Errorf("successor %.20q: %v", bad, err)
		}
	}
	p, err := l.Finish(t.Context(), next)
	if err != nil || p.Size != l.Status().Accepted {
		t.Fatalf("%+v, %v", p, err)
	}
	for range 2 {
		successor, checkpoint, ok := l.Final()
		if got, err := verifier.ParseCheckpoint(checkpoint); !ok || successor != next || err != nil || got.Size != p.Size || got.Root != p.Root {
			t.Errorf("it ended as %q, %q, %v", successor, checkpoint, err)
		}
		if again, err := l.Finish(t.Context(), next); err != nil || again.Size != p.Size {
			t.Errorf("ending it again: %+v, %v", again, err)
		}
		if _, err := l.Finish(t.Context(), "sharetrail.example/other"); !isField(err, "successor") {
			t.Errorf("another successor: %v", err)
		}
		if _, err := l.Record(t.Context(), ledgertest.Share("two", "ada")); !errors.Is(err, ledger.ErrFinished) || !strings.Contains(err.Error(), next) {
			t.Errorf("recording after the end: %v", err)
		}
		repeat, err := l.Record(t.Context(), ledgertest.Share("one", "ada", "grace"))
		if err != nil || !repeat.Repeat || repeat.Index != first.Index {
			t.Errorf("repeating what was recorded before: %+v, %v", repeat, err)
		}
		if s := l.Status(); s.Accepted != p.Size || s.Published != p.Size || !strings.Contains(s.Finished, next) {
			t.Errorf("status: %+v", s)
		}
		v, err := check(t, l, verifier.Asked{}, prove(t, l, verifier.Query{}))
		if err != nil || len(v.Entries) != 1 || !v.Closed || v.Successor != next {
			t.Errorf("the report: %+v, %v", v, err)
		}
		l.Reopen(t, ledgertest.Config{})
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func isField(err error, name string) bool {
	var field *events.FieldError
	return errors.As(err, &field) && field.Field == name
}

// TestFinishRace: whoever records while the ledger ends is either under the final
// state or refused.
func TestFinishRace(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	type outcome struct {
		at  uint64
		err error
	}
	const many = 40
	out := make(chan outcome, many)
	for i := range many {
		go func() {
			a, err := l.Record(context.WithoutCancel(t.Context()), ledgertest.Share("race-"+string(rune('A'+i)), "ada"))
			out <- outcome{a.Index, err}
		}()
	}
	p, err := l.Finish(t.Context(), "sharetrail.example/next")
	if err != nil {
		t.Fatal(err)
	}
	recorded := 0
	for range many {
		switch o := <-out; {
		case o.err == nil && o.at < p.Size-1:
			recorded++
		case errors.Is(o.err, ledger.ErrFinished):
		default:
			t.Errorf("recorded at %d of %d: %v", o.at, p.Size, o.err)
		}
	}
	v, err := check(t, l, verifier.Asked{}, prove(t, l, verifier.Query{}))
	if err != nil || len(v.Entries) != recorded {
		t.Errorf("%d were recorded: %+v, %v", recorded, v, err)
	}
}

// TestAfterTheEnd: whatever stands after the final state is a fault.
func TestAfterTheEnd(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	if _, err := l.Finish(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = parts.Store.Append(t.Context(), ledger.Stream(ledgertest.ID), events.Expected(1), events.Proposed{ID: events.ID{1}, Type: "Foreign", Data: []byte("{}")})
	if err := errors.Join(err, parts.Close()); err != nil {
		t.Fatal(err)
	}
	if err := l.TryOpen(t, ledgertest.Config{}); !errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), "after the leaf that ended the ledger") {
		t.Errorf("opened: %v", err)
	}
	l.Running = nil
}

// TestChain: two real ledgers, one report.
func TestChain(t *testing.T) {
	const next = "sharetrail.example/next"
	old := ledgertest.New(t, ledgertest.Config{})
	old.MustRecord(t, ledgertest.Share("one", "ada"))
	old.MustRecord(t, ledgertest.Share("two", "ada", "grace"))
	if _, err := old.Finish(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	_, checkpoint, _ := old.Final()
	now := ledgertest.New(t, ledgertest.Config{Origin: next, Predecessor: checkpoint, Predecessors: old.Trust().Succeed()})
	now.MustRecord(t, ledgertest.Share("one", "grace"))
	now.MustRecord(t, ledgertest.Share("three", "ada"))
	now.Publish(t)
	both := func(id events.Identity) []verifier.Evidence {
		q := verifier.Query{IDs: []events.Identity{id}}
		return []verifier.Evidence{prove(t, old, q), prove(t, now, q)}
	}
	v, err := check(t, now, verifier.Asked{}, both(ada)...)
	if err != nil || v.Chain != 2 || len(v.Entries) != 3 {
		t.Fatalf("%+v, %v", v, err)
	}
	v, err = check(t, now, verifier.About(events.RoleSubject, "email:nobody@example.com"), both("email\x00nobody@example.com")...)
	if err != nil || v.Enrolled {
		t.Errorf("%+v, %v", v, err)
	}
	// The settings must say what the first leaf says.
	if err := now.Close(t); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]ledgertest.Config{
		"nothing":            {Origin: next},
		"no trust":           {Origin: next, Predecessor: checkpoint},
		"another checkpoint": {Origin: next, Predecessor: checkpoint + "x", Predecessors: old.Trust().Succeed()},
	} {
		if err := now.TryOpen(t, c); !errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), "ledger.json") {
			t.Errorf("%s: %v", name, err)
		}
	}
	now.Open(t, ledgertest.Config{Origin: next, Predecessor: checkpoint, Predecessors: old.Trust().Succeed()})
}

// TestProveFiltered: the ledger's own reports under a filter, with an amendment, as
// a copy, and since an earlier checkpoint.
func TestProveFiltered(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	one := ledgertest.Share("one", "ada")
	one.Record.(*decide.RecordDisclosure).Disclosure.Occurred.At = "2026-01-05T00:00:00Z"
	l.MustRecord(t, one)
	two := ledgertest.Share("two", "ada", "grace")
	two.Record.(*decide.RecordDisclosure).Disclosure.Occurred.At = "2026-02-05T00:00:00Z"
	l.MustRecord(t, two)
	kept := l.Publish(t).Note
	l.MustRecord(t, ledgertest.Share("three", "grace"))
	l.Publish(t)
	for since, want := range map[string]int{"2026-01-01": 2, "2026-02-01": 1, "2026-03-01": 0} {
		f := &verifier.Filter{Version: 1, Since: since, Until: "2026-12-31"}
		v, err := check(t, l, verifier.Asked{Previous: kept}, prove(t, l, verifier.Query{Filter: f, Since: kept}))
		if err != nil || len(v.Entries) != want || int(v.Filtered) != 2-want || len(v.Extends) != 1 {
			t.Errorf("since %s: %+v, %v", since, v, err)
		}
		v, err = check(t, l, verifier.Asked{}, prove(t, l, verifier.Query{Filter: f, Copy: true}))
		if err != nil || len(v.Entries) != want || !v.Copy || v.Filtered != 0 {
			t.Errorf("a copy since %s: %+v, %v", since, v, err)
		}
	}
	grace := events.Identity("email\x00grace@example.com")
	v, err := check(t, l, verifier.About(events.RoleSubject, grace.String(), "email:nobody@example.com", ada.String()),
		prove(t, l, verifier.Query{IDs: []events.Identity{grace, "email\x00nobody@example.com", ada}}))
	if err != nil || len(v.Names) != 3 || len(v.Entries) != 4 {
		t.Errorf("three names: %+v, %v", v, err)
	}
}
