package trillianlog

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/rfc6962"
)

// pageLeaves is how many leaves one request asks for. Requests whose answer is
// too large for the connection are asked again by halves.
const pageLeaves = 1024

// Leaves yields the values of exactly count leaves from first on, or an error
// in place of the first it cannot give: ErrBeyond where the tree ends,
// ErrDamaged where the stored bytes are not those the tree was made of.
func (l *Log) Leaves(ctx context.Context, first, count uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		end := first + count
		if end < first || end > math.MaxInt64 {
			yield(nil, fmt.Errorf("reading %d leaves at %d: %w", count, first, ErrBeyond))
			return
		}
		page := uint64(pageLeaves)
		for next := first; next < end; {
			leaves, err := l.readPage(ctx, next, min(page, end-next))
			if tooLarge(err) && page > 1 {
				page /= 2
				continue
			}
			if err != nil {
				yield(nil, fmt.Errorf("reading leaves at %d: %w", next, err))
				return
			}
			for _, leaf := range leaves {
				if !yield(leaf.LeafValue, nil) {
					return
				}
			}
			next += uint64(len(leaves))
		}
	}
}

// readPage returns at least one leaf and at most count. Trillian also returns
// stored leaves that the tree does not cover yet; they are cut off.
func (l *Log) readPage(ctx context.Context, first, count uint64) ([]*trillian.LogLeaf, error) {
	var resp *trillian.GetLeavesByRangeResponse
	err := l.call(ctx, "GetLeavesByRange", func() (err error) {
		resp, err = l.client.GetLeavesByRange(ctx, &trillian.GetLeavesByRangeRequest{
			LogId: l.treeID, StartIndex: int64(first), Count: int64(count),
		}, callOptions...)
		return err
	})
	if err != nil {
		return nil, err
	}
	size, _, err := decodeRoot(resp.SignedLogRoot)
	if err != nil {
		return nil, err
	}
	if first >= size {
		return nil, fmt.Errorf("the log has %d leaves: %w", size, ErrBeyond)
	}
	leaves := resp.Leaves[:min(uint64(len(resp.Leaves)), count, size-first)]
	if len(leaves) == 0 {
		return nil, fmt.Errorf("leaf %d of %d is missing: %w", first, size, ErrDamaged)
	}
	for i, leaf := range leaves {
		index := first + uint64(i)
		if leaf.LeafIndex != int64(index) {
			return nil, fmt.Errorf("leaf %d in place of leaf %d: %w", leaf.LeafIndex, index, ErrDamaged)
		}
		if !bytes.Equal(rfc6962.DefaultHasher.HashLeaf(leaf.LeafValue), leaf.MerkleLeafHash) {
			return nil, fmt.Errorf("leaf %d does not have its leaf hash: %w", index, ErrDamaged)
		}
	}
	return leaves, nil
}
