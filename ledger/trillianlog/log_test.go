package trillianlog_test

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/google/trillian"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/ledger/trillianlog"
	"github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

// TestThousandLeaves compares every root, every proof of the last size and many
// of earlier ones with an independent implementation.
func TestThousandLeaves(t *testing.T) {
	server := startServer(t, embedded.Config{Path: newPath(t)})
	log := openLog(t, configFor(server))
	ctx := t.Context()

	const total = 1000
	ref := referenceOf(t, total)
	sizes := []uint64{0}
	for i, first := 0, uint64(0); first < total; i++ {
		n := min([]uint64{1, 2, 3, 7, 31, 1, 64, 65, 127}[i%9], total-first)
		mustAdd(t, log, first, leavesAt(first, n))
		first += n
		size, root, err := log.Root(ctx)
		if err != nil || size != first || tlog.Hash(root) != ref.root(t, first) {
			t.Fatalf("after %d leaves the root is %x of size %d, %v", first, root, size, err)
		}
		sizes = append(sizes, first)
	}
	checkLog(t, log)
	checkInclusion(t, log, ref, total, 1)
	for _, size := range sizes[1 : len(sizes)-1] {
		checkInclusion(t, log, ref, size, 1+size/3)
	}
	for i, from := range sizes {
		checkConsistency(t, log, ref, from, total)
		checkConsistency(t, log, ref, from, sizes[min(i+1, len(sizes)-1)])
	}
	if size, err := server.Verify(ctx, log.TreeID()); size != total || err != nil {
		t.Errorf("Verify() = %d, %v", size, err)
	}
}

func checkInclusion(t *testing.T, log *trillianlog.Log, ref *reference, size, step uint64) {
	t.Helper()
	var indices []uint64
	for i := uint64(0); i < size; i += step {
		indices = append(indices, i)
	}
	paths, err := log.Inclusions(t.Context(), indices, size)
	if err != nil {
		t.Error(err)
		return
	}
	for i, index := range indices {
		err := tlog.CheckRecord(tlog.RecordProof(hashes(paths[i])), int64(size), ref.root(t, size), int64(index), tlog.RecordHash(leafAt(index).Value))
		if err != nil {
			t.Errorf("leaf %d in size %d: %v", index, size, err)
		}
	}
}

func checkConsistency(t *testing.T, log *trillianlog.Log, ref *reference, from, to uint64) {
	t.Helper()
	path, err := log.Consistency(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	if from == 0 {
		if len(path) != 0 {
			t.Errorf("a proof of %d hashes from size 0", len(path))
		}
		return
	}
	if err := tlog.CheckTree(tlog.TreeProof(hashes(path)), int64(to), ref.root(t, to), int64(from), ref.root(t, from)); err != nil {
		t.Errorf("size %d from %d: %v", to, from, err)
	}
}

func hashes(path [][sha256.Size]byte) []tlog.Hash {
	out := make([]tlog.Hash, len(path))
	for i, h := range path {
		out[i] = h
	}
	return out
}

// TestReadersBesideAdd proves and reads under whatever root is current while
// the log grows.
func TestReadersBesideAdd(t *testing.T) {
	log := openLog(t, configFor(startServer(t, embedded.Config{Path: newPath(t)})))
	const total = 200
	ref := referenceOf(t, total)
	mustAdd(t, log, 0, leavesAt(0, 1))
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for size := uint64(0); size < total && !t.Failed(); {
				var root [sha256.Size]byte
				var err error
				if size, root, err = log.Root(t.Context()); err != nil || tlog.Hash(root) != ref.root(t, size) {
					t.Errorf("Root() = %d, %x, %v", size, root, err)
				}
				checkInclusion(t, log, ref, size, size/2+1)
				for value, err := range log.Leaves(t.Context(), size-1, 1) {
					if err != nil || string(value) != string(leafAt(size-1).Value) {
						t.Errorf("leaf %d is %q, %v", size-1, value, err)
					}
				}
			}
		})
	}
	for first := uint64(1); first < total; {
		n := min(7, total-first)
		if err := log.Add(t.Context(), first, leavesAt(first, n)); err != nil {
			t.Error(err)
			break
		}
		first += n
	}
	readers.Wait()
}

