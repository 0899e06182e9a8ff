package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// neighbour is a cosigner that the demo runs as a process of its own, on the same
// machine. A real one is somebody else's: its key name says that this one is not.
type neighbour struct {
	Name string // in the policy
	Key  string // verifier key
	URL  string

	cmd   *exec.Cmd
	stdin io.Closer // when it closes, the process ends, however this one ended
	log   *os.File
}

// neighbourPatience is how long a neighbour may take to serve. One of a demo that
// was killed may still be ending.
const neighbourPatience = 20 * time.Second

// startNeighbour starts sharetrail-verify with what makes it a cosigner. Its
// directory holds its key, its state, its log and the address it had before.
func startNeighbour(ctx context.Context, verify []string, dir, name string, args ...string) (*neighbour, error) {
	key := filepath.Join(dir, "key")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("starting the demo's %s: %w", name, err)
	}
	if _, err := os.Stat(key); errors.Is(err, os.ErrNotExist) {
		args := append(verify[1:len(verify):len(verify)], "keygen", "--name", name+".example/on-this-machine", "--key", key)
		if out, err := exec.CommandContext(ctx, verify[0], args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("making the key of the demo's %s: %s %w", name, out, err)
		}
	}
	addressFile := filepath.Join(dir, "address")
	before, _ := os.ReadFile(addressFile) // the ledger knows it by this address
	var failed error
	for deadline := time.Now().Add(neighbourPatience); ; {
		for _, address := range []string{strings.TrimSpace(string(before)), "127.0.0.1:0"} {
			if address == "" {
				continue
			}
			n, err := runNeighbour(ctx, verify, dir, name, append([]string{args[0], "--listen", address, "--key", key, "--with-stdin"}, args[1:]...))
			if err == nil {
				return n, os.WriteFile(addressFile, []byte(strings.TrimPrefix(n.URL, "http://")+"\n"), 0o600)
			}
			failed = err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("starting the demo's %s: %w", name, failed)
		}
		select {
		case <-time.After(100 * time.Millisecond): // the process before may still hold its address
		case <-ctx.Done():
			return nil, fmt.Errorf("starting the demo's %s: %w", name, context.Cause(ctx))
		}
	}
}

func runNeighbour(ctx context.Context, verify []string, dir, name string, args []string) (*neighbour, error) {
	n := &neighbour{Name: name, cmd: exec.CommandContext(ctx, verify[0], append(verify[1:len(verify):len(verify)], args...)...)}
	logName := filepath.Join(dir, "log")
	var err error
	if n.log, err = os.OpenFile(logName, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	n.cmd.Stderr = n.log
	n.cmd.Cancel = func() error { return n.stdin.Close() }
	n.cmd.WaitDelay = 10 * time.Second
	stdin, err := n.cmd.StdinPipe()
	if err != nil {
		return nil, errors.Join(err, n.log.Close())
	}
	n.stdin = stdin
	stdout, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, stdin.Close(), n.log.Close())
	}
	// It says its key, and then where it serves.
	for said := bufio.NewScanner(stdout); n.URL == ""; {
		if !said.Scan() {
			return nil, fmt.Errorf("it does not serve: see %s: %w", logName, n.stop())
		}
		if url, ok := strings.CutPrefix(said.Text(), "Serving "); ok {
			n.URL = url
		} else {
			n.Key = said.Text() // the line before
		}
	}
	return n, nil
}

// stop ends the process.
func (n *neighbour) stop() error {
	return errors.Join(n.stdin.Close(), n.cmd.Wait(), n.log.Close())
}
