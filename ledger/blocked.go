package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/trillianlog"
)

// addLeaves adds leaves to the log. A full disk of the log is waited for: the
// stream has the events already, so nothing is lost, but nothing more is taken in
// until the log goes on.
func (l *Ledger) addLeaves(ctx context.Context, first uint64, leaves []trillianlog.Leaf) error {
	for pause := restTime; ; pause = min(2*pause, time.Second) {
		err := l.trees.Add(ctx, first, leaves)
		if !errors.Is(err, events.ErrNoSpace) {
			if l.blocked.Swap(nil) != nil && err == nil {
				l.log.Info("the log goes on")
			}
			return err
		}
		err = fmt.Errorf("the log takes no leaves: %w", err)
		if l.blocked.Swap(&err) == nil {
			l.log.Error("the log takes no leaves and nothing is recorded: free space on its disk", zap.Error(err))
			l.wakeWaiters()
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// block returns why nothing is recorded now, nil if the ledger records.
func (l *Ledger) block() error {
	if err := l.blocked.Load(); err != nil {
		return *err
	}
	if lacking := l.lacking.Load(); lacking != nil && lacking.what == MissingStop {
		return fmt.Errorf("nothing is recorded, as the publication policy has it: %w", lacking.error)
	}
	return nil
}

// wakeWaiters lets those who wait for a publication look again.
func (l *Ledger) wakeWaiters() {
	l.publishMu.Lock()
	defer l.publishMu.Unlock()
	close(l.waiters)
	l.waiters = make(chan struct{})
}
