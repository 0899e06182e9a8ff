package keystore

import (
	"context"
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
)

// SealKey opens one slot of a sealed event: what it says of one person. Nothing
// beside it tells whose slot it is, or which; it opens that one and no other.
type SealKey struct {
	ID  int64
	Key [32]byte
}

func bindSeal(event events.ID) []byte { return append([]byte("seal\x00"), event[:]...) }

// AddSealKeys makes n keys for the slots of an event about to be sealed. When it
// returns they are durable; keys of an event that was never appended open nothing.
func (s *Store) AddSealKeys(ctx context.Context, event events.ID, n int) (keys []SealKey, err error) {
	if n == 0 {
		return nil, nil
	}
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("storing the keys of a seal: %w", err)
	}
	defer tx.Rollback()
	for range n {
		k := SealKey{Key: random32()}
		err := tx.QueryRowContext(ctx, "INSERT INTO seal (event, key) VALUES (?, ?) RETURNING id",
			event[:], seal(s.wrap, k.Key[:], bindSeal(event))).Scan(&k.ID)
		if err != nil {
			return nil, fmt.Errorf("storing the keys of a seal: %w", err)
		}
		keys = append(keys, k)
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("storing the keys of a seal: %w", err)
	}
	return keys, nil
}

// SealKeys returns the keys of a sealed event's slots that there still are.
func (s *Store) SealKeys(ctx context.Context, event events.ID) (keys []SealKey, err error) {
	rows, err := s.db.Read.QueryContext(ctx, "SELECT id, key FROM seal WHERE event = ? ORDER BY id", event[:])
	if err != nil {
		return nil, fmt.Errorf("reading the keys of a seal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k SealKey
		var wrapped []byte
		if err := rows.Scan(&k.ID, &wrapped); err != nil {
			return nil, fmt.Errorf("reading the keys of a seal: %w", err)
		}
		plain, err := open(s.wrap, wrapped, bindSeal(event))
		if err != nil {
			return nil, fmt.Errorf("unwrapping a key of a seal: %w", err)
		}
		k.Key = [32]byte(plain)
		keys = append(keys, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the keys of a seal: %w", err)
	}
	return keys, nil
}

// DestroySealKey destroys the key of one slot: of somebody whose record is unsealed
// and who is erased. Destroying it again changes nothing. The log of the file is
// emptied, so that no copy stays behind in it.
func (s *Store) DestroySealKey(ctx context.Context, id int64) error {
	if _, err := s.db.Write.ExecContext(ctx, "DELETE FROM seal WHERE id = ?", id); err != nil {
		return fmt.Errorf("destroying a key of a seal: %w", err)
	}
	if _, err := s.db.Write.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("destroying a key of a seal: %w", err)
	}
	return nil
}

// SealedSlot is a slot of a sealed event that one of its keys opened.
type SealedSlot struct {
	*Opened
	Slot uint16
	Key  SealKey
}

// OpenSealed opens the slots of a sealed event that the given keys open. A key says
// not which slot it is of, so each is tried on each: an event has at most 512.
func (s *Sealed) OpenSealed(keys []SealKey) ([]SealedSlot, error) {
	var found []SealedSlot
	opener := &Opener{Sealed: s}
	for _, k := range keys {
		for slot := range s.Leaf.Slots {
			opened, err := opener.Open(uint16(slot), k.Key)
			if errors.Is(err, ErrCannotOpen) {
				continue
			}
			if err != nil {
				return nil, err
			}
			found = append(found, SealedSlot{opened, uint16(slot), k})
			break
		}
	}
	return found, nil
}

// RandomLabel is the label of a slot that is in nobody's sequence.
func RandomLabel() events.Hash { return random32() }
