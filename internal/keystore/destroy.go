package keystore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/sqlite"
)

// Destroy overwrites the keys, handles, identities and aliases of parties. When it
// returns nil, no file of the keystore has them any more; a row stays behind that
// says under which label somebody was enrolled (Tombstones), so that the number is
// never given again and the enrolment is not missed. Destroying again is harmless.
//
// Every column keeps its length and so its place: nothing is moved in the file,
// which would leave a copy where it was. The write-ahead log, which has the row as
// it was made, is cut to nothing. What a file system keeps of a file that was
// overwritten or cut, and what was copied before, is out of reach.
func (s *Store) Destroy(ctx context.Context, ids ...PartyID) error {
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("destroying keys: %w", err)
	}
	defer tx.Rollback()
	for _, id := range ids {
		for _, statement := range []string{
			`UPDATE party SET key = zeroblob(length(key)), secrets = zeroblob(length(secrets)), lookup = randomblob(length(lookup)),
				destroyed = 1 WHERE id = ? AND NOT destroyed`,
			`UPDATE alias SET identity = zeroblob(length(identity)), lookup = randomblob(length(lookup)), destroyed = 1
				WHERE party = ? AND NOT destroyed`,
		} {
			if _, err := tx.ExecContext(ctx, statement, int64(id)); err != nil {
				return fmt.Errorf("destroying the key of party %d: %w", id, err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("destroying keys: %w", err)
	}
	for _, id := range ids {
		s.cache.forget(id)
	}
	return truncate(ctx, s.db)
}

// Family returns every generation with a root, those whose keys were destroyed among
// them.
func (s *Store) Family(ctx context.Context, root PartyID) (ids []PartyID, err error) {
	rows, err := s.db.Read.QueryContext(ctx, "SELECT id FROM party WHERE id = ?1 UNION SELECT id FROM party WHERE root = ?1 AND root <> id", int64(root))
	if err != nil {
		return nil, fmt.Errorf("reading the generations of a party: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("reading the generations of a party: %w", err)
		}
		ids = append(ids, PartyID(id))
	}
	return ids, rows.Err()
}

var errWAL = errors.New("somebody goes on reading what was there before")

// truncate moves the write-ahead log into the file and cuts it.
func truncate(ctx context.Context, db *sqlite.DB) error {
	for pause := time.Millisecond; ; pause = min(2*pause, time.Second) {
		var busy, frames, moved int
		err := db.Write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
		if err == nil && busy == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cutting the keystore's write-ahead log: %w", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("cutting the keystore's write-ahead log: %w: %w", errWAL, context.Cause(ctx))
		}
	}
}

// Tombstones yields the enrolment labels of parties and aliases whose keys were
// destroyed.
func (s *Store) Tombstones(ctx context.Context) iter.Seq2[events.Hash, error] {
	return func(yield func(events.Hash, error) bool) {
		rows, err := s.db.Read.QueryContext(ctx, "SELECT label FROM party WHERE destroyed UNION ALL SELECT label FROM alias WHERE destroyed")
		if err != nil {
			yield(events.Hash{}, fmt.Errorf("reading the tombstones: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var label []byte
			if err = rows.Scan(&label); err == nil && len(label) != len(events.Hash{}) {
				err = ErrCannotOpen
			}
			if err != nil {
				yield(events.Hash{}, fmt.Errorf("reading the tombstones: %w", err))
				return
			}
			if !yield(events.Hash(label), nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(events.Hash{}, fmt.Errorf("reading the tombstones: %w", err))
		}
	}
}

// Enrolment is what the keystore has under an enrolment label: one of three.
type Enrolment struct {
	Party     *Party
	Alias     *Alias
	Destroyed bool // a tombstone
}

// Enrolment returns what stands under an enrolment label, if anything does.
func (s *Store) Enrolment(ctx context.Context, label events.Hash) (e Enrolment, found bool, err error) {
	p, found, err := s.one(ctx, s.db.Read, "label = ?", label[:])
	if err != nil || found {
		e.Party = &p
		return s.tombstone(e, err)
	}
	a, found, err := s.aliasBy(ctx, s.db.Read, "a.label = ?", label[:])
	if err != nil || found {
		e.Alias = &a
		return s.tombstone(e, err)
	}
	return Enrolment{}, false, nil
}

func (s *Store) tombstone(e Enrolment, err error) (Enrolment, bool, error) {
	if errors.Is(err, ErrDestroyed) {
		return Enrolment{Destroyed: true}, true, nil
	}
	return e, err == nil, err
}
