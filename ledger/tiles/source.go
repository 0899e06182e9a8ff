package tiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// MaxCheckpoint bounds a checkpoint with all its signatures.
	MaxCheckpoint = 1 << 20
	// MaxFile bounds every file of a log.
	MaxFile   = maxBundle
	maxBundle = Width * (2 + MaxEntry)
	maxRules  = 1 << 16
)

// ErrTooLarge says that a file of a log is larger than it can be.
var ErrTooLarge = errors.New("larger than such a file can be")

// Source is where the files of a log are read.
type Source interface {
	// Read returns a whole file, or fs.ErrNotExist, or ErrTooLarge instead of more
	// than max bytes. What it returns is believed by nobody.
	Read(ctx context.Context, path string, max int64) ([]byte, error)
}

// Dir is a Source: a directory that a Writer wrote, or a copy of it.
type Dir string

var _ Source = Dir("")

// Read implements Source.
func (d Dir) Read(_ context.Context, path string, max int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(string(d), filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadAll(f, path, max)
}

// ReadAll reads a file of a log, of at most max bytes.
func ReadAll(r io.Reader, path string, max int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, Width*32+bytes.MinRead)) // room for a tile of hashes, and to see that it ends
	_, err := b.ReadFrom(io.LimitReader(r, max+1))
	if err == nil && int64(b.Len()) > max {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return b.Bytes(), nil
}

// ReadCheckpoint returns the checkpoint that a source shows, as it stands.
func ReadCheckpoint(ctx context.Context, s Source) ([]byte, error) {
	return s.Read(ctx, checkpointName, MaxCheckpoint)
}

// readTile returns a tile's bytes. Where a partial one was removed, the full one
// is there and begins with it.
func readTile(ctx context.Context, s Source, t Tile) (b []byte, full bool, err error) {
	max := int64(maxBundle)
	if t.Level != Entries {
		max = Width * 32
	}
	b, err = s.Read(ctx, t.Path(), max)
	if errors.Is(err, fs.ErrNotExist) && t.Width < Width {
		if b, err2 := s.Read(ctx, t.Full().Path(), max); err2 == nil {
			return b, true, nil
		}
	}
	return b, false, err
}

// ReadHashes returns the hashes of a tile, 32 bytes each. They prove nothing.
func ReadHashes(ctx context.Context, s Source, t Tile) ([]byte, error) {
	b, full, err := readTile(ctx, s, t)
	switch {
	case err != nil:
		return nil, err
	case full && len(b) == Width*32:
		return b[:t.Width*32], nil
	case len(b) != t.Width*32:
		return nil, fmt.Errorf("%s: %w", t.Path(), ErrTile)
	}
	return b, nil
}

// ErrTile says that some bytes are not a tile of so many hashes.
var ErrTile = errors.New("malformed tile")

// ReadEntries returns the leaves of a bundle. They prove nothing.
func ReadEntries(ctx context.Context, s Source, n uint64, width int) ([][]byte, error) {
	t := Tile{Entries, n, width}
	b, full, err := readTile(ctx, s, t)
	if err != nil {
		return nil, err
	}
	if full {
		entries, err := ParseBundle(b, Width)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Full().Path(), err)
		}
		return entries[:width], nil
	}
	entries, err := ParseBundle(b, width)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Path(), err)
	}
	return entries, nil
}
