package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sharetrail/sharetrail/internal/api"
)

// smallDisk mounts a disk of a few megabytes.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Skipf("mounting a small disk wants root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all the space there is, and returns how to give it back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

// move puts a file or directory of a data directory on another disk, with what
// belongs to it.
func move(t *testing.T, dir, name, disk string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", filepath.Join(dir, name), disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, name)), os.Symlink(filepath.Join(disk, name), filepath.Join(dir, name))); err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull fills the disk of each file under a running server. The server says
// so and stays; when there is space again it goes on by itself, and nothing is lost
// or needs repair.
func TestDiskFull(t *testing.T) {
	for name, refuses := range map[string]bool{
		"events.db": true, "keys.db": true, "log.db": true,
		"state.db": false, "index": false, "views": false, // which cost time only: recording goes on
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := smallDisk(t)
			dir := newLedger(t)
			must(t, recordArgs(dir, person)...)
			move(t, dir, name, disk)
			testFull(t, dir, disk, refuses)
		})
	}
}

func recordArgs(dir, subject string) []string {
	return []string{"record", "--data", dir, "--subject", subject, "--recipient", "org:a", "--recipient-name", "A", "--country", "DE",
		"--category", "processor", "--reason", "consent", "--shared", "name", "--statement", "s/1", "--wait", "published"}
}

func testFull(t *testing.T, dir, disk string, refuses bool) {
	p := startServe(t, dir)
	recorded := map[string]uint64{}
	// Each share is about somebody new and long, so that every file has to grow.
	record := func(n int) error {
		key := fmt.Sprint("full-", n)
		pos, err := p.client.Record(t.Context(), key, "accepted", share(fmt.Sprintf("email:p%d@example.com", n), strings.Repeat("x", 2000)))
		if err == nil {
			recorded[key] = pos.Index
		}
		return err
	}
	if err := record(0); err != nil {
		t.Fatal(err)
	}
	p.await(recorded["full-0"])
	free := fill(t, disk)
	n, refused := 1, error(nil)
	for ; refused == nil && (refuses || n < 60); n++ { // the log is behind, and says so later
		refused = record(n)
	}
	if refuses {
		wantProblem(t, "a full disk", refused, http.StatusInsufficientStorage, "no space is left", "free some", "same key")
	} else if refused != nil {
		t.Errorf("recording stopped: %v", refused)
	}
	if _, err := p.client.Status(t.Context()); err != nil {
		t.Fatalf("the server is gone: %v", err)
	}
	free()
	for ; ; n++ { // the log looks again once a second
		err := record(n)
		if err == nil {
			break
		}
		wantProblem(t, "after the disk was full", err, http.StatusInsufficientStorage)
		if t.Failed() {
			t.FailNow()
		}
	}
	for key, index := range recorded {
		if _, err := fmt.Sscanf(key, "full-%d", &n); err != nil {
			t.Fatal(err)
		}
		if err := record(n); err != nil || recorded[key] != index {
			t.Errorf("%s was leaf %d and is %d, %v", key, index, recorded[key], err)
		}
	}
	p.await(recorded["full-0"])
	if s := p.status(); s.Blocked != "" || s.Published != s.Accepted {
		t.Errorf("afterwards the status is %+v", s)
	}
	if err := p.signal(os.Interrupt); err != nil {
		t.Errorf("stopping: %v\n%s", err, &p.stderr)
	}
	must(t, "fsck", "--data", dir)
}

// startServe runs serve on a ledger.
func startServe(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, client: api.NewClient(dir), ended: make(chan error, 1)}
	p.cmd = exec.Command("sharetrail", append([]string{"serve", "--data", dir, "--tick", "20ms"}, args...)...)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	line := make([]byte, len("Serving "))
	if _, err := io.ReadFull(stdout, line); err != nil {
		t.Fatalf("it does not serve: %v, %v\n%s", err, p.cmd.Wait(), &p.stderr)
	}
	go func() {
		io.Copy(io.Discard, stdout)
		p.ended <- p.cmd.Wait()
	}()
	return p
}

// await waits until a leaf is published and projected.
func (p *process) await(index uint64) {
	p.t.Helper()
	for {
		s, err := p.client.Status(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		done := s.Published > index
		for _, m := range s.Projections {
			done = done && m.Next > index
		}
		if done {
			return
		}
	}
}
