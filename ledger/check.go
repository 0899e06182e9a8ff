package ledger

import (
	"context"
	"math"

	"github.com/sharetrail/sharetrail/ledger/decide"
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
	if first, _, known, err := l.first(ctx, &cmd); known || err != nil {
		return first, err
	}
	target, err := l.targetOf(ctx, &cmd, math.MaxUint64)
	if err != nil {
		return Accepted{}, err
	}
	decided, err := l.decide(&shared{l}, &cmd, target, l.now())
	if err != nil {
		return Accepted{}, err
	}
	if estimate(newChoice(l.eventID(&cmd, 0), nil, decide.Enrol(&shared{l}, decided))) > maxBatchBytes {
		return Accepted{}, ErrTooLarge
	}
	return Accepted{}, nil
}

// first finds what a command's key recorded before: known if it was the same
// share, ErrKeyReused if it was another. planned is what it asks for.
func (l *Ledger) first(ctx context.Context, cmd *Command) (a Accepted, planned []decide.Planned, known bool, err error) {
	id := l.eventID(cmd, 0)
	index, known := l.place(id)
	if !known {
		return Accepted{}, nil, false, nil
	}
	select {
	case l.looking <- struct{}{}:
		defer func() { <-l.looking }()
	case <-ctx.Done():
		return Accepted{}, nil, false, context.Cause(ctx)
	}
	also, planned, err := l.sameShare(ctx, cmd, index)
	if err != nil {
		return Accepted{}, nil, false, err
	}
	return Accepted{ID: id, Index: index, Repeat: true, Also: also}, planned, true, nil
}
