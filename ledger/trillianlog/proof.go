package trillianlog

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"

	"github.com/google/trillian"
	"golang.org/x/sync/errgroup"
)

// proofRequests bounds how many proofs are asked for at a time.
const proofRequests = 4

// Inclusion returns the RFC 6962 audit path of a leaf in the tree of the given
// size, which may be any size the log has had. It is empty in a tree of one
// leaf. It is not checked here: whoever uses it has the root to check against.
func (l *Log) Inclusion(ctx context.Context, index, size uint64) ([][sha256.Size]byte, error) {
	path, err := l.inclusion(ctx, index, size)
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d in size %d: %w", index, size, err)
	}
	return path, nil
}

func (l *Log) inclusion(ctx context.Context, index, size uint64) ([][sha256.Size]byte, error) {
	if size > math.MaxInt64 || index >= size {
		return nil, ErrBeyond
	}
	var resp *trillian.GetInclusionProofResponse
	err := l.call(ctx, "GetInclusionProof", func() (err error) {
		resp, err = l.client.GetInclusionProof(ctx, &trillian.GetInclusionProofRequest{
			LogId: l.treeID, LeafIndex: int64(index), TreeSize: int64(size),
		}, callOptions...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return decodePath(resp.Proof)
}

// Inclusions returns the audit paths of many leaves in one tree, in the order
// of indices, or the first error.
func (l *Log) Inclusions(ctx context.Context, indices []uint64, size uint64) ([][][sha256.Size]byte, error) {
	paths := make([][][sha256.Size]byte, len(indices))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(proofRequests)
	for i, index := range indices {
		group.Go(func() (err error) {
			paths[i], err = l.Inclusion(ctx, index, size)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return paths, nil
}

// Consistency returns the RFC 6962 proof that the tree of size to continues the
// tree of size from. It is empty from 0 (everything continues the empty tree)
// and between equal sizes.
func (l *Log) Consistency(ctx context.Context, from, to uint64) ([][sha256.Size]byte, error) {
	path, err := l.consistency(ctx, from, to)
	if err != nil {
		return nil, fmt.Errorf("proving size %d from %d: %w", to, from, err)
	}
	return path, nil
}

func (l *Log) consistency(ctx context.Context, from, to uint64) ([][sha256.Size]byte, error) {
	if from > to || to > math.MaxInt64 {
		return nil, ErrBeyond
	}
	if from == 0 || from == to { // Trillian refuses 0; nobody needs to be asked but for the size
		size, _, err := l.Root(ctx)
		if err == nil && to > size {
			err = ErrBeyond
		}
		return [][sha256.Size]byte{}, err
	}
	var resp *trillian.GetConsistencyProofResponse
	err := l.call(ctx, "GetConsistencyProof", func() (err error) {
		resp, err = l.client.GetConsistencyProof(ctx, &trillian.GetConsistencyProofRequest{
			LogId: l.treeID, FirstTreeSize: int64(from), SecondTreeSize: int64(to),
		}, callOptions...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return decodePath(resp.Proof)
}

// decodePath tells an empty proof from none, which is how Trillian answers for
// a size that it has not reached.
func decodePath(proof *trillian.Proof) ([][sha256.Size]byte, error) {
	if proof == nil {
		return nil, ErrBeyond
	}
	path := make([][sha256.Size]byte, len(proof.Hashes))
	for i, h := range proof.Hashes {
		if len(h) != sha256.Size {
			return nil, fmt.Errorf("a hash of %d bytes in a proof: %w", len(h), ErrDamaged)
		}
		path[i] = [sha256.Size]byte(h)
	}
	return path, nil
}
