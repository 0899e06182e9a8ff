// Package sqlite opens the SQLite files of a data directory, all in the same
// way: write-ahead log, every commit flushed to disk, one connection that
// writes, a format that other programs and older versions refuse.
//
// Settings are part of the connection string, because database/sql opens
// connections when it likes and a pragma sent later would reach only one.
package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"time"

	driver "modernc.org/sqlite" // registers the driver "sqlite", in Go without cgo
	sqlite3 "modernc.org/sqlite/lib"
)

// busyTimeout is how long a connection waits for another that writes. A commit on a
// disk that others keep busy may take seconds.
const busyTimeout = time.Minute

// readers is how many connections read at once.
const readers = 8

// Each connection keeps pages of its own in memory, in KiB; what a reader drops
// the kernel still has.
const (
	writerCache = 8000
	readerCache = 2000
)

// Config says which file and what must be in it.
type Config struct {
	Path   string
	Schema string // run once, when the file is new
	// Version of the schema, at least 1; raise it with every change.
	Version int
	// Upgrades are the statements that make the next version of the one they stand
	// under. A file of an older version goes through them in one transaction; if one is
	// missing on the way, it is refused.
	Upgrades map[int]string
	// Application tells the files of a data directory apart: four letters,
	// stored in the file.
	Application string
	// PageSize is that of a new file in bytes, SQLite's own if it is 0. A row that takes
	// more than half of a page has it alone.
	PageSize int
	// Pragmas are added to every connection, such as "secure_delete(ON)".
	Pragmas []string
}

// DB is one SQLite file: a pool for reading and one connection for writing,
// whose transactions take the write lock at their beginning.
type DB struct {
	Read  *sql.DB
	Write *sql.DB
	path  string
}

// Open opens or creates a file, readable by its owner alone. ctx limits the
// opening only.
func Open(ctx context.Context, cfg Config) (_ *DB, err error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", cfg.Path, err)
	}
	db := &DB{path: path}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("opening %s: %w", path, err), db.closePools())
		}
	}()
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	if db.Write, err = sql.Open("sqlite", dsn(path, cfg, writerCache, "_txlock=immediate")); err != nil {
		return nil, err
	}
	db.Write.SetMaxOpenConns(1)
	if err := untilFree(ctx, func() error { return migrate(ctx, db.Write, cfg) }); err != nil {
		return nil, err
	}
	if db.Read, err = sql.Open("sqlite", dsn(path, cfg, readerCache, "_txlock=deferred&_pragma=query_only(1)")); err != nil {
		return nil, err
	}
	db.Read.SetMaxOpenConns(readers)
	db.Read.SetMaxIdleConns(readers)
	return db, nil
}

// untilFree tries again while somebody else holds the file. SQLite waits by itself
// (busy_timeout), but not where waiting could be a deadlock: when two connections
// make a new file a write-ahead one, the second is refused at once.
func untilFree(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := try()
		if busy := (*driver.Error)(nil); !errors.As(err, &busy) || busy.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another process holds the file: %w", err)
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// createPrivate makes the file before SQLite does, which would make it readable
// to everybody the umask allows; SQLite gives the WAL the mode of its database.
// The directory entry is on disk when it returns.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// dsn names the file as a URI, so that any character may stand in its path.
// synchronous(FULL) is what makes a commit durable: NORMAL would lose the last
// ones when the power fails.
func dsn(path string, cfg Config, cache int, more string) string {
	uri := url.URL{Scheme: "file", OmitHost: true, Path: path}
	s := uri.String() + fmt.Sprintf("?_pragma=busy_timeout(%d)", busyTimeout.Milliseconds()) + "&_journal_mode=WAL&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=trusted_schema(0)&_pragma=journal_size_limit(67108864)" +
		fmt.Sprintf("&_pragma=cache_size(-%d)&", cache) + more
	if cfg.PageSize != 0 { // the driver sets _journal_mode behind it: a write-ahead file keeps its pages
		s += fmt.Sprintf("&_pragma=page_size(%d)", cfg.PageSize)
	}
	for _, p := range cfg.Pragmas {
		s += "&_pragma=" + url.QueryEscape(p)
	}
	return s
}

// migrate creates the schema in an empty file, upgrades one of an older version if
// it can, and refuses every other file that is not of this application and version.
func migrate(ctx context.Context, db *sql.DB, cfg Config) error {
	application := int32(binary.BigEndian.Uint32([]byte(cfg.Application)))
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var version, tables int
	var have int32
	const state = `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)`
	if err := tx.QueryRowContext(ctx, state).Scan(&version, &have, &tables); err != nil {
		return err
	}
	statements := []string{cfg.Schema}
	switch {
	case tables == 0 && version == 0:
	case have != application:
		return errors.New("it is another kind of file than sharetrail keeps under this name: move it away, or name another directory")
	case version > cfg.Version:
		return fmt.Errorf("it has format %d, written by a newer sharetrail; this one reads up to format %d: upgrade it", version, cfg.Version)
	case version == cfg.Version:
		return nil
	default:
		statements = nil
		for v := version; v < cfg.Version; v++ {
			next, ok := cfg.Upgrades[v]
			if !ok {
				return fmt.Errorf("it has format %d, which this program cannot read: restore it from a backup", version)
			}
			statements = append(statements, next)
		}
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("creating the schema: %w", err)
		}
	}
	mark := fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", cfg.Version, application)
	if _, err := tx.ExecContext(ctx, mark); err != nil {
		return fmt.Errorf("creating the schema: %w", err)
	}
	return tx.Commit()
}

// Close ends the readers, moves the WAL into the file and closes it.
func (db *DB) Close() error {
	err := db.Read.Close()
	if _, cerr := db.Write.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)"); cerr != nil {
		err = errors.Join(err, fmt.Errorf("moving the WAL into %s: %w", db.path, cerr))
	}
	return errors.Join(err, db.Write.Close())
}

func (db *DB) closePools() error {
	var err error
	for _, pool := range []*sql.DB{db.Read, db.Write} {
		if pool != nil {
			err = errors.Join(err, pool.Close())
		}
	}
	return err
}
