package keystore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/sqlite"
)

// holds.db is a file of its own so that an older keys.db, brought back, takes
// nothing from what is held and gives nothing back of what was released.
const holdSchema = `
CREATE TABLE journal (
	seq  INTEGER PRIMARY KEY,
	step BLOB NOT NULL, -- HoldStep, wrapped
	mac  BLOB NOT NULL  -- over the step and the mac before it
) STRICT;
CREATE TRIGGER journal_unchanged BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'steps are only added'); END;
CREATE TRIGGER journal_whole BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'steps are only added'); END;
CREATE TABLE hold (
	id       INTEGER PRIMARY KEY,
	lookup   BLOB NOT NULL UNIQUE, -- keyed hash of the matter
	key      BLOB NOT NULL,        -- under the wrapping key; zeros once it is released
	released INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE person (
	id     INTEGER PRIMARY KEY,
	hold   INTEGER NOT NULL REFERENCES hold (id),
	lookup BLOB NOT NULL -- keyed hash of role and identity
) STRICT;
CREATE INDEX person_lookup ON person (lookup);
CREATE TABLE people (
	seq  INTEGER PRIMARY KEY, -- of the step that names them
	hold INTEGER NOT NULL REFERENCES hold (id),
	list BLOB NOT NULL        -- their identities and the opening of the step's commitment, under the hold's key
) STRICT;
CREATE TABLE held (
	id      INTEGER PRIMARY KEY,
	hold    INTEGER NOT NULL REFERENCES hold (id),
	lookup  BLOB NOT NULL UNIQUE, -- keyed hash of whose entries they are, and which
	entries BLOB NOT NULL         -- Held, under the hold's key
) STRICT;`

// ErrHolds says that holds.db is not the one that belongs to keys.db.
var ErrHolds = errors.New("holds.db is missing, older than keys.db or was changed: bring back the newest copy of it")

// The steps in the life of a hold.
const (
	HoldPlaced   = "placed"   // or people added; it takes back a release that was proposed
	HoldProposed = "proposed" // to be released
	HoldReleased = "released"

	holdKept = "kept" // a row of what is held was written; it is in nobody's view
)

// HoldStep is one step in the life of a hold. It names nobody.
type HoldStep struct {
	Kind   string      `json:"kind" enum:"placed,proposed,released"`
	Matter string      `json:"matter" doc:"reference of the matter"`
	Ground string      `json:"ground,omitempty"`
	Reason string      `json:"reason,omitempty"`
	At     string      `json:"at" doc:"RFC 3339 time in UTC, by the ledger's clock"`
	By     string      `json:"by" doc:"pseudonym of the actor"`
	People events.Hash `json:"people,omitzero" doc:"commitment to those it names; what opens it is destroyed with the release"`
}

// journalStep is a step as it is stored.
type journalStep struct {
	HoldStep
	Hold  []byte      `json:"hold,omitempty"`  // of a kept row: keyed hash of its matter
	Place []byte      `json:"place,omitempty"` // and its place
	Row   events.Hash `json:"row,omitzero"`    // and SHA-256 of its entries as they are stored
}

// journal is every step there was, checked.
type journal struct {
	steps []journalStep
	head  [32]byte // mac of the last
}

// openHolds opens holds.db and compares it with what keys.db remembers of it.
func (s *Store) openHolds(ctx context.Context, dir string) (err error) {
	if s.holds, err = sqlite.Open(ctx, sqlite.Config{
		Path: filepath.Join(dir, "holds.db"), Schema: holdSchema, Version: 1, Application: "shho", Pragmas: []string{"secure_delete(ON)"},
	}); err != nil {
		return err
	}
	if err := truncate(ctx, s.holds); err != nil { // a crash may have come between a release and this
		return err
	}
	size, head, err := s.holdMark(ctx)
	if err != nil {
		return err
	}
	j, err := s.readJournal(ctx, s.holds.Read, size)
	switch {
	case err != nil:
		return err
	case len(j.steps) < size || j.head != head:
		return ErrHolds
	}
	return s.markHolds(ctx)
}

