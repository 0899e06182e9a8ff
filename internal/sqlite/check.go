package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrDamaged says that a file is not what SQLite wrote.
var ErrDamaged = errors.New("the file is damaged")

// IsDamaged reports whether an error says that a file is not what SQLite wrote.
func IsDamaged(err error) bool {
	var refused *driver.Error
	if errors.As(err, &refused) {
		switch refused.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return true
		}
	}
	return errors.Is(err, ErrDamaged)
}

// Check reads a whole closed file and returns ErrDamaged with the first thing that
// is wrong in it: pages, the order of rows, rows that an index lacks. A file that
// was changed in agreement with all that is the business of whoever knows what
// should stand in it. Nothing is changed. The error says no content.
func Check(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	}
	if info.Size() == 0 {
		return fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	db, err := openReadOnly(path)
	if err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	}
	defer db.Close()
	var said string
	var page int64
	if err = db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&said); err == nil {
		err = db.QueryRowContext(ctx, "PRAGMA page_size").Scan(&page)
	}
	switch {
	case IsDamaged(err):
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	case err != nil:
		return fmt.Errorf("checking %s: %w", path, err)
	case said != "ok":
		return fmt.Errorf("%w: %s", ErrDamaged, said)
	case info.Size()%page != 0: // what is missing would be read as zeros
		return fmt.Errorf("%w: it ends within a page", ErrDamaged)
	}
	return nil
}
