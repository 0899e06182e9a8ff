package ledger

import (
	"context"
	"slices"
	"sync"

	"github.com/sharetrail/sharetrail/events"
)

// completions are the records that this process is appending to: whoever has
// something to say of one waits until it is complete.
type completions struct {
	mu    sync.Mutex
	under map[chan struct{}]events.ID // of the header
}

// begin notes one, until done is called.
func (c *completions) begin(id events.ID) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.under == nil {
		c.under = map[chan struct{}]events.ID{}
	}
	ended := make(chan struct{})
	c.under[ended] = id
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.under, ended)
		close(ended)
	}
}

func (c *completions) runs(id events.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, header := range c.under {
		if header == id {
			return true
		}
	}
	return false
}

// wait waits for one of some headers to be completed, or given up; it returns false if
// nobody is at any of them.
func (c *completions) wait(ctx context.Context, headers []events.ID) bool {
	c.mu.Lock()
	var one chan struct{}
	for ended, id := range c.under {
		if slices.Contains(headers, id) {
			one = ended
		}
	}
	c.mu.Unlock()
	if one == nil {
		return false
	}
	select {
	case <-one:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
