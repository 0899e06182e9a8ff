// Package pubsub carries event streams of EventStoreDB over Watermill's contracts.
//
// A topic is a stream. Publisher appends; three subscribers read:
//
//   - Subscriber delivers pages: one message is one ordered page of events and at
//     most one is in flight, so Ack can mean "committed" and order survives
//     Watermill's Router, which runs every message in a goroutine of its own.
//   - EventSubscriber delivers events one by one. With a window of 1 they are in
//     order behind the Router too; with a larger one they are handed over in order
//     and handled at the same time. It may keep a checkpoint.
//   - GroupSubscriber shares the events of a stream among the consumers of a
//     persistent subscription, in no promised order, and parks what is refused.
//
// What always holds: Publish writes all its messages or none; the first two
// deliver the revisions From, From+1, ... without a gap and never move past what
// was not acked; an event that cannot be read is delivered as a failure and not
// passed over; channels close at Close and when their context ends, and for no
// other reason; delivery is at least once; and nothing in this package logs a
// payload.
//
// Streams must run from their beginning: one that was truncated below the
// position wanted, or that holds links ($ce-, $et-), is an error which is logged
// and tried again.
package pubsub

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
)

// ErrClosed is returned by Publish once Close, and by Subscribe once Close or
// Drain was called.
var ErrClosed = errors.New("closed or draining")

// Pages is where the events come from.
//
// Pages yields the events of stream in order, beginning with revision from, in
// slices of 1 to max events with contiguous revisions, which the source does not
// touch again; having reached the end it waits for more. A stream that does not
// exist yet is an empty one. The sequence ends when ctx does; an error or an
// earlier end makes the subscriber ask again, from the first revision not acked.
type Pages interface {
	Pages(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error]
}

// Config says what a Subscriber reads, from where, and how patient it is.
type Config struct {
	// Source is read once for every subscription.
	Source Pages

	// From returns the next revision wanted of topic (0 for all of it). It is
	// asked at each Subscribe, in the background, and again after an error.
	From func(ctx context.Context, topic string) (uint64, error)

	// PageSize is the largest number of events in a page. Default 500.
	PageSize int

	// NackBackoff is the pause before a nacked page is delivered again.
	// Default: Exponential(100ms, 30s). Without a pause a page that cannot be
	// handled is redelivered some hundred thousand times a second.
	NackBackoff Backoff

	// SourceBackoff is the pause before Source or From is asked again after an
	// error. Default: Exponential(100ms, 30s).
	SourceBackoff Backoff

	// Head is asked by Progress. Default: none.
	Head Head

	// Now is the clock of Progress. Default: time.Now.
	Now func() time.Time

	// Logger gets stream names, revisions and errors, never events. Default: none.
	Logger *zap.Logger
}

func (c Config) withDefaults() Config {
	if c.PageSize <= 0 {
		c.PageSize = 500
	}
	if c.NackBackoff == nil {
		c.NackBackoff = Exponential(100*time.Millisecond, 30*time.Second)
	}
	if c.SourceBackoff == nil {
		c.SourceBackoff = Exponential(100*time.Millisecond, 30*time.Second)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return c
}

// Backoff returns the pause after so many failures in a row (1 or more).
type Backoff func(failures int) time.Duration

// Exponential doubles from first to most. Half of each pause is random, so that
// consumers which failed together do not come back together.
func Exponential(first, most time.Duration) Backoff {
	return func(failures int) time.Duration {
		pause := min(first, most)
		for i := 1; i < failures && pause < most; i++ {
			pause = min(2*pause, most)
		}
		return pause/2 + rand.N(pause/2+1)
	}
}

// wait pauses for d and reports whether ctx is still alive.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
