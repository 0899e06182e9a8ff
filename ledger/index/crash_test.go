package index_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/index"
)

// copyDir copies a directory as a crash would leave it: each file as far as it
// was written. A file that is removed meanwhile is left out.
func copyDir(t *testing.T, from string) (to string) {
	t.Helper()
	to = t.TempDir()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestCrashes kills a store after each change to its directory, and the start
// that follows after each of its own. Nothing that was committed is lost, and the
// store goes on from there.
func TestCrashes(t *testing.T) {
	const n, batch = 90, 9
	all := entries(0, n)
	type crash struct {
		op, dir string
		done    int // labels whose commit had returned
	}
	var crashes []crash
	done := 0
	dir := t.TempDir()
	record := func(op string) { crashes = append(crashes, crash{op, copyDir(t, dir), done}) }
	work := func(s *index.Store) {
		for done < n {
			mustCommit(t, s, all[done:done+batch])
			done += batch
			if done%(2*batch) == 0 {
				if err := s.Wait(); err != nil {
					t.Fatal(err)
				}
			}
		}
		mustClose(t, s)
	}
	work(mustOpen(t, index.Config{Dir: dir}.Small(20, record)))
	if len(crashes) < 25 {
		t.Fatalf("%d changes to the directory", len(crashes))
	}
	again := func(c crash) {
		s, err := index.Open(index.Config{Dir: c.dir}.Small(10, nil))
		if err != nil {
			t.Fatalf("killed after %s: %v", c.op, err)
		}
		at := marked(s.Mark())
		if at < c.done || at > c.done+batch || s.Tree().Root() != naiveRoot(all[:at], 0) {
			t.Fatalf("killed after %s with %d labels: opened with %d", c.op, c.done, at)
		}
		for ; at < n; at += batch {
			mustCommit(t, s, all[at:at+batch])
		}
		checkTree(t, s.Tree(), all, []events.Hash{entry(1000).Label})
		mustClose(t, s)
	}
	for _, c := range crashes {
		var nested []crash
		start := copyDir(t, c.dir)
		s := mustOpen(t, index.Config{Dir: start}.Small(10, func(op string) {
			nested = append(nested, crash{c.op + ", then " + op, copyDir(t, start), c.done})
		}))
		mustClose(t, s)
		for _, c := range append(nested, c) {
			again(c)
		}
	}
}

// small makes a store with a generation and two logs, of n labels.
func small(t testing.TB, n int) (dir string, all []index.Entry, commits []int) {
	dir = t.TempDir()
	all = entries(0, uint64(n))
	s := mustOpen(t, index.Config{Dir: dir, Settled: func(m []byte) bool { return marked(m) < n/2 }}.Small(uint64(n/4), nil))
	for done := 0; done < n; {
		batch := min(7, n-done)
		mustCommit(t, s, all[done:done+batch])
		done += batch
		commits = append(commits, done)
		if err := s.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, s)
	for kind, want := range map[string]int{"gen": 1, "log": 2, "tmp": 0} {
		if files, err := filepath.Glob(filepath.Join(dir, "*."+kind)); err != nil || len(files) != want {
			t.Fatalf("%d files %s: %v, %v", len(files), kind, files, err)
		}
	}
	return dir, all, commits
}

// TestTorn cuts each log at every length: the store opens at the last commit that
// is whole.
func TestTorn(t *testing.T) {
	dir, all, commits := small(t, 80)
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		readOnly := copyDir(t, dir)
		last, root := 0, map[int]events.Hash{}
		for _, n := range commits {
			root[n] = naiveRoot(all[:n], 0)
		}
		for n := range whole {
			cfg := index.Config{Dir: readOnly, ReadOnly: true}
			if n%25 == 0 { // the others are opened as they are, and nothing changes
				cfg = index.Config{Dir: copyDir(t, dir)}
			}
			if err := os.WriteFile(filepath.Join(cfg.Dir, filepath.Base(file)), whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, cfg)
			at := marked(s.Mark())
			if at < last || !slices.Contains(commits, at) || s.Tree().Root() != root[at] {
				t.Fatalf("%s cut at %d: opened with %d labels after %d", file, n, at, last)
			}
			last = at
			if !cfg.ReadOnly {
				mustCommit(t, s, all[at:])
				mustClose(t, s)
				s = mustOpen(t, cfg)
				checkTree(t, s.Tree(), all, nil)
			}
			mustClose(t, s)
		}
	}
}

