package tiles_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
)

// leaf is what leaf i of every log of these tests is.
func leaf(i uint64) []byte { return bytes.Repeat(fmt.Append(nil, i), int(1+i%7)) }

// tree is a log as package tlog computes it.
type tree struct{ stored []tlog.Hash }

func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = t.stored[x]
	}
	return out, nil
}

func grow(tb rapid.TB, size uint64) *tree {
	t := new(tree)
	for i := range size {
		more, err := tlog.StoredHashes(int64(i), leaf(i), t)
		if err != nil {
			tb.Fatal(err)
		}
		t.stored = append(t.stored, more...)
	}
	return t
}

func (t *tree) root(tb rapid.TB, size uint64) events.Hash {
	if size == 0 {
		return sha256.Sum256(nil)
	}
	h, err := tlog.TreeHash(int64(size), t)
	if err != nil {
		tb.Fatal(err)
	}
	return events.Hash(h)
}

// add adds leaves, and marks the size with the last of them.
func add(w *tiles.Writer, from, to uint64) {
	for i := from; i < to; i++ {
		w.Add(leaf(i), events.LeafHash(leaf(i)), i == to-1)
	}
}

// publish writes the tiles of a size and something in place of its checkpoint.
func publish(tb rapid.TB, w *tiles.Writer, size uint64, root events.Hash) {
	tb.Helper()
	if err := w.Sync(size, root); err != nil {
		tb.Fatal(err)
	}
	if err := w.PutCheckpoint(size, fmt.Append(nil, size)); err != nil {
		tb.Fatal(err)
	}
}

// files are all files of a log, by their path.
func files(tb rapid.TB, dir string) map[string]string {
	tb.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// checkLog reads every leaf and hash of a size as its readers do.
func checkLog(tb rapid.TB, dir string, size uint64, want *tree) {
	tb.Helper()
	under := &tiles.Tree{Source: tiles.Dir(dir), Size: size, Root: want.root(tb, size)}
	for n := uint64(0); n*tiles.Width < size; n++ {
		entries, err := tiles.ReadEntries(context.Background(), under.Source, n, int(min(tiles.Width, size-n*tiles.Width)))
		if err != nil {
			tb.Fatal(err)
		}
		for i, e := range entries {
			if !bytes.Equal(e, leaf(n*tiles.Width+uint64(i))) {
				tb.Fatalf("leaf %d is %q", n*tiles.Width+uint64(i), e)
			}
		}
	}
	for _, at := range []uint64{0, size / 3, size / 2, size - 1, size} {
		edge, err := under.EdgeAt(context.Background(), at)
		if err != nil || edge.Root() != want.root(tb, at) {
			tb.Fatalf("the edge at %d under %d: %v", at, size, err)
		}
		to := min(size, at+300)
		for i := at; i < to; i++ {
			edge.Append(events.LeafHash(leaf(i)))
		}
		if edge.Root() != want.root(tb, to) {
			tb.Fatalf("the edge grows to another root at %d", to)
		}
		if at < size {
			if h, err := under.LeafHash(context.Background(), at); err != nil || h != events.LeafHash(leaf(at)) {
				tb.Fatalf("leaf hash %d: %v", at, err)
			}
		}
	}
}

// TestWriter publishes any sizes, across restarts, and reads all back each time;
// the full tiles are those that one run would have written.
func TestWriter(t *testing.T) {
	const most = 3000
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
		size := uint64(0)
		for range rapid.IntRange(1, 6).Draw(t, "publications") {
			step := rapid.OneOf(rapid.Uint64Range(1, 3), rapid.Uint64Range(1, 600), rapid.SampledFrom([]uint64{256, 256 - size%256})).Draw(t, "step")
			next := min(size+step, most)
			if next == size {
				break
			}
			add(w, w.Size(), next)
			ahead := rapid.Uint64Range(0, 300).Draw(t, "ahead")
			add(w, next, min(next+ahead, most))
			if rapid.Bool().Draw(t, "flush") {
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			publish(t, w, next, want.root(t, next))
			size = next
			checkLog(t, dir, size, want)
			if rapid.Bool().Draw(t, "restart") {
				if w, err = tiles.Open(dir, size, want.root(t, size)); err != nil || w.Size() != size {
					t.Fatalf("reopened at %d: %v", w.Size(), err)
				}
				if err := w.Sync(size, want.root(t, size)); err != nil {
					t.Fatal(err)
				}
			}
			if w.Size() > size { // what was added ahead is added again after this
				if w, err = tiles.Open(dir, size, want.root(t, size)); err != nil {
					t.Fatal(err)
				}
			}
		}
		compare := tiles.Compare(dir)
		add(compare, 0, size)
		if err := errors.Join(compare.Flush(), compare.Sync(size, want.root(t, size))); err != nil {
			t.Fatal(err)
		}
	})
}

