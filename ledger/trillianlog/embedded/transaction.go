package embedded

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/tree"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sharetrail/sharetrail/internal/sqlite"
)

// One range of leaves is answered up to these bounds; a shorter answer than
// asked for is part of the interface.
const (
	maxRangeLeaves = 8192
	maxRangeBytes  = 16 << 20
)

// logTX is one transaction on one tree. The goroutine that began it owns it.
type logTX struct {
	tx    *sql.Tx
	tree  *trillian.Tree
	read  *readStatements
	write *writeStatements // nil in a snapshot
	nodes *nodeCache       // nil unless in a snapshot, which sees only what is committed

	head *trillian.SignedLogRoot // nil while the tree needs initialising
	root types.LogRootV1         // head, decoded
	full error                   // of a statement that found no space: Trillian keeps only the text of errors
}

var _ storage.LogTreeTX = (*logTX)(nil)

// exec runs a statement that writes.
func (t *logTX) exec(ctx context.Context, s *sql.Stmt, args ...any) (sql.Result, error) {
	result, err := t.stmt(ctx, s).ExecContext(ctx, args...)
	if sqlite.IsFull(err) {
		t.full = err
	}
	return result, err
}

func (t *logTX) stmt(ctx context.Context, s *sql.Stmt) *sql.Stmt { return t.tx.StmtContext(ctx, s) }

// loadHead reads the latest root, which is also what fixes the snapshot. It
// returns ErrTreeNeedsInit as it is, because Trillian compares it with ==.
func (t *logTX) loadHead(ctx context.Context) error {
	var b []byte
	err := t.stmt(ctx, t.read.head).QueryRowContext(ctx, t.tree.TreeId).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return storage.ErrTreeNeedsInit
	} else if err != nil {
		return err
	}
	if err := t.root.UnmarshalBinary(b); err != nil {
		return fmt.Errorf("decoding the root of tree %d: %w", t.tree.TreeId, err)
	}
	t.head = &trillian.SignedLogRoot{LogRoot: b}
	return nil
}

// Commit implements storage.LogTreeTX.
func (t *logTX) Commit(context.Context) error { return t.tx.Commit() }

