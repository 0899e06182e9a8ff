package keystore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
)

// Hold is a duty to keep what is recorded about people, whatever becomes of their
// keys.
type Hold struct {
	Matter string
	Steps  []HoldStep
	People []events.Identity // in the order in which they were named; none once it is released
}

// Last is the newest step.
func (h *Hold) Last() HoldStep { return h.Steps[len(h.Steps)-1] }

// Released reports whether the hold is over. Whom it was about is not known any more.
func (h *Hold) Released() bool { return h.Last().Kind == HoldReleased }

// named is who a step names, as it is stored.
type named struct {
	Opening events.Hash       `json:"opening"`
	People  []events.Identity `json:"people"`
}

// commit is the step's commitment to those it names.
func (n *named) commit() events.Hash {
	h := sha256.New()
	h.Write([]byte("sharetrail/v1/holds/people\x00"))
	h.Write(n.Opening[:])
	for _, id := range n.People {
		h.Write([]byte{byte(len(id) >> 8), byte(len(id))})
		h.Write([]byte(id))
	}
	return events.Hash(h.Sum(nil))
}

func (s *Store) holdLookup(matter string) []byte {
	sum := derive(s.hash, "matter\x00"+matter)
	return sum[:]
}

func (s *Store) heldLookup(role events.Role, id events.Identity) []byte {
	sum := derive(s.hash, "held\x00"+string([]byte{byte(role)})+string(id))
	return sum[:]
}

// Holds returns every hold there is or was, in the order in which they were placed.
func (s *Store) Holds(ctx context.Context) ([]Hold, error) {
	j, err := s.readJournal(ctx, s.holds.Read, -1)
	if err != nil {
		return nil, err
	}
	var all []Hold
	for i, step := range j.steps {
		if step.Kind == holdKept {
			continue
		}
		at := slices.IndexFunc(all, func(h Hold) bool { return h.Matter == step.Matter })
		if at < 0 {
			at, all = len(all), append(all, Hold{Matter: step.Matter})
		}
		h := &all[at]
		h.Steps = append(h.Steps, step.HoldStep)
		if step.Kind != HoldPlaced {
			continue
		}
		people, err := s.peopleOf(ctx, step.HoldStep, uint64(i)+1)
		if err != nil {
			return nil, fmt.Errorf("the hold of the matter %s: %w", step.Matter, err)
		}
		for _, id := range people {
			if !slices.Contains(h.People, id) {
				h.People = append(h.People, id)
			}
		}
	}
	return all, nil
}

// Hold returns the hold of a matter, if there is or was one.
func (s *Store) Hold(ctx context.Context, matter string) (Hold, bool, error) {
	all, err := s.Holds(ctx)
	at := slices.IndexFunc(all, func(h Hold) bool { return h.Matter == matter })
	if err != nil || at < 0 {
		return Hold{}, false, err
	}
	return all[at], true, nil
}

// peopleOf opens whom a step names; nobody, once the hold is released.
func (s *Store) peopleOf(ctx context.Context, step HoldStep, seq uint64) ([]events.Identity, error) {
	var wrapped []byte
	key, found, err := s.holdKey(ctx, s.holds.Read, step.Matter)
	if err != nil || !found {
		return nil, err
	}
	if err := s.holds.Read.QueryRowContext(ctx, "SELECT list FROM people WHERE seq = ?", seq).Scan(&wrapped); err != nil {
		return nil, fmt.Errorf("reading whom a hold is about: %w", errors.Join(err, ErrHolds))
	}
	var n named
	plain, err := unwrapUnder(key.Key, wrapped, stepPlace(seq))
	if err == nil {
		plain, err = events.Unpad(plain)
	}
	if err == nil {
		err = json.Unmarshal(plain, &n)
	}
	if err != nil || n.commit() != step.People {
		return nil, fmt.Errorf("opening whom a hold is about: %w", errors.Join(err, ErrHolds))
	}
	return n.People, nil
}

// HoldKey opens what is kept under a hold.
type HoldKey struct {
	id     int64
	matter []byte // keyed hash of it
	Key    [32]byte
}

// holdKey returns the key of a matter's hold, if it is not released.
func (s *Store) holdKey(ctx context.Context, q querier, matter string) (k HoldKey, found bool, err error) {
	lookup := s.holdLookup(matter)
	return s.scanHold(q.QueryRowContext(ctx, "SELECT id, lookup, key FROM hold WHERE lookup = ? AND NOT released", lookup))
}

