package tiles

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
)

// Inclusions returns the audit path of each of some leaves, as RFC 6962 orders it.
// What many paths share is read once.
func (t *Tree) Inclusions(ctx context.Context, indices []uint64) ([][]events.Hash, error) {
	var wanted []int64 // which hashes a proof is of, package tlog says by asking for them
	asked := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		wanted = append(wanted, indexes...)
		return make([]tlog.Hash, len(indexes)), nil
	})
	for _, index := range indices {
		if index >= t.Size {
			return nil, fmt.Errorf("leaf %d of %d: %w", index, t.Size, ErrRefuted)
		}
		if _, err := tlog.ProveRecord(int64(t.Size), int64(index), asked); err != nil {
			return nil, err
		}
	}
	slices.Sort(wanted)
	known, err := t.known(ctx, slices.Compact(wanted))
	if err != nil {
		return nil, err
	}
	paths := make([][]events.Hash, len(indices))
	for i, index := range indices {
		proof, err := tlog.ProveRecord(int64(t.Size), int64(index), known)
		if err != nil {
			return nil, err
		}
		paths[i] = make([]events.Hash, len(proof))
		for k, h := range proof {
			paths[i][k] = events.Hash(h)
		}
	}
	return paths, nil
}

// knownHashes are hashes of a tree by their numbers.
type knownHashes map[int64]tlog.Hash

// ReadHashes implements tlog.HashReader.
func (k knownHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		h, ok := k[index]
		if !ok {
			return nil, fmt.Errorf("hash %d was not read", index)
		}
		out[i] = h
	}
	return out, nil
}

// known reads hashes on all cores: most of the time goes into hashing tiles again.
func (t *Tree) known(ctx context.Context, wanted []int64) (knownHashes, error) {
	var mu sync.Mutex
	all := make(knownHashes, len(wanted))
	g, ctx := errgroup.WithContext(ctx)
	for part := range slices.Chunk(wanted, max(64, len(wanted)/runtime.GOMAXPROCS(0)+1)) {
		g.Go(func() error {
			hashes, err := t.hashes(ctx, part)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for i, h := range hashes {
				all[part[i]] = h
			}
			return nil
		})
	}
	return all, g.Wait()
}
