package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// compareHeld opens every copy that is held, and wants of each what its leaf commits
// to. A fault names the matter and the leaf, and nothing that they are about; where
// there is none, nothing tells that there are holds.
func (v *verifying) compareHeld(ctx context.Context) error {
	err := v.keys.CheckHolds(ctx, func(matter string, h keystore.Held) error {
		if err := v.heldCopy(ctx, h); err != nil {
			return &Fault{h.Index, fmt.Sprintf("the copy of it that is held under the matter %s (holds.db) is not what the leaf commits to", matter), err}
		}
		return nil
	})
	if fault := (*Fault)(nil); errors.As(err, &fault) {
		return fault
	}
	if err != nil {
		return fmt.Errorf("comparing what is held: %w", err)
	}
	return nil
}

func (v *verifying) heldCopy(ctx context.Context, h keystore.Held) error {
	if h.Index >= v.state.next {
		return errors.New("the stream does not have it")
	}
	sealed, err := v.sealedAt(ctx, h.Index)
	if err != nil {
		return err
	}
	opened, err := sealed.OpenHeld(h)
	if err != nil {
		return err
	}
	if opened.Content.Role != events.RoleSubject {
		return errors.New("it is no subject's")
	}
	_, err = v.heldHeader(ctx, opened)
	return err
}
