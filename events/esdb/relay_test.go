package esdb_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay passes bytes between clients and a node, and can cut every connection
// at once: what was under way is lost, in either direction.
type relay struct {
	listener net.Listener
	node     string
	group    sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	ended bool
}

func startRelay(t *testing.T, socket, node string) *relay {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, node: node, conns: make(map[net.Conn]bool)}
	r.group.Go(r.accept)
	t.Cleanup(func() {
		listener.Close()
		r.mu.Lock()
		r.ended = true
		r.mu.Unlock()
		r.cut()
		r.group.Wait()
	})
	return r
}

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", r.node)
		if err != nil || !r.keep(client, server) {
			client.Close()
			continue
		}
		r.group.Go(func() { pass(client, server) })
		r.group.Go(func() { pass(server, client) })
	}
}

// keep remembers a pair of connections for cut.
func (r *relay) keep(client, server net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		server.Close()
		return false
	}
	r.conns[client], r.conns[server] = true, true
	return true
}

func pass(from, to net.Conn) {
	io.Copy(to, from)
	from.Close()
	to.Close()
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
		delete(r.conns, c)
	}
}
