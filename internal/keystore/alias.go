package keystore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/sharetrail/sharetrail/events"
)

// Alias is another identity of a party. It has no key of its own: whatever is
// said of it is under the party's.
type Alias struct {
	Party      Party // the primary identity's, whose generation was open when the alias was made
	Identity   events.Identity
	Generation uint64      // of the alias
	Label      events.Hash // E(g) of the alias
}

func (a *Alias) bind(lookup []byte) []byte {
	b := append([]byte("alias"), 0, byte(a.Party.Role))
	b = binary.BigEndian.AppendUint64(b, a.Generation)
	b = append(b, a.Label[:]...)
	return append(b, lookup...)
}

// AddAlias stores an alias. When it returns, it is durable; a crash before the
// enrolment is appended leaves a row that is used the next time. The row of an
// enrolment that never came gives way to one for another party.
func (s *Store) AddAlias(ctx context.Context, a Alias) error {
	lookup := s.lookup(a.Party.Role, a.Identity)
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("storing an alias: %w", err)
	}
	defer tx.Rollback()
	if err := giveWay(ctx, tx, "party", "key = zeroblob(length(key)), secrets = zeroblob(length(secrets))", a.Label); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO alias (party, generation, label, lookup, identity) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (label) DO UPDATE SET party = excluded.party, identity = excluded.identity WHERE NOT destroyed`,
		int64(a.Party.ID), a.Generation, a.Label[:], lookup, seal(a.Party.Key, []byte(a.Identity), a.bind(lookup)))
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("storing an alias: %w", err)
	}
	return nil
}

// giveWay empties the row that has a label in another table: somebody was about to
// be enrolled otherwise, and never was. It keeps no label, so it is no tombstone of
// anybody.
func giveWay(ctx context.Context, tx *sql.Tx, table, empty string, label events.Hash) error {
	_, err := tx.ExecContext(ctx, "UPDATE "+table+" SET "+empty+", label = randomblob(length(label)), lookup = randomblob(length(lookup)), destroyed = 1 WHERE label = ? AND NOT destroyed", label[:])
	if err != nil {
		return fmt.Errorf("emptying a row of the keystore: %w", err)
	}
	return nil
}

const selectAlias = "SELECT a.party, a.generation, a.label, a.lookup, a.identity, a.destroyed FROM alias a WHERE "

func (s *Store) aliasBy(ctx context.Context, q querier, where string, args ...any) (Alias, bool, error) {
	return s.scanAlias(ctx, q.QueryRowContext(ctx, selectAlias+where, args...))
}

func (s *Store) scanAlias(ctx context.Context, row interface{ Scan(...any) error }) (a Alias, found bool, err error) {
	var party int64
	var label, lookup, identity []byte
	var destroyed bool
	err = row.Scan(&party, &a.Generation, &label, &lookup, &identity, &destroyed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Alias{}, false, nil
	case err != nil:
		return Alias{}, false, fmt.Errorf("reading an alias: %w", err)
	case destroyed:
		return Alias{}, false, fmt.Errorf("reading an alias: %w", ErrDestroyed)
	case len(label) != len(a.Label):
		return Alias{}, false, fmt.Errorf("reading an alias: %w", ErrCannotOpen)
	}
	a.Label = events.Hash(label)
	if a.Party, err = s.ByID(ctx, PartyID(party)); err != nil {
		return Alias{}, false, fmt.Errorf("reading an alias: %w", err)
	}
	plain, err := open(a.Party.Key, identity, a.bind(lookup))
	if err != nil {
		return Alias{}, false, fmt.Errorf("reading an alias: %w", err)
	}
	a.Identity = events.Identity(plain)
	return a, true, nil
}

// Aliases yields every alias whose party's key is there.
func (s *Store) Aliases(ctx context.Context) iter.Seq2[Alias, error] {
	return func(yield func(Alias, error) bool) {
		rows, err := s.db.Read.QueryContext(ctx, selectAlias+"NOT a.destroyed ORDER BY a.id")
		if err != nil {
			yield(Alias{}, fmt.Errorf("reading the aliases: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			if a, _, err := s.scanAlias(ctx, rows); !yield(a, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Alias{}, fmt.Errorf("reading the aliases: %w", err))
		}
	}
}

// Generations returns the generations of an identity whose keys are there, oldest
// first; those of the primary identity if it is an alias.
func (s *Store) Generations(ctx context.Context, role events.Role, id events.Identity) (all []Party, err error) {
	lookup := s.lookup(role, id)
	if all, err = s.generations(ctx, lookup); err != nil || len(all) > 0 {
		return all, err
	}
	a, found, err := s.aliasBy(ctx, s.db.Read, "a.lookup = ? AND NOT a.destroyed ORDER BY a.generation DESC LIMIT 1", lookup)
	if err != nil || !found {
		return nil, err
	}
	return s.generations(ctx, s.lookup(role, a.Party.Identity))
}

// Own is Generations of the identity itself: none if it is an alias.
func (s *Store) Own(ctx context.Context, role events.Role, id events.Identity) ([]Party, error) {
	return s.generations(ctx, s.lookup(role, id))
}

func (s *Store) generations(ctx context.Context, lookup []byte) (all []Party, err error) {
	rows, err := s.db.Read.QueryContext(ctx, selectParty+"lookup = ? AND NOT destroyed ORDER BY generation", lookup)
	if err != nil {
		return nil, fmt.Errorf("reading a party: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		p, _, err := s.scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading a party: %w", err)
	}
	return all, nil
}
