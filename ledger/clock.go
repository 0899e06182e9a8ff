package ledger

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
)

// ErrClock says that the clock is so far ahead of the last leaf that it is more
// likely wrong than the ledger idle. A leaf of that time could not be taken back,
// and no later one would be before it.
var ErrClock = errors.New("the clock is more than 366 days ahead of the last leaf")

// Behind the last leaf, a clock that was stepped is worth a warning; ahead of it,
// it must be vouched for.
const (
	maxSkewMS = 10 * 60 * 1000
	maxJumpMS = 366 * 24 * 3600 * 1000
)

// leafTime is the time of the next leaf: never before the last one's, and never
// finer than the ledger's grain.
func (l *Ledger) leafTime(now time.Time) (uint64, error) {
	rules := l.state.rules
	if rules == nil {
		rules = l.firstRules
	}
	ms := uint64(min(max(now.UnixMilli(), 0), events.MaxTimeMS))
	ms -= ms % rules.GrainMS
	last := l.state.timeMS
	switch {
	case last > ms+maxSkewMS:
		l.log.Warn("the clock is behind the last leaf's time, which the next leaf gets too; check it",
			zap.Uint64("clock_ms", ms), zap.Uint64("last_leaf_ms", last))
	case last > 0 && ms > last+maxJumpMS && !l.acceptClock:
		l.log.Error("nothing is recorded: the clock is more than 366 days ahead of the last leaf",
			zap.Uint64("clock_ms", ms), zap.Uint64("last_leaf_ms", last))
		return 0, fmt.Errorf("%w, whose time is %s", ErrClock, time.UnixMilli(int64(last)).UTC().Format(time.RFC3339))
	}
	return max(ms, last), nil
}
