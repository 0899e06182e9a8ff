package embedded

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sharetrail/sharetrail/internal/sqlite"
)

// logStorage is Trillian's storage provider over one database. It holds no
// state of its own.
//
// What it leaves out, each with a clear error: LOG trees (nothing can be
// queued), and looking leaves up by hash. It does not enforce that an identity
// hash occurs once in a tree; our client derives that hash from the leaf index,
// so that the (tree, index) key already says so, and a B-tree over random keys
// would be the dearest part of every insertion.
type logStorage struct {
	db    *database
	admin *adminStorage
	nodes nodeCache
}

var _ storage.LogStorage = (*logStorage)(nil)

// CheckDatabaseAccessible implements storage.LogStorage.
func (s *logStorage) CheckDatabaseAccessible(ctx context.Context) error {
	return s.db.Read.PingContext(ctx)
}

// GetActiveLogIDs implements storage.LogStorage.
func (s *logStorage) GetActiveLogIDs(context.Context) ([]int64, error) {
	var ids []int64
	for id, tree := range s.admin.trees() {
		active := tree.TreeState == trillian.TreeState_ACTIVE || tree.TreeState == trillian.TreeState_DRAINING
		if active && !tree.Deleted {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// SnapshotForTree implements storage.LogStorage. Like every provider it returns
// a usable transaction together with ErrTreeNeedsInit.
func (s *logStorage) SnapshotForTree(ctx context.Context, tree *trillian.Tree) (storage.ReadOnlyLogTreeTX, error) {
	tx, err := s.db.Read.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	ltx := &logTX{tx: tx, tree: tree, read: &s.db.reads, nodes: &s.nodes}
	err = ltx.loadHead(ctx)
	if err != nil && err != storage.ErrTreeNeedsInit {
		tx.Rollback()
		return nil, err
	}
	return ltx, err
}

// ReadWriteTransaction implements storage.LogStorage. When it returns nil, f's
// changes and every lazy addition before them are on disk.
func (s *logStorage) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f storage.LogTXFunc) error {
	return s.change(ctx, tree, synced, func(ctx context.Context, tx *logTX) error { return f(ctx, tx) })
}

func (s *logStorage) change(ctx context.Context, tree *trillian.Tree, level durability, f func(context.Context, *logTX) error) error {
	tx, done, err := s.db.begin(ctx, level)
	if err != nil {
		return noSpace(err)
	}
	defer done()
	defer tx.Rollback()
	ltx := &logTX{tx: tx, tree: tree, read: &s.db.writes.readStatements, write: &s.db.writes}
	if err := ltx.loadHead(ctx); err != nil && err != storage.ErrTreeNeedsInit {
		return err
	}
	if err := f(ctx, ltx); err != nil {
		return noSpace(cmp.Or(ltx.full, err))
	}
	return noSpace(ltx.Commit(ctx))
}

// noSpace gives a full disk the status that the client knows it by.
func noSpace(err error) error {
	if sqlite.IsFull(err) {
		return status.Error(codes.ResourceExhausted, "no space is left on the disk of the log: "+err.Error())
	}
	return err
}

// QueueLeaves implements storage.LogStorage.
func (s *logStorage) QueueLeaves(context.Context, *trillian.Tree, []*trillian.LogLeaf, time.Time) ([]*trillian.QueuedLogLeaf, error) {
	return nil, status.Error(codes.Unimplemented, "this log is pre-ordered: add leaves with AddSequencedLeaves")
}

// AddSequencedLeaves implements storage.LogStorage. An identical leaf at a used
// index is answered with AlreadyExists, any other leaf at a used index with
// FailedPrecondition, both with the stored leaf; nothing is ever overwritten.
//
// The leaves are committed lazily: the next synced commit, normally the one
// that integrates them, makes both durable with one fsync. Losing leaves that
// no root covers loses nothing, since whoever feeds a pre-ordered log starts
// again from its root.
func (s *logStorage) AddSequencedLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, timestamp time.Time) ([]*trillian.QueuedLogLeaf, error) {
	results := make([]*trillian.QueuedLogLeaf, 0, len(leaves))
	err := s.change(ctx, tree, lazy, func(ctx context.Context, tx *logTX) error {
		if tx.head == nil {
			return storage.ErrTreeNeedsInit
		}
		fresh, err := tx.addFresh(ctx, leaves, timestamp)
		if err != nil {
			return fmt.Errorf("adding %d leaves: %w", len(leaves), err)
		}
		for _, leaf := range leaves[:fresh] {
			results = append(results, &trillian.QueuedLogLeaf{Leaf: leaf, Status: stored})
		}
		for _, leaf := range leaves[fresh:] {
			result, err := tx.addSequenced(ctx, leaf, timestamp)
			if err != nil {
				return fmt.Errorf("adding leaf %d: %w", leaf.LeafIndex, err)
			}
			results = append(results, result)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// stored is the status of every leaf that was added.
var stored = status.New(codes.OK, "").Proto()

// addFresh adds leaves by many at a time, in case they run without a hole and
// none of their indices is used, and returns how many it has added. The others
// are to be added one by one.
func (t *logTX) addFresh(ctx context.Context, leaves []*trillian.LogLeaf, at time.Time) (n int, err error) {
	if len(leaves) < manyRows {
		return 0, nil
	}
	first := leaves[0].LeafIndex
	for i, leaf := range leaves {
		if leaf.LeafIndex != first+int64(i) {
			return 0, nil
		}
	}
	var used bool
	last := first + int64(len(leaves)) - 1
	if err := t.stmt(ctx, t.write.any).QueryRowContext(ctx, t.tree.TreeId, first, last).Scan(&used); err != nil || used {
		return 0, err
	}
	for ; len(leaves)-n >= manyRows; n += manyRows {
		args := make([]any, 0, manyRows*7)
		for _, leaf := range leaves[n : n+manyRows] {
			args = append(args, t.leafRow(leaf, at)...)
		}
		if _, err := t.exec(ctx, t.write.putLeaves, args...); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (t *logTX) leafRow(leaf *trillian.LogLeaf, at time.Time) []any {
	return []any{t.tree.TreeId, leaf.LeafIndex,
		blob(leaf.MerkleLeafHash), blob(leaf.LeafIdentityHash), at.UnixNano(), blob(leaf.LeafValue), blob(leaf.ExtraData)}
}

func (t *logTX) addSequenced(ctx context.Context, leaf *trillian.LogLeaf, at time.Time) (*trillian.QueuedLogLeaf, error) {
	r, err := t.exec(ctx, t.write.putLeaf, t.leafRow(leaf, at)...)
	if err != nil {
		return nil, err
	}
	if n, err := r.RowsAffected(); err != nil {
		return nil, err
	} else if n == 1 {
		return &trillian.QueuedLogLeaf{Leaf: leaf, Status: stored}, nil
	}
	there, err := t.scanLeaves(ctx, leaf.LeafIndex, 1)
	if err != nil {
		return nil, err
	}
	if len(there) != 1 {
		return nil, errors.New("neither stored nor found")
	}
	st := status.New(codes.FailedPrecondition, "another leaf has this index")
	if sameLeaf(leaf, there[0]) {
		st = status.New(codes.AlreadyExists, "this leaf is stored already")
	}
	return &trillian.QueuedLogLeaf{Leaf: there[0], Status: st.Proto()}, nil
}

func sameLeaf(a, b *trillian.LogLeaf) bool {
	return bytes.Equal(a.LeafValue, b.LeafValue) && bytes.Equal(a.ExtraData, b.ExtraData) &&
		bytes.Equal(a.MerkleLeafHash, b.MerkleLeafHash) && bytes.Equal(a.LeafIdentityHash, b.LeafIdentityHash)
}

// blob makes an absent byte string an empty one, which SQLite tells from NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// more reports whether the leaf that follows a tree's root is stored.
func (s *logStorage) more(ctx context.Context, tree *trillian.Tree) (waiting bool, err error) {
	tx, err := s.SnapshotForTree(ctx, tree)
	if err != nil {
		return false, err
	}
	defer tx.Close()
	t := tx.(*logTX)
	next := int64(t.root.TreeSize)
	err = t.stmt(ctx, t.read.any).QueryRowContext(ctx, t.tree.TreeId, next, next).Scan(&waiting)
	return waiting, err
}

// latestTimestamp returns the newest root's time over all trees, 0 without any.
func (s *logStorage) latestTimestamp(ctx context.Context) (int64, error) {
	rows, err := s.db.Read.QueryContext(ctx, `SELECT tree_id, log_root FROM heads`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var latest int64
	for rows.Next() {
		var id int64
		var b sql.RawBytes
		if err := rows.Scan(&id, &b); err != nil {
			return 0, err
		}
		var root types.LogRootV1
		if err := root.UnmarshalBinary(b); err != nil {
			return 0, fmt.Errorf("decoding the root of tree %d: %w", id, err)
		}
		latest = max(latest, int64(root.TimestampNanos))
	}
	return latest, rows.Err()
}
