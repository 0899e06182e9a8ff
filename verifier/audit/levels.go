package audit

import (
	"bytes"
	"context"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
)

// levels are the roots of full tiles of level 0, in order, from one on: with them
// the tiles of the levels above are checked, which proofs are made of.
type levels struct {
	first uint64
	roots []events.Hash
}

func (l *levels) add(n uint64, root events.Hash) {
	if l.roots == nil {
		l.first = n
	}
	l.roots = append(l.roots, root)
}

// from adds the roots of the full tiles from number n on that are not there, by their
// hashes: whose leaves were taken before, or not all at once.
func (l *levels) from(ctx context.Context, tree *tiles.Tree, n uint64) error {
	end := tree.Size / tiles.Width
	if l.roots == nil {
		l.first = end
	}
	var before []events.Hash
	for ; n < l.first; n++ {
		t := tiles.Tile{Level: 0, N: n, Width: tiles.Width}
		hashes, err := tiles.ReadHashes(ctx, tree.Source, t)
		if err != nil {
			return unread(t.First(), "hashes", err)
		}
		before = append(before, tiles.TileRoot(hashes))
	}
	if len(before) > 0 {
		l.first, l.roots = l.first-uint64(len(before)), append(before, l.roots...)
	}
	return nil
}

// check reads every tile above level 0 that the roots reach, and compares their
// part of it.
func (l *levels) check(ctx context.Context, tree *tiles.Tree) error {
	first, hashes, size := l.first, l.roots, tree.Size/tiles.Width
	for level := 1; size > 0; level++ {
		var above []events.Hash
		aboveFirst := (first + tiles.Width - 1) / tiles.Width
		for n := first / tiles.Width; n*tiles.Width < size; n++ {
			t := tiles.Tile{Level: level, N: n, Width: int(min(tiles.Width, size-n*tiles.Width))}
			if len(hashes) == 0 {
				break
			}
			b, err := tiles.ReadHashes(ctx, tree.Source, t)
			if err != nil {
				return unread(t.First(), "hashes", err)
			}
			from := max(first, n*tiles.Width) - n*tiles.Width
			for i := from; i < uint64(t.Width); i++ {
				h := hashes[n*tiles.Width+i-first]
				if !bytes.Equal(h[:], b[i*32:(i+1)*32]) {
					return &Fault{t.First() + i<<(8*level), t.Path() + " has another hash than the leaves under it give", nextAgain}
				}
			}
			if t.Width == tiles.Width && from == 0 {
				above = append(above, tiles.TileRoot(b))
			}
		}
		first, hashes, size = aboveFirst, above, size/tiles.Width
	}
	return nil
}
