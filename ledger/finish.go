package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// ErrFinished says that the ledger ended: it takes no more events, for ever.
var ErrFinished = errors.New("the ledger is closed for good")

// finished returns why nothing can be recorded any more, nil before the end.
func (s *state) finished() error {
	switch {
	case s.final == nil:
		return nil
	case len(s.final.Successor) == 0:
		return fmt.Errorf("%w, and names no successor", ErrFinished)
	}
	return fmt.Errorf("%w; record in its successor, %s", ErrFinished, s.final.Successor)
}

// Finish ends the ledger with a final state leaf, which names the ledger that
// continues it, if any. It returns once that is published: the checkpoint then is
// what the successor begins with. Asking again for the same changes nothing.
func (l *Ledger) Finish(ctx context.Context, successor string) (*Published, error) {
	if len(successor) > 255 || successor == l.origin {
		return nil, &events.FieldError{Field: "successor", Rule: "must be the origin of another ledger, up to 255 bytes", Next: "name the ledger that goes on, such as sharetrail.example.com/acme-2027"}
	}
	l.mu.RLock()
	final := l.state.final
	l.mu.RUnlock()
	if final == nil {
		r := l.submit(ctx, &request{final: &successor, reply: make(chan reply, 1)})
		if r.err != nil {
			return nil, fmt.Errorf("closing the ledger: %w", r.err)
		}
		return l.WaitPublished(ctx, r.accepted.Index)
	}
	if string(final.Successor) != successor {
		return nil, &events.FieldError{Field: "successor", Rule: "cannot change: the ledger ended by naming " + quoted(string(final.Successor)), Next: "begin that one"}
	}
	return l.WaitPublished(ctx, final.Covered)
}

func quoted(origin string) string {
	if origin == "" {
		return "no successor"
	}
	return origin
}

// Final says how the ledger ended; ok is false while it goes on. The checkpoint
// is the body that the successor's first leaf repeats.
func (l *Ledger) Final() (successor, checkpoint string, ok bool) {
	l.mu.RLock()
	final := l.state.final
	l.mu.RUnlock()
	p := l.published.Load()
	if final == nil || p == nil || p.Size != final.Covered+1 {
		return "", "", false
	}
	return string(final.Successor), verifier.Checkpoint{Origin: l.origin, Size: p.Size, Root: p.Root}.Format(), true
}

// checkContinues demands that leaf 0 continues the ledger that the configuration
// names, or none: the trust file says the same.
func (l *Ledger) checkContinues(ctx context.Context) error {
	genesis, err := l.sealedAt(ctx, 0)
	if err != nil {
		return err
	}
	said, err := events.ParseState(genesis.Leaf.Ext)
	if err != nil {
		return fmt.Errorf("reading the genesis: %w", ErrCorrupt)
	}
	if string(said.Predecessor) != l.predecessor || (l.predecessor != "") != (len(l.predecessors) > 0) {
		return fmt.Errorf("the first leaf continues another ledger than the settings say; restore ledger.json: %w", ErrCorrupt)
	}
	return nil
}
