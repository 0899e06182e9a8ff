package tiles

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
)

// ErrRefuted says that a source's tiles do not belong to the checkpoint's root.
var ErrRefuted = errors.New("the tiles are not those of the checkpoint")

// Tree reads a log under a checkpoint. Every hash it returns is authenticated by
// the root.
type Tree struct {
	Source Source
	Size   uint64 // at least 1
	Root   events.Hash
}

// hashes reads stored hashes, as package tlog numbers them.
func (t *Tree) hashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error) {
	r := tlog.TileHashReader(tlog.Tree{N: int64(t.Size), Hash: tlog.Hash(t.Root)}, &tileReader{ctx: ctx, source: t.Source})
	out, err := r.ReadHashes(indexes)
	if err != nil {
		return nil, t.refuted(ctx, err)
	}
	return out, nil
}

// refuted tells tiles that are false from tiles that could not be read.
func (t *Tree) refuted(ctx context.Context, err error) error {
	var unread *unreadError
	if errors.As(err, &unread) {
		return unread.err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", ErrRefuted, err)
}

// LeafHash returns the hash of a leaf.
func (t *Tree) LeafHash(ctx context.Context, index uint64) (events.Hash, error) {
	if index >= t.Size {
		return events.Hash{}, fmt.Errorf("leaf %d of %d: %w", index, t.Size, ErrRefuted)
	}
	hs, err := t.hashes(ctx, []int64{tlog.StoredHashIndex(0, int64(index))})
	if err != nil {
		return events.Hash{}, err
	}
	return events.Hash(hs[0]), nil
}

// EdgeAt returns the edge at a size up to the tree's: from it, and the leaves that
// follow, the tree's root can be computed again.
func (t *Tree) EdgeAt(ctx context.Context, size uint64) (*Edge, error) {
	if size > t.Size {
		return nil, fmt.Errorf("size %d of %d: %w", size, t.Size, ErrRefuted)
	}
	e := &Edge{size: size}
	if size == 0 {
		return e, nil
	}
	var indexes []int64
	at := uint64(0)
	for height := 62; height >= 0; height-- {
		if size>>height&1 == 1 {
			indexes = append(indexes, tlog.StoredHashIndex(height, int64(at>>height)))
			at += 1 << height
		}
	}
	hs, err := t.hashes(ctx, indexes)
	if err != nil {
		return nil, err
	}
	for _, h := range hs {
		e.hashes = append(e.hashes, events.Hash(h))
	}
	return e, nil
}

// Rules reads a rules document by its hash.
func (t *Tree) Rules(ctx context.Context, hash events.Hash) ([]byte, error) {
	path := RulesPath(hash)
	b, err := t.Source.Read(ctx, path, maxRules)
	if err != nil {
		return nil, err
	}
	if events.RulesHash(b) != hash {
		return nil, fmt.Errorf("%s has another hash: %w", path, ErrRefuted)
	}
	return b, nil
}

// tileReader reads tiles for package tlog, which authenticates them.
type tileReader struct {
	ctx    context.Context
	source Source
}

var _ tlog.TileReader = (*tileReader)(nil)

// unreadError marks what went wrong with reading, not with what was read.
type unreadError struct{ err error }

// Error implements error.
func (e *unreadError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *unreadError) Unwrap() error { return e.err }

// Height implements tlog.TileReader.
func (r *tileReader) Height() int { return 8 }

// ReadTiles implements tlog.TileReader.
func (r *tileReader) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(wanted))
	err := each(len(wanted), func(i int) (err error) {
		t := wanted[i]
		out[i], err = ReadHashes(r.ctx, r.source, Tile{t.L, uint64(t.N), t.W})
		if err != nil && !errors.Is(err, ErrTile) {
			err = &unreadError{err}
		}
		return err
	})
	return out, err
}

// SaveTiles implements tlog.TileReader.
func (r *tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
