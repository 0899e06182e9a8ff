package tiles

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
)

// Inclusions returns the audit path of each of some leaves, as RFC 6962 orders it.
// Tiles are hashed once, however many paths go through them, and not against their
// parents: each path is checked against the root instead, which takes half the hashes.
func (t *Tree) Inclusions(ctx context.Context, indices []uint64) ([][]events.Hash, error) {
	r := &inclusionReader{tree: t, files: &tileReader{ctx: ctx, source: t.Source}, tiles: map[tlog.Tile]func() (*hashedTile, error){}}
	paths := make([][]events.Hash, len(indices))
	err := each(len(indices), func(i int) (err error) {
		paths[i], err = t.inclusion(r, indices[i])
		return err
	})
	if err != nil {
		return nil, t.refuted(ctx, err)
	}
	return paths, nil
}

// inclusion returns a path that leads from what the tiles have as the leaf to the root.
func (t *Tree) inclusion(r *inclusionReader, index uint64) ([]events.Hash, error) {
	size := int64(t.Size)
	if index >= t.Size {
		return nil, fmt.Errorf("leaf %d of %d", index, t.Size)
	}
	proof, err := tlog.ProveRecord(size, int64(index), r)
	if err != nil {
		return nil, err
	}
	leaf, err := r.hash(0, int64(index))
	if err != nil {
		return nil, err
	}
	if err := tlog.CheckRecord(proof, size, tlog.Hash(t.Root), int64(index), leaf); err != nil {
		return nil, fmt.Errorf("leaf %d of %d: %w", index, t.Size, err)
	}
	path := make([]events.Hash, len(proof))
	for i, h := range proof {
		path[i] = events.Hash(h)
	}
	return path, nil
}

// inclusionReader reads hashes of a tree from its tiles. They prove nothing.
type inclusionReader struct {
	tree  *Tree
	files *tileReader

	mu    sync.Mutex // guards tiles
	tiles map[tlog.Tile]func() (*hashedTile, error)
}

var _ tlog.HashReader = (*inclusionReader)(nil)

// ReadHashes implements tlog.HashReader.
func (r *inclusionReader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		level, n := tlog.SplitStoredHashIndex(x)
		var err error
		if out[i], err = r.hash(level, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// hash returns the root of the n-th perfect subtree of a height.
func (r *inclusionReader) hash(height int, n int64) (tlog.Hash, error) {
	row := height % r.files.Height()
	level, at := height/r.files.Height(), n<<row // at is the first hash below it that a tile holds
	held := int64(r.tree.Size >> (level * r.files.Height()))
	tile := tlog.Tile{H: r.files.Height(), L: level, N: at / Width, W: int(min(Width, held-at/Width*Width))}
	hashed, err := r.tile(tile)
	if err != nil {
		return tlog.Hash{}, err
	}
	return tlog.Hash(hashed[row][at%Width>>row*tlog.HashSize:]), nil
}

// tile reads and hashes a tile when it is first asked for.
func (r *inclusionReader) tile(tile tlog.Tile) (*hashedTile, error) {
	r.mu.Lock()
	read, known := r.tiles[tile]
	if !known {
		read = sync.OnceValues(func() (*hashedTile, error) {
			data, err := r.files.ReadTiles([]tlog.Tile{tile})
			if err != nil {
				return nil, err
			}
			return hashTile(data[0]), nil
		})
		r.tiles[tile] = read
	}
	r.mu.Unlock()
	return read()
}

// hashedTile is a tile and the hashes of the tree above it, up to two: row i has
// the roots of the perfect subtrees of 2^i of its hashes.
type hashedTile [8][]byte

func hashTile(tile []byte) *hashedTile {
	rows := &hashedTile{tile}
	above := make([]byte, 0, len(tile)) // all rows but the first
	for i := range len(rows) - 1 {
		start := len(above)
		for below := rows[i]; len(below) >= 2*tlog.HashSize; below = below[2*tlog.HashSize:] {
			h := nodeHash(events.Hash(below), events.Hash(below[tlog.HashSize:]))
			above = append(above, h[:]...)
		}
		rows[i+1] = above[start:]
	}
	return rows
}
