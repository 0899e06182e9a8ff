package keystore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
)

// Found is one of several parties that were asked for.
type Found struct {
	Party Party
	Err   error // ErrNoParty, ErrDestroyed or ErrCannotOpen; then only Party.ID is set
}

// ByIDs is ByID for many parties: those that are not in memory are read by one
// query. The map has every party that was asked for.
func (s *Store) ByIDs(ctx context.Context, ids []PartyID) (map[PartyID]Found, error) {
	all := make(map[PartyID]Found, len(ids))
	var missing []PartyID
	for _, id := range ids {
		p, ok := s.cache.get(id)
		all[id] = Found{Party: p}
		if !ok {
			all[id] = Found{Party{ID: id}, fmt.Errorf("reading the key of party %d: %w", id, ErrNoParty)}
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return all, nil
	}
	err := s.each(ctx, s.byIDs, missing, func(f Found) error {
		if f.Err == nil {
			s.cache.put(f.Party)
		}
		all[f.Party.ID] = f
		return nil
	})
	return all, err
}

// ByLabels returns the parties with enrolment labels, as far as this keystore has
// them: labels may be anybody's.
func (s *Store) ByLabels(ctx context.Context, labels []events.Hash) (map[events.Hash]Party, error) {
	all := map[events.Hash]Party{}
	if len(labels) == 0 {
		return all, nil
	}
	texts := make([]string, len(labels))
	for i := range labels {
		texts[i] = hex.EncodeToString(labels[i][:])
	}
	err := s.each(ctx, s.byLabels, texts, func(f Found) error {
		all[f.Party.Label] = f.Party
		return f.Err
	})
	return all, err
}

// each reads the parties of a query for a list.
func (s *Store) each(ctx context.Context, query *sql.Stmt, list any, do func(Found) error) error {
	array, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("reading parties: %w", err)
	}
	rows, err := query.QueryContext(ctx, string(array))
	if err != nil {
		return fmt.Errorf("reading parties: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		p, _, err := s.scan(rows)
		if err != nil && !errors.Is(err, ErrCannotOpen) && !errors.Is(err, ErrDestroyed) {
			return err
		}
		if err := do(Found{p, err}); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading parties: %w", err)
	}
	return nil
}
