package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/trillian/storage"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
)

// ErrDamaged is wrapped by Verify's error when the file contradicts itself.
var ErrDamaged = errors.New("the log database was damaged or edited")

// Verify reads a whole tree, hashes every leaf and node again and compares each
// with what is stored, the root last. It returns the size it verified. The tree
// is read from one snapshot and may grow meanwhile.
func (s *Server) Verify(ctx context.Context, treeID int64) (size uint64, err error) {
	tree, err := storage.GetTree(ctx, s.admin, treeID)
	if err != nil {
		return 0, fmt.Errorf("verifying tree %d: %w", treeID, err)
	}
	snapshot, err := s.log.SnapshotForTree(ctx, tree)
	if snapshot != nil {
		defer snapshot.Close()
	}
	if err == nil {
		err = snapshot.(*logTX).verify(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("verifying tree %d: %w", treeID, err)
	}
	return snapshot.(*logTX).root.TreeSize, nil
}

func (t *logTX) verify(ctx context.Context) error {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	computed := factory.NewEmptyRange(0)
	for computed.End() < t.root.TreeSize {
		leaves, err := t.scanLeaves(ctx, int64(computed.End()), int64(min(maxRangeLeaves, t.root.TreeSize-computed.End())))
		if err != nil {
			return err
		}
		if len(leaves) == 0 {
			return fmt.Errorf("leaf %d is missing: %w", computed.End(), ErrDamaged)
		}
		var nodes []compact.NodeID
		var hashes [][]byte
		collect := func(id compact.NodeID, hash []byte) {
			nodes, hashes = append(nodes, id), append(hashes, hash)
		}
		for _, leaf := range leaves {
			if err := computed.Append(rfc6962.DefaultHasher.HashLeaf(leaf.LeafValue), collect); err != nil {
				return err
			}
		}
		if err := t.compareNodes(ctx, nodes, hashes); err != nil {
			return err
		}
	}
	root, err := computed.GetRootHash(nil)
	if err != nil {
		return err
	}
	if t.root.TreeSize == 0 {
		root = rfc6962.DefaultHasher.EmptyRoot()
	}
	if !bytes.Equal(root, t.root.RootHash) {
		return fmt.Errorf("the leaves do not add up to the root of size %d: %w", t.root.TreeSize, ErrDamaged)
	}
	return nil
}

func (t *logTX) compareNodes(ctx context.Context, ids []compact.NodeID, want [][]byte) error {
	stored, err := t.GetMerkleNodes(ctx, ids)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	for i, n := range stored {
		if !bytes.Equal(n.Hash, want[i]) {
			return fmt.Errorf("node %d of level %d differs from its leaves: %w", n.ID.Index, n.ID.Level, ErrDamaged)
		}
	}
	return nil
}
