package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// adminStorage keeps the trees' metadata. Trillian asks for a tree in every
// single call, so all of it stays in memory: published is replaced as a whole
// after each commit and its trees are never changed, only cloned.
type adminStorage struct {
	db  *database
	now func() time.Time

	writer sync.Mutex // held from the start of a change until it is published

	mu        sync.RWMutex
	published map[int64]*trillian.Tree // guarded by mu
}

var _ storage.AdminStorage = (*adminStorage)(nil)

func openAdmin(ctx context.Context, db *database, now func() time.Time) (*adminStorage, error) {
	rows, err := db.Read.QueryContext(ctx, `SELECT tree_id, tree FROM trees`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	trees := make(map[int64]*trillian.Tree)
	for rows.Next() {
		var id int64
		var b []byte
		if err := rows.Scan(&id, &b); err != nil {
			return nil, err
		}
		tree := new(trillian.Tree)
		if err := proto.Unmarshal(b, tree); err != nil {
			return nil, fmt.Errorf("decoding tree %d: %w", id, err)
		}
		trees[id] = tree
	}
	return &adminStorage{db: db, now: now, published: trees}, rows.Err()
}

// CheckDatabaseAccessible implements storage.AdminStorage.
func (s *adminStorage) CheckDatabaseAccessible(ctx context.Context) error {
	return s.db.Read.PingContext(ctx)
}

// Snapshot implements storage.AdminStorage. It touches no database.
func (s *adminStorage) Snapshot(context.Context) (storage.ReadOnlyAdminTX, error) {
	return &adminTX{trees: s.trees()}, nil
}

func (s *adminStorage) trees() map[int64]*trillian.Tree {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.published
}

// ReadWriteTransaction implements storage.AdminStorage.
func (s *adminStorage) ReadWriteTransaction(ctx context.Context, f storage.AdminTXFunc) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	tx, done, err := s.db.begin(ctx, synced)
	if err != nil {
		return err
	}
	defer done()
	defer tx.Rollback()
	atx := &adminTX{tx: tx, now: s.now, trees: maps.Clone(s.trees())}
	if err := f(ctx, atx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = atx.trees
	return nil
}

// adminTX is a view of the trees and, with a tx, of changes to them. Its owner
// is the goroutine that asked for it.
type adminTX struct {
	tx    *sql.Tx // nil in a snapshot
	now   func() time.Time
	trees map[int64]*trillian.Tree // in a snapshot shared, in a change our own
}

var _ storage.AdminTX = (*adminTX)(nil)

// Commit implements storage.AdminTX. A change is committed by the
// ReadWriteTransaction it belongs to.
func (t *adminTX) Commit() error { return nil }

// Close implements storage.AdminTX.
func (t *adminTX) Close() error { return nil }

// GetTree implements storage.AdminTX.
func (t *adminTX) GetTree(_ context.Context, id int64) (*trillian.Tree, error) {
	tree, ok := t.trees[id]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "tree %d not found", id)
	}
	return proto.CloneOf(tree), nil
}

// ListTrees implements storage.AdminTX.
func (t *adminTX) ListTrees(_ context.Context, includeDeleted bool) ([]*trillian.Tree, error) {
	list := []*trillian.Tree{}
	for _, id := range slices.Sorted(maps.Keys(t.trees)) {
		if tree := t.trees[id]; includeDeleted || !tree.Deleted {
			list = append(list, proto.CloneOf(tree))
		}
	}
	return list, nil
}

// CreateTree implements storage.AdminTX.
func (t *adminTX) CreateTree(ctx context.Context, tree *trillian.Tree) (*trillian.Tree, error) {
	if err := storage.ValidateTreeForCreation(ctx, tree); err != nil {
		return nil, err
	}
	id, err := storage.NewTreeID()
	if err != nil {
		return nil, err
	}
	created := proto.CloneOf(tree)
	now := t.now()
	created.TreeId = id
	created.CreateTime = timestamppb.New(now)
	created.UpdateTime = timestamppb.New(now)
	b, err := proto.Marshal(created)
	if err != nil {
		return nil, err
	}
	if _, err := t.tx.ExecContext(ctx, `INSERT INTO trees (tree_id, tree) VALUES (?, ?)`, id, b); err != nil {
		return nil, err
	}
	t.trees[id] = created
	return proto.CloneOf(created), nil
}

// UpdateTree implements storage.AdminTX.
func (t *adminTX) UpdateTree(ctx context.Context, id int64, f func(*trillian.Tree)) (*trillian.Tree, error) {
	before, err := t.GetTree(ctx, id)
	if err != nil {
		return nil, err
	}
	after := proto.CloneOf(before)
	f(after)
	if err := storage.ValidateTreeForUpdate(ctx, before, after); err != nil {
		return nil, err
	}
	after.UpdateTime = timestamppb.New(t.now())
	return t.store(ctx, after)
}

// SoftDeleteTree implements storage.AdminTX.
func (t *adminTX) SoftDeleteTree(ctx context.Context, id int64) (*trillian.Tree, error) {
	tree, err := t.expectDeleted(ctx, id, false)
	if err != nil {
		return nil, err
	}
	tree.Deleted = true
	tree.DeleteTime = timestamppb.New(t.now())
	return t.store(ctx, tree)
}

// UndeleteTree implements storage.AdminTX.
func (t *adminTX) UndeleteTree(ctx context.Context, id int64) (*trillian.Tree, error) {
	tree, err := t.expectDeleted(ctx, id, true)
	if err != nil {
		return nil, err
	}
	tree.Deleted = false
	tree.DeleteTime = nil
	return t.store(ctx, tree)
}

// HardDeleteTree implements storage.AdminTX. It removes a tree that never had a
// leaf; leaves are immutable, and a log that is no longer wanted is a file that
// is no longer kept.
func (t *adminTX) HardDeleteTree(ctx context.Context, id int64) error {
	if _, err := t.expectDeleted(ctx, id, true); err != nil {
		return err
	}
	var leaves bool
	if err := t.tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM leaves WHERE tree_id = ?)`, id).Scan(&leaves); err != nil {
		return err
	}
	if leaves {
		return status.Errorf(codes.FailedPrecondition, "tree %d has leaves, which are immutable: remove the database file instead", id)
	}
	for _, q := range []string{`DELETE FROM heads WHERE tree_id = ?`, `DELETE FROM trees WHERE tree_id = ?`} {
		if _, err := t.tx.ExecContext(ctx, q, id); err != nil {
			return err
		}
	}
	delete(t.trees, id)
	return nil
}

func (t *adminTX) expectDeleted(ctx context.Context, id int64, deleted bool) (*trillian.Tree, error) {
	tree, err := t.GetTree(ctx, id)
	if err != nil {
		return nil, err
	}
	if tree.Deleted != deleted {
		return nil, status.Errorf(codes.FailedPrecondition, "tree %d: deleted is %t", id, tree.Deleted)
	}
	return tree, nil
}

// store takes the tree over and returns a copy.
func (t *adminTX) store(ctx context.Context, tree *trillian.Tree) (*trillian.Tree, error) {
	b, err := proto.Marshal(tree)
	if err != nil {
		return nil, err
	}
	if _, err := t.tx.ExecContext(ctx, `UPDATE trees SET tree = ? WHERE tree_id = ?`, b, tree.TreeId); err != nil {
		return nil, err
	}
	t.trees[tree.TreeId] = tree
	return proto.CloneOf(tree), nil
}
