package ledger

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
)

// window is what stands behind the last state leaf. In a ledger with cover each
// window has the same look, whatever was recorded in it: entries of one time, at
// least as many as the rules say.
type window struct {
	state   uint64 // its leaf
	timeMS  uint64
	entries int
	began   uint64 // point of the grid at which our clock stood when the leaf was folded
}

// uncovered is after how many labels a state leaf is due. A batch has a few thousand
// more, far below what readers allow.
const uncovered = events.MaxUncovered / 4

// cover is how many entries a window has at least; 0 before the rules are written.
func (l *Ledger) cover() int {
	if l.state.rules == nil {
		return 0
	}
	return l.state.rules.Cover
}

// stateDue reports whether a state leaf comes before anything else: when so many
// labels wait for one, or, with cover, when the grain in which the window began is
// over. So no entry is ever dated beyond the covers of its window, which would tell
// it from them.
func (l *Ledger) stateDue() bool {
	s := l.state
	if s.rules == nil || s.final != nil {
		return false
	}
	return len(s.pending) >= uncovered || l.windowOver()
}

// windowOver reports whether a ledger with cover has come to the next point of its
// grid. Where the clock was far ahead and was set right, windows end as often as ever,
// at the time of the last leaf.
func (l *Ledger) windowOver() bool {
	if l.cover() == 0 {
		return false
	}
	point, w := l.gridPoint(), &l.state.window
	return point > w.timeMS || point+maxSkewMS < w.timeMS && point != w.began
}

// gridPoint is the last point of the grid, by the clock.
func (l *Ledger) gridPoint() uint64 {
	now := uint64(max(l.now().UnixMilli(), 0))
	return now - now%l.state.rules.GrainMS
}

// endWindows ends windows on time, whatever is recorded and whatever becomes of what
// is published: while the log or a cosigner is away, and right after a start, only
// something that was recorded would end one otherwise, and show by that.
func (l *Ledger) endWindows(ctx context.Context) error {
	l.mu.RLock()
	cover, grain := l.cover(), time.Duration(l.state.rules.GrainMS)*time.Millisecond
	l.mu.RUnlock()
	for cover > 0 && ctx.Err() == nil {
		pause := min(time.Second, grain-time.Duration(l.now().UnixNano())%grain) // a clock can be set, and a machine sleep
		if l.block() == nil {                                                    // nothing is recorded, so nothing shows
			if err := l.endWindow(ctx); err != nil && ctx.Err() == nil {
				l.log.Warn("ending a window was put off", zap.Error(err))
				pause = windowPause
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}

// windowPause is how long a window that could not be ended is left alone.
const windowPause = 5 * time.Second

// endWindow has a ledger with cover write the state leaf of this point of its grid,
// unless that stands there.
func (l *Ledger) endWindow(ctx context.Context) error {
	l.mu.RLock()
	over := l.state.final == nil && l.windowOver()
	l.mu.RUnlock()
	if !over {
		return nil
	}
	if _, err := l.appendState(ctx); err != nil {
		return fmt.Errorf("ending a window: %w", err)
	}
	return nil
}

// endsWithState reports whether a state leaf is the last of a batch.
func (b *batch) endsWithState() bool { return b.due || len(b.wantsTip) > 0 }

// entryTime is what entries are dated. With cover it is the time of the state leaf
// before them.
func (l *Ledger) entryTime(at uint64) uint64 {
	if l.cover() == 0 {
		return at
	}
	return l.state.window.timeMS
}

// covers are the events that a window lacks when it ends.
func (l *Ledger) covers(b *batch) (all []planned) {
	if !b.endsWithState() {
		return nil
	}
	have := l.state.window.entries
	for _, p := range b.planned {
		have += 1 + len(p.then)
	}
	for range l.cover() - have {
		e := new(events.CoverRecorded)
		all = append(all, planned{id: events.ID(uuid.New()), event: e, facts: events.FactsOf(e), least: coverWidth()})
	}
	return all
}

// coverWidth draws how many slots a cover has: 2 in three of four, 4 in three of four
// of the others, and so on. So any number of slots up to 64 may be that of a cover.
func coverWidth() int {
	var b [8]byte
	rand.Read(b[:])
	return 2 << min(bits.LeadingZeros64(binary.BigEndian.Uint64(b[:]))/2, 5)
}
