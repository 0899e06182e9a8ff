package tiles_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
)

// TestInclusions compares paths from tiles with those of package tlog, under sizes
// that were published and with leaves beyond them.
func TestInclusions(t *testing.T) {
	const most = 2*65536/100 + 700
	want := grow(t, most)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "tiles")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w, err := tiles.Open(dir, 0, want.root(t, 0))
		if err != nil {
			t.Fatal(err)
		}
		size := rapid.Uint64Range(1, most).Draw(t, "size")
		add(w, 0, size)
		publish(t, w, size, want.root(t, size))
		if later := rapid.Uint64Range(0, 600).Draw(t, "later"); later > 0 {
			add(w, size, min(size+later, most))
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		indices := rapid.SliceOfN(rapid.Uint64Range(0, size-1), 0, 300).Draw(t, "indices")
		tree := &tiles.Tree{Source: tiles.Dir(dir), Size: size, Root: want.root(t, size)}
		paths, err := tree.Inclusions(t.Context(), indices)
		if err != nil {
			t.Fatal(err)
		}
		want.comparePaths(t, size, indices, paths)
		if _, err := tree.Inclusions(t.Context(), []uint64{size}); !errors.Is(err, tiles.ErrRefuted) {
			t.Fatalf("a leaf beyond the tree: %v", err)
		}
	})
}

// allTiles is a Source of the hashes of a tree: every tile of every size.
type allTiles struct{ of *tree }

func (a allTiles) Read(_ context.Context, path string, _ int64) ([]byte, error) {
	t, err := tiles.ParseTile(path)
	if err != nil {
		return nil, err
	}
	return tlog.ReadTileData(tlog.Tile{H: 8, L: t.Level, N: int64(t.N), W: t.Width}, a.of)
}

// TestInclusionsOfAnySize is [TestInclusions] with three levels of tiles, and sizes
// that nobody published.
func TestInclusionsOfAnySize(t *testing.T) {
	const most = 65536 + 3*256 + 5
	want := grow(t, most)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.Uint64Range(1, 600), rapid.Uint64Range(65536-300, most), rapid.Uint64Range(1, most)).Draw(t, "size")
		indices := rapid.SliceOfN(rapid.Uint64Range(0, size-1), 0, 20).Draw(t, "indices")
		tree := &tiles.Tree{Source: allTiles{want}, Size: size, Root: want.root(t, size)}
		paths, err := tree.Inclusions(t.Context(), indices)
		if err != nil {
			t.Fatal(err)
		}
		want.comparePaths(t, size, indices, paths)
	})
}

// comparePaths compares paths with those of package tlog.
func (t *tree) comparePaths(tb rapid.TB, size uint64, indices []uint64, paths [][]events.Hash) {
	tb.Helper()
	if len(paths) != len(indices) {
		tb.Fatalf("%d paths of %d", len(paths), len(indices))
	}
	for i, path := range paths {
		proof, err := tlog.ProveRecord(int64(size), int64(indices[i]), t)
		if err != nil || len(proof) != len(path) {
			tb.Fatalf("leaf %d of %d has a path of %d, not %d: %v", indices[i], size, len(path), len(proof), err)
		}
		for k := range proof {
			if events.Hash(proof[k]) != path[k] {
				tb.Fatalf("leaf %d of %d: hash %d of its path is another", indices[i], size, k)
			}
		}
	}
}

// TestInclusionsAreOfTheRoot: from tiles that somebody changed, or of another tree,
// no path comes.
func TestInclusionsAreOfTheRoot(t *testing.T) {
	const size = 3*256 + 40
	want := grow(t, size)
	dir := t.TempDir()
	w, err := tiles.Open(dir, 0, want.root(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	add(w, 0, size)
	publish(t, w, size, want.root(t, size))
	tree := &tiles.Tree{Source: tiles.Dir(dir), Size: size, Root: want.root(t, size-1)}
	if _, err := tree.Inclusions(t.Context(), []uint64{300}); !errors.Is(err, tiles.ErrRefuted) {
		t.Errorf("under another root: %v", err)
	}
	tree.Root = want.root(t, size)
	path := filepath.Join(dir, "tile/0/001")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range b {
		b[at] ^= 1 << (at % 8)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tree.Inclusions(t.Context(), []uint64{300}); !errors.Is(err, tiles.ErrRefuted) {
			t.Fatalf("byte %d was changed: %v", at, err)
		}
		b[at] ^= 1 << (at % 8)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Inclusions(t.Context(), []uint64{300}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a tile is missing: %v", err)
	}
}
