package audit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/audit"
)

func open(t testing.TB, dir string, trust *verifier.Trust) *audit.Auditor {
	t.Helper()
	a, err := audit.Open(audit.Config{Trust: trust, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// TestRealLedger audits a ledger of this project as it grows, across restarts of
// the audit and a foreign event.
func TestRealLedger(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	ledgertest.Family(t, l)
	dir := t.TempDir()
	src := tiles.Dir(l.TilesDir())
	a := open(t, dir, l.Trust())
	var before uint64
	for i := range 4 {
		l.Publish(t)
		c, _, err := audit.Read(t.Context(), src, l.Trust())
		if err != nil {
			t.Fatal(err)
		}
		found, err := a.Audit(t.Context(), src, c)
		if err != nil || found.Leaves != l.Status().Published || found.New != found.Leaves-before || found.Labels == 0 || found.States == 0 {
			t.Fatalf("%+v, %v", found, err)
		}
		if again, err := a.Audit(t.Context(), src, c); err != nil || again.New != 0 || again.Labels != found.Labels {
			t.Fatalf("once more: %+v, %v", again, err)
		}
		before = found.Leaves
		if i%2 == 0 {
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if a = open(t, dir, l.Trust()); a.Size() != before {
				t.Fatalf("reopened at %d of %d", a.Size(), before)
			}
		}
		for k := range 100 {
			l.MustRecord(t, ledgertest.Share(fmt.Sprint("share-", i, "-", k), fmt.Sprint("person-", k)))
		}
	}
	if _, err := audit.Open(audit.Config{Trust: l.Trust(), Dir: dir}); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("two audits in one directory: %v", err)
	}
}

// TestTorn: whatever is cut from or changed in the auditor's own file, the audit
// goes on from before that and finds the same.
func TestTorn(t *testing.T) {
	l := newLog(t, 5, 3)
	dir := t.TempDir()
	a := open(t, dir, l.trust)
	c := l.publish(t)
	want, err := a.Audit(t.Context(), l.source(), c)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // a frame for each audit
		l.entries(t, 7)
		l.state(t, nil)
		c = l.publish(t)
		if want, err = a.Audit(t.Context(), l.source(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "index", "*"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("%v, %v", logs, err)
	}
	path := logs[0]
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := audit.Open(audit.Config{Trust: l.trust, Dir: dir})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer a.Close()
		found, err := a.Audit(t.Context(), l.source(), c)
		found.New = want.New
		if err != nil || found != want {
			t.Fatalf("%s: %+v, not %+v; %v", what, found, want, err)
		}
	}
	for n := 0; n <= len(whole); n += 1 + len(whole)/200 {
		try(fmt.Sprint("cut to ", n), whole[:n])
	}
	for n := 0; n < len(whole); n += 1 + len(whole)/200 {
		changed := append([]byte(nil), whole...)
		changed[n] ^= 1 << (n % 8)
		try(fmt.Sprint("changed at ", n), changed)
	}
}

// TestOtherLedger: a directory serves one ledger, and a trust file one log.
func TestOtherLedger(t *testing.T) {
	l, other := newLog(t, 5, 3), newLog(t, 5, 3)
	dir := t.TempDir()
	a := open(t, dir, l.trust)
	if _, err := a.Audit(t.Context(), l.source(), l.publish(t)); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(audit.Config{Trust: other.trust, Dir: dir}); err == nil {
		t.Error("another ledger's audit was continued")
	}
	var f *audit.Fault
	other.publish(t)
	if _, _, err := audit.Read(t.Context(), other.source(), l.trust); !errors.As(err, &f) {
		t.Errorf("another ledger's checkpoint: %v", err)
	}
	if _, _, err := audit.Read(t.Context(), tiles.Dir(t.TempDir()), l.trust); err == nil || errors.As(err, &f) {
		t.Errorf("no checkpoint: %v", err)
	}
}
