package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// hands is a clock that only the test moves.
type hands struct{ atomic.Int64 }

func newHands() *hands {
	h := new(hands)
	h.Store(time.Date(2026, 5, 1, 12, 0, 30, 0, time.UTC).UnixMilli())
	return h
}

func (h *hands) now() time.Time       { return time.UnixMilli(h.Load()) }
func (h *hands) move(d time.Duration) { h.Add(d.Milliseconds()) }

// coverRules are those of a public ledger with cover.
func coverRules(grain time.Duration, cover int) *events.Rules {
	rules := events.DefaultRules()
	rules.Publication, rules.GrainMS, rules.Cover = events.PublicationPublic, uint64(grain.Milliseconds()), cover
	return rules
}

// TestCoverStoreFull: an event store that cannot take the end of a window refuses
// whoever waits for it, at once, and is not asked again and again.
func TestCoverStoreFull(t *testing.T) {
	gate, clock := newFaults(), newHands()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap, Now: clock.now, Rules: coverRules(time.Minute, 3)})
	l.MustRecord(t, ledgertest.Share("before", "ada"))
	const many = 100
	for range many {
		gate.next(stream, fault{before: fmt.Errorf("appending: %w", events.ErrNoSpace)})
	}
	clock.move(time.Minute)
	if a, err := l.TryRecord(t, ledgertest.Share("share", "ada")); !errors.Is(err, events.ErrNoSpace) {
		t.Errorf("recorded: %+v, %v", a, err)
	}
	if left := gate.pending(stream); left < many-10 {
		t.Errorf("the store was asked %d times", many-left)
	}
	for gate.pending(stream) > 0 {
		gate.take(stream)
	}
	l.MustRecord(t, ledgertest.Share("share", "ada"))
	l.CheckStored(t)
}

// TestCoverAuthorities: authorities are enrolled although a window ends between the
// genesis and them.
func TestCoverAuthorities(t *testing.T) {
	gate, clock := newFaults(), newHands()
	gate.next(stream, fault{do: func() { clock.move(time.Minute) }})
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap, Now: clock.now, Rules: coverRules(time.Minute, 3), Authorities: []string{"org:court"}})
	enrolled := 0
	for e, err := range l.Store.Read(t.Context(), stream, 0, 100) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == events.TypeEnrolled {
			enrolled++
		}
	}
	if enrolled != 1 {
		t.Errorf("%d authorities are enrolled", enrolled)
	}
}

// grown waits for leaves that nobody asked for.
func grown(t *testing.T, what string, l *ledgertest.Ledger) {
	t.Helper()
	before := l.Status().Accepted
	for ends := time.Now().Add(20 * time.Second); l.Status().Accepted == before; {
		if time.Now().After(ends) {
			t.Fatalf("%s: nobody recorded anything, and the window did not end", what)
		}
	}
}

// TestCoverEnds: windows end with nothing recorded as they do with something: after a
// start, while nothing can be published, and with a clock that was ahead.
func TestCoverEnds(t *testing.T) {
	gate, clock := newFaults(), newHands()
	rules := coverRules(time.Minute, 3)
	cfg := ledgertest.Config{Now: clock.now, Rules: rules}
	l := ledgertest.New(t, cfg)
	l.MustRecord(t, ledgertest.Share("before", "ada"))
	clock.move(time.Hour)
	l.Reopen(t, cfg)
	grown(t, "after a start", l)
	clock.move(time.Minute)
	grown(t, "a minute later", l)

	clock.move(25 * time.Hour)
	grown(t, "with the clock a day ahead", l)
	clock.move(-25 * time.Hour)
	for range 2 {
		clock.move(time.Minute)
		grown(t, "with a clock that was set right", l)
	}
	l.CheckStored(t)

	rules = coverRules(100*time.Millisecond, 3)
	l = ledgertest.New(t, ledgertest.Config{Store: gate.wrap, Rules: rules})
	l.Publish(t)
	release := gate.holdNext(checkpoints)
	<-gate.held
	for range 3 {
		grown(t, "while nothing can be published", l)
	}
	close(release)
	l.Publish(t)
	l.Check(t)
}

// TestCoverEndTogether: what was recorded just before the end and the covers of the
// last window are not too much for one append.
func TestCoverEndTogether(t *testing.T) {
	gate, clock := newFaults(), newHands()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap, Now: clock.now, Rules: coverRules(time.Minute, events.MaxCover)})
	share := func(key string) error {
		people := ledgertest.People("p", 8)
		cmd := ledgertest.Share(key, people...)
		r := cmd.Record.(*decide.RecordDisclosure)
		for i := range r.Subjects {
			r.Subjects[i].Private.Description = strings.Repeat("x", 1500)
		}
		_, err := l.Record(t.Context(), cmd)
		return err
	}
	if err := share("before"); err != nil {
		t.Fatal(err)
	}
	release := gate.holdNext(stream)
	var all sync.WaitGroup
	all.Go(func() {
		if err := share("held"); err != nil {
			t.Error(err)
		}
	})
	<-gate.held
	for i := range 21 {
		all.Go(func() {
			if err := share(fmt.Sprint("share ", i)); err != nil && !errors.Is(err, ledger.ErrFinished) {
				t.Error(err)
			}
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := l.Finish(ctx, "")
		ended <- err
	}()
	close(release)
	all.Wait()
	until(t, "the ledger has ended, or not", func() bool { return l.Status().Finished != "" || len(ended) > 0 })
	stop() // its publication waits for the grid
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
