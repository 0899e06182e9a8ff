package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/eventstest"
)

// crashDir names the variable that makes a process the child of TestCrash.
const crashDir = "SHARETRAIL_TEST_CRASH_DIR"

const crashStreams = 4

func crashStream(i int) string { return fmt.Sprintf("crash-%d", i) }

// crashEvent is the event that stands at a revision, in every round.
func crashEvent(stream string, revision int64) events.Proposed {
	return eventstest.Event(fmt.Sprintf("%s at %d", stream, revision))
}

// appendUntilKilled opens a node, appends to several streams at once and prints
// a line for each acknowledged event. It does not return.
func appendUntilKilled(dir string) {
	ctx := context.Background()
	die := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	node, err := embedded.Open(ctx, embedded.Config{Path: dir})
	if err != nil {
		die(err)
	}
	store, err := esdb.Open(ctx, esdb.Config{Target: node.Target()})
	if err != nil {
		die(err)
	}
	for i := range crashStreams {
		go func() {
			stream := crashStream(i)
			head, err := store.Head(ctx, stream)
			for err == nil {
				if _, err = store.Append(ctx, stream, head, crashEvent(stream, int64(head)+1)); err == nil {
					head++
					fmt.Printf("%d %d\n", i, head) // one write: a line is whole or missing
				}
			}
			die(err)
		}()
	}
	select {}
}

// TestCrash kills a node with SIGKILL under load, three times over the same
// file, and checks that no acknowledged event is lost or out of place.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	acked := make([]int64, crashStreams) // last acknowledged revision
	for i := range acked {
		acked[i] = -1
	}
	for round := range 3 {
		lines := killAfter(t, dir, 50+rand.IntN(400), acked)
		node := openNode(t, embedded.Config{Path: dir})
		store := openStore(t, node.Target())
		for i := range acked {
			checkCrashed(t, store, crashStream(i), acked[i])
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		closeNode(t, node)
		t.Logf("round %d: %d events acknowledged before the kill", round, lines)
	}
}

// killAfter runs a child until it has acknowledged n events, kills it, and
// notes also what it acknowledged before the kill came.
func killAfter(t *testing.T, dir string, n int, acked []int64) (lines int) {
	t.Helper()
	tmp := t.TempDir() // the child cannot clean up after itself
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir, "TMPDIR="+tmp)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		var i int
		var revision int64
		if _, err := fmt.Sscanf(scanner.Text(), "%d %d", &i, &revision); err != nil {
			t.Fatalf("the child said %q", scanner.Text())
		}
		// The child may know more than was acknowledged to us last time.
		if revision <= acked[i] {
			t.Fatalf("%s: revision %d was acknowledged twice", crashStream(i), revision)
		}
		acked[i] = revision
		if lines++; lines == n {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child was not killed, it ended: %v", err)
	}
	return lines
}

// checkCrashed wants every event up to the acknowledged one. More may stand
// behind it, whole and in order: appends that lost only their answer.
func checkCrashed(t *testing.T, store *esdb.Store, stream string, acked int64) {
	t.Helper()
	next := int64(0)
	for e, err := range store.Read(t.Context(), stream, 0, esdb.All) {
		if err != nil {
			t.Fatal(err)
		}
		want := crashEvent(stream, next)
		if e.Revision != uint64(next) || e.ID != want.ID || string(e.Data) != string(want.Data) {
			t.Fatalf("%s holds %s at %d, want %s at %d", stream, e.ID, e.Revision, want.ID, next)
		}
		next++
	}
	if next <= acked {
		t.Fatalf("%s holds %d events, but revision %d was acknowledged", stream, next, acked)
	}
}
