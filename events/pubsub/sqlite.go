package pubsub

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/internal/sqlite"
)

var _ CheckpointStore = (*SQLiteCheckpoints)(nil)

// SQLiteCheckpoints is a file of checkpoints. What was saved survives the process
// and the power.
type SQLiteCheckpoints struct{ db *sqlite.DB }

const checkpointSchema = `CREATE TABLE checkpoint (
	name  TEXT NOT NULL,
	topic TEXT NOT NULL,
	next  INTEGER NOT NULL CHECK (next > 0), -- the first revision not acked
	PRIMARY KEY (name, topic)
) STRICT, WITHOUT ROWID;`

// OpenCheckpoints opens or creates the file. ctx limits the opening only.
func OpenCheckpoints(ctx context.Context, path string) (*SQLiteCheckpoints, error) {
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path, Schema: checkpointSchema, Version: 1, Application: "STcp"})
	if err != nil {
		return nil, fmt.Errorf("opening checkpoints: %w", err)
	}
	return &SQLiteCheckpoints{db}, nil
}

// Load implements CheckpointStore.
func (s *SQLiteCheckpoints) Load(ctx context.Context, c Consumer) (next uint64, err error) {
	row := s.db.Read.QueryRowContext(ctx, `SELECT next FROM checkpoint WHERE name = ? AND topic = ?`, c.Name, c.Topic)
	if err := row.Scan(&next); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("loading the checkpoint of %v: %w", c, err)
	}
	return next, nil
}

// Save implements CheckpointStore. Each is a commit of its own.
func (s *SQLiteCheckpoints) Save(ctx context.Context, c Consumer, from, to uint64) error {
	if err := checkMove(c, from, to); err != nil {
		return err
	}
	statement, args := `UPDATE checkpoint SET next = ? WHERE name = ? AND topic = ? AND next = ?`, []any{int64(to), c.Name, c.Topic, int64(from)}
	if from == 0 {
		statement, args = `INSERT INTO checkpoint (next, name, topic) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, args[:3]
	}
	result, err := s.db.Write.ExecContext(ctx, statement, args...)
	if err != nil {
		return fmt.Errorf("saving the checkpoint of %v: %w", c, err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fmt.Errorf("saving the checkpoint of %v: %w", c, ErrCheckpointMoved), err)
	}
	return nil
}

// Close closes the file; no subscriber may use it any more.
func (s *SQLiteCheckpoints) Close() error { return s.db.Close() }
