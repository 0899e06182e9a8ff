package ledger

import (
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
)

// comparedTiles compares the tiles that readers are shown with the stream.
type comparedTiles struct {
	dir    string
	writer *tiles.Writer
	shown  *verifier.Checkpoint // what stands beside them; nil if that is lost
}

// compareTiles begins to compare the tiles, if there are to be any.
func (v *verifying) compareTiles(published bool) error {
	if v.tilesDir == "" || !published {
		return nil
	}
	v.tiles = &comparedTiles{dir: v.tilesDir, writer: tiles.Compare(v.tilesDir)}
	b, err := tiles.Checkpoint(v.tilesDir)
	if b == nil || err != nil {
		return err
	}
	c, err := v.openTiled(b)
	if err != nil {
		return &Fault{0, "the checkpoint beside the tiles is not signed by this ledger", err}
	}
	v.tiles.shown = &c
	return nil
}

func (c *comparedTiles) size() uint64 {
	if c == nil {
		return 0
	}
	return c.writer.Size()
}

// add compares what the next leaf makes whole; root is that of the stream then.
func (c *comparedTiles) add(entry []byte, hash events.Hash, root func() events.Hash) error {
	if c == nil || c.shown == nil || c.writer.Size() == c.shown.Size {
		return nil
	}
	c.writer.Add(entry, hash, c.writer.Size()+1 == c.shown.Size)
	var err error
	switch size := c.writer.Size(); {
	case size == c.shown.Size:
		err = c.writer.Sync(size, root())
	case c.writer.Pending() >= flushTiles:
		err = c.writer.Flush()
	}
	var different *tiles.DifferentError
	if errors.As(err, &different) {
		return &Fault{different.Index, "the tiles differ from the stream; delete " + c.dir + ", and the next start makes it again", err}
	}
	if err != nil {
		return fmt.Errorf("comparing the tiles in %s: %w", c.dir, err)
	}
	return nil
}

// compare compares the checkpoint beside the tiles, which a crash may leave one
// behind the last.
func (c *comparedTiles) compare(v *verifying) error {
	switch {
	case c == nil:
		return nil
	case c.shown == nil:
		return fmt.Errorf("the checkpoint in %s: %w", c.dir, tiles.ErrLost)
	case v.roots[c.shown.Size].root != c.shown.Root:
		return &Fault{c.shown.Size, "the checkpoint beside the tiles has a size or root that was not published", nil}
	}
	return nil
}
