package ledger

import (
	"context"
	"errors"
	"maps"

	"go.uber.org/zap"
)

// recall folds what there is, from the state file's end if that is of use. The
// stream has the last word: if what was restored does not agree with it, with
// the log or with the checkpoint, the index is built again from the state file,
// and if that does not help, everything is folded from the beginning.
func (l *Ledger) recall(ctx context.Context, logged uint64) error {
	if l.file == nil {
		return l.fromStream(ctx, logged)
	}
	known, shown := maps.Clone(l.known), l.state.shown
	again := func() {
		l.state, l.sequenced, l.known, l.progress = newState(), newEdge(), maps.Clone(known), newProgress()
		l.state.shown = shown
	}
	covered, mistaken, err := l.fromFile(ctx, logged)
	if mistaken && covered > 0 && !errors.Is(err, errUnusable) {
		l.log.Error("the label index does not agree with the stream; it is built again", zap.Error(err))
		again()
		if err := l.emptyIndex(); err != nil {
			return err
		}
		_, mistaken, err = l.fromFile(ctx, logged)
	}
	if !mistaken {
		return err
	}
	l.log.Error("the state file does not agree with the stream; everything is folded again", zap.Error(err))
	again()
	if err := l.file.truncate(ctx, 0); err != nil {
		return err
	}
	return l.fromStream(ctx, logged)
}

// fromStream folds everything.
func (l *Ledger) fromStream(ctx context.Context, logged uint64) error {
	if err := l.emptyIndex(); err != nil {
		return err
	}
	return l.replay(ctx, logged)
}

// fromFile folds what state.db lacks. covered says what the index on disk had of
// it. An error may be the fault of what was restored: mistaken.
func (l *Ledger) fromFile(ctx context.Context, logged uint64) (covered uint64, mistaken bool, err error) {
	covered, err = l.restore(ctx, logged)
	restored := l.state.next > 0
	if err == nil {
		err = l.replay(ctx, logged)
	}
	return covered, errors.Is(err, errUnusable) || restored && errors.Is(err, ErrCorrupt), err
}
