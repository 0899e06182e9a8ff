package index_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/index"
)

func mustOpen(t rapid.TB, cfg index.Config) *index.Store {
	t.Helper()
	s, err := index.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t rapid.TB, s *index.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// mark says how many labels a version has.
func mark(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

func marked(m []byte) int {
	if m == nil {
		return 0
	}
	return int(binary.BigEndian.Uint32(m))
}

// mustCommit inserts a batch in up to two steps and commits it.
func mustCommit(t rapid.TB, s *index.Store, batch []index.Entry) {
	t.Helper()
	half := len(batch) / 2
	next := mustInsert(t, mustInsert(t, s.Tree(), batch[:half]), batch[half:])
	if err := s.Commit(next, batch, mark(int(next.Len()))); err != nil {
		t.Fatal(err)
	}
	if s.Tree().Root() != next.Root() || s.Tree().Len() != next.Len() {
		t.Fatal("the committed version is another one")
	}
}

// labelsMissing are the labels of entries and others.
func labelsMissing(es []index.Entry, others []events.Hash) []events.Hash {
	out := slices.Clone(others)
	for _, e := range es {
		out = append(out, e.Label)
	}
	return out
}

// TestStore: whatever is committed, moved to a new generation, closed and opened
// again, each version that is still held is the naive tree of its entries.
func TestStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "index")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		cfg := index.Config{Dir: dir}.Small(uint64(rapid.IntRange(1, 40).Draw(t, "least")), nil)
		es, absent := drawEntries(t, 90)
		s := mustOpen(t, cfg)
		defer func() { mustClose(t, s) }()
		done := 0
		versions := map[int]*index.Tree{}
		for done < len(es) {
			switch rapid.IntRange(0, 9).Draw(t, "do") {
			case 0:
				mustClose(t, s)
				clear(versions)
				s = mustOpen(t, cfg)
				if s.Cut() != "" || marked(s.Mark()) != done {
					t.Fatalf("opened at %d instead of %d: %s", marked(s.Mark()), done, s.Cut())
				}
			case 1, 2:
				if err := s.Wait(); err != nil {
					t.Fatal(err)
				}
			default:
				n := rapid.IntRange(0, min(len(es)-done, 40)).Draw(t, "batch")
				mustCommit(t, s, es[done:done+n])
				done += n
			}
			versions[done] = s.Tree()
		}
		versions[done] = s.Tree()
		for n, tree := range versions {
			checkTree(t, tree, es[:n], labelsMissing(es[n:], absent))
			if err := tree.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestStoreGenerations makes several generations of ordinary labels.
func TestStoreGenerations(t *testing.T) {
	dir := t.TempDir()
	cfg := index.Config{Dir: dir}.Small(100, nil)
	s := mustOpen(t, cfg)
	var held []*index.Tree
	const n, batch = 4000, 37
	for i := uint64(0); i < n; i += batch {
		mustCommit(t, s, entries(i, batch))
		if i%(10*batch) == 0 {
			held = append(held, s.Tree())
		}
		if i%(3*batch) == 0 {
			if err := s.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tree := range append(held, s.Tree()) {
		checkTree(t, tree, entries(0, tree.Len()), []events.Hash{entry(n + 1000).Label})
	}
	root, size := s.Tree().Root(), s.Tree().Len()
	mustClose(t, s)
	files, err := filepath.Glob(filepath.Join(dir, "*.gen"))
	if err != nil || len(files) != 1 || filepath.Base(files[0]) < "00000010.gen" {
		t.Errorf("after %d labels: %v, %v", n, files, err)
	}
	s = mustOpen(t, cfg)
	if s.Tree().Root() != root || s.Tree().Len() != size {
		t.Error("another version was opened")
	}
	mustClose(t, s)
}
