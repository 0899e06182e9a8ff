package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/sharetrail/sharetrail/projections"
)

// shred deletes the rows of people who were erased. The file overwrites what it
// deletes (secure_delete); a page that was copied before still has the row, in which
// everything that describes the person is under their key.
func shred(ctx context.Context, tx *sql.Tx, all []projections.Shredded) error {
	types, err := json.Marshal(projections.OnlySubjects())
	if err != nil {
		return err
	}
	for _, gone := range all {
		sequences, err := json.Marshal(gone.Sequences)
		if err != nil {
			return err
		}
		for _, do := range []struct {
			statement string
			args      []any
		}{
			{`DELETE FROM fact WHERE leaf_index IN (SELECT leaf_index FROM entry WHERE party = ?)
				AND event_type IN (SELECT value FROM json_each(?))`, []any{int64(gone.Party), string(types)}},
			{"DELETE FROM entry WHERE party = ?", []any{int64(gone.Party)}},
			{"DELETE FROM sequence WHERE party IN (SELECT value FROM json_each(?))", []any{string(sequences)}},
			{"DELETE FROM parked WHERE party IN (SELECT value FROM json_each(?))", []any{string(sequences)}},
		} {
			if _, err := tx.ExecContext(ctx, do.statement, do.args...); err != nil {
				return err
			}
		}
	}
	return nil
}