// readJournal reads the first size steps, or all if size is negative.
func (s *Store) readJournal(ctx context.Context, q interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, size int) (j journal, err error) {
	rows, err := q.QueryContext(ctx, "SELECT seq, step, mac FROM journal ORDER BY seq LIMIT ?", size)
	if err != nil {
		return j, fmt.Errorf("reading the journal of holds: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq uint64
		var wrapped, mac []byte
		if err := rows.Scan(&seq, &wrapped, &mac); err != nil {
			return j, fmt.Errorf("reading the journal of holds: %w", err)
		}
		plain, err := unwrapUnder(derive(s.wrap, "sharetrail/v1/holds/step"), wrapped, stepPlace(seq))
		next := s.chain(j.head, seq, wrapped)
		if err != nil || seq != uint64(len(j.steps))+1 || !hmac.Equal(mac, next[:]) {
			return j, fmt.Errorf("reading step %d of the journal of holds: %w", len(j.steps)+1, ErrHolds)
		}
		var step journalStep
		if err := json.Unmarshal(plain, &step); err != nil {
			return j, fmt.Errorf("reading step %d of the journal of holds: %w", seq, ErrHolds)
		}
		j.steps, j.head = append(j.steps, step), next
	}
	if err := rows.Err(); err != nil {
		return j, fmt.Errorf("reading the journal of holds: %w", err)
	}
	return j, nil
}

func stepPlace(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte("step"), seq) }

// chain binds a step to all before it.
func (s *Store) chain(before [32]byte, seq uint64, wrapped []byte) [32]byte {
	key := derive(s.wrap, "sharetrail/v1/holds/chain")
	mac := hmac.New(sha256.New, key[:])
	mac.Write(before[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, seq))
	mac.Write(wrapped)
	return [32]byte(mac.Sum(nil))
}

// addStep appends a step and returns its number.
func (s *Store) addStep(ctx context.Context, tx *sql.Tx, step journalStep) (uint64, error) {
	j, err := s.readJournal(ctx, tx, -1)
	if err != nil {
		return 0, err
	}
	text, err := json.Marshal(step)
	if err != nil {
		return 0, fmt.Errorf("writing the journal of holds: %w", err)
	}
	seq := uint64(len(j.steps)) + 1
	wrapped := wrapUnder(derive(s.wrap, "sharetrail/v1/holds/step"), text, stepPlace(seq))
	mac := s.chain(j.head, seq, wrapped)
	if _, err := tx.ExecContext(ctx, "INSERT INTO journal (seq, step, mac) VALUES (?, ?, ?)", seq, wrapped, mac[:]); err != nil {
		return 0, fmt.Errorf("writing the journal of holds: %w", err)
	}
	return seq, nil
}

// secretHolds is under which name keys.db remembers how long the journal is and
// how it ends, so that an older holds.db is not taken for the newest.
const secretHolds = "holds"

func (s *Store) holdMark(ctx context.Context) (size int, head [32]byte, err error) {
	b, err := s.secret(ctx, secretHolds)
	switch {
	case errors.Is(err, ErrNoLedger):
		return 0, head, nil
	case err == nil && len(b) != 8+len(head):
		err = ErrCannotOpen
	}
	if err != nil {
		return 0, head, fmt.Errorf("reading what is known of holds: %w", err)
	}
	return int(binary.BigEndian.Uint64(b)), [32]byte(b[8:]), nil
}

// markHolds remembers the journal as it is. A crash before it is mended at the next
// start: the journal may be longer than what is remembered.
func (s *Store) markHolds(ctx context.Context) error {
	j, err := s.readJournal(ctx, s.holds.Read, -1)
	if err != nil {
		return err
	}
	if size, head, err := s.holdMark(ctx); err != nil || size == len(j.steps) && head == j.head {
		return err
	}
	wrapped := seal(s.wrap, append(binary.BigEndian.AppendUint64(nil, uint64(len(j.steps))), j.head[:]...), []byte("secret "+secretHolds))
	_, err = s.db.Write.ExecContext(ctx, "INSERT INTO secret (name, wrapped) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET wrapped = excluded.wrapped", secretHolds, wrapped)
	if err != nil {
		return fmt.Errorf("noting what is known of holds: %w", err)
	}
	return nil
}
