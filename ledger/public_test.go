package ledger_test

import (
	"testing"

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
