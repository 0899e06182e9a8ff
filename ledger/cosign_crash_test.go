package ledger_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// TestPublicationSteps stops a ledger at each step of a publication, and fails each
// append before and after it was done: the next start goes on from there, no size is
// ever signed with two roots, and the witness takes what comes.
func TestPublicationSteps(t *testing.T) {
	gate := newFaults()
	cfg := ledgertest.Config{Store: gate.wrap, Tick: soon}
	l := ledgertest.New(t, cfg)
	w := ledgertest.NewWitness(t, l, "w1", 1)
	l.Cosign(t, ledgertest.Policy(1, []*ledgertest.Witness{w}, nil), ledger.MissingWait)
	l.MustRecord(t, ledgertest.Share("first", "ada"))
	l.Check(t)
	none := fault{}
	for i, steps := range [][]fault{
		{{before: errDisk}},       // what is signed was not stored
		{{after: errDisk}},        // it was, and the answer got lost
		{none, {before: errDisk}}, // cosigned, and that was not stored
		{none, {after: errDisk}},  // it was, and the answer got lost
	} {
		for _, how := range []string{"goes on", "restarted"} {
			gate.next(checkpoints, steps...)
			a := l.MustRecord(t, ledgertest.Share(fmt.Sprint(how, i), "ada", fmt.Sprint("new-", i)))
			if how == "restarted" {
				until(t, "the fault has happened", func() bool { return gate.pending(checkpoints) == 0 })
				l.Reopen(t, cfg)
			}
			if _, err := l.WaitPublished(t.Context(), a.Index); err != nil {
				t.Fatalf("step %d, %s: %v", i, how, err)
			}
			l.Check(t)
			seen(t, l)
		}
	}
	// Killed between them: held there, never let go, and opened again.
	for step := range 2 {
		for range step {
			gate.next(checkpoints, none)
		}
		gate.holdNext(checkpoints)
		a := l.MustRecord(t, ledgertest.Share(fmt.Sprint("held-", step), "ada"))
		<-gate.held
		before := l.Published().Size
		l.Reopen(t, cfg)
		if _, err := l.WaitPublished(t.Context(), a.Index); err != nil || before > a.Index {
			t.Fatalf("held at step %d with size %d: %v", step, before, err)
		}
		l.Check(t)
		seen(t, l)
	}
	// Killed while the witness looks.
	asked := make(chan struct{}, 1)
	w.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			io.Copy(io.Discard, r.Body)
			asked <- struct{}{}
			<-r.Context().Done()
		}
	}))
	a := l.MustRecord(t, ledgertest.Share("while it looks", "ada"))
	<-asked
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	w.Up()
	l.Open(t, cfg)
	if _, err := l.WaitPublished(t.Context(), a.Index); err != nil {
		t.Fatal(err)
	}
	l.Check(t)
	seen(t, l)
	if s := l.Status(); s.Alarms != 0 {
		t.Errorf("%+v", s)
	}
	pendingThenShown(t, l)
}

// pendingThenShown reads the checkpoint stream: whatever is shown with cosignatures
// stood there without before, and each pending one names what was shown last.
func pendingThenShown(t *testing.T, l *ledgertest.Ledger) {
	t.Helper()
	var shown *uint64
	there := map[uint64]bool{}
	for e, err := range l.Store.Read(t.Context(), checkpoints, 0, 1<<62) {
		if err != nil {
			t.Fatal(err)
		}
		var data struct {
			Checkpoint string
			Pending    bool
			Shown      *uint64
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		c, err := verifier.OpenCheckpoint([]byte(data.Checkpoint), ledgertest.Origin, l.Trust().Log)
		if err != nil {
			t.Fatal(err)
		}
		cosigned := strings.Count(data.Checkpoint, "\n— ") > 1
		switch {
		case data.Pending && (cosigned || (data.Shown == nil) != (shown == nil) || shown != nil && *shown != *data.Shown):
			t.Errorf("checkpoint event %d: %+v after %v", e.Revision, data, shown)
		case !data.Pending && cosigned && !there[c.Size]:
			t.Errorf("checkpoint event %d is shown and was not there before", e.Revision)
		}
		if there[c.Size] = true; !data.Pending {
			revision := e.Revision
			shown = &revision
		}
	}
}

// TestAgeRefresh: an idle ledger has a fresh state signed, and only if somebody
// cosigns.
func TestAgeRefresh(t *testing.T) {
	var now atomic.Int64
	start := time.Now()
	cfg := ledgertest.Config{Tick: soon, Now: func() time.Time { return start.Add(time.Duration(now.Load())) }}
	l := ledgertest.New(t, cfg)
	l.MustRecord(t, ledgertest.Share("one", "ada"))
	l.Check(t)
	w := ledgertest.NewWitness(t, l, "w1", 1, func(c *witness.Config) { c.Now = cfg.Now })
	size := l.Published().Size
	now.Add(int64(time.Hour)) // nobody cosigns: no new leaf, no new state
	for range 5 {
		l.Publish(t)
	}
	if l.Status().Accepted != size {
		t.Errorf("%d leaves, then %d", size, l.Status().Accepted)
	}
	if err := l.SetPublication(ledger.Publication{Policy: ledgertest.Policy(1, []*ledgertest.Witness{w}, nil), Refresh: "20m"}); err != nil {
		t.Fatal(err)
	}
	until(t, "it is cosigned", func() bool { return l.Status().SeenAt != "" && l.Status().Pending == 0 })
	for range 3 {
		before := l.Published()
		now.Add(int64(19 * time.Minute))
		l.Publish(t)
		if got := l.Published(); got.Size != before.Size {
			t.Errorf("refreshed after 19 minutes: %d, %d", before.Size, got.Size)
		}
		now.Add(int64(2 * time.Minute))
		until(t, "it is refreshed", func() bool { return l.Published().Size > before.Size })
		if got := l.Published(); got.Size != before.Size+1 || got.SeenAt < before.SeenAt+20*60 || got.TimeMS <= before.TimeMS {
			t.Errorf("%+v after %+v", got, before)
		}
	}
	l.Check(t)
}
