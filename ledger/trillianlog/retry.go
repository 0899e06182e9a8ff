package trillianlog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sharetrail/sharetrail/events"
)

// callOptions lift the 4 MiB that a client accepts by default.
var callOptions = []grpc.CallOption{grpc.MaxCallRecvMsgSize(64 << 20)}

// backoff counts the pauses between attempts, each twice the one before.
type backoff struct {
	next, limit time.Duration
}

// wait pauses, or returns ctx's error as soon as it ends.
func (b *backoff) wait(ctx context.Context) error {
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	b.next = min(2*b.next, b.limit)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// call carries f out, again and again while it fails for reasons that pass,
// until ctx ends. Every f is idempotent.
func (l *Log) call(ctx context.Context, method string, f func() error) error {
	pause := backoff{next: 10 * time.Millisecond, limit: 2 * time.Second}
	for {
		err := f()
		if err == nil || !transient(err) {
			l.waiting.Store(nil)
		} else {
			l.waiting.Store(&err)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil { // gRPC reports it as a status, which errors.Is does not see through
			return fmt.Errorf("%w; the last answer was: %w", context.Cause(ctx), err)
		}
		if status.Code(err) == codes.DataLoss { // what the embedded server calls a hole
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if noSpace(err) {
			return fmt.Errorf("%w: %w", events.ErrNoSpace, err)
		}
		if !transient(err) {
			return err
		}
		l.logger.Warn("trying Trillian again", zap.String("method", method), zap.Stringer("code", status.Code(err)), zap.Duration("pause", pause.next))
		if ended := pause.wait(ctx); ended != nil {
			return fmt.Errorf("%w; the last answer was: %w", ended, err)
		}
	}
}

// Waiting returns the error that a call waits to pass, nil while the server answers.
func (l *Log) Waiting() error {
	if err := l.waiting.Load(); err != nil {
		return *err
	}
	return nil
}

// transient tells errors that pass by themselves. Trillian on MySQL gives a
// deadlock between adder and sequencer as an unknown error.
func transient(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted:
		return true
	case codes.ResourceExhausted:
		return !tooLarge(err) // a quota
	case codes.Unknown, codes.Internal:
		return strings.Contains(strings.ToLower(status.Convert(err).Message()), "deadlock")
	}
	return false
}

// noSpace tells a full disk, which does not pass by itself: of the embedded server,
// and of PostgreSQL behind another.
func noSpace(err error) bool {
	return strings.Contains(strings.ToLower(status.Convert(err).Message()), "no space")
}

// tooLarge tells gRPC's refusal of a big message, which has a quota's code and
// comes back every time.
func tooLarge(err error) bool {
	return status.Code(err) == codes.ResourceExhausted && strings.Contains(status.Convert(err).Message(), "larger than max")
}
