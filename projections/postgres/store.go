// Package postgres keeps read models in PostgreSQL: a schema for the catalog, and
// a schema for each version of each read model.
//
// A view has connections of its own, whose search_path is its schema: so every
// version has the same tables and the same statements, and is removed as a
// whole. Pages are written set by set, not row by row.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/postgres/catalogdb"
)

//go:embed migrations
var migrations embed.FS

// structure numbers the tables of a view. Its migrations are frozen: other
// tables are another number with migrations of their own.
const structure = 4

var _ projections.Store = (*Store)(nil)

// Config says where the read models of a ledger are.
type Config struct {
	// URL is a connection string of the PostgreSQL server and database.
	URL string

	// Prefix begins the names of all schemas: lower-case letters, digits and
	// underscores. Ledgers that share a database need different ones. Default
	// "sharetrail".
	Prefix string

	// Origin is the ledger whose rows these are.
	Origin string

	// Connections is how many each view has at most. Default 4.
	Connections int
}

// Store is the read models of one ledger in one database.
type Store struct {
	cfg  Config
	pool *pgxpool.Pool // its search_path is the catalog's schema
}

// What may stand in the name of a schema, of which PostgreSQL takes 63 bytes.
var (
	prefixes = regexp.MustCompile(`^[a-z][a-z0-9_]{0,15}$`)
	names    = regexp.MustCompile(`^[a-z][a-z-]{0,35}$`)
)

// Open opens or creates the read models of a ledger.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = "sharetrail"
	}
	if cfg.Connections <= 0 {
		cfg.Connections = 4
	}
	if !prefixes.MatchString(cfg.Prefix) {
		return nil, fmt.Errorf("opening the read models: %q cannot begin the name of a schema; use up to 16 of a-z, 0-9 and _", cfg.Prefix)
	}
	s := &Store{cfg: cfg}
	var err error
	if s.pool, err = s.connect(ctx, cfg.Prefix+"_catalog", "catalog"); err != nil {
		return nil, fmt.Errorf("opening the read models: %w", err)
	}
	if err := s.bind(ctx); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("opening the read models: %w", err)
	}
	return s, nil
}

func (s *Store) bind(ctx context.Context) error {
	q := catalogdb.New(s.pool)
	if err := q.BindLedger(ctx, s.cfg.Origin); err != nil {
		return err
	}
	have, err := q.Ledger(ctx)
	if err == nil && have != s.cfg.Origin {
		err = fmt.Errorf("%s: %w", have, projections.ErrOtherLedger)
	}
	return err
}

// connect returns connections to a schema whose tables are up to date.
func (s *Store) connect(ctx context.Context, schema, set string) (*pgxpool.Pool, error) {
	conf, err := pgxpool.ParseConfig(s.cfg.URL)
	if err != nil {
		return nil, errors.New("the connection string is malformed") // it may hold a password
	}
	conf.MaxConns = int32(s.cfg.Connections)
	conf.ConnConfig.RuntimeParams["search_path"] = schema
	// What says accepted or projected must be true after a power failure too,
	// whatever the server's default.
	conf.ConnConfig.RuntimeParams["synchronous_commit"] = "on"
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, pool, schema, set); err != nil {
		pool.Close()
		return nil, fmt.Errorf("making the tables of %s: %w", schema, err)
	}
	return pool, nil
}

// migrate makes the schema and its tables, one process at a time: two that
// create the same schema at once make one of them fail.
func migrate(ctx context.Context, pool *pgxpool.Pool, schema, set string) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('sharetrail'), hashtext($1))", schema); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{schema}.Sanitize())
		return err
	})
	if err != nil {
		return err
	}
	dir, err := fs.Sub(migrations, "migrations/"+set)
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close() // gives the connections back, does not close the pool
	provider, err := goose.NewProvider(goose.DialectPostgres, db, dir, goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// Close closes the catalog. Views are closed by who opened them.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

func (s *Store) schema(name string, version int) string {
	return fmt.Sprintf("%s_%s_v%d", s.cfg.Prefix, strings.ReplaceAll(name, "-", "_"), version)
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
	q := catalogdb.New(s.pool)
	err := q.AddVersion(ctx, catalogdb.AddVersionParams{
		Name: name, Version: int64(version), Structure: structure, CreatedMs: time.Now().UnixMilli(),
	})
	if err != nil {
		return nil, err
	}
	have, err := q.Structure(ctx, catalogdb.StructureParams{Name: name, Version: int64(version)})
	if err != nil {
		return nil, err
	}
	if have != structure {
		return nil, fmt.Errorf("its tables have structure %d, this program knows %d: drop the schemas of this ledger (their names begin like its catalog), and they are built again", have, structure)
	}
	pool, err := s.connect(ctx, s.schema(name, version), "view")
	if err != nil {
		return nil, err
	}
	return &View{pool: pool}, nil
}

// Versions implements [projections.Store].
func (s *Store) Versions(ctx context.Context, name string) (all []int, active int, err error) {
	err = snapshot(ctx, s.pool, func(tx pgx.Tx) error {
		q := catalogdb.New(tx)
		found, err := q.Versions(ctx, name)
		if err != nil {
			return err
		}
		for _, v := range found {
			all = append(all, int(v))
		}
		used, err := q.Active(ctx, name)
		active = int(used)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return all, active, err
}

// Activate implements [projections.Store]: one statement is one transaction.
func (s *Store) Activate(ctx context.Context, name string, was, version int) error {
	q, now := catalogdb.New(s.pool), time.Now().UnixMilli()
	var rows int64
	var err error
	if was == 0 {
		rows, err = q.ActivateFirst(ctx, catalogdb.ActivateFirstParams{Name: name, Version: int64(version), SinceMs: now})
	} else {
		rows, err = q.ActivateNext(ctx, catalogdb.ActivateNextParams{
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

// Drop implements [projections.Store]: the version and its tables go in one
// transaction.
func (s *Store) Drop(ctx context.Context, name string, version int) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Nobody may put the version in place between the look and the end.
		if _, err := tx.Exec(ctx, "LOCK TABLE projection_active IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
		rows, err := catalogdb.New(tx).RemoveVersion(ctx, catalogdb.RemoveVersionParams{Name: name, Version: int64(version)})
		if err != nil {
			return err
		}
		if rows == 0 {
			return fmt.Errorf("version %d: %w", version, projections.ErrInUse)
		}
		_, err = tx.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{s.schema(name, version)}.Sanitize()+" CASCADE")
		return err
	})
}

// snapshot runs queries on one snapshot.
func snapshot(ctx context.Context, pool *pgxpool.Pool, do func(pgx.Tx) error) error {
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, do)
	if err != nil {
		return fmt.Errorf("reading a read model: %w", err)
	}
	return nil
}
