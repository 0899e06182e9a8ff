package ledger_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// TestPublic: a ledger that everybody reads says so in its rules, for ever, and
// publishes by its grid: whoever waits is answered, without a tick.
func TestPublic(t *testing.T) {
	rules := events.DefaultRules()
	rules.Publication, rules.GrainMS = events.PublicationPublic, 60
	l := ledgertest.New(t, ledgertest.Config{Rules: rules})
	if !l.Public() {
		t.Fatal("it is not public")
	}
	a := l.MustRecord(t, ledgertest.Share("a", "ada"))
	p, err := l.WaitPublished(t.Context(), a.Index)
	if err != nil || p.Size <= a.Index || p.TimeMS%60 != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	l.Reopen(t, ledgertest.Config{})
	if !l.Public() {
		t.Error("it is not public after a restart")
	}
	a = l.MustRecord(t, ledgertest.Share("b", "ada"))
	if _, err := l.WaitPublished(t.Context(), a.Index); err != nil {
		t.Error(err)
	}
}

// stand stops the clock of a ledger with cover, which appends something in each window,
// at the point of its grid that was published last.
func stand(t *testing.T, l *ledgertest.Ledger) {
	t.Helper()
	now := time.UnixMilli(int64(l.Published().TimeMS))
	l.Reopen(t, ledgertest.Config{Now: func() time.Time { return now }})
}

// TestCover: with cover, windows in which nothing was recorded look like those in
// which a little was, and reports are as ever, after a restart and an end too.
func TestCover(t *testing.T) {
	rules := events.DefaultRules()
	rules.Publication, rules.GrainMS, rules.Cover = events.PublicationPublic, 100, 5
	l := ledgertest.New(t, ledgertest.Config{Rules: rules})
	for i, people := range [][]string{{"ada"}, {"ada", "grace"}, {"grace"}, {"mary"}} {
		a := l.MustRecord(t, ledgertest.Share(fmt.Sprint("share ", i), people...))
		p, err := l.WaitPublished(t.Context(), a.Index)
		if err != nil || p.Size <= a.Index {
			t.Fatalf("%+v, %v", p, err)
		}
		if _, err := l.WaitPublished(t.Context(), p.Size); err != nil { // a window of covers
			t.Fatal(err)
		}
		if i == 1 {
			l.Reopen(t, ledgertest.Config{})
		}
	}
	stand(t, l)
	l.Check(t)
	all, alike := l.CheckStored(t).Windows()
	if alike[0] == 0 || alike[0] != all[0] || alike[1] == 0 {
		t.Errorf("windows by what was recorded in them: %v, of those as the rules promise: %v", all, alike)
	}
	if err := l.Running.Stop(); err != nil {
		t.Fatal(err)
	}
	found, err := l.Verify(t.Context())
	if err != nil || found.Events == 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestCoverAtOnce: many recorders who wait, over many windows.
func TestCoverAtOnce(t *testing.T) {
	rules := events.DefaultRules()
	rules.Publication, rules.GrainMS, rules.Cover = events.PublicationPublic, 50, 8
	l := ledgertest.New(t, ledgertest.Config{Rules: rules})
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			a := l.MustRecord(t, ledgertest.Share(fmt.Sprint("share ", i), fmt.Sprint("p", i%7)))
			if _, err := l.WaitPublished(t.Context(), a.Index); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	stand(t, l)
	l.Check(t)
}
