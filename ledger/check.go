package ledger

import (
	"context"
	"math"
)

// maxLooking is how many recorded shares are opened at once to compare them:
// each is a call of the event store, and a repeated import asks for hundreds.
const maxLooking = 4

// Check says what [Ledger.Record] would answer now, and records nothing: nil
// for a share that would be accepted, with the first answer and Repeat if its
// key is known. What others record meanwhile may change the answer.
func (l *Ledger) Check(ctx context.Context, cmd Command) (Accepted, error) {
	if err := cmd.check(); err != nil {
		return Accepted{}, err
	}
	if first, known, err := l.first(ctx, &cmd); known || err != nil {
		return first, err
	}
	target, err := l.targetOf(ctx, &cmd, math.MaxUint64)
	if err != nil {
		return Accepted{}, err
	}
	l.mu.RLock()
	decided, err := l.decide(l.state, &cmd, target, l.now())
	l.mu.RUnlock()
	if err != nil {
		return Accepted{}, err
	}
	if estimate(newChoice(l.eventID(&cmd, 0), nil, decided)) > maxBatchBytes {
		return Accepted{}, ErrTooLarge
	}
	return Accepted{}, nil
}

// first finds what a command's key recorded before: known if it was the same
// share, ErrKeyReused if it was another.
func (l *Ledger) first(ctx context.Context, cmd *Command) (a Accepted, known bool, err error) {
	id := l.eventID(cmd, 0)
	index, known := l.Find(id)
	if !known {
		return Accepted{}, false, nil
	}
	select {
	case l.looking <- struct{}{}:
		defer func() { <-l.looking }()
	case <-ctx.Done():
		return Accepted{}, false, context.Cause(ctx)
	}
	also, err := l.sameShare(ctx, cmd, index)
	if err != nil {
		return Accepted{}, false, err
	}
	return Accepted{ID: id, Index: index, Repeat: true, Also: also}, true, nil
}
