package tiles_test

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/ledger/tiles"
)

// TestPath compares paths with those of package tlog, which name the height too.
func TestPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tile := tiles.Tile{
			Level: rapid.IntRange(-1, 5).Draw(t, "level"),
			N:     rapid.OneOf(rapid.Uint64Range(0, 5), rapid.Uint64Range(998, 1002), rapid.Uint64Range(0, 1<<48-1)).Draw(t, "n"),
			Width: rapid.OneOf(rapid.IntRange(1, 256), rapid.Just(256)).Draw(t, "width"),
		}
		theirs := tlog.Tile{H: 8, L: tile.Level, N: int64(tile.N), W: tile.Width}.Path()
		theirs = strings.Replace(strings.Replace(theirs, "tile/8/", "tile/", 1), "/data/", "/entries/", 1)
		if tile.Path() != theirs {
			t.Fatalf("%+v is %s, not %s", tile, theirs, tile.Path())
		}
		if back, err := tiles.ParseTile(tile.Path()); err != nil || back != tile {
			t.Fatalf("%s gives %+v, %v", tile.Path(), back, err)
		}
	})
	for _, bad := range []string{
		"", "tile", "tile/0", "tile/0/", "tile/6/000", "tile/-1/000", "tile/00/000", "tile/0/0", "tile/0/1000", "tile/0/x000/001",
		"tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/001/000", "tile/0/x001", "tile/data/000",
		"tile/0/000/", "/tile/0/000", "tile/0/../000", "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/0/+01",
	} {
		if got, err := tiles.ParseTile(bad); err == nil {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}

func TestBundle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 256).Draw(t, "entries")
		var b []byte
		for _, e := range entries {
			b = tiles.AppendEntry(b, e)
		}
		back, err := tiles.ParseBundle(b, len(entries))
		if err != nil || len(back) != len(entries) {
			t.Fatalf("%d entries give %d, %v", len(entries), len(back), err)
		}
		for i := range back {
			if !bytes.Equal(back[i], entries[i]) {
				t.Fatalf("entry %d is another", i)
			}
		}
		if len(b) == 0 {
			return
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, err := tiles.ParseBundle(b[:cut], len(entries)); err == nil {
			t.Fatalf("a bundle of %d bytes parses when it is cut to %d", len(b), cut)
		}
		if _, err := tiles.ParseBundle(append(b, 0), len(entries)); err == nil {
			t.Fatal("a bundle parses with a byte behind it")
		}
	})
}

func FuzzParseTile(f *testing.F) {
	f.Add("tile/0/x001/234.p/17")
	f.Add("tile/entries/000")
	f.Fuzz(func(t *testing.T, path string) {
		tile, err := tiles.ParseTile(path)
		if err == nil && (tile.Path() != path || strings.Contains(path, "..")) {
			t.Errorf("%q is %+v", path, tile)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte{0, 1, 7, 0, 0}, 2)
	f.Fuzz(func(t *testing.T, b []byte, width int) {
		if width < 0 || width > tiles.Width {
			return
		}
		entries, err := tiles.ParseBundle(b, width)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			again = tiles.AppendEntry(again, e)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x is written again as %x", b, again)
		}
	})
}