func TestEmptyLog(t *testing.T) {
	log := openLog(t, configFor(startServer(t, embedded.Config{Path: newPath(t)})))
	size, root, err := log.Root(t.Context())
	if err != nil || size != 0 || root != sha256.Sum256(nil) {
		t.Errorf("Root() = %d, %x, %v", size, root, err)
	}
	if path, err := log.Consistency(t.Context(), 0, 0); err != nil || len(path) != 0 {
		t.Errorf("Consistency(0, 0) = %v, %v", path, err)
	}
	mustAdd(t, log, 0, nil)
	for range log.Leaves(t.Context(), 0, 0) {
		t.Error("a leaf in an empty range")
	}
}

// TestBeyond asks for what the log does not have, which Trillian itself answers
// with success.
func TestBeyond(t *testing.T) {
	log := openLog(t, configFor(startServer(t, embedded.Config{Path: newPath(t)})))
	mustAdd(t, log, 0, leavesAt(0, 10))
	ctx := t.Context()
	last := func(first, count uint64) (err error) {
		for _, err = range log.Leaves(ctx, first, count) {
		}
		return err
	}
	inclusion := func(index, size uint64) error { _, err := log.Inclusion(ctx, index, size); return err }
	consistency := func(from, to uint64) error { _, err := log.Consistency(ctx, from, to); return err }
	_, many := log.Inclusions(ctx, []uint64{0, 1, 10}, 11)
	for name, err := range map[string]error{
		"inclusion in a larger tree":     inclusion(3, 11),
		"inclusion of an index at size":  inclusion(10, 10),
		"inclusion in the empty tree":    inclusion(0, 0),
		"inclusion in a huge tree":       inclusion(0, 1<<63),
		"inclusions":                     many,
		"consistency with a larger tree": consistency(3, 11),
		"consistency from 0":             consistency(0, 11),
		"consistency of equal sizes":     consistency(11, 11),
		"consistency backwards":          consistency(4, 3),
		"leaves over the end":            last(8, 3),
		"leaves after the end":           last(10, 1),
		"leaves beyond all":              last(1<<63, 1),
		"leaves that wrap around":        last(5, 1<<64-2),
	} {
		if !errors.Is(err, trillianlog.ErrBeyond) {
			t.Errorf("%s: %v, want ErrBeyond", name, err)
		}
	}
}

func TestReplay(t *testing.T) {
	log := openLog(t, configFor(startServer(t, embedded.Config{Path: newPath(t)})))
	mustAdd(t, log, 0, leavesAt(0, 50))
	mustAdd(t, log, 0, leavesAt(0, 50))   // whole
	mustAdd(t, log, 10, leavesAt(10, 1))  // one
	mustAdd(t, log, 40, leavesAt(40, 30)) // over the end
	if size := checkLog(t, log); size != 70 {
		t.Errorf("the log has %d leaves, want 70", size)
	}
}

// TestSameBytes adds one payload at many indices: the identity hash has to tell
// them apart.
func TestSameBytes(t *testing.T) {
	log := openLog(t, configFor(startServer(t, embedded.Config{Path: newPath(t)})))
	leaves := make([]trillianlog.Leaf, 20)
	for i := range leaves {
		leaves[i].Value = []byte("the same")
	}
	mustAdd(t, log, 0, leaves)
	mustAdd(t, log, 20, leaves)
	if size, _, err := log.Root(t.Context()); size != 40 || err != nil {
		t.Errorf("the log has %d leaves, %v; want 40", size, err)
	}
}

func TestMismatch(t *testing.T) {
	log := openLog(t, configFor(startServer(t, embedded.Config{Path: newPath(t)})))
	mustAdd(t, log, 0, leavesAt(0, 20))
	other := leavesAt(15, 10)
	other[2].Value = []byte("not leaf 17")
	err := log.Add(t.Context(), 15, other)
	if !errors.Is(err, trillianlog.ErrMismatch) {
		t.Fatalf("Add() = %v, want ErrMismatch", err)
	}
	if want := "adding leaves 15 to 24: leaf 17: the log holds a different leaf"; err.Error() != want {
		t.Errorf("Add() = %q, want %q", err, want)
	}
	checkLog(t, log) // nothing was overwritten
}

