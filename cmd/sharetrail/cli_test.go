package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sharetrail/sharetrail/internal/api"
)

// sharetrail runs the program and returns what it says.
func sharetrail(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sharetrail", args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, stderr, code := sharetrail(t, args...)
	if code != 0 {
		t.Fatalf("%v: exit %d\n%s%s", args, code, out, stderr)
	}
	return out
}

func newLedger(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	must(t, "init", "--data", dir, "--id", "acme", "--origin", "sharetrail.example/acme")
	return dir
}

// TestBesideServer: while a server runs, the stateful verbs talk to it and the
// others say that it runs.
func TestBesideServer(t *testing.T) {
	t.Parallel()
	dir := newLedger(t)
	cmd := exec.CommandContext(t.Context(), "sharetrail", "serve", "--data", dir, "--tick", "50ms")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "Serving sharetrail.example/acme: /v1 on "+dir) {
		t.Fatalf("%q, %v", line, err)
	}
	client := api.NewClient(dir)
	defer client.Close()
	recordArgs := []string{"record", "--data", dir, "--subject", person, "--recipient", "org:a", "--recipient-name", "A", "--country", "DE",
		"--category", "processor", "--reason", "consent", "--shared", "name", "--statement", "s/1", "--wait", "published"}
	must(t, recordArgs...)
	s, err := client.Status(t.Context())
	if err != nil || s.Published < 3 {
		t.Errorf("the server knows of %+v, %v", s, err)
	}
	must(t, "report", "--data", dir, "--id", person, "--verify", "-o", filepath.Join(t.TempDir(), "r"))
	for _, verb := range []string{"serve", "fsck"} {
		_, stderr, code := sharetrail(t, verb, "--data", dir)
		if code != exitUsage || !strings.Contains(stderr, "another sharetrail runs on "+dir+"; stop it") {
			t.Errorf("%s: exit %d: %s", verb, code, stderr)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	must(t, "fsck", "--data", dir)
}

// TestVerbsBesideEachOther: without a server one verb at a time has the ledger,
// the others wait for it; none fails and none is lost.
func TestVerbsBesideEachOther(t *testing.T) {
	t.Parallel()
	dir := newLedger(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[uint64]bool{}
	for range 6 {
		all.Go(func() {
			out, stderr, code := sharetrail(t, "record", "--data", dir, "--subject", person, "--recipient", "org:a", "--recipient-name", "A",
				"--country", "DE", "--category", "processor", "--reason", "consent", "--shared", "name", "--statement", "s/1", "--json", "--patience", "10m")
			var p api.Position
			if err := json.Unmarshal([]byte(out), &p); code != 0 || err != nil {
				t.Errorf("exit %d, %v: %s%s", code, err, out, stderr)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if seen[p.Index] {
				t.Errorf("leaf %d is told twice", p.Index)
			}
			seen[p.Index] = true
		})
	}
	all.Wait()
	if len(seen) != 6 {
		t.Errorf("%d of 6 recorded", len(seen))
	}
	must(t, "fsck", "--data", dir)
}
