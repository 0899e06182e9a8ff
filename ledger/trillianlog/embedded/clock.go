package embedded

import (
	"sync"
	"time"

	"github.com/google/trillian/util/clock"
)

// steadyClock never gives the same time twice and never an earlier one: a
// sequencer refuses a root whose timestamp is not later than the one before, so
// that a clock stepped back would stop the log until it caught up.
type steadyClock struct {
	now func() time.Time

	mu   sync.Mutex
	last int64 // nanoseconds since 1970, guarded by mu
}

var _ clock.TimeSource = (*steadyClock)(nil)

// Now implements clock.TimeSource.
func (c *steadyClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last+1, c.now().UnixNano())
	return time.Unix(0, c.last)
}

// NewTimer implements clock.TimeSource. Nothing here waits by it.
func (c *steadyClock) NewTimer(d time.Duration) clock.Timer { return clock.System.NewTimer(d) }

// passed tells the clock that t has been used already, in an earlier process.
func (c *steadyClock) passed(t int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, t)
}
