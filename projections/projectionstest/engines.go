// Package projectionstest holds what every store of read models is tested with:
// places to keep them in, real streams of events, and one suite.
package projectionstest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/postgres"
	"github.com/sharetrail/sharetrail/projections/sqlite"
)

// Place is where read models are kept: a directory or a database. It may be
// opened again and again, from several processes.
type Place string

// Engine is a kind of place.
type Engine struct {
	Name string
	New  func(testing.TB) Place // an empty place, removed when the test ends
}

// Engines are the kinds of place there are. PostgreSQL is at the address in
// SHARETRAIL_TEST_POSTGRES, or at 127.0.0.1:5432.
var Engines = []Engine{{"SQLite", newDirectory}, {"PostgreSQL", newDatabase}}

// Each runs a test on every engine.
func Each(t *testing.T, test func(*testing.T, Engine)) {
	for _, e := range Engines {
		t.Run(e.Name, func(t *testing.T) { test(t, e) })
	}
}

// Open opens the read models of a ledger in a place.
func (p Place) Open(ctx context.Context, origin string) (projections.Store, func() error, error) {
	if p.postgres() {
		s, err := postgres.Open(ctx, postgres.Config{URL: string(p), Origin: origin, Connections: 3})
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	s, err := sqlite.Open(ctx, string(p), origin)
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// MustOpen is Open for the length of a test.
func (p Place) MustOpen(t testing.TB, origin string) projections.Store {
	t.Helper()
	s, stop, err := p.Open(t.Context(), origin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("closing the read models: %v", err)
		}
	})
	return s
}

// Exec changes the tables of a view behind the store's back.
func (p Place) Exec(t testing.TB, name string, version int, statement string) {
	t.Helper()
	if !p.postgres() {
		db, err := sql.Open("sqlite", filepath.Join(string(p), fmt.Sprintf("%s-v%d.db", name, version)))
		if err == nil {
			_, err = db.ExecContext(t.Context(), statement)
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	schema := fmt.Sprintf("sharetrail_%s_v%d", strings.ReplaceAll(name, "-", "_"), version)
	execute(t, string(p), "SET search_path TO "+schema+"; "+statement)
}

func (p Place) postgres() bool { return strings.HasPrefix(string(p), "postgres:") }

func newDirectory(t testing.TB) Place { return Place(t.TempDir()) }

// Database makes a PostgreSQL database for a test and returns its URL. Without a
// server the test is skipped, unless SHARETRAIL_REQUIRE_BACKENDS is 1.
func Database(t testing.TB) string { return string(newDatabase(t)) }

// newDatabase makes a database of its own for a test.
func newDatabase(t testing.TB) Place {
	t.Helper()
	address, named := os.LookupEnv("SHARETRAIL_TEST_POSTGRES")
	if !named {
		address = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable&connect_timeout=3"
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		if named || os.Getenv("SHARETRAIL_REQUIRE_BACKENDS") == "1" {
			t.Fatalf("connecting to PostgreSQL: %v", err)
		}
		t.Skipf("no PostgreSQL; name one in SHARETRAIL_TEST_POSTGRES: %v", err)
	}
	defer conn.Close(t.Context())
	name := "sharetrail_test_" + strings.ToLower(rand.Text()[:16])
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { execute(t, address, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return Place("postgres:" + strings.TrimPrefix(u.String(), u.Scheme+":"))
}

// execute runs statements, also in a cleanup, when the test's context is over.
func execute(t testing.TB, address, statements string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.PgConn().Exec(ctx, statements).ReadAll(); err != nil {
		t.Fatal(err)
	}
}