func TestInvalidLeaves(t *testing.T) {
	log := openLog(t, configFor(startServer(t, embedded.Config{Path: newPath(t)})))
	if err := log.Add(t.Context(), 0, []trillianlog.Leaf{{}}); err == nil {
		t.Error("an empty leaf was added")
	}
	if err := log.Add(t.Context(), 1<<64-1, leavesAt(0, 2)); err == nil {
		t.Error("an index wrapped around")
	}
}

// TestGap: the client refuses leaves beyond a hole; leaves that somebody else
// put there stay out of the tree until the hole is filled.
func TestGap(t *testing.T) {
	server := startServer(t, embedded.Config{Path: newPath(t)})
	log := openLog(t, configFor(server))
	mustAdd(t, log, 0, leavesAt(0, 5))
	if err := log.Add(t.Context(), 7, leavesAt(7, 3)); !errors.Is(err, trillianlog.ErrGap) {
		t.Errorf("Add() = %v, want ErrGap", err)
	}

	req := &trillian.AddSequencedLeavesRequest{LogId: log.TreeID()}
	for i := uint64(7); i < 10; i++ {
		req.Leaves = append(req.Leaves, &trillian.LogLeaf{LeafIndex: int64(i), LeafValue: leafAt(i).Value})
	}
	if _, err := trillian.NewTrillianLogClient(server.Conn()).AddSequencedLeaves(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if n, err := server.Integrate(t.Context(), log.TreeID()); n != 0 || err != nil {
		t.Errorf("Integrate() = %d, %v; want 0", n, err)
	}
	for _, err := range log.Leaves(t.Context(), 4, 4) { // stored beyond the root: not ours to show
		if err != nil && !errors.Is(err, trillianlog.ErrBeyond) {
			t.Error(err)
		}
	}
	if err := log.Add(t.Context(), 7, leavesAt(7, 3)); !errors.Is(err, trillianlog.ErrGap) {
		t.Errorf("Add() = %v, want ErrGap", err)
	}
	mustAdd(t, log, 5, leavesAt(5, 2))
	if size := checkLog(t, log); size != 10 {
		t.Errorf("the log has %d leaves, want 10", size)
	}
}

func TestRestart(t *testing.T) {
	path := newPath(t)
	var id int64
	var size uint64
	var root [sha256.Size]byte
	for round := range uint64(3) {
		server := startServer(t, embedded.Config{Path: path})
		log := openLog(t, configFor(server))
		gotSize, gotRoot, err := log.Root(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if round > 0 && (log.TreeID() != id || gotSize != size || gotRoot != root) {
			t.Errorf("round %d: tree %d, size %d, root %x", round, log.TreeID(), gotSize, gotRoot)
		}
		id = log.TreeID()
		mustAdd(t, log, gotSize, leavesAt(gotSize, 10+round))
		if size, root, err = log.Root(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkLog(t, log)
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamage edits the file between two runs; embedded's own tests say which
// edit is noticed where.
func TestDamage(t *testing.T) {
	for name, statement := range map[string]string{
		"another value": "UPDATE leaves SET value = x'00' WHERE seq = 2",
		"no leaf":       "DELETE FROM leaves WHERE seq = 2",
		"no node":       "DELETE FROM nodes WHERE level = 1 AND idx = 0",
	} {
		path := newPath(t)
		server := startServer(t, embedded.Config{Path: path})
		mustAdd(t, openLog(t, configFor(server)), 0, leavesAt(0, 5))
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.ExecContext(t.Context(), "DROP TRIGGER leaves_update; DROP TRIGGER leaves_delete; DROP TRIGGER nodes_delete; "+statement)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		log := openLog(t, configFor(startServer(t, embedded.Config{Path: path})))
		_, damage := log.Inclusion(t.Context(), 2, 5) // by way of node 0 of level 1
		for _, err := range log.Leaves(t.Context(), 0, 5) {
			damage = errors.Join(damage, err)
		}
		if !errors.Is(damage, trillianlog.ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, damage)
		}
	}
}