// TestThreeLevels crosses the size at which a third level begins.
func TestThreeLevels(t *testing.T) {
	const size = 65536 + 300
	want := grow(t, size)
	dir := t.TempDir()
	w, err := tiles.Open(dir, 0, want.root(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []uint64{65535, 65536, size} {
		add(w, w.Size(), at)
		publish(t, w, at, want.root(t, at))
		checkLog(t, dir, at, want)
		if w, err = tiles.Open(dir, at, want.root(t, at)); err != nil || w.Size() != at {
			t.Fatalf("reopened at %d: %v", w.Size(), err)
		}
	}
}

// TestLost: whatever is missing or cut is made again with the same bytes, and a
// comparison names it.
func TestLost(t *testing.T) {
	const size = 3*256 + 17
	want := grow(t, size)
	dir := t.TempDir()
	w, err := tiles.Open(dir, 0, want.root(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	add(w, 0, size)
	publish(t, w, size, want.root(t, size))
	before := files(t, dir)
	for name, content := range before {
		if name == "checkpoint" {
			continue
		}
		for _, keep := range []int{-1, 0, len(content) - 1} {
			path := filepath.Join(dir, name)
			if keep < 0 {
				err = os.Remove(path)
			} else {
				err = os.Truncate(path, int64(keep))
			}
			if err != nil {
				t.Fatal(err)
			}
			compare := tiles.Compare(dir)
			add(compare, 0, size)
			if err := compare.Sync(size, want.root(t, size)); !errors.Is(err, tiles.ErrLost) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s cut to %d: the comparison says %v", name, keep, err)
			}
			w, err := tiles.Open(dir, size, want.root(t, size))
			if err != nil {
				t.Fatal(err)
			}
			if keep < 0 && w.Size() != 0 {
				t.Errorf("%s is missing and the writer goes on at %d", name, w.Size())
			}
			if w.Size() > 0 { // only the right edge is read at a start
				w, _ = tiles.Open(dir, 0, want.root(t, 0))
			}
			add(w, 0, size)
			publish(t, w, size, want.root(t, size))
			if after := files(t, dir); len(after) != len(before) || after[name] != content {
				t.Errorf("%s cut to %d was not made again", name, keep)
			}
		}
	}
}

// TestTampered: a bit that is flipped anywhere is named with its first leaf, by
// the comparison and by the writer, which replaces nothing.
func TestTampered(t *testing.T) {
	const size = 2*256 + 5
	want := grow(t, size)
	dir := t.TempDir()
	w, err := tiles.Open(dir, 0, want.root(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	add(w, 0, size)
	publish(t, w, size, want.root(t, size))
	for name, first := range map[string]uint64{
		"tile/0/000": 0, "tile/0/001": 256, "tile/0/002.p/5": 512, "tile/1/000.p/2": 0,
		"tile/entries/000": 255, "tile/entries/001": 511, "tile/entries/002.p/5": 516,
	} {
		path := filepath.Join(dir, name)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := slices.Clone(content)
		at := 0
		if strings.Contains(name, "entries") {
			at = len(content) - 1
		}
		changed[at] ^= 1
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		var different *tiles.DifferentError
		compare := tiles.Compare(dir)
		add(compare, 0, size)
		if err := compare.Sync(size, want.root(t, size)); !errors.As(err, &different) || different.Index != first || different.Path != name {
			t.Errorf("%s: the comparison says %v", name, err)
		}
		again, err := tiles.Open(dir, 0, want.root(t, 0))
		if err != nil {
			t.Fatal(err)
		}
		add(again, 0, size)
		if err := again.Sync(size, want.root(t, size)); !errors.As(err, &different) || different.Path != name {
			t.Errorf("%s: the writer says %v", name, err)
		}
		if have, _ := os.ReadFile(path); !bytes.Equal(have, changed) {
			t.Errorf("%s was replaced", name)
		}
		under := &tiles.Tree{Source: tiles.Dir(dir), Size: size, Root: want.root(t, size)}
		if !strings.Contains(name, "entries") {
			if _, err := under.LeafHash(t.Context(), first); !errors.Is(err, tiles.ErrRefuted) {
				t.Errorf("%s: a reader accepts it: %v", name, err)
			}
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPartials: partial tiles of the last two checkpoints stay, older ones go.
func TestPartials(t *testing.T) {
	const size = 800
	want := grow(t, size)
	dir := t.TempDir()
	w, err := tiles.Open(dir, 0, want.root(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []uint64{10, 250, 270, 300, 520, 800} {
		add(w, w.Size(), at)
		publish(t, w, at, want.root(t, at))
		checkLog(t, dir, at, want)
	}
	all := files(t, dir)
	for name, there := range map[string]bool{
		"tile/0/000.p/10": false, "tile/0/000.p/250": false, "tile/0/001.p/14": false, "tile/0/001.p/44": false,
		"tile/entries/001.p/44": false, "tile/0/002.p/8": true, "tile/0/003.p/32": true, "tile/0/000": true,
	} {
		if _, ok := all[name]; ok != there {
			t.Errorf("%s is there: %v", name, ok)
		}
	}
}

func TestSyncRefusesOtherRoot(t *testing.T) {
	want := grow(t, 300)
	w, err := tiles.Open(t.TempDir(), 0, want.root(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	add(w, 0, 300)
	if err := w.Sync(300, want.root(t, 299)); err == nil {
		t.Error("tiles were written under a root that is not theirs")
	}
	if err := w.Sync(299, want.root(t, 299)); !errors.Is(err, tiles.ErrNotMarked) {
		t.Errorf("a size that was not marked: %v", err)
	}
}

// TestReachedIsMarked: a size that somebody awaited can be synced at once, while
// leaves go on coming.
func TestReachedIsMarked(t *testing.T) {
	const size = 600
	want := grow(t, size)
	w, err := tiles.Open(t.TempDir(), 0, want.root(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	added := make(chan struct{})
	go func() {
		defer close(added)
		for i := range uint64(size) {
			w.Add(leaf(i), events.LeafHash(leaf(i)), true)
		}
	}()
	for at := uint64(1); at <= size; at++ {
		if err := w.Await(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		if err := w.Sync(at, want.root(t, at)); err != nil {
			t.Fatal(err)
		}
	}
	<-added
}

// TestNothingBeyond: what is written for a size says nothing of leaves behind it, which
// readers of a public log would see before their window is filled.
func TestNothingBeyond(t *testing.T) {
	const size, most = 65536 + 200, 65536 + 3*256
	want, dir := grow(t, most), t.TempDir()
	w, err := tiles.Open(dir, 0, want.root(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	add(w, 0, size)
	add(w, size, most)
	waiting := w.Pending()
	if err := w.FlushUnder(size); err != nil {
		t.Fatal(err)
	}
	publish(t, w, size, want.root(t, size))
	beyond := func() (all []string) {
		for path := range files(t, dir) {
			if tile, err := tiles.ParseTile(path); err == nil && tile.Width == tiles.Width && (tile.N+1)<<(8*(max(tile.Level, 0)+1)) > size {
				all = append(all, path)
			}
		}
		return all
	}
	if all := beyond(); len(all) > 0 || w.Pending() == 0 || w.Pending() >= waiting {
		t.Errorf("written under %d leaves: %v; %d bytes of %d wait", size, all, w.Pending(), waiting)
	}
	checkLog(t, dir, size, want)
	publish(t, w, most, want.root(t, most))
	if all := beyond(); len(all) == 0 || w.Pending() > 0 {
		t.Errorf("written under %d leaves: %v; %d bytes wait", most, all, w.Pending())
	}
	checkLog(t, dir, most, want)
}
