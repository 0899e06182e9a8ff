package index_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/index"
)

// mustCommitEach commits batches that were inserted at once, and demands the roots
// that one after the other gives.
func mustCommitEach(t rapid.TB, s *index.Store, batches ...[]index.Entry) {
	t.Helper()
	next, roots, err := s.Tree().InsertEach(batches)
	if err != nil || len(roots) != len(batches) {
		t.Fatalf("%d roots of %d batches, %v", len(roots), len(batches), err)
	}
	one := s.Tree()
	for i, batch := range batches {
		if one = mustInsert(t, one, batch); one.Root() != roots[i] {
			t.Fatalf("batch %d of %d (%d labels) gives another root", i, len(batches), len(batch))
		}
	}
	if next.Len() != one.Len() || next.Root() != one.Root() {
		t.Fatal("the tree is another one")
	}
	if err := next.Check(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(next, slices.Concat(batches...), mark(int(next.Len()))); err != nil {
		t.Fatal(err)
	}
}

// TestInsertEach: batches at once and one after the other give the same, for few
// labels that share any number of bits, in memory and on disk.
func TestInsertEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "index")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		es, absent := drawEntries(t, 120)
		s := mustOpen(t, index.Config{Dir: dir}.Small(uint64(rapid.IntRange(1, 40).Draw(t, "least")), nil))
		defer func() { mustClose(t, s) }()
		for done := 0; done < len(es); {
			var batches [][]index.Entry
			for range rapid.IntRange(0, 5).Draw(t, "batches") {
				n := rapid.IntRange(0, min(len(es)-done, 30)).Draw(t, "batch")
				batches = append(batches, es[done:done+n])
				done += n
			}
			mustCommitEach(t, s, batches...)
			if rapid.Bool().Draw(t, "wait") {
				if err := s.Wait(); err != nil {
					t.Fatal(err)
				}
			}
		}
		checkTree(t, s.Tree(), es, absent)
	})
}

// TestInsertEachMany has so many labels that all cores work on them, and
// generations that are written meanwhile.
func TestInsertEachMany(t *testing.T) {
	s := mustOpen(t, index.Config{Dir: t.TempDir()}.Small(1000, nil))
	defer func() { mustClose(t, s) }()
	at := uint64(0)
	for round := range 8 {
		var batches [][]index.Entry
		for i := range 12 {
			n := uint64(round * i * 25)
			batches = append(batches, entries(at, n))
			at += n
		}
		mustCommitEach(t, s, batches...)
		if round%2 == 1 {
			if err := s.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	checkTree(t, s.Tree(), entries(0, at), []events.Hash{entry(1 << 40).Label})
}

// TestInsertEachRefuses labels that come twice, and files that were changed.
func TestInsertEachRefuses(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, index.Config{Dir: dir}.Small(10, nil))
	for i := uint64(0); i < 600; i += 100 {
		mustCommitEach(t, s, entries(i, 50), entries(i+50, 50))
		if err := s.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	for name, batches := range map[string][][]index.Entry{
		"in a batch":         {entries(1000, 20), {entry(2000), entry(2001), entry(2000)}},
		"in two batches":     {entries(1000, 20), {entry(1007)}},
		"there and in one":   {entries(1000, 20), {entry(11)}},
		"there and in a big": {entries(1000, 5000), {entry(599)}},
	} {
		if next, roots, err := s.Tree().InsertEach(batches); !errors.Is(err, index.ErrDuplicate) || next != nil || roots != nil {
			t.Errorf("a label that comes twice, %s: %v", name, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.gen"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, info.Size()/4), 64); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Tree().InsertEach([][]index.Entry{entries(5000, 3000)}); !errors.Is(err, index.ErrDamaged) {
		t.Errorf("inserting into a file that was changed: %v", err)
	}
	mustClose(t, s)
}

// TestLargeCommits: whoever commits much at once waits for the generation that is
// being written, so that memory does not hold what the disk is too slow for.
func TestLargeCommits(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, index.Config{Dir: dir}.Small(1000, nil))
	defer func() { mustClose(t, s) }()
	const n = 1<<16 + 1
	for i := range uint64(2) {
		all := entries(i*n, n)
		next, _, err := s.Tree().InsertEach(slices.Collect(slices.Chunk(all, 5000)))
		if err == nil {
			err = s.Commit(next, all, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*.gen")); err != nil || len(files) != 1 {
		t.Errorf("the second commit did not wait for the generation of the first: %v, %v", files, err)
	}
	if err := s.Tree().Check(); err != nil {
		t.Error(err)
	}
}
