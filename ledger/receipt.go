package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// ErrNoEvent says that the ledger has no event of that id.
var ErrNoEvent = errors.New("the ledger has no event of this id")

// Receipt proves that an event is in the log, under the newest checkpoint. It
// holds the leaf, which names nobody. ErrNotPublished: wait for the event's leaf
// with WaitPublished first.
func (l *Ledger) Receipt(ctx context.Context, id events.ID) (*verifier.Proof, error) {
	index, found := l.Find(id)
	if !found {
		return nil, ErrNoEvent
	}
	return l.proofOf(ctx, index)
}

// proofOf proves a leaf under the newest checkpoint.
func (l *Ledger) proofOf(ctx context.Context, index uint64) (*verifier.Proof, error) {
	pub := l.published.Load()
	if pub == nil || index >= pub.Size {
		return nil, ErrNotPublished
	}
	if err := l.progress.reach(ctx, pub.Size, l.stopped); err != nil {
		return nil, err
	}
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d: %w", index, err)
	}
	paths, err := l.trees.Inclusions(ctx, []uint64{index}, pub.Size)
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d: %w", index, err)
	}
	proof := &verifier.Proof{Leaf: sealed.Stored.Leaf, Index: index, Checkpoint: pub.Note}
	for _, h := range paths[0] {
		proof.Path = append(proof.Path, h)
	}
	return proof, nil
}
