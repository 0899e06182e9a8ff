package ledger

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// start folds the stream and refuses to go on from anything that is not what
// was logged and published before.
func (l *Ledger) start(ctx context.Context) error {
	shown, pending, err := l.lastCheckpoints(ctx)
	if err != nil {
		return err
	}
	if err := l.checkPublicationKept(shown); err != nil {
		return err
	}
	logged, root, err := l.trees.Root(ctx)
	if err != nil {
		return fmt.Errorf("asking the log for its root: %w", err)
	}
	last, err := l.knowRoots(logged, root, shown, pending)
	if err != nil {
		return err
	}
	ahead, err := l.guard(ctx, last)
	if err != nil {
		return err
	}
	if err := l.knowTiled(); err != nil {
		return err
	}
	if err := l.recall(ctx, logged); err != nil {
		return err
	}
	if err := l.destroyDoomed(ctx); err != nil {
		return err
	}
	if err := l.checkMark(ctx, last); err != nil {
		return err
	}
	signed := l.state.shown
	if pending != nil {
		signed = pending.Size
	}
	if n := max(logged, signed, l.tiled.size); n > l.state.next {
		return fmt.Errorf("the stream has %d events, but %d were logged or published: the event store is older than they are; bring back the newer one: %w",
			l.state.next, n, ErrCorrupt)
	}
	if err := l.openTiles(last); err != nil {
		return err
	}
	if l.state.next == 0 {
		if err := l.genesis(ctx); err != nil {
			return err
		}
	}
	if err := l.enrolAuthorities(ctx); err != nil {
		return err
	}
	if err := l.checkContinues(ctx); err != nil {
		return err
	}
	if err := l.takeUp(ctx, shown, pending, ahead); err != nil {
		return err
	}
	l.progress.agree(logged)
	return nil
}

// knowRoots notes the roots that were logged, published and signed, which must agree,
// and returns the newest checkpoint that was signed, nil if there is none.
func (l *Ledger) knowRoots(logged uint64, root events.Hash, shown, pending *Published) (last *Published, err error) {
	l.sequenced, l.known, l.met = newEdge(), map[uint64]events.Hash{}, logged
	if logged > 0 {
		l.known[logged] = root
	}
	for _, p := range []*Published{shown, pending} {
		if p == nil {
			continue
		}
		if r, ok := l.known[p.Size]; ok && r != p.Root {
			return nil, fmt.Errorf("the log's root at %d is not the published one: %w", p.Size, ErrCorrupt)
		}
		l.known[p.Size], last = p.Root, p
	}
	if shown != nil {
		l.state.shown = shown.Size
	}
	return last, nil
}

// takeUp goes on where publication stood: it shows what was shown, and notes what was
// signed and waits for cosignatures, or what cosigners know and the stream does not say.
func (l *Ledger) takeUp(ctx context.Context, shown, pending *Published, ahead *guarded) error {
	if shown != nil {
		snap, ok := l.state.snapshots[shown.Size]
		if !ok {
			return fmt.Errorf("the last checkpoint's size %d does not end with a state leaf: %w", shown.Size, ErrCorrupt)
		}
		if err := l.show(ctx, shown, snap); err != nil {
			return err
		}
	}
	if l.pending = pending; pending != nil {
		l.waiting.Store(pending.Size)
	}
	if ahead != nil {
		if err := l.checkGuarded(ctx, ahead); err != nil {
			return err
		}
		l.pending = ahead.Published
	}
	return nil
}

// replay folds what the state does not know of the stream; our own tree grows with it as far as the log
// has come, the rest is the sequencer's.
func (l *Ledger) replay(ctx context.Context, logged uint64) error {
	for e, err := range l.store.Read(ctx, l.stream, l.state.next, 1<<62) {
		if err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		if err := l.fold(ctx, e, l.keys.Enrolment); err != nil {
			return err
		}
		if e.Revision < logged {
			if _, err := l.advance(e); err != nil {
				return err
			}
		}
		if l.file != nil && l.state.next%replayFlush == 0 {
			if err := l.file.flush(ctx); err != nil {
				l.log.Warn("the state was not written", zap.Error(err))
			}
		}
	}
	return nil
}

// replayFlush is after how many events a replay writes the state: it may be long
// and be killed.
const replayFlush = 1 << 16

// checkMark compares what was recalled with what the keystore remembers of the
// ledger. An event store that is empty or older would otherwise be continued
// under the same keys, and sizes signed twice.
func (l *Ledger) checkMark(ctx context.Context, last *Published) error {
	mark, found, err := l.keys.Mark(ctx)
	if err != nil || !found {
		return err
	}
	switch {
	case l.state.next == 0:
		return fmt.Errorf("the event store has no events of this ledger, whose keys are here: it is another one or an empty one; bring back the ledger's: %w", ErrCorrupt)
	case l.state.genesis != mark.Genesis:
		return fmt.Errorf("the stream begins with another genesis than the ledger of these keys: %w", ErrCorrupt)
	case mark.Size > 0 && (last == nil || last.Size < mark.Size):
		return fmt.Errorf("size %d was published and the event store does not know it: it is an older copy; bring back the newer one: %w", mark.Size, ErrCorrupt)
	case last != nil && last.Size == mark.Size && last.Root != mark.Root:
		return fmt.Errorf("another root was published at size %d: %w", mark.Size, ErrCorrupt)
	}
	return nil
}

// genesis appends leaf 0.
func (l *Ledger) genesis(ctx context.Context) error {
	req := &request{reply: make(chan reply, 1)}
	undecided, err := l.writeBatch(ctx, []*request{req})
	if err != nil {
		return err
	}
	if len(undecided) > 0 { // another instance was first
		if err := l.catchUp(ctx); err != nil {
			return err
		}
		return l.keys.SetMark(ctx, keystore.Mark{Genesis: l.state.genesis})
	}
	r := <-req.reply
	if r.err != nil {
		return fmt.Errorf("writing the genesis: %w", r.err)
	}
	l.log.Info("ledger created", zap.String("origin", l.origin))
	return l.keys.SetMark(ctx, keystore.Mark{Genesis: l.state.genesis})
}
