package embedded

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/sharetrail/sharetrail/internal/sqlite"
)

// The schema. Leaves and nodes are written once: no statement here changes or
// removes one, and the triggers refuse anybody else's unless they are dropped
// first, which leaves a trace in sqlite_schema. Both tables are keyed so that a
// growing log only ever appends to the right edge of each B-tree; in particular
// there is no index over hashes, whose random keys would cost more than all the
// rest of an insertion. A node at level 0 is its leaf's merkle_hash; only
// perfect nodes from level 1 up have a row of their own.
const schema = `
CREATE TABLE trees (
	tree_id INTEGER PRIMARY KEY,
	tree    BLOB NOT NULL               -- trillian.Tree, protobuf
) STRICT;
CREATE TABLE heads (
	tree_id  INTEGER PRIMARY KEY,
	log_root BLOB NOT NULL              -- types.LogRootV1, the latest only
) STRICT;
CREATE TABLE leaves (
	tree_id       INTEGER NOT NULL,
	seq           INTEGER NOT NULL,
	merkle_hash   BLOB    NOT NULL,
	identity_hash BLOB    NOT NULL,
	queued        INTEGER NOT NULL,     -- nanoseconds since 1970
	value         BLOB    NOT NULL,
	extra         BLOB    NOT NULL,
	PRIMARY KEY (tree_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE nodes (
	tree_id INTEGER NOT NULL,
	level   INTEGER NOT NULL CHECK (level > 0),
	idx     INTEGER NOT NULL,
	hash    BLOB    NOT NULL CHECK (length(hash) = 32),
	PRIMARY KEY (tree_id, level, idx)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER leaves_update BEFORE UPDATE ON leaves BEGIN SELECT RAISE(ABORT, 'leaves are immutable'); END;
CREATE TRIGGER leaves_delete BEFORE DELETE ON leaves BEGIN SELECT RAISE(ABORT, 'leaves are immutable'); END;
CREATE TRIGGER nodes_update BEFORE UPDATE ON nodes BEGIN SELECT RAISE(ABORT, 'nodes are immutable'); END;
CREATE TRIGGER nodes_delete BEFORE DELETE ON nodes BEGIN SELECT RAISE(ABORT, 'nodes are immutable'); END;`

// manyRows is how many rows one statement inserts when there are enough: most of
// the price of a statement does not depend on how many.
const manyRows = 32

// database is one log.db with the statements run on it.
type database struct {
	*sqlite.DB
	writes writeStatements
	reads  readStatements
}

// readStatements are prepared once for each pool; database/sql prepares them
// again on every connection that first uses them.
type readStatements struct {
	head, leaves, leafHash, node, any *sql.Stmt
}

type writeStatements struct {
	readStatements
	putHead, putLeaf, putNode *sql.Stmt
	putLeaves, putNodes       *sql.Stmt // manyRows at a time
}

func openDatabase(ctx context.Context, path string) (*database, error) {
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path, Schema: schema, Version: 1, Application: "shlg"})
	if err != nil {
		return nil, err
	}
	d := &database{DB: db}
	if err := d.prepare(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return d, nil
}

func (d *database) prepare(ctx context.Context) error {
	const (
		leaves  = `INSERT INTO leaves (tree_id, seq, merkle_hash, identity_hash, queued, value, extra) VALUES `
		leafRow = `(?, ?, ?, ?, ?, ?, ?)`
		nodes   = `INSERT INTO nodes (tree_id, level, idx, hash) VALUES `
		nodeRow = `(?, ?, ?, ?)`
	)
	p := preparer{ctx: ctx}
	d.reads = p.reads(d.Read)
	d.writes = writeStatements{
		readStatements: p.reads(d.Write),
		putHead: p.prepare(d.Write, `INSERT INTO heads (tree_id, log_root) VALUES (?, ?)
			ON CONFLICT (tree_id) DO UPDATE SET log_root = excluded.log_root`),
		putLeaf:   p.prepare(d.Write, leaves+leafRow+` ON CONFLICT DO NOTHING`),
		putLeaves: p.prepare(d.Write, leaves+strings.Repeat(leafRow+", ", manyRows-1)+leafRow),
		putNode:   p.prepare(d.Write, nodes+nodeRow),
		putNodes:  p.prepare(d.Write, nodes+strings.Repeat(nodeRow+", ", manyRows-1)+nodeRow),
	}
	return p.err
}

type preparer struct {
	ctx context.Context // lives as long as one call of prepare
	err error
}

func (p *preparer) prepare(db *sql.DB, query string) *sql.Stmt {
	if p.err != nil {
		return nil
	}
	stmt, err := db.PrepareContext(p.ctx, query)
	p.err = err
	return stmt
}

func (p *preparer) reads(db *sql.DB) readStatements {
	return readStatements{
		head: p.prepare(db, `SELECT log_root FROM heads WHERE tree_id = ?`),
		leaves: p.prepare(db, `SELECT seq, merkle_hash, identity_hash, queued, value, extra
			FROM leaves WHERE tree_id = ? AND seq >= ? AND seq < ? ORDER BY seq`),
		any:      p.prepare(db, `SELECT EXISTS (SELECT 1 FROM leaves WHERE tree_id = ? AND seq >= ? AND seq <= ?)`),
		leafHash: p.prepare(db, `SELECT merkle_hash FROM leaves WHERE tree_id = ? AND seq = ?`),
		node:     p.prepare(db, `SELECT hash FROM nodes WHERE tree_id = ? AND level = ? AND idx = ?`),
	}
}

// durability is when a commit reaches the disk.
type durability string

const (
	// synced: durable when Commit returns, with everything committed before it.
	synced durability = "PRAGMA synchronous = FULL"
	// lazy: in the WAL, which the next synced commit makes durable. Until then a
	// power cut may lose it, though never a part of it; a killed process loses
	// nothing.
	lazy durability = "PRAGMA synchronous = NORMAL"
)

// begin starts a write transaction. The level is set by every transaction for
// itself (it cannot be changed inside one), so none depends on what the one
// before left behind. done gives the connection back and must be called after
// the transaction ended.
func (d *database) begin(ctx context.Context, level durability) (tx *sql.Tx, done func() error, err error) {
	conn, err := d.Write.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err = conn.ExecContext(ctx, string(level)); err == nil {
		tx, err = conn.BeginTx(ctx, nil)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return tx, conn.Close, nil
}
