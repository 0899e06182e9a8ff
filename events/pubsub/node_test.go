package pubsub_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/internal/leaktest"
)

// TestMain also makes other programs of the test binary: a node that can be
// killed, the command by which Watermill's suite does so, and a consumer that
// can be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch dir := os.Args[2]; os.Args[1] {
		case "serve-node":
			exit(serveNode(dir))
		case "restart-node":
			exit(askForRestart(dir))
		case "consume":
			exit(consumeUntilKilled(dir))
		}
	}
	// Watermill's suite leaves its own behind: collectors that nobody closes, and
	// forwarders of messages that nobody reads any more.
	const watermill = "github.com/ThreeDotsLabs/watermill"
	leaktest.Main(m,
		goleak.IgnoreAnyFunction(watermill+"/pubsub/tests.TestReconnect.func2"),
		goleak.IgnoreAnyFunction(watermill+"/internal/subscriber.(*multiplier).Subscribe.func2"),
		goleak.IgnoreAnyFunction(watermill+"/internal/subscriber.(*multiplier).Subscribe.func3"))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// orphan ends the program when its parent does: the pipe breaks.
func orphan() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

func socketIn(dir string) string { return filepath.Join(dir, "es.sock") }

func serveNode(dir string) error {
	_, err := embedded.Open(context.Background(), embedded.Config{Path: dir, Socket: socketIn(dir)})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	orphan()
	return nil
}

// askForRestart is the command of the suite: the test process, whose child the
// node is, does the work.
func askForRestart(dir string) error {
	conn, err := net.Dial("unix", filepath.Join(dir, "ctl.sock"))
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if answer != "restarted\n" {
		return errors.Join(fmt.Errorf("restarting the node: %q", answer), err)
	}
	return nil
}

// nodeProcess is a node in a process of its own.
type nodeProcess struct {
	dir string

	mu    sync.Mutex
	cmd   *exec.Cmd
	stdin io.Closer
}

// startNode starts a node that ends with the test.
func startNode(t *testing.T) *nodeProcess {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "st-") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	n := &nodeProcess{dir: dir}
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	control, err := net.Listen("unix", filepath.Join(dir, "ctl.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { n.control(control) })
	t.Cleanup(func() {
		control.Close()
		serving.Wait()
		n.kill()
		os.RemoveAll(dir)
	})
	return n
}

func (n *nodeProcess) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	cmd, stdin, stdout, err := spawn("serve-node", n.dir)
	if err != nil {
		return err
	}
	n.cmd, n.stdin = cmd, stdin
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line != "ready\n" {
		return errors.Join(fmt.Errorf("starting the node: it said %q", line), err)
	}
	return nil
}

// spawn runs this binary as one of its other programs.
func spawn(args ...string) (*exec.Cmd, io.WriteCloser, io.Reader, error) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	return cmd, stdin, stdout, cmd.Start()
}

// kill is kill -9.
func (n *nodeProcess) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cmd.Process.Kill()
	n.cmd.Wait()
	n.stdin.Close()
}

func (n *nodeProcess) restart() error {
	n.kill()
	return n.start()
}

func (n *nodeProcess) control(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		answer := "restarted"
		if err := n.restart(); err != nil {
			answer = err.Error()
		}
		fmt.Fprintln(conn, answer)
		conn.Close()
	}
}

// connect returns a client of the node, closed with the test.
func (n *nodeProcess) connect(t *testing.T) *esdb.Store {
	t.Helper()
	store, err := connect(n.dir, zap.NewNop())
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

func connect(dir string, logger *zap.Logger) (*esdb.Store, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return esdb.Open(ctx, esdb.Config{Target: "unix://" + socketIn(dir), Logger: logger})
}
