// Package embedded is a node that speaks the EventStoreDB protocol, inside this
// process and over SQLite files: the default event store, where the official
// client runs the same code path as against a cluster.
//
// It serves the published gRPC API as the official clients use it: append,
// read and subscribe, to a stream and to $all, with filters by prefix or RE2
// expression and with links resolved; stream metadata ($maxCount, $maxAge, $tb;
// others are stored); deletion and tombstones; batch append; persistent
// subscriptions; server features and gossip as a cluster of one. It has no
// users: $acl is stored and not enforced, the socket is the lock. It has no
// projections, operations, monitoring, TLS or HTTP, does not scavenge, and
// answers Unimplemented to all of that.
//
// What always holds: a write that was acknowledged is on disk, synced, whole
// and in its place; revisions of a stream run 0, 1, 2, ... without gaps; no
// event is ever changed or removed (the file refuses it by triggers), deletion
// and metadata only hide events, and $all shows them all; and a subscriber sees
// each event once and in order, after it is durable. A crash loses writes that
// were not acknowledged, whole ones only.
//
// It is no stricter than the real server where a caller might come to rely on
// it: an event id is not unique, only an append that names a revision is exact,
// a position is not a count, a persistent subscription delivers at least once.
package embedded

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// drainTime is how long Close waits for calls in flight.
const drainTime = 3 * time.Second

// Config says where a node keeps its events and who may come in.
type Config struct {
	// Path is the directory of events.db or, ending in .db, the file itself.
	// It is made if it is missing. The settings and checkpoints of persistent
	// subscriptions stand beside it, in events-groups.db; without that file
	// the groups are gone and the events are not. Only one node may have them
	// open.
	Path string

	// Socket is the path of the Unix socket; its directory must be closed to
	// other users, because the socket is the only lock on the door. Empty means
	// a socket in a new private temporary directory, which Close removes.
	Socket string

	// TCP is a loopback address with a port, such as 127.0.0.1:2113, at which
	// programs on this machine find the node too; port 0 takes a free one. It
	// has neither TLS nor passwords: every local user may read everything and
	// write what is not Protected. Empty means no such port.
	TCP string

	// Protected reports the streams that calls over TCP must not append to,
	// delete or describe by metadata; they are answered access denied. The
	// socket is not bound by it. Nil protects none. It is called from many
	// goroutines.
	Protected func(stream string) bool

	// Logger tells about failures of the disk. Nil means silence.
	Logger *zap.Logger

	// Now gives the time that events are stamped with. Nil means time.Now.
	Now func() time.Time
}

// Node is a running node. Its methods may be called from any goroutine.
type Node struct {
	journal *journal
	groups  *groups
	log     *zap.Logger
	doors   []*door
	cleanup func() error  // closes the file, removes the socket
	closing chan struct{} // closed by Close: subscriptions end

	once     sync.Once
	closeErr error
}

// door is one listener with its server. The first one is the socket.
type door struct {
	listener net.Listener
	server   *grpc.Server
	served   chan struct{} // closed when Serve has returned
}

// Open opens or creates the files and serves them. ctx limits the opening only.
func Open(ctx context.Context, c Config) (_ *Node, err error) {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	n := &Node{log: c.Logger, closing: make(chan struct{})}
	var undo []func() error
	n.cleanup = func() (err error) {
		for i := len(undo) - 1; i >= 0; i-- {
			err = errors.Join(err, undo[i]())
		}
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.cleanup())
		}
	}()
	f, err := openFile(ctx, c.Path)
	if err != nil {
		return nil, err
	}
	undo = append(undo, f.close)
	if n.journal, err = openJournal(ctx, f, c.Logger, c.Now); err != nil {
		return nil, err
	}
	undo = append(undo, n.journal.close)
	if n.groups, err = openGroups(ctx, n.journal, groupsPath(f.path)); err != nil {
		return nil, err
	}
	undo = append(undo, n.groups.close)
	socket, removeSocket, err := listen(ctx, c.Socket)
	if err != nil {
		return nil, err
	}
	undo = append(undo, removeSocket)
	n.open(socket, nil)
	if c.TCP != "" {
		port, err := listenTCP(ctx, c.TCP)
		if err != nil {
			return nil, errors.Join(err, socket.Close())
		}
		n.open(port, c.Protected)
	}
	for _, d := range n.doors {
		go n.serve(d)
	}
	return n, nil
}

// open adds a door through which the streams that closed reports are not
// written.
func (n *Node) open(listener net.Listener, closed func(string) bool) {
	s := &streamsServer{journal: n.journal, closing: n.closing, closed: closed}
	n.doors = append(n.doors, &door{listener: listener, server: newServer(s, n.groups, listener.Addr()), served: make(chan struct{})})
}

// Target is the gRPC address of the node: unix:///...
func (n *Node) Target() string { return "unix://" + n.doors[0].listener.Addr().String() }

// TCP is the address of the loopback port, host:port, or empty without one.
func (n *Node) TCP() string {
	if len(n.doors) == 1 {
		return ""
	}
	return n.doors[1].listener.Addr().String()
}

// Close ends the subscriptions, lets calls in flight finish, and closes the
// files with an empty WAL. Further calls return what the first returned.
func (n *Node) Close() error {
	n.once.Do(func() { n.closeErr = n.close() })
	return n.closeErr
}

func (n *Node) close() error {
	close(n.closing)
	for _, d := range n.doors {
		stop := time.AfterFunc(drainTime, d.server.Stop)
		d.server.GracefulStop()
		stop.Stop()
		<-d.served
	}
	// No handler is left, so nobody appends any more but the groups, which
	// end before the journal.
	return n.cleanup()
}

func (n *Node) serve(d *door) {
	defer close(d.served)
	if err := d.server.Serve(d.listener); err != nil {
		n.log.Error("event store stopped serving", zap.Error(err))
	}
}
