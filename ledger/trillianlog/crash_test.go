package trillianlog_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/sharetrail/sharetrail/ledger/trillianlog"
	"github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

const crashPath = "SHARETRAIL_TEST_CRASH_PATH"

// addForEver is the child process: it reports each size after Add returned.
func addForEver(path string) {
	if err := addUntilKilled(context.Background(), path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func addUntilKilled(ctx context.Context, path string) error {
	server, err := embedded.Open(ctx, embedded.Config{Path: path})
	if err != nil {
		return err
	}
	log, err := trillianlog.Open(ctx, configFor(server))
	if err != nil {
		return err
	}
	next, _, err := log.Root(ctx)
	if err != nil {
		return err
	}
	for n := uint64(1); ; n = n%37 + 5 {
		if err := log.Add(ctx, next, leavesAt(next, n)); err != nil {
			return err
		}
		next += n
		fmt.Println(next)
	}
}

// TestKill kills a process in the middle of its additions and then finds
// everything it acknowledged. (The kernel survives; a power cut is not tested.)
func TestKill(t *testing.T) {
	path := newPath(t)
	for _, acknowledgements := range []int{2, 7, 15} {
		acknowledged := killAfter(t, path, acknowledgements)
		server := startServer(t, embedded.Config{Path: path})
		log := openLog(t, configFor(server))
		size := checkLog(t, log)
		if size < acknowledged {
			t.Errorf("%d leaves were acknowledged and %d are there", acknowledged, size)
		}
		if _, err := server.Verify(t.Context(), log.TreeID()); err != nil {
			t.Error(err)
		}
		mustAdd(t, log, size, leavesAt(size, 3)) // whatever the child left unintegrated
		checkLog(t, log)
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func killAfter(t *testing.T, path string, lines int) (acknowledged uint64) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashPath+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(out)
	for seen := 1; scan.Scan(); seen++ { // what it still wrote before it died counts
		if _, err := fmt.Sscan(scan.Text(), &acknowledged); err != nil {
			t.Fatalf("the child wrote %q: %v", scan.Text(), err)
		}
		if seen == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return acknowledged
}
