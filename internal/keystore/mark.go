package keystore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
)

// Mark is what the keystore remembers of the ledger that uses it, so that an
// older copy of the event store, or an empty one, is never mistaken for it: a
// ledger must not sign a second history under the same keys.
type Mark struct {
	Genesis events.Hash // leaf hash of leaf 0
	Size    uint64      // the largest size ever shown as published
	Root    events.Hash // its root
}

// Mark returns what the keystore remembers; found is false before the genesis.
func (s *Store) Mark(ctx context.Context) (m Mark, found bool, err error) {
	var genesis, root []byte
	err = s.db.Read.QueryRowContext(ctx, "SELECT genesis, size, root FROM mark").Scan(&genesis, &m.Size, &root)
	if errors.Is(err, sql.ErrNoRows) {
		return Mark{}, false, nil
	}
	if err == nil && (len(genesis) != len(m.Genesis) || len(root) != len(m.Root)) {
		err = ErrCannotOpen
	}
	if err != nil {
		return Mark{}, false, fmt.Errorf("reading what was published: %w", err)
	}
	m.Genesis, m.Root = events.Hash(genesis), events.Hash(root)
	return m, true, nil
}

// ErrOtherMark says that a ledger is about to sign a second history.
var ErrOtherMark = errors.New("another root of this size was signed before")

// SetMark remembers a newer state of the ledger. When it returns, it is durable. An
// older one changes nothing; another root at the size that is remembered is refused.
func (s *Store) SetMark(ctx context.Context, m Mark) error {
	done, err := s.db.Write.ExecContext(ctx, `INSERT INTO mark (id, genesis, size, root) VALUES (1, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET size = excluded.size, root = excluded.root
		WHERE excluded.size > mark.size OR excluded.size = mark.size AND excluded.root = mark.root`,
		m.Genesis[:], m.Size, m.Root[:])
	var changed int64
	if err == nil {
		changed, err = done.RowsAffected()
	}
	if err == nil && changed == 0 {
		var before Mark
		if before, _, err = s.Mark(ctx); err == nil && before.Size == m.Size && before.Root != m.Root {
			err = ErrOtherMark
		}
	}
	if err != nil {
		return fmt.Errorf("noting what was published: %w", err)
	}
	return nil
}
