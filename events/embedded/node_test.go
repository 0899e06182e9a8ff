package embedded_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/eventstest"
	"github.com/sharetrail/sharetrail/internal/leaktest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		appendUntilKilled(dir) // this process is the child of TestCrash
	}
	leaktest.Main(m)
}

func openNode(t *testing.T, c embedded.Config) *embedded.Node {
	t.Helper()
	node, err := embedded.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNode(t, node) })
	return node
}

func closeNode(t *testing.T, node *embedded.Node) {
	t.Helper()
	if err := node.Close(); err != nil {
		t.Error(err)
	}
}

func openStore(t *testing.T, target string) *esdb.Store {
	t.Helper()
	store, err := esdb.Open(t.Context(), esdb.Config{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// socketDir is a directory that only its owner may enter, with a short path.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "st-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// checkStream reads the stream and wants these events and no others.
func checkStream(t *testing.T, store *esdb.Store, stream string, want []events.Proposed) {
	t.Helper()
	var got []events.Recorded
	for e, err := range store.Read(t.Context(), stream, 0, esdb.All) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if len(got) != len(want) {
		t.Fatalf("stream %s holds %d events, want %d", stream, len(got), len(want))
	}
	for i, e := range got {
		if e.Revision != uint64(i) || e.ID != want[i].ID || string(e.Data) != string(want[i].Data) {
			t.Fatalf("stream %s holds %s at %d, want %s", stream, e.ID, e.Revision, want[i].ID)
		}
	}
}

func mustAppend(t *testing.T, store *esdb.Store, stream string, expected events.Expected, evs ...events.Proposed) {
	t.Helper()
	if _, err := store.Append(t.Context(), stream, expected, evs...); err != nil {
		t.Fatal(err)
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	first, second := eventstest.Events("first", 300), eventstest.Events("second", 40)
	for round := range 3 {
		node := openNode(t, embedded.Config{Path: dir})
		store := openStore(t, node.Target())
		checkStream(t, store, "first", first[:100*round])
		checkStream(t, store, "second", second[:10*round])
		mustAppend(t, store, "first", events.Expected(100*round-1), first[100*round:100*(round+1)]...)
		mustAppend(t, store, "second", events.Expected(10*round-1), second[10*round:10*(round+1)]...)
		// A repeat is recognised also when the original is of another run.
		mustAppend(t, store, "first", events.NoStream, first[:100]...)
		closeNode(t, node)
		closeNode(t, node)
		if info, err := os.Stat(filepath.Join(dir, "events.db-wal")); err == nil && info.Size() > 0 {
			t.Fatalf("the WAL has %d bytes after Close", info.Size())
		}
	}
}

// TestFollowAcrossRestart restarts the node under a follower, which must see
// each event once, whether it was appended before, between or after.
func TestFollowAcrossRestart(t *testing.T) {
	const rounds, each = 4, 50
	config := embedded.Config{Path: t.TempDir(), Socket: filepath.Join(socketDir(t), "es.sock")}
	all := eventstest.Events("restart", rounds*each)
	node := openNode(t, config)
	store := openStore(t, node.Target())

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	revisions := make(chan uint64)
	followed := make(chan error, 1)
	go func() {
		defer close(revisions)
		for e, err := range store.Follow(ctx, "restart", 0) {
			if err != nil {
				followed <- err
				return
			}
			if want := all[e.Revision]; e.ID != want.ID {
				followed <- fmt.Errorf("revision %d is %s, want %s", e.Revision, e.ID, want.ID)
				return
			}
			revisions <- e.Revision
			if e.Revision == uint64(len(all)-1) {
				followed <- nil
				return
			}
		}
	}()
	next := 0
	for round := range rounds {
		for at := round * each; at < (round+1)*each; at++ {
			mustAppend(t, store, "restart", events.Expected(at-1), all[at])
		}
		// Half of the round is seen before the restart, the rest after it.
		for want := next + each; next < want-each/2; next++ {
			if got := <-revisions; got != uint64(next) {
				t.Fatalf("followed revision %d, want %d", got, next)
			}
		}
		if round < rounds-1 {
			closeNode(t, node)
			node = openNode(t, config)
		}
	}
	for revision := range revisions {
		if revision != uint64(next) {
			t.Fatalf("followed revision %d, want %d", revision, next)
		}
		next++
	}
	if err := <-followed; err != nil || next != len(all) {
		t.Fatalf("followed %d events: %v", next, err)
	}
}

// TestAppendAcrossRestart keeps appending while the node goes and comes.
func TestAppendAcrossRestart(t *testing.T) {
	config := embedded.Config{Path: t.TempDir(), Socket: filepath.Join(socketDir(t), "es.sock")}
	all := eventstest.Events("steady", 400)
	node := openNode(t, config)
	store := openStore(t, node.Target())
	reached := make(chan int, len(all))
	go func() {
		defer close(reached)
		for at, e := range all {
			if _, err := store.Append(t.Context(), "steady", events.Expected(at-1), e); err != nil {
				t.Error(err)
				return
			}
			reached <- at
		}
	}()
	for at := range reached {
		if at%150 == 100 {
			closeNode(t, node)
			node = openNode(t, config)
		}
	}
	checkStream(t, store, "steady", all)
}

func TestSocketIsPrivate(t *testing.T) {
	node := openNode(t, embedded.Config{Path: t.TempDir()})
	path := node.Target()[len("unix://"):]
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	closeNode(t, node)
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("the directory of the socket is left: %v", err)
	}
}

func TestSocketRefused(t *testing.T) {
	dir := socketDir(t)
	socket := filepath.Join(dir, "es.sock")
	openNode(t, embedded.Config{Path: t.TempDir(), Socket: socket})
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{socket, filepath.Join(open, "es.sock"), filepath.Join(dir, fmt.Sprintf("%0200d", 0))} {
		if node, err := embedded.Open(t.Context(), embedded.Config{Path: t.TempDir(), Socket: path}); err == nil {
			node.Close()
			t.Errorf("a node listens on %s", path)
		}
	}
}
