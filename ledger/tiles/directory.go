package tiles

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
)

// stagingName is where files are made before they are renamed into place.
const stagingName = "new"

// syncing is how many files are written at once: a disk that takes its time for
// one fsync takes several in the same time.
const syncing = 8

// directory is a log's files on disk. A file under its name is whole, always: it
// was made elsewhere, synced and renamed. A crash leaves files that are not there
// yet, and nothing else.
type directory string

func (d directory) path(name string) string {
	return filepath.Join(string(d), filepath.FromSlash(name))
}

// put implements store.
func (d directory) put(files []file) error {
	missing := make([]bool, len(files))
	err := each(len(files), func(i int) (err error) {
		missing[i], err = d.compare(files[i])
		return err
	})
	if err != nil {
		return err
	}
	var write []file
	parents := map[string]bool{}
	for i, f := range files {
		if missing[i] {
			write = append(write, f)
			parents[filepath.Dir(d.path(f.path))] = true
		}
	}
	if len(write) == 0 {
		return nil
	}
	made := map[string]bool{}
	for dir := range parents {
		if err := makeDir(dir, made); err != nil {
			return err
		}
	}
	err = each(len(write), func(i int) error {
		staged := d.staged(i)
		if err := writeSynced(staged, write[i].data); err != nil {
			return err
		}
		return os.Rename(staged, d.path(write[i].path))
	})
	if err != nil {
		return fmt.Errorf("writing tiles: %w", err)
	}
	for dir := range parents {
		made[dir] = true
	}
	for dir := range made {
		if err := syncDir(dir); err != nil {
			return fmt.Errorf("writing tiles: %w", err)
		}
	}
	return nil
}

func (d directory) staged(i int) string { return d.path(fmt.Sprintf("%s/%d", stagingName, i)) }

// each does n things, several at once.
func each(n int, do func(i int) error) error {
	g := new(errgroup.Group)
	g.SetLimit(syncing)
	for i := range n {
		g.Go(func() error { return do(i) })
	}
	return g.Wait()
}

// compare reports whether a file has to be written. One that is there and is no
// tile of its width was cut or never written whole; any other content is a fault.
func (d directory) compare(f file) (missing bool, err error) {
	have, err := os.ReadFile(d.path(f.path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("reading tiles: %w", err)
	case bytes.Equal(have, f.data):
		return false, nil
	case damaged(f.tile, have):
		return true, nil
	}
	return false, &DifferentError{f.path, firstDifference(f.tile, have, f.data)}
}

// damaged reports whether bytes are no tile at all.
func damaged(t Tile, b []byte) bool {
	switch {
	case t.Width == 0:
		return len(b) == 0
	case t.Level == Entries:
		_, err := ParseBundle(b, t.Width)
		return err != nil
	}
	return len(b) != t.Width*32
}

// firstDifference is the first leaf at which two well-formed versions of a tile
// differ.
func firstDifference(t Tile, a, b []byte) uint64 {
	if t.Width == 0 {
		return 0
	}
	if t.Level != Entries {
		i := uint64(0)
		for ; bytes.Equal(a[i*32:(i+1)*32], b[i*32:(i+1)*32]); i++ {
		}
		return t.First() + i<<(8*t.Level)
	}
	left, _ := ParseBundle(a, t.Width)
	right, _ := ParseBundle(b, t.Width)
	for i := range left {
		if !bytes.Equal(left[i], right[i]) {
			return t.First() + uint64(i)
		}
	}
	return t.First()
}

// replace puts a file in place of another one, in one step.
func (d directory) replace(name string, data []byte) error {
	staged := d.path(stagingName + "/" + name)
	err := writeSynced(staged, data)
	if err == nil {
		err = os.Rename(staged, d.path(name))
	}
	if err == nil {
		err = syncDir(string(d))
	}
	if err != nil {
		return fmt.Errorf("writing the %s of the tiles: %w", name, err)
	}
	return nil
}

// removePartials removes the partial tiles in place of which there is a full one.
func (d directory) removePartials(t Tile) error {
	if err := os.RemoveAll(d.path(t.Path()) + ".p"); err != nil {
		return fmt.Errorf("removing partial tiles: %w", err)
	}
	return nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// makeDir makes a directory and notes whose entries have to be synced for that.
func makeDir(dir string, touched map[string]bool) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent, touched); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("writing tiles: %w", err)
	}
	touched[parent] = true
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Open continues the tiles in a directory, which is made if it is missing, from a
// published size with its root. If a tile under that size is missing or damaged,
// the writer begins at size 0: all leaves have to be added again, and what is lost
// is written. A tile that is whole and differs is a *DifferentError, now if it is
// of the right edge, else when its leaves are added again.
func Open(dir string, size uint64, root events.Hash) (*Writer, error) {
	d := directory(dir)
	made := map[string]bool{}
	err := makeDir(filepath.Join(dir, stagingName), made)
	for dir := range made {
		err = errors.Join(err, syncDir(dir))
	}
	if err != nil {
		return nil, fmt.Errorf("opening the tiles: %w", err)
	}
	w := newWriter(d)
	whole, err := d.listed(size)
	if err != nil || !whole {
		return w, err
	}
	m := mark{levels: make([][]byte, levelsOf(size))}
	for _, t := range Edges(size) {
		b, err := os.ReadFile(d.path(t.Path()))
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && damaged(t, b):
			return w, nil
		case err != nil:
			return nil, fmt.Errorf("opening the tiles: %w", err)
		case t.Level == Entries:
			m.bundle = b
		default:
			m.levels[t.Level] = b
		}
	}
	if size > 0 && edgeOf(size, m.levels).Root() != root {
		return w, nil // adding the leaves finds which tile it is
	}
	w.size, w.bundle, w.levels, w.marks[size] = size, slices.Clip(m.bundle), clipped(m.levels), m
	return w, nil
}

func clipped(levels [][]byte) [][]byte {
	out := slices.Clone(levels)
	for i := range out {
		out[i] = slices.Clip(out[i])
	}
	return out
}

func levelsOf(size uint64) (n int) {
	for ; size > 0; size /= Width {
		n++
	}
	return n
}

// listed reports whether all full tiles of a size are there, by their names. It
// removes the partial ones beside them, which a crash may have left.
func (d directory) listed(size uint64) (whole bool, err error) {
	for level := Entries; level < levelsOf(size); level++ {
		want := size >> (8 * (max(level, 0) + 1))
		for first := uint64(0); first < want; first += 1000 {
			dir := filepath.Dir(d.path(Tile{level, first, Width}.Path()))
			names, err := os.ReadDir(dir)
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			} else if err != nil {
				return false, fmt.Errorf("opening the tiles: %w", err)
			}
			there := uint64(0)
			for _, e := range names {
				n, partial := strings.CutSuffix(e.Name(), ".p")
				t, err := ParseTile(strings.TrimSuffix(Tile{level, first, Width}.Path(), "000") + n)
				if err != nil || t.N >= want {
					continue
				}
				if !partial {
					there++
				} else if err := d.removePartials(t); err != nil {
					return false, err
				}
			}
			if there != min(1000, want-first) {
				return false, nil
			}
		}
	}
	return true, nil
}

// Checkpoint returns the checkpoint that a directory shows; none is no error.
func Checkpoint(dir string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, checkpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}
