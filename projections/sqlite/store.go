// Package sqlite keeps read models in SQLite files: a catalog, and a file for
// each version of each read model.
//
// A file of its own for each version makes one transaction of its rows and its
// position, keeps the writers of different read models off each other's locks,
// and removes a version as what it is: a file less.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/pressly/goose/v3"

	files "github.com/sharetrail/sharetrail/internal/sqlite"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/sqlite/catalogdb"
)

//go:embed migrations
var migrations embed.FS

// structure numbers the tables of a view. Its migrations are frozen: other
// tables are another number with migrations of their own.
const structure = 4

var _ projections.Store = (*Store)(nil)

// Store is a directory of read models.
type Store struct {
	dir     string
	db      *files.DB
	catalog *catalogdb.Queries // writes
	reader  *catalogdb.Queries
}

// Open opens or creates the read models of a ledger in a directory.
func Open(ctx context.Context, dir, origin string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the read models: %w", err)
	}
	db, err := open(ctx, filepath.Join(dir, "catalog.db"), "shvc", "catalog")
	if err != nil {
		return nil, fmt.Errorf("opening the read models: %w", err)
	}
	s := &Store{dir: dir, db: db, catalog: catalogdb.New(db.Write), reader: catalogdb.New(db.Read)}
	if err := s.bind(ctx, origin); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the read models in %s: %w", dir, err), db.Close())
	}
	return s, nil
}

func (s *Store) bind(ctx context.Context, origin string) error {
	if err := s.catalog.BindLedger(ctx, origin); err != nil {
		return err
	}
	have, err := s.reader.Ledger(ctx)
	if err == nil && have != origin {
		err = fmt.Errorf("%s: %w", have, projections.ErrOtherLedger)
	}
	return err
}

// open opens a file and brings its tables up to date.
func open(ctx context.Context, path, application, set string) (*files.DB, error) {
	db, err := files.Open(ctx, files.Config{
		Path: path, Version: 1, Application: application, Pragmas: []string{"secure_delete(ON)"},
		Schema: "SELECT 1", // goose makes the tables
	})
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db.Write, set); err != nil {
		return nil, errors.Join(fmt.Errorf("making the tables of %s: %w", path, err), db.Close())
	}
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB, set string) error {
	dir, err := fs.Sub(migrations, "migrations/"+set)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, dir)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// Close closes the catalog. Views are closed by who opened them.
func (s *Store) Close() error { return s.db.Close() }

// names is what may stand in a file's name.
var names = regexp.MustCompile(`^[a-z][a-z-]{0,39}$`)

func (s *Store) path(name string, version int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s-v%d.db", name, version))
}

// Open implements [projections.Store].
func (s *Store) Open(ctx context.Context, name string, version int) (projections.View, error) {
	if !names.MatchString(name) || version < 1 {
		return nil, fmt.Errorf("opening version %d of the read model %q: not a name and a version", version, name)
	}
	v, err := s.open(ctx, name, version)
	if err != nil {
		return nil, fmt.Errorf("opening version %d of the read model %s: %w", version, name, err)
	}
	return v, nil
}

func (s *Store) open(ctx context.Context, name string, version int) (*View, error) {
	err := s.catalog.AddVersion(ctx, catalogdb.AddVersionParams{
		Name: name, Version: int64(version), Structure: structure, CreatedMs: time.Now().UnixMilli(),
	})
	if err != nil {
		return nil, err
	}
	have, err := s.reader.Structure(ctx, catalogdb.StructureParams{Name: name, Version: int64(version)})
	if err != nil {
		return nil, err
	}
	if have != structure {
		return nil, fmt.Errorf("its tables have structure %d, this program knows %d: delete the directory views, and it is built again", have, structure)
	}
	db, err := open(ctx, s.path(name, version), "shvw", "view")
	if err != nil {
		return nil, err
	}
	return newView(ctx, db)
}

// Versions implements [projections.Store].
func (s *Store) Versions(ctx context.Context, name string) (all []int, active int, err error) {
	tx, err := s.db.Read.BeginTx(ctx, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the versions of %s: %w", name, err)
	}
	defer tx.Rollback()
	q := s.reader.WithTx(tx)
	found, err := q.Versions(ctx, name)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the versions of %s: %w", name, err)
	}
	for _, v := range found {
		all = append(all, int(v))
	}
	used, err := q.Active(ctx, name)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, 0, fmt.Errorf("reading the versions of %s: %w", name, err)
	}
	return all, int(used), nil
}

// Activate implements [projections.Store]: one statement is one transaction.
func (s *Store) Activate(ctx context.Context, name string, was, version int) error {
	now := time.Now().UnixMilli()
	var rows int64
	var err error
	if was == 0 {
		rows, err = s.catalog.ActivateFirst(ctx, catalogdb.ActivateFirstParams{Name: name, Version: int64(version), SinceMs: now})
	} else {
		rows, err = s.catalog.ActivateNext(ctx, catalogdb.ActivateNextParams{
			Name: name, Was: int64(was), Version: int64(version), SinceMs: now,
		})
	}
	if err == nil && rows == 0 {
		err = projections.ErrMoved
	}
	if err != nil {
		return fmt.Errorf("putting version %d of %s in place: %w", version, name, err)
	}
	return nil
}

// Drop implements [projections.Store]. A crash in the midst leaves a version
// that is listed and whose file is gone: opening it begins it anew, and never
// finds rows of the one that was to go.
func (s *Store) Drop(ctx context.Context, name string, version int) error {
	tx, err := s.db.Write.BeginTx(ctx, nil) // holds the lock that Activate needs
	if err != nil {
		return err
	}
	defer tx.Rollback()
	rows, err := s.catalog.WithTx(tx).RemoveVersion(ctx, catalogdb.RemoveVersionParams{Name: name, Version: int64(version)})
	if err != nil {
		return err
	}
	if rows == 0 {
		return fmt.Errorf("version %d: %w", version, projections.ErrInUse)
	}
	path := s.path(name, version)
	for _, suffix := range []string{"", "-wal", "-shm"} { // SQLite discards a WAL beside an empty file
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return tx.Commit()
}