func (s *Store) scanHold(row interface{ Scan(...any) error }) (k HoldKey, found bool, err error) {
	var lookup, wrapped []byte
	err = row.Scan(&k.id, &lookup, &wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return k, false, nil
	}
	var plain []byte
	if err == nil {
		if plain, err = open(s.wrap, wrapped, append([]byte("hold\x00"), lookup...)); err != nil {
			err = errors.Join(err, ErrHolds)
		}
	}
	if err != nil {
		return k, false, fmt.Errorf("reading the key of a hold: %w", err)
	}
	k.matter, k.Key = lookup, [32]byte(plain)
	return k, true, nil
}

// PlaceHold records that people are under a hold: a new one, or more people. When it
// returns it is durable.
func (s *Store) PlaceHold(ctx context.Context, step HoldStep, people []events.Identity) error {
	n := named{events.Hash(random32()), people}
	step.Kind, step.People = HoldPlaced, n.commit()
	err := s.inHolds(ctx, "placing a hold", func(tx *sql.Tx) error {
		key, err := s.makeHold(ctx, tx, step.Matter)
		if err != nil {
			return err
		}
		seq, err := s.addStep(ctx, tx, journalStep{HoldStep: step})
		if err != nil {
			return err
		}
		list, err := json.Marshal(n)
		if err != nil {
			return err
		}
		padded := events.PadTo(list, events.PaddedSize(len(list)))
		if _, err := tx.ExecContext(ctx, "INSERT INTO people (seq, hold, list) VALUES (?, ?, ?)", seq, key.id, wrapUnder(key.Key, padded, stepPlace(seq))); err != nil {
			return err
		}
		for _, id := range people {
			if _, err := tx.ExecContext(ctx, "INSERT INTO person (hold, lookup) VALUES (?, ?)", key.id, s.heldLookup(events.RoleSubject, id)); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, s.markHolds(ctx))
}

// makeHold returns the key of a matter's hold, a new one if it is new.
func (s *Store) makeHold(ctx context.Context, tx *sql.Tx, matter string) (HoldKey, error) {
	key, found, err := s.holdKey(ctx, tx, matter)
	if err != nil || found {
		return key, err
	}
	lookup := s.holdLookup(matter)
	key.matter, key.Key = lookup, random32()
	err = tx.QueryRowContext(ctx, "INSERT INTO hold (lookup, key) VALUES (?, ?) RETURNING id", lookup,
		seal(s.wrap, key.Key[:], append([]byte("hold\x00"), lookup...))).Scan(&key.id)
	return key, err
}

// ProposeRelease records that somebody wants a hold to be released.
func (s *Store) ProposeRelease(ctx context.Context, step HoldStep) error {
	step.Kind = HoldProposed
	err := s.inHolds(ctx, "proposing to release a hold", func(tx *sql.Tx) error {
		_, err := s.addStep(ctx, tx, journalStep{HoldStep: step})
		return err
	})
	return errors.Join(err, s.markHolds(ctx))
}

// ReleaseHold records that a hold is over and destroys its key, and with it whom it
// was about and all that was kept. When it returns nil, no file has them any more. The
// key is overwritten where it lies, and the write-ahead log is cut, as in Destroy.
func (s *Store) ReleaseHold(ctx context.Context, step HoldStep) error {
	step.Kind = HoldReleased
	err := s.inHolds(ctx, "releasing a hold", func(tx *sql.Tx) error {
		key, found, err := s.holdKey(ctx, tx, step.Matter)
		if err != nil || !found {
			return errors.Join(err, ErrHolds)
		}
		if _, err := s.addStep(ctx, tx, journalStep{HoldStep: step}); err != nil {
			return err
		}
		for _, statement := range []string{
			"UPDATE hold SET key = zeroblob(length(key)), released = 1 WHERE id = ?",
			"UPDATE person SET lookup = randomblob(length(lookup)) WHERE hold = ?",
			"UPDATE people SET list = zeroblob(length(list)) WHERE hold = ?",
			"UPDATE held SET lookup = randomblob(length(lookup)), entries = zeroblob(length(entries)) WHERE hold = ?",
			"DELETE FROM held WHERE hold = ?", // they may be many; nothing of them can be read in what is freed
		} {
			if _, err := tx.ExecContext(ctx, statement, key.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.SettleHolds(ctx)
}

// SettleHolds ends what a step has begun: nothing that was released is left in the
// write-ahead log, and keys.db knows of the step. It is harmless at any time.
func (s *Store) SettleHolds(ctx context.Context) error {
	return errors.Join(truncate(ctx, s.holds), s.markHolds(ctx))
}

// inHolds changes holds.db in one transaction, durably.
func (s *Store) inHolds(ctx context.Context, what string, do func(*sql.Tx) error) error {
	tx, err := s.holds.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
