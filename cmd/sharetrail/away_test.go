package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	trillian "github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

// logServer is a Trillian log server with a signer, of another process for all that
// sharetrail knows, which can be taken away and brought back.
type logServer struct {
	socket, path string
	stop         func()
}

func newLogServer(t *testing.T) *logServer {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "st-") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &logServer{socket: filepath.Join(dir, "log.sock"), path: filepath.Join(dir, "log.db")}
}

func (s *logServer) address() string { return "unix://" + s.socket }

func (s *logServer) start(t *testing.T) {
	t.Helper()
	server, err := trillian.Open(t.Context(), trillian.Config{Path: s.path})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := server.Serve(l); err != nil {
			t.Error(err)
		}
	})
	running.Go(func() { // the signer
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := server.IntegrateAll(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		running.Wait()
	})
	t.Cleanup(s.stop)
}

// TestLogServerAway takes the log server away from a running ledger and from one
// that starts. What is recorded meanwhile is accepted, status says what it waits
// for, and a start waits as long as it was told.
func TestLogServerAway(t *testing.T) {
	t.Parallel()
	log := newLogServer(t)
	dir := filepath.Join(t.TempDir(), "data")
	initArgs := []string{"init", "--data", dir, "--id", "acme", "--origin", "sharetrail.example/acme", "--trillian", log.address()}
	_, stderr, code := sharetrail(t, append(initArgs, "--patience", "100ms")...)
	for _, want := range []string{log.address(), "has not answered for 100ms", "start it, or name another with --trillian"} {
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Fatalf("without a log server: exit %d, and not %q: %s", code, want, stderr)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	log.start(t)
	must(t, initArgs...)
	p := startServe(t, dir)
	first := p.record("first", share(person, "with the log server"))

	log.stop()
	pos, err := p.client.Record(t.Context(), "second", "accepted", share(person, "without it"))
	if err != nil {
		t.Fatalf("recording without the log server: %v", err)
	}
	for {
		out, stderr, code := sharetrail(t, "status", "--data", dir)
		if code == exitNo && strings.Contains(out, "waiting") && strings.Contains(out, "the log server") {
			break
		}
		if code == exitUsage {
			t.Fatalf("status exits with %d: %s%s", code, out, stderr)
		}
	}
	log.start(t)
	p.await(pos.Index)
	if again := p.record("first", share(person, "with the log server")); !again.Repeat || again.Index != first.Index {
		t.Errorf("the first share is %+v, was %+v", again, first)
	}
	if s := p.status(); s.Waiting != "" {
		t.Errorf("it still waits: %s", s.Waiting)
	}
	if err := p.signal(os.Interrupt); err != nil {
		t.Errorf("stopping: %v\n%s", err, &p.stderr)
	}

	log.stop()
	if _, stderr, code := sharetrail(t, "status", "--data", dir, "--patience", "100ms"); code != exitUsage || !strings.Contains(stderr, "has not answered for 100ms") {
		t.Errorf("a start without the log server: exit %d: %s", code, stderr)
	}
	began := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		close(began)
		must(t, "status", "--data", dir, "--patience", "10m")
	})
	<-began
	log.start(t)
	all.Wait()
	must(t, "fsck", "--data", dir)
}
