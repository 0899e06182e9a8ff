package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// ErrNotErased says that the log has no erasure of an identity.
var ErrNotErased = errors.New("the log has no erasure of this identity")

// ErasureReceipt proves the newest erasure of an identity, or of an alias, from the
// log alone: nothing else is left that knows of it. It waits until the erasure is
// published.
func (l *Ledger) ErasureReceipt(ctx context.Context, role events.Role, id events.Identity) (*verifier.Erasure, error) {
	g, at, reason, err := l.lastClosing(ctx, role, id)
	if err != nil {
		return nil, err
	}
	if reason != events.ReasonErased {
		return nil, ErrNotErased
	}
	if _, err := l.WaitPublished(ctx, at.index); err != nil {
		return nil, err
	}
	proof, err := l.proofOf(ctx, at.index)
	if err != nil {
		return nil, err
	}
	vrf := l.secrets.VRF.Prove(events.VRFInput(events.CloseContext, l.origin, role, id, g)).Bytes()
	first, err := l.sealedAt(ctx, 0)
	if err != nil {
		return nil, err
	}
	return verifier.NewErasure(l.origin, role, g, vrf, at.slot, proof, first.Stored.Leaf, first.Stored.Body), nil
}

// lastClosing finds the last generation of an identity that is closed.
func (l *Ledger) lastClosing(ctx context.Context, role events.Role, id events.Identity) (last uint64, at place, reason uint8, err error) {
	for g := uint64(0); ; g++ {
		label, _ := l.secrets.CloseLabel(role, id, g)
		l.mu.RLock()
		next, closed := l.state.ended[label]
		l.mu.RUnlock()
		if closed {
			last, at = g, next
			continue
		}
		if g == 0 {
			return 0, place{}, 0, ErrNotErased
		}
		sealed, err := l.sealedAt(ctx, at.index)
		if err != nil {
			return 0, place{}, 0, err
		}
		how, found := l.secrets.ClosingIn(sealed.Leaf, role, id, last)
		if !found {
			return 0, place{}, 0, fmt.Errorf("leaf %d carries a close label and does not close: %w", at.index, ErrCorrupt)
		}
		return last, at, how.Reason, nil
	}
}
