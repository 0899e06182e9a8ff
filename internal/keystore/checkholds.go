package keystore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
)

// CheckHolds compares holds.db with its journal: every key, everybody who is named,
// and every row that was kept. It shows each entry that is held to see, with its
// matter. What it finds first is an error, which names nobody.
//
// A row that was kept before the journal told of rows is opened like the others, but
// nobody can say whether there was one more.
func (s *Store) CheckHolds(ctx context.Context, see func(matter string, h Held) error) error {
	j, err := s.readJournal(ctx, s.holds.Read, -1)
	if err != nil {
		return err
	}
	kept := map[string]map[string]events.Hash{} // by keyed hash of the matter, and place
	for _, step := range j.steps {
		if step.Kind != holdKept {
			continue
		}
		if kept[string(step.Hold)] == nil {
			kept[string(step.Hold)] = map[string]events.Hash{}
		}
		kept[string(step.Hold)][string(step.Place)] = step.Row
	}
	holds, err := s.Holds(ctx)
	if err != nil {
		return err
	}
	for _, h := range holds {
		if err := s.checkHold(ctx, h, kept[string(s.holdLookup(h.Matter))], see); err != nil {
			return fmt.Errorf("the hold of the matter %s: %w", h.Matter, err)
		}
	}
	var rows int
	if err := s.holds.Read.QueryRowContext(ctx, "SELECT count(*) FROM hold").Scan(&rows); err != nil {
		return fmt.Errorf("reading holds: %w", err)
	}
	if rows != len(holds) {
		return fmt.Errorf("there are keys of %d holds, and the journal knows %d: %w", rows, len(holds), ErrHolds)
	}
	return nil
}

func (s *Store) checkHold(ctx context.Context, h Hold, kept map[string]events.Hash, see func(string, Held) error) error {
	key, found, err := s.holdKey(ctx, s.holds.Read, h.Matter)
	if err != nil {
		return errors.Join(err, ErrHolds)
	}
	if h.Released() {
		var rows int
		err := s.holds.Read.QueryRowContext(ctx, "SELECT count(*) FROM held JOIN hold ON hold.id = held.hold WHERE hold.lookup = ?", s.holdLookup(h.Matter)).Scan(&rows)
		if err == nil && (found || rows > 0) {
			err = fmt.Errorf("it was released, and something of it is there: %w", ErrHolds)
		}
		return err
	}
	if !found {
		return fmt.Errorf("its key is not there: %w", ErrHolds)
	}
	if err := s.checkPeople(ctx, key, h.People); err != nil {
		return err
	}
	n := 0
	for row, err := range s.heldRows(ctx, key) {
		n++
		if err != nil {
			return fmt.Errorf("row %d of what is held: %w", n, errors.Join(err, ErrHolds))
		}
		if want, known := kept[string(row.place)]; known && want != row.sum {
			return fmt.Errorf("row %d of what is held is not what was kept last: %w", n, ErrHolds)
		}
		delete(kept, string(row.place))
		for _, entry := range row.entries {
			if err := see(h.Matter, entry); err != nil {
				return err
			}
		}
	}
	if len(kept) > 0 {
		return fmt.Errorf("%d rows are held, and %d more were kept: %w", n, len(kept), ErrHolds)
	}
	return nil
}

// checkPeople wants an erasure to find the hold on each of its people, and on nobody
// else.
func (s *Store) checkPeople(ctx context.Context, key HoldKey, people []events.Identity) error {
	var want, got []string
	for _, id := range people {
		want = append(want, string(s.heldLookup(events.RoleSubject, id)))
	}
	rows, err := s.holds.Read.QueryContext(ctx, "SELECT DISTINCT lookup FROM person WHERE hold = ?", key.id)
	if err != nil {
		return fmt.Errorf("reading whom a hold is about: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var lookup []byte
		if err := rows.Scan(&lookup); err != nil {
			return fmt.Errorf("reading whom a hold is about: %w", err)
		}
		got = append(got, string(lookup))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading whom a hold is about: %w", err)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		return fmt.Errorf("an erasure would not find whom it is about: %w", ErrHolds)
	}
	return nil
}
