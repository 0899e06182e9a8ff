package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"

	"go.uber.org/zap"
	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
)

// flushTiles is how many bytes of full tiles may wait for a publication.
const flushTiles = 4 << 20

// tiled is the checkpoint that stands beside the tiles.
type tiled struct {
	size uint64
	note string
}

// knowTiled reads the checkpoint that stands beside the tiles. Others have seen
// it: the stream must give its root.
func (l *Ledger) knowTiled() error {
	if l.tilesDir == "" {
		return nil
	}
	b, err := tiles.Checkpoint(l.tilesDir)
	if err != nil {
		return fmt.Errorf("reading the checkpoint of the tiles: %w", err)
	}
	if b == nil {
		return nil
	}
	c, err := l.openTiled(b)
	if err != nil {
		return fmt.Errorf("the checkpoint in %s is not this ledger's; take it away if it is another's: %w", l.tilesDir, ErrCorrupt)
	}
	if root, known := l.known[c.Size]; known && root != c.Root {
		return fmt.Errorf("another root than the published one stands beside the tiles, at size %d: %w", c.Size, ErrCorrupt)
	}
	l.known[c.Size], l.tiled = c.Root, tiled{c.Size, string(b)}
	return nil
}

// openTiled opens a checkpoint of ours, whoever has signed it too.
func (l *Ledger) openTiled(b []byte) (verifier.Checkpoint, error) {
	v, err := note.NewVerifier(l.secrets.LogVerifier)
	if err != nil {
		return verifier.Checkpoint{}, err
	}
	n, err := note.Open(b, note.VerifierList(v))
	if err != nil {
		return verifier.Checkpoint{}, err
	}
	return verifier.ParseCheckpoint(n.Text)
}

// openTiles goes on with the tiles of the last checkpoint. What is lost of them is
// written again when the leaves are added from the stream (catchUpTiles).
func (l *Ledger) openTiles(last *Published) error {
	if l.tilesDir == "" {
		return nil
	}
	var size uint64
	var root events.Hash
	if last != nil {
		size, root = last.Size, last.Root
	}
	w, err := tiles.Open(l.tilesDir, size, root)
	if err != nil {
		return err
	}
	if w.Size() < size {
		l.log.Warn("tiles are missing; they are written again from the stream", zap.Uint64("size", size))
		l.tiled = tiled{}
	}
	if l.state.rulesDoc != nil {
		w.AddRules(l.state.rulesDoc)
	}
	l.tiles = w
	return nil
}

// catchUpTiles adds the leaves before a size that the tiles lack.
func (l *Ledger) catchUpTiles(ctx context.Context, size uint64) error {
	if l.tiles == nil || l.tiles.Size() >= size {
		return nil
	}
	next, timeMS := l.tiles.Size(), uint64(0)
	if next > 0 { // published: a state leaf ends there, which is ours and has a time
		e, err := l.recorded(ctx, next-1)
		if err != nil {
			return err
		}
		_, leaf, _ := leafOf(l.secrets, e, 0)
		timeMS = leaf.TimeMS
	}
	for e, err := range l.store.Read(ctx, l.stream, next, size-next) {
		if err != nil {
			return fmt.Errorf("reading the stream for the tiles: %w", err)
		}
		entry, leaf, stored := leafOf(l.secrets, e, timeMS)
		timeMS = leaf.TimeMS
		if err := l.tile(next, []leafed{{entry, leaf, stored, events.LeafHash(entry)}}); err != nil {
			return err
		}
		next++
	}
	if l.tiles.Size() != size {
		return fmt.Errorf("reading the stream for the tiles: it has %d of %d events: %w", l.tiles.Size(), size, ErrCorrupt)
	}
	return nil
}

// recorded reads one event of the stream.
func (l *Ledger) recorded(ctx context.Context, index uint64) (events.Recorded, error) {
	for e, err := range l.store.Read(ctx, l.stream, index, 1) {
		if err != nil {
			return e, fmt.Errorf("reading event %d: %w", index, err)
		}
		return e, nil
	}
	return events.Recorded{}, fmt.Errorf("reading event %d: it is not there: %w", index, ErrCorrupt)
}

