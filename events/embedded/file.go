package embedded

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sharetrail/sharetrail/internal/sqlite"
)

const fileName = "events.db"

// One statement adds one event or manyEvents; most of the price of a statement
// does not depend on how many.
const (
	manyEvents   = 32
	eventColumns = 9
)

// pageSize of the file. A share takes some 2,300 bytes: of SQLite's own pages, of
// 4,096 bytes, it would take one each.
const pageSize = 16 << 10

//go:embed schema.sql
var schema string

// file is the SQLite file with the statements run on it.
type file struct {
	db   *sqlite.DB
	path string

	addStream *sql.Stmt // on write
	addEvent  *sql.Stmt // on write
	addEvents *sql.Stmt // on write: manyEvents at a time
	forwards  *sql.Stmt // on read, as are the others
	backwards *sql.Stmt

	allForwards, allBackwards *sql.Stmt
}

// openFile opens or creates the file. Path names the file if it ends in .db,
// else the directory it is in, which is made if it is missing.
func openFile(ctx context.Context, path string) (*file, error) {
	if path == "" {
		return nil, errors.New("opening the event store: Config.Path is empty: name a directory or a file")
	}
	info, err := os.Stat(path)
	if filepath.Ext(path) != ".db" || err == nil && info.IsDir() {
		path = filepath.Join(path, fileName)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("opening the event store: %w", err)
	}
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path, Schema: schema, Version: 1, Application: "shev", PageSize: pageSize})
	if err != nil {
		return nil, err
	}
	f := &file{db: db, path: path}
	if err := f.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close())
	}
	return f, nil
}

func (f *file) prepare(ctx context.Context) error {
	const columns = `SELECT e.position, e.revision, e.id, e.type, e.content_type, e.created, e.data, e.metadata, s.name
		FROM events AS e JOIN streams AS s ON s.id = e.stream `
	const add = `INSERT INTO events (position, stream, revision, id, type, content_type, created, data, metadata) VALUES `
	const row = `(?, ?, ?, ?, ?, ?, ?, ?, ?)`
	for _, p := range []struct {
		stmt **sql.Stmt
		db   *sql.DB
		text string
	}{
		{&f.addStream, f.db.Write, `INSERT INTO streams (name) VALUES (?) RETURNING id`},
		{&f.addEvent, f.db.Write, add + row},
		{&f.addEvents, f.db.Write, add + strings.Repeat(row+", ", manyEvents-1) + row},
		{&f.forwards, f.db.Read, columns + `WHERE e.stream = ? AND e.revision BETWEEN ? AND ? ORDER BY e.revision LIMIT ?`},
		{&f.backwards, f.db.Read, columns + `WHERE e.stream = ? AND e.revision BETWEEN ? AND ? ORDER BY e.revision DESC LIMIT ?`},
		{&f.allForwards, f.db.Read, columns + `WHERE e.position BETWEEN ? AND ? ORDER BY e.position LIMIT ?`},
		{&f.allBackwards, f.db.Read, columns + `WHERE e.position BETWEEN ? AND ? ORDER BY e.position DESC LIMIT ?`},
	} {
		stmt, err := p.db.PrepareContext(ctx, p.text)
		if err != nil {
			return fmt.Errorf("preparing %q: %w", p.text, err)
		}
		*p.stmt = stmt
	}
	return nil
}

func (f *file) close() error { return f.db.Close() }
