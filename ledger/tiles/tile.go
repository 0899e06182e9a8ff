package tiles

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	// Width is how many hashes or leaves a full tile has.
	Width = 256
	// Entries is the level of a tile that holds leaves instead of hashes.
	Entries = -1

	maxLevel = 5         // of a tree of less than 2^48 leaves
	maxN     = 1<<48 - 1 // 16 levels of the tree are below any tile but those of entries
)

// ErrPath says that some text is not the path of a tile.
var ErrPath = errors.New("malformed tile path")

// Tile names a file of hashes or of leaves.
type Tile struct {
	Level int    // Entries, or 0 to 5
	N     uint64 // position in its level
	Width int    // 1 to 256; fewer than 256 only at the right edge of a size
}

// Path is where the tile stands, relative to the log's root.
func (t Tile) Path() string {
	level := "entries"
	if t.Level != Entries {
		level = strconv.Itoa(t.Level)
	}
	path := fmt.Sprintf("%03d", t.N%1000)
	for n := t.N / 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	path = "tile/" + level + "/" + path
	if t.Width < Width {
		path += ".p/" + strconv.Itoa(t.Width)
	}
	return path
}

// Full is the tile with the same place that is not cut off by a size.
func (t Tile) Full() Tile { return Tile{t.Level, t.N, Width} }

// First is the index of the first leaf under the tile.
func (t Tile) First() uint64 { return t.N << (8 * (max(t.Level, 0) + 1)) }

// end is the index after the last leaf under a full tile.
func (t Tile) end() uint64 { return Tile{Level: t.Level, N: t.N + 1}.First() }

// ParseTile is the inverse of [Tile.Path]; it takes no other spelling.
func ParseTile(path string) (Tile, error) {
	rest, ok := strings.CutPrefix(path, "tile/")
	level, rest, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return Tile{}, ErrPath
	}
	t := Tile{Level: Entries, Width: Width}
	if level != "entries" {
		var err error
		if t.Level, err = strconv.Atoi(level); err != nil || t.Level < 0 || t.Level > maxLevel {
			return Tile{}, ErrPath
		}
	}
	if i := strings.Index(rest, ".p/"); i >= 0 {
		w, err := strconv.Atoi(rest[i+len(".p/"):])
		if err != nil || w < 1 || w >= Width {
			return Tile{}, ErrPath
		}
		t.Width, rest = w, rest[:i]
	}
	for group := range strings.SplitSeq(rest, "/") {
		n, err := strconv.ParseUint(strings.TrimPrefix(group, "x"), 10, 10)
		if err != nil || t.N > maxN/1000 {
			return Tile{}, ErrPath
		}
		t.N = t.N*1000 + n
	}
	if t.N > maxN || t.Path() != path {
		return Tile{}, ErrPath
	}
	return t, nil
}

// Edges are the partial tiles of a size: the leaves and the hashes of each level
// that no full tile holds.
func Edges(size uint64) []Tile {
	var out []Tile
	if w := int(size % Width); w > 0 {
		out = append(out, Tile{Entries, size / Width, w})
	}
	for level := 0; size > 0; level++ {
		if w := int(size % Width); w > 0 {
			out = append(out, Tile{level, size / Width, w})
		}
		size /= Width
	}
	return out
}