// tile adds the leaves from index first on to the tiles, and keeps the right edge
// of each size that may be published. What the tiles have already, because only
// the log was lost, they keep. A disk that takes no tiles now is asked again at the
// publication.
func (l *Ledger) tile(first uint64, leaves []leafed) error {
	if l.tiles == nil {
		return nil
	}
	shown, under := l.shown(), uint64(math.MaxUint64)
	if l.Public() { // nobody reads a leaf behind the last state leaf: covers follow all that stands there
		under = 0
	}
	for i, leaf := range leaves {
		if first+uint64(i) < l.tiles.Size() {
			continue
		}
		state := leaf.leaf.Kind == events.KindState
		if state && len(leaf.stored.Body) > 0 { // before the leaf: a size that is reached may be published
			l.tiles.AddRules(leaf.stored.Body)
		}
		if state && under != math.MaxUint64 {
			under = first + uint64(i) + 1
		}
		l.tiles.Add(leaf.entry, leaf.hash, state && first+uint64(i)+1 >= shown)
	}
	if l.tiles.Pending() < flushTiles {
		return nil
	}
	if err := l.tilesFault(l.tiles.FlushUnder(under)); errors.Is(err, ErrCorrupt) {
		return err
	} else if err != nil {
		l.log.Warn("tiles were not written; publication will try again", zap.Error(err))
	}
	return nil
}

// inclusions proves leaves under a published state: from its tiles, which are hashed
// against its root, in one reading; from the log if there are none, or others.
func (l *Ledger) inclusions(ctx context.Context, indices []uint64, pub *Published) ([]verifier.Path, error) {
	paths := make([]verifier.Path, len(indices))
	if l.tiles != nil {
		tree := &tiles.Tree{Source: tiles.Dir(l.tilesDir), Size: pub.Size, Root: pub.Root}
		proofs, err := tree.Inclusions(ctx, indices)
		for i, proof := range proofs {
			paths[i] = proof
		}
		if err == nil || ctx.Err() != nil {
			return paths, err
		}
		if !l.tilesFailed.Swap(true) {
			l.log.Error("a proof cannot be read from the tiles; the log gives it instead; run fsck", zapSize(pub.Size), zap.Error(err))
		}
	}
	proofs, err := l.trees.Inclusions(ctx, indices, pub.Size)
	for i, proof := range proofs {
		paths[i] = make(verifier.Path, len(proof))
		for j, h := range proof {
			paths[i][j] = h
		}
	}
	return paths, err
}

// tilesFault makes tiles that somebody changed a fault after which nothing is
// published.
func (l *Ledger) tilesFault(err error) error {
	var different *tiles.DifferentError
	if !errors.As(err, &different) {
		return err
	}
	l.log.Error("the tiles are not the stream's; publication stops", zap.String("tile", different.Path), zap.Uint64("first_leaf", different.Index))
	return fmt.Errorf("%w; find out who changed it, then delete the directory %s, and the next start makes it again: %w", err, l.tilesDir, ErrCorrupt)
}

// syncTiles returns once the tiles of a size are durable.
func (l *Ledger) syncTiles(ctx context.Context, size uint64, root events.Hash) error {
	if l.tiles == nil {
		return nil
	}
	if err := l.tiles.Await(ctx, size); err != nil {
		return err
	}
	if err := l.tilesFault(l.tiles.Sync(size, root)); err != nil {
		return fmt.Errorf("writing the tiles of size %d: %w", size, err)
	}
	return nil
}

// showTiles puts a published checkpoint beside its tiles, unless it stands there.
func (l *Ledger) showTiles(ctx context.Context, size uint64, root events.Hash, checkpoint string) error {
	if l.tiles == nil || l.tiled.size > size || l.tiled.note == checkpoint {
		return nil
	}
	if err := l.syncTiles(ctx, size, root); err != nil {
		return err
	}
	if err := l.tiles.PutCheckpoint(size, []byte(checkpoint)); err != nil {
		return err
	}
	l.tiled = tiled{size, checkpoint}
	return nil
}
