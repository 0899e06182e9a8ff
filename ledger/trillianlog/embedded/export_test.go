package embedded

import (
	"context"

	"github.com/google/trillian/storage"
)

// Storage gives the upstream suites the provider itself.
func (s *Server) Storage() (storage.LogStorage, storage.AdminStorage) { return s.log, s.admin }

// Synchronous returns SQLite's own word for the two kinds of write transaction,
// asked inside one of each, lazy and synced by turns.
func (s *Server) Synchronous(ctx context.Context) (levels []int, err error) {
	for _, level := range []durability{lazy, synced, lazy, synced} {
		tx, done, err := s.db.begin(ctx, level)
		if err != nil {
			return nil, err
		}
		var got int
		err = tx.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&got)
		tx.Rollback()
		done()
		if err != nil {
			return nil, err
		}
		levels = append(levels, got)
	}
	return levels, nil
}