// TestFlipped changes each byte of each file. A store that opens all the same
// has a version that was committed, and answers with the truth or not at all.
func TestFlipped(t *testing.T) {
	for name, make := range map[string]func(testing.TB, int) (string, []index.Entry, []int){"grown": small, "rebuilt": rebuilt} {
		t.Run(name, func(t *testing.T) { flipped(t, make) })
	}
}

// rebuilt makes a store whose generation has all labels but two, so that a start
// reads few of its buckets.
func rebuilt(t testing.TB, n int) (dir string, all []index.Entry, commits []int) {
	dir = t.TempDir()
	all = entries(0, uint64(n))
	s := mustOpen(t, index.Config{Dir: dir})
	if err := s.Rebuild(mustInsert(t, index.Empty(), all[:n-2]), mark(n-2)); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, all[n-2:])
	mustClose(t, s)
	return dir, all, []int{n - 2, n}
}

func flipped(t *testing.T, make func(testing.TB, int) (string, []index.Entry, []int)) {
	dir, all, commits := make(t, 60)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if os.Getenv("SHARETRAIL_LONG") == "" {
		step = 13 // prime to the sizes of all parts, so that each part is met
	}
	more := []index.Entry{entry(1000), entry(1001)}
	roots := map[int]events.Hash{}
	for _, n := range commits {
		roots[n] = naiveRoot(all[:n], 0)
		roots[n+5000] = naiveRoot(append(slices.Clone(all[:n]), entries(5000, 200)...), 0)
		for i, e := range more {
			roots[n+1000*(i+1)] = naiveRoot(append(slices.Clone(all[:n]), e), 0)
		}
	}
	opened, refused, silent := 0, 0, 0
	for _, file := range files {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := filepath.Join(copyDir(t, dir), filepath.Base(file))
		for n := 0; n < len(whole); n += step {
			whole[n] ^= 1 << (n % 8)
			if err := os.WriteFile(changed, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			whole[n] ^= 1 << (n % 8)
			s, err := index.Open(index.Config{Dir: filepath.Dir(changed), ReadOnly: true})
			if errors.Is(err, index.ErrDamaged) {
				refused++
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			at := marked(s.Mark())
			if !slices.Contains(commits, at) || s.Tree().Root() != roots[at] {
				t.Fatalf("%s changed at %d: opened with %d labels", file, n, at)
			}
			opened++
			if damaged := answers(t, s.Tree(), all[:at], more, roots); damaged == 0 && s.Cut() == "" {
				silent++
			}
			mustClose(t, s)
		}
	}
	if opened == 0 || refused == 0 || silent > 0 {
		t.Errorf("%d files were opened, %d refused; of %d changes nothing was noticed", opened, refused, silent)
	}
}

// answers asks a tree of some entries everything, and counts where it says that
// it is damaged.
func answers(t *testing.T, tree *index.Tree, there, missing []index.Entry, roots map[int]events.Hash) (damaged int) {
	t.Helper()
	ok := func(err error, right bool) {
		switch {
		case errors.Is(err, index.ErrDamaged):
			damaged++
		case err != nil || !right:
			t.Fatalf("a false answer, or %v", err)
		}
	}
	for _, e := range there {
		v, _, err := tree.ProveMember(e.Label)
		ok(err, v == e.Value)
		v, found, err := tree.Lookup(e.Label)
		ok(err, found && v == e.Value)
		if _, err = tree.Insert([]index.Entry{e}); !errors.Is(err, index.ErrDuplicate) {
			ok(err, false)
		}
	}
	for i, e := range missing {
		_, err := tree.ProveAbsent(e.Label)
		ok(err, true)
		_, found, err := tree.Lookup(e.Label)
		ok(err, !found)
		next, err := tree.Insert([]index.Entry{e})
		ok(err, err != nil || next.Root() == roots[len(there)+1000*(i+1)])
	}
	next, err := tree.Insert(entries(5000, 200)) // more than the buckets hold
	ok(err, err != nil || next.Root() == roots[len(there)+5000])
	if err := tree.Check(); (err != nil) != (damaged > 0) {
		t.Fatalf("%d answers were refused, Check said: %v", damaged, err)
	}
	return damaged
}

// TestForgedLog changes an entry in the log and its checksum with it.
func TestForgedLog(t *testing.T) {
	dir, _, _ := rebuilt(t, 60)
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	record := b[108:]
	record[8+4+40] ^= 1
	binary.BigEndian.PutUint32(record[4:], crc32.Checksum(record[8:], crc32.MakeTable(crc32.Castagnoli)))
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := index.Open(index.Config{Dir: dir}); !errors.Is(err, index.ErrDamaged) {
		t.Errorf("a log whose entries do not give its root: %v", err)
	}
}

// TestShortGeneration cuts a generation while it is in use, and before it is.
func TestShortGeneration(t *testing.T) {
	dir, _, _ := small(t, 60)
	files, err := filepath.Glob(filepath.Join(dir, "*.gen"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, index.Config{Dir: dir})
	for n := info.Size() - 1; n >= 0; n-- {
		if err := os.Truncate(files[0], n); err != nil {
			t.Fatal(err)
		}
		if _, err := index.Open(index.Config{Dir: dir, ReadOnly: true}); !errors.Is(err, index.ErrDamaged) {
			t.Fatalf("a generation of %d bytes instead of %d: %v", n, info.Size(), err)
		}
	}
	if err := s.Tree().Check(); !errors.Is(err, index.ErrDamaged) {
		t.Errorf("the file was cut, and the tree over it says %v", err)
	}
	mustClose(t, s)
	if err := index.Discard(dir); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, index.Config{Dir: dir})
	if s.Tree().Len() != 0 || s.Mark() != nil {
		t.Error("an index that was discarded has labels")
	}
	mustClose(t, s)
}

// TestAccept opens at a version before the newest.
func TestAccept(t *testing.T) {
	dir, all, commits := small(t, 80)
	for _, want := range slices.Backward(commits) {
		s, err := index.Open(index.Config{Dir: dir, Accept: func(m []byte) bool { return marked(m) <= want }})
		if errors.Is(err, index.ErrNoMark) && want < 40 {
			return // before the generation
		}
		if err != nil {
			t.Fatal(err)
		}
		if marked(s.Mark()) != want || s.Tree().Root() != naiveRoot(all[:want], 0) {
			t.Fatalf("opened with %d labels instead of %d", marked(s.Mark()), want)
		}
		mustClose(t, s)
	}
	t.Error("versions from before the generation were opened")
}

// TestRebuild replaces what there is by a tree that was built in memory.
func TestRebuild(t *testing.T) {
	for _, n := range []uint64{0, 1, 16, 17, 500, 5000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			dir := t.TempDir()
			all := entries(0, n+50)
			var b index.Builder
			for _, e := range all[:n] {
				b.Add(e)
			}
			tree, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, index.Config{Dir: dir})
			if err := s.Rebuild(tree, mark(int(n))); err != nil {
				t.Fatal(err)
			}
			mustCommit(t, s, all[n:])
			mustClose(t, s)
			s = mustOpen(t, index.Config{Dir: dir})
			checkTree(t, s.Tree(), all, []events.Hash{entry(1 << 30).Label})
			mustClose(t, s)
		})
	}
}
