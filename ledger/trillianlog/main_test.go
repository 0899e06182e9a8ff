package trillianlog_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/internal/leaktest"
	"github.com/sharetrail/sharetrail/ledger/trillianlog"
	"github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPath); path != "" {
		addForEver(path)
	}
	leaktest.Main(m)
}

// leafAt is the leaf that belongs at an index in every test.
func leafAt(index uint64) trillianlog.Leaf {
	leaf := trillianlog.Leaf{Value: fmt.Appendf(nil, "leaf %d", index)}
	binary.BigEndian.PutUint64(leaf.EventID[:], index)
	return leaf
}

func leavesAt(first, count uint64) []trillianlog.Leaf {
	leaves := make([]trillianlog.Leaf, count)
	for i := range leaves {
		leaves[i] = leafAt(first + uint64(i))
	}
	return leaves
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "log.db") }

// startServer ends with the test, or earlier when the test closes it.
func startServer(t *testing.T, cfg embedded.Config) *embedded.Server {
	t.Helper()
	server, err := embedded.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func configFor(server *embedded.Server) trillianlog.Config {
	return trillianlog.Config{
		Conn:     server.Conn(),
		TreeName: "test",
		Integrate: func(ctx context.Context, id int64) error {
			_, err := server.Integrate(ctx, id)
			return err
		},
	}
}

func openLog(t *testing.T, cfg trillianlog.Config) *trillianlog.Log {
	t.Helper()
	log, err := trillianlog.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func mustAdd(t *testing.T, log *trillianlog.Log, first uint64, leaves []trillianlog.Leaf) {
	t.Helper()
	if err := log.Add(t.Context(), first, leaves); err != nil {
		t.Fatal(err)
	}
}

// reference is the same log computed by golang.org/x/mod.
type reference struct{ hashes []tlog.Hash }

func (r *reference) append(t *testing.T, index uint64, value []byte) {
	t.Helper()
	more, err := tlog.StoredHashes(int64(index), value, r)
	if err != nil {
		t.Fatal(err)
	}
	r.hashes = append(r.hashes, more...)
}

func (r *reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = r.hashes[x]
	}
	return out, nil
}

func (r *reference) root(t *testing.T, size uint64) tlog.Hash {
	t.Helper()
	hash, err := tlog.TreeHash(int64(size), r)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func referenceOf(t *testing.T, size uint64) *reference {
	t.Helper()
	r := new(reference)
	for i := range size {
		r.append(t, i, leafAt(i).Value)
	}
	return r
}

// checkLog reads the whole log back: every leaf is the one that belongs there,
// and they add up to the root.
func checkLog(t *testing.T, log *trillianlog.Log) (size uint64) {
	t.Helper()
	size, root, err := log.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	index := uint64(0)
	for value, err := range log.Leaves(t.Context(), 0, size) {
		if err != nil {
			t.Fatal(err)
		}
		if want := leafAt(index).Value; string(value) != string(want) {
			t.Fatalf("leaf %d is %q, want %q", index, value, want)
		}
		index++
	}
	if index != size {
		t.Fatalf("read %d leaves of %d", index, size)
	}
	if want := referenceOf(t, size).root(t, size); size > 0 && tlog.Hash(root) != want {
		t.Fatalf("the root of size %d is %x, want %v", size, root, want)
	}
	return size
}
