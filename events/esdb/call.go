package esdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"go.uber.org/zap"
)

const (
	firstPause = 20 * time.Millisecond
	maxPause   = 2 * time.Second
)

// retry makes a call until it is answered, in attempts that are all the same.
func retry[T any](ctx context.Context, s *Store, f func(context.Context, *esdb.Client) (T, error)) (T, error) {
	var pause backoff
	for {
		v, err := attempt(ctx, s, f)
		if err == nil {
			return v, nil
		}
		if reason := s.ended(ctx); reason != nil {
			return v, fmt.Errorf("%w (the last attempt: %v)", reason, err)
		}
		if cureOf(err) == none {
			return v, err
		}
		if reason := s.wait(ctx, &pause, err); reason != nil {
			return v, fmt.Errorf("%w (the last attempt: %v)", reason, err)
		}
	}
}

// attempt runs f in a goroutine of its own, because the client does not always
// look at the context at once. A goroutine that stays behind puts its client
// back when it ends.
func attempt[T any](ctx context.Context, s *Store, f func(context.Context, *esdb.Client) (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	var zero T
	c, err := s.take(ctx)
	if err != nil {
		return zero, err
	}
	limited, cancel := context.WithTimeout(leader(ctx), s.timeout)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		v, err := f(limited, c)
		s.put(c, err)
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-limited.Done():
	case <-s.closed:
	}
	select {
	case r := <-done: // both at once: the answer counts
		return r.v, r.err
	default:
	}
	if reason := s.ended(ctx); reason != nil {
		return zero, reason
	}
	return zero, errNoAnswer
}

// backoff grows from firstPause to maxPause; its zero value is ready.
type backoff struct{ next time.Duration }

func (b *backoff) reset() { b.next = 0 }

// pause returns a time between half of the step and the whole, so that clients
// which lost the same server do not come back together.
func (b *backoff) pause() time.Duration {
	b.next = min(max(2*b.next, firstPause), maxPause)
	return b.next/2 + rand.N(b.next/2)
}

// wait pauses before the next attempt. It returns the reason if there is to be
// no next attempt.
func (s *Store) wait(ctx context.Context, b *backoff, cause error) error {
	pause := b.pause()
	s.log.Warn("event store call repeated", zap.Duration("pause", pause), zap.Error(cause))
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return ErrClosed
	}
}
