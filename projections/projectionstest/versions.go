package projectionstest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/projections"
)

func testReadModelVersions(t *testing.T, p Place) {
	s := p.MustOpen(t, Origin)
	versions := func(wantAll []int, wantActive int) {
		t.Helper()
		all, active, err := s.Versions(t.Context(), viewName)
		if diff := cmp.Diff(wantAll, all); diff != "" || active != wantActive || err != nil {
			t.Errorf("version %d is in use instead of %d, %v; versions (-want +got):\n%s", active, wantActive, err, diff)
		}
	}
	versions(nil, 0)
	one := openView(t, s, 1)
	if err := s.Activate(t.Context(), viewName, 0, 1); err != nil {
		t.Fatal(err)
	}
	commit(t, one, 2, additions(entry(7, 0, 1)))
	two, err := s.Open(t.Context(), viewName, 2)
	if err != nil {
		t.Fatal(err)
	}
	if got := state(t, two); got.Next != 0 {
		t.Errorf("a new version begins at %d", got.Next)
	}
	versions([]int{1, 2}, 1)
	commit(t, two, 2, additions(entry(7, 0, 1)))
	if err := errors.Join(two.Close(), s.Drop(t.Context(), viewName, 2)); err != nil {
		t.Fatal(err)
	}
	versions([]int{1}, 1)
	two = openView(t, s, 2)
	if got := state(t, two); got.Next != 0 || len(list(t, two, projections.EntryQuery{Party: 7}).Entries) != 0 {
		t.Errorf("a version that was dropped begins again with %+v", got)
	}
	if err := s.Activate(t.Context(), viewName, 3, 2); !errors.Is(err, projections.ErrMoved) {
		t.Errorf("putting 2 in the place of 3: %v", err)
	}
	if err := s.Activate(t.Context(), viewName, 0, 2); !errors.Is(err, projections.ErrMoved) {
		t.Errorf("putting 2 in the place of none: %v", err)
	}
	if err := s.Activate(t.Context(), viewName, 1, 2); err != nil {
		t.Fatal(err)
	}
	versions([]int{1, 2}, 2)
	if err := s.Drop(t.Context(), viewName, 2); !errors.Is(err, projections.ErrInUse) {
		t.Errorf("dropping the version in use: %v", err)
	}
	for _, name := range []string{"", "../x", "Upper", "a_b"} {
		if _, err := s.Open(t.Context(), name, 1); err == nil {
			t.Errorf("the name %q must be refused", name)
		}
	}
}

func testReopen(t *testing.T, p Place) {
	for i := range uint64(3) {
		s, stop, err := p.Open(t.Context(), Origin)
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.Open(t.Context(), viewName, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := state(t, v); got.Next != i {
			t.Errorf("opened for the %dth time it is at %d", i, got.Next)
		}
		commit(t, v, i+1, additions(entry(7, i, i)))
		if page := list(t, v, projections.EntryQuery{Party: 7}); len(page.Entries) != int(i+1) {
			t.Errorf("%d rows", len(page.Entries))
		}
		if err := errors.Join(v.Close(), stop()); err != nil {
			t.Fatal(err)
		}
	}
}

func testOneLedger(t *testing.T, p Place) {
	p.MustOpen(t, Origin)
	if _, _, err := p.Open(t.Context(), fmt.Sprint(Origin, "/other")); !errors.Is(err, projections.ErrOtherLedger) {
		t.Errorf("opening it for another ledger: %v", err)
	}
}
