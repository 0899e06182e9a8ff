package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/ledger/trillianlog"
)

// fullLog is a real log whose disk is full while it says so.
type fullLog struct {
	ledger.Log
	full    atomic.Bool
	refused chan struct{} // one for an addition that was refused, if somebody looks
}

func (l *fullLog) Add(ctx context.Context, first uint64, leaves []trillianlog.Leaf) error {
	if l.full.Load() {
		select {
		case l.refused <- struct{}{}:
		default:
		}
		return fmt.Errorf("adding: %w", events.ErrNoSpace)
	}
	return l.Log.Add(ctx, first, leaves)
}

// TestLogFull: a log without space stops nothing but the recording, and everything
// goes on by itself.
func TestLogFull(t *testing.T) {
	log := &fullLog{refused: make(chan struct{}, 1)}
	l := ledgertest.New(t, ledgertest.Config{Tick: soon, Log: func(inner ledger.Log) ledger.Log { log.Log = inner; return log }})
	l.MustRecord(t, ledgertest.Share("before", "ada"))
	l.Check(t)
	log.full.Store(true)
	stored := l.MustRecord(t, ledgertest.Share("stored", "ada", "grace"))
	<-log.refused
	if _, err := l.WaitPublished(t.Context(), stored.Index); !errors.Is(err, events.ErrNoSpace) {
		t.Errorf("waiting for a publication that cannot come: %v", err)
	}
	for i := range 3 {
		if a, err := l.TryRecord(t, ledgertest.Share(fmt.Sprint("refused-", i), "ada")); !errors.Is(err, events.ErrNoSpace) {
			t.Errorf("recorded while the log is full: %+v, %v", a, err)
		}
	}
	if s := l.Status(); s.Blocked == "" || s.Accepted <= stored.Index || s.Published > stored.Index {
		t.Errorf("the status is %+v", s)
	}
	if a := l.MustRecord(t, ledgertest.Share("stored", "ada", "grace")); !a.Repeat || a.Index != stored.Index {
		t.Errorf("what was recorded before is answered with %+v", a)
	}
	log.full.Store(false)
	for l.Status().Blocked != "" && t.Context().Err() == nil {
	}
	for i := range 3 {
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("refused-", i), "ada"))
	}
	l.Check(t)
	l.Reopen(t, ledgertest.Config{})
	l.Check(t)
}

// TestStoreFull: an event store without space refuses, and keeps nothing of it.
func TestStoreFull(t *testing.T) {
	gate := newFaults()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap, Tick: soon})
	l.Check(t)
	full := fault{before: fmt.Errorf("appending: %w", events.ErrNoSpace)}
	gate.next(checkpoints, full, full)
	gate.next(stream, full)
	share := ledgertest.Share("share", "ada")
	for {
		a, err := l.TryRecord(t, share)
		if err == nil {
			if a.Repeat {
				t.Error("a refused share was stored")
			}
			break
		}
		if !errors.Is(err, events.ErrNoSpace) {
			t.Fatal(err)
		}
	}
	l.Check(t)
}
