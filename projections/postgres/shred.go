package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sharetrail/sharetrail/projections"
)

// shred deletes the rows of people who were erased. PostgreSQL keeps deleted rows
// until it vacuums, and longer in its write-ahead log and in backups; everything in
// them that describes the person is under their key.
func shred(ctx context.Context, tx pgx.Tx, all []projections.Shredded) error {
	types := projections.OnlySubjects()
	for _, gone := range all {
		sequences := make([]int64, len(gone.Sequences))
		for i, id := range gone.Sequences {
			sequences[i] = int64(id)
		}
		for _, do := range []struct {
			statement string
			args      []any
		}{
			{"DELETE FROM fact WHERE leaf_index IN (SELECT leaf_index FROM entry WHERE party = $1) AND event_type = ANY($2)", []any{int64(gone.Party), types}},
			{"DELETE FROM entry WHERE party = $1", []any{int64(gone.Party)}},
			{"DELETE FROM sequence WHERE party = ANY($1)", []any{sequences}},
			{"DELETE FROM parked WHERE party = ANY($1)", []any{sequences}},
		} {
			if _, err := tx.Exec(ctx, do.statement, do.args...); err != nil {
				return err
			}
		}
	}
	return nil
}
