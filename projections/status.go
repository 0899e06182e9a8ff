package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events/pubsub"
)

// WaitFor returns once every projection, or each of those named, has committed
// the event with that revision. If ctx or the Runner ends first, the error names
// the projection that is behind.
func (r *Runner) WaitFor(ctx context.Context, revision uint64, names ...string) error {
	for _, name := range names {
		if !slices.ContainsFunc(r.followers, func(f *follower) bool { return f.projection.Name() == name }) {
			return fmt.Errorf("waiting for revision %d: no projection %q runs", revision, name)
		}
	}
	for _, f := range r.followers {
		if len(names) > 0 && !slices.Contains(names, f.projection.Name()) {
			continue
		}
		for {
			status, moved := f.look()
			if status.Next > revision {
				break
			}
			select {
			case <-moved:
			case <-ctx.Done():
				return f.behind(revision, ctx.Err())
			case <-r.stopped:
				if status, _ = f.look(); status.Next <= revision {
					return f.behind(revision, ErrStopped)
				}
			}
		}
	}
	return nil
}

// Status tells where each projection stands, in the order given to NewRunner.
func (r *Runner) Status() []Status {
	all := make([]Status, 0, len(r.followers))
	for _, f := range r.followers {
		status, _ := f.look()
		all = append(all, status)
	}
	return all
}

// Status is where a projection stands.
type Status struct {
	Name string
	Next uint64    // next revision wanted; everything below is committed
	Err  error     // of the last attempt, nil if that committed; ErrHalted: needs help
	At   time.Time // of the last attempt

	// Parked are the parties whose events wait: what is below Next lacks them.
	Parked []Parked
}

// Lag is how far a projection is behind the stream.
type Lag struct {
	Name   string
	Events uint64 // not committed yet
	// Age is for how long the oldest of them is in the stream; while that event
	// was not read yet, for how long the last one committed is. 0 without a lag.
	Age time.Duration
}

// Lag asks for the stream's head and compares.
func (r *Runner) Lag(ctx context.Context) ([]Lag, error) {
	var head uint64
	if r.cfg.Head != nil {
		var err error
		if head, err = r.cfg.Head(ctx); err != nil {
			return nil, fmt.Errorf("reading the stream's head: %w", err)
		}
	}
	now, all := r.cfg.Now(), make([]Lag, 0, len(r.followers))
	for _, f := range r.followers {
		all = append(all, f.lag(head, now))
	}
	return all, nil
}

// follower is one projection on its way along the stream.
type follower struct {
	projection Projection
	subscriber *pubsub.Subscriber
	logger     *zap.Logger

	mu     sync.Mutex
	status Status        // guarded by mu
	oldest time.Time     // guarded by mu; when the first event of the page in flight was stored
	last   time.Time     // guarded by mu; when the last committed event was stored
	moved  chan struct{} // guarded by mu; closed and replaced when status.Next grows
}

func (f *follower) look() (Status, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	status := f.status
	if p, ok := f.projection.(interface{ Parked() []Parked }); ok {
		status.Parked = p.Parked()
	}
	return status, f.moved
}

func (f *follower) lag(head uint64, now time.Time) Lag {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := Lag{Name: f.status.Name}
	if head > f.status.Next {
		l.Events = head - f.status.Next
	}
	switch {
	case !f.oldest.IsZero():
		l.Events, l.Age = max(l.Events, 1), max(0, now.Sub(f.oldest))
	case l.Events > 0 && !f.last.IsZero():
		l.Age = max(0, now.Sub(f.last))
	}
	return l
}

// begun notes the page in flight by the time of its first event.
func (f *follower) begun(created time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.oldest = created
}

// committed notes that no page is in flight any more.
func (f *follower) committed(created time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.oldest, f.last = time.Time{}, created
}

// behind is the error of who waited for revision in vain, with what is wrong now.
func (f *follower) behind(revision uint64, cause error) error {
	status, _ := f.look()
	err := fmt.Errorf("waiting for revision %d: %s wants %d: %w", revision, status.Name, status.Next, cause)
	if status.Err != nil {
		err = fmt.Errorf("%w; %w", err, status.Err)
	}
	return err
}

// reached notes that everything below next is committed and wakes who waits.
func (f *follower) reached(next uint64, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.status.Err != nil {
		f.logger.Info("projection goes on", zap.Uint64("next", next))
	}
	f.status.Err, f.status.At = nil, at
	if next > f.status.Next {
		f.status.Next = next
		close(f.moved)
		f.moved = make(chan struct{})
	}
}

// failed notes an attempt that committed nothing. Only a change is logged: a
// halted projection is tried again for days.
func (f *follower) failed(err error, halt bool, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.status.Err
	f.status.Err, f.status.At = err, at
	if halt {
		f.status.Err = fmt.Errorf("%w at revision %d: %w", ErrHalted, f.status.Next, err)
	}
	switch {
	case halt && !errors.Is(before, ErrHalted):
		f.logger.Error("projection halted: it retries this page and skips nothing",
			zap.Uint64("next", f.status.Next), zap.Error(err))
	case !halt && before == nil:
		f.logger.Warn("projection retries", zap.Uint64("next", f.status.Next), zap.Error(err))
	}
}