// Close implements storage.LogTreeTX.
func (t *logTX) Close() error {
	if err := t.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// LatestSignedLogRoot implements storage.LogTreeTX.
func (t *logTX) LatestSignedLogRoot(context.Context) (*trillian.SignedLogRoot, error) {
	if t.head == nil {
		return nil, storage.ErrTreeNeedsInit
	}
	return t.head, nil
}

// StoreSignedLogRoot implements storage.LogTreeTX. Only the latest root is
// kept, and it never goes back in size or time.
func (t *logTX) StoreSignedLogRoot(ctx context.Context, head *trillian.SignedLogRoot) error {
	var root types.LogRootV1
	if err := root.UnmarshalBinary(head.LogRoot); err != nil {
		return fmt.Errorf("decoding the new root: %w", err)
	}
	if t.head != nil && (root.TreeSize < t.root.TreeSize || root.TimestampNanos <= t.root.TimestampNanos) {
		return status.Errorf(codes.FailedPrecondition, "tree %d: the new root (size %d) is older than the stored one (size %d)",
			t.tree.TreeId, root.TreeSize, t.root.TreeSize)
	}
	_, err := t.exec(ctx, t.write.putHead, t.tree.TreeId, head.LogRoot)
	return err
}

// GetMerkleNodes implements storage.LogTreeTX. A node that is not there is an
// error: only perfect nodes of the tree are ever asked for.
func (t *logTX) GetMerkleNodes(ctx context.Context, ids []compact.NodeID) ([]tree.Node, error) {
	nodes := make([]tree.Node, len(ids))
	leafHash, node := t.stmt(ctx, t.read.leafHash), t.stmt(ctx, t.read.node)
	for i, id := range ids {
		if hash, ok := t.nodes.get(t.tree.TreeId, id); ok {
			nodes[i] = tree.Node{ID: id, Hash: hash}
			continue
		}
		var hash []byte
		var err error
		if id.Level == 0 {
			err = leafHash.QueryRowContext(ctx, t.tree.TreeId, int64(id.Index)).Scan(&hash)
		} else {
			err = node.QueryRowContext(ctx, t.tree.TreeId, int64(id.Level), int64(id.Index)).Scan(&hash)
		}
		if errors.Is(err, sql.ErrNoRows) {
			return nil, status.Errorf(codes.DataLoss, "tree %d: node %d of level %d is missing", t.tree.TreeId, id.Index, id.Level)
		} else if err != nil {
			return nil, err
		}
		t.nodes.put(t.tree.TreeId, id, hash)
		nodes[i] = tree.Node{ID: id, Hash: hash}
	}
	return nodes, nil
}

// SetMerkleNodes implements storage.LogTreeTX. A node is inserted and never
// replaced. Level 0 is skipped: the leaf's row holds that hash already.
func (t *logTX) SetMerkleNodes(ctx context.Context, nodes []tree.Node) error {
	inOrder := make([]tree.Node, 0, len(nodes))
	for _, n := range nodes {
		if n.ID.Level > 0 {
			inOrder = append(inOrder, n)
		}
	}
	slices.SortFunc(inOrder, func(a, b tree.Node) int {
		return cmp.Or(cmp.Compare(a.ID.Level, b.ID.Level), cmp.Compare(a.ID.Index, b.ID.Index))
	})
	for len(inOrder) > 0 {
		n, put := 1, t.write.putNode
		if len(inOrder) >= manyRows {
			n, put = manyRows, t.write.putNodes
		}
		args := make([]any, 0, n*4)
		for _, node := range inOrder[:n] {
			args = append(args, t.tree.TreeId, int64(node.ID.Level), int64(node.ID.Index), node.Hash)
		}
		if _, err := t.exec(ctx, put, args...); err != nil {
			return fmt.Errorf("storing %d nodes from %d of level %d on: %w", n, inOrder[0].ID.Index, inOrder[0].ID.Level, err)
		}
		inOrder = inOrder[n:]
	}
	return nil
}

// GetLeavesByRange implements storage.LogTreeTX.
func (t *logTX) GetLeavesByRange(ctx context.Context, start, count int64) ([]*trillian.LogLeaf, error) {
	if start < 0 || count <= 0 {
		return nil, status.Errorf(codes.InvalidArgument, "invalid range of leaves: %d from %d", count, start)
	}
	if t.head == nil {
		return nil, storage.ErrTreeNeedsInit
	}
	size := int64(t.root.TreeSize)
	if t.tree.TreeType == trillian.TreeType_LOG {
		if start >= size {
			return nil, status.Errorf(codes.OutOfRange, "leaf %d is beyond the tree's size %d", start, size)
		}
		count = min(count, size-start)
	}
	leaves, err := t.scanLeaves(ctx, start, min(count, maxRangeLeaves))
	if err != nil {
		return nil, err
	}
	// A hole beyond the size only ends the answer; a hole below it is damage,
	// unless one of the bounds ended the answer there.
	next := start + int64(len(leaves))
	if next < min(start+min(count, maxRangeLeaves), size) && totalBytes(leaves) < maxRangeBytes {
		return nil, status.Errorf(codes.DataLoss, "tree %d: leaf %d of %d is missing", t.tree.TreeId, next, size)
	}
	return leaves, nil
}

// scanLeaves returns the leaves from start up to the first that is missing, to
// count, or to the first beyond maxRangeBytes.
func (t *logTX) scanLeaves(ctx context.Context, start, count int64) ([]*trillian.LogLeaf, error) {
	rows, err := t.stmt(ctx, t.read.leaves).QueryContext(ctx, t.tree.TreeId, start, start+count)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	leaves := []*trillian.LogLeaf{}
	size := 0
	for size < maxRangeBytes && rows.Next() {
		var queued int64
		leaf := &trillian.LogLeaf{IntegrateTimestamp: timestamppb.New(time.Unix(0, 0))}
		err := rows.Scan(&leaf.LeafIndex, &leaf.MerkleLeafHash, &leaf.LeafIdentityHash, &queued, &leaf.LeafValue, &leaf.ExtraData)
		if err != nil {
			return nil, err
		}
		if leaf.LeafIndex != start+int64(len(leaves)) {
			break
		}
		leaf.QueueTimestamp = timestamppb.New(time.Unix(0, queued))
		size += len(leaf.LeafValue)
		leaves = append(leaves, leaf)
	}
	return leaves, rows.Err()
}

func totalBytes(leaves []*trillian.LogLeaf) int {
	n := 0
	for _, leaf := range leaves {
		n += len(leaf.LeafValue)
	}
	return n
}

// GetLeavesByHash implements storage.LogTreeTX.
func (t *logTX) GetLeavesByHash(context.Context, [][]byte, bool) ([]*trillian.LogLeaf, error) {
	return nil, status.Error(codes.Unimplemented, "this log keeps no index of hashes: ask by leaf index")
}

// DequeueLeaves implements storage.LogTreeTX: the leaves that follow the root,
// up to the first hole. The cutoff only matters where several servers write.
func (t *logTX) DequeueLeaves(ctx context.Context, limit int, _ time.Time) ([]*trillian.LogLeaf, error) {
	if t.tree.TreeType != trillian.TreeType_PREORDERED_LOG {
		return nil, nil // nothing can have been queued
	}
	if t.head == nil {
		return nil, storage.ErrTreeNeedsInit
	}
	return t.scanLeaves(ctx, int64(t.root.TreeSize), int64(limit))
}

// UpdateSequencedLeaves implements storage.LogTreeTX. Only LOG trees assign
// indices.
func (t *logTX) UpdateSequencedLeaves(_ context.Context, leaves []*trillian.LogLeaf) error {
	if len(leaves) == 0 {
		return nil
	}
	return status.Error(codes.Unimplemented, "this log is pre-ordered: its leaves bring their index")
}
