package trillianlog_test

import (
	"context"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

// Read implements tiles.Source: every tile of hashes of every size.
func (r *reference) Read(_ context.Context, path string, _ int64) ([]byte, error) {
	t, err := tiles.ParseTile(path)
	if err != nil {
		return nil, err
	}
	return tlog.ReadTileData(tlog.Tile{H: 8, L: t.Level, N: int64(t.N), W: t.Width}, r)
}

// TestTilesProveTheSame: a path that is read from tiles is the one that Trillian
// gives, whatever the size and the leaf.
func TestTilesProveTheSame(t *testing.T) {
	log := openLog(t, configFor(startServer(t, embedded.Config{Path: newPath(t)})))
	const total = 3*256 + 77
	ref := referenceOf(t, total)
	mustAdd(t, log, 0, leavesAt(0, total))
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Uint64Range(1, total).Draw(rt, "size")
		indices := rapid.SliceOfN(rapid.Uint64Range(0, size-1), 1, 20).Draw(rt, "indices")
		want, err := log.Inclusions(rt.Context(), indices, size)
		if err != nil {
			rt.Fatal(err)
		}
		tree := &tiles.Tree{Source: ref, Size: size, Root: events.Hash(ref.root(t, size))}
		got, err := tree.Inclusions(rt.Context(), indices)
		if err != nil {
			rt.Fatal(err)
		}
		for i, path := range got {
			if len(path) != len(want[i]) {
				rt.Fatalf("leaf %d of %d has a path of %d from tiles and of %d from Trillian", indices[i], size, len(path), len(want[i]))
			}
			for k, h := range path {
				if h != want[i][k] {
					rt.Fatalf("leaf %d of %d: hash %d of its path differs", indices[i], size, k)
				}
			}
		}
	})
}
