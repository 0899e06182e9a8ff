// Package embedded runs Trillian inside the process: the stock log server and
// sequencer over one SQLite file, reached through real gRPC over memory.
//
// One process and one data directory should be enough to keep a verifiable log,
// and the code that talks to it should be the code that talks to a Trillian
// deployment. So nothing of Trillian is replaced but its storage provider,
// which keeps leaves and perfect Merkle nodes flat, each written once.
//
// What always holds:
//
//   - A leaf or node, once stored, is never changed or removed; triggers in the
//     file refuse it to everybody else.
//   - When Integrate returns nil, everything added before it is on disk.
//     AddSequencedLeaves alone survives a killed process, not a power cut.
//   - Roots grow in size and in time, whatever the clock does.
//
// What an edit of the file with the triggers dropped runs into: a leaf's value
// no longer hashes to its stored hash (the client compares on every read); a
// leaf's hash or a node makes the proofs through it fail, and on the right edge
// makes Integrate refuse to go on; a root no longer follows from the nodes
// (Integrate) or the leaves (the ledger's own computation, before it signs).
// Verify finds all of them at once. Whoever rewrites the file consistently is
// caught only by comparing roots with one kept elsewhere: a checkpoint.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	"github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/storage"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

const (
	maxMessageBytes = 64 << 20
	pipeBytes       = 1 << 20
	batchLeaves     = 4096 // integrated in one transaction
)

// Config says where a log lives.
type Config struct {
	// Path is the database file. It is created when missing, readable only by
	// its owner; SQLite keeps two more files beside it while it is open. One
	// process at a time may have it open: the caller holds the lock.
	Path string

	// Logger gets Trillian's own lines at Debug, its errors at Error. Trillian
	// logs process-wide, so with several servers the last one opened gets all.
	// Nil means none.
	Logger *zap.Logger

	// Now is the clock for root timestamps; it may step back. Nil means the
	// system's.
	Now func() time.Time
}

// Server is a running Trillian. Its methods may be called concurrently.
type Server struct {
	db    *database
	admin *adminStorage
	log   *logStorage
	clock *steadyClock

	grpc   *grpc.Server
	conn   *grpc.ClientConn
	served chan error // the serving goroutine's end; Close reads it

	close func() error // once
}

// Open opens or creates the database and starts the server.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	log.InitMetrics(nil) // IntegrateBatch panics without
	routeKlog(cfg.Logger)

	s := &Server{clock: &steadyClock{now: cfg.Now}}
	if err := s.openStorage(ctx, cfg.Path); err != nil {
		return nil, fmt.Errorf("starting Trillian: %w", err)
	}
	if err := s.serve(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting Trillian: %w", err), s.db.Close())
	}
	s.close = sync.OnceValue(s.shutdown)
	return s, nil
}

func (s *Server) openStorage(ctx context.Context, path string) error {
	db, err := openDatabase(ctx, path)
	if err != nil {
		return err
	}
	s.db = db
	if s.admin, err = openAdmin(ctx, db, s.clock.Now); err != nil {
		return errors.Join(err, db.Close())
	}
	s.log = &logStorage{db: db, admin: s.admin}
	latest, err := s.log.latestTimestamp(ctx)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	s.clock.passed(latest)
	return nil
}

// serve starts the goroutine that Close ends.
func (s *Server) serve() error {
	registry := extension.Registry{AdminStorage: s.admin, LogStorage: s.log, QuotaManager: quota.Noop()}
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.MaxSendMsgSize(maxMessageBytes),
		grpc.WaitForHandlers(true),
	)
	trillian.RegisterTrillianLogServer(s.grpc, server.NewTrillianLogRPCServer(registry, s.clock))
	trillian.RegisterTrillianAdminServer(s.grpc, admin.New(registry, []trillian.TreeType{trillian.TreeType_PREORDERED_LOG}))

	pipe := bufconn.Listen(pipeBytes)
	conn, err := grpc.NewClient("passthrough:///embedded-trillian",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // it never leaves the process
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes), grpc.MaxCallSendMsgSize(maxMessageBytes)),
	)
	if err != nil {
		return err
	}
	s.conn = conn
	s.served = make(chan error, 1)
	go func() { s.served <- s.grpc.Serve(pipe) }()
	return nil
}

// Conn is the connection to the log and admin services. It belongs to the
// server and ends with it.
func (s *Server) Conn() *grpc.ClientConn { return s.conn }

// Serve takes calls from other processes too, until the server is closed. Whoever
// reaches l may read and add leaves, so it should be a private socket.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving Trillian: %w", err)
	}
	return nil
}

// Integrate sequences all leaves of a tree that follow its root without a hole,
// and returns how many. When it returns nil they are in the tree and on disk.
func (s *Server) Integrate(ctx context.Context, treeID int64) (n int, err error) {
	tree, err := storage.GetTree(ctx, s.admin, treeID)
	if err != nil {
		return 0, fmt.Errorf("integrating tree %d: %w", treeID, err)
	}
	for {
		// No guard window (we are the only writer) and no root without leaves.
		batch, err := log.IntegrateBatch(ctx, tree, batchLeaves, 0, 0, s.clock, s.log, quota.Noop())
		if err != nil {
			return n, fmt.Errorf("integrating tree %d: %w", treeID, err)
		}
		n += batch
		if batch == 0 {
			return n, nil
		}
		// Asking is cheaper than a pass that finds nothing. A short batch says
		// nothing: it is bounded in bytes too.
		if more, err := s.log.more(ctx, tree); err != nil {
			return n, fmt.Errorf("integrating tree %d: %w", treeID, err)
		} else if !more {
			return n, nil
		}
	}
}

// Close ends all calls, stops the server and closes the database. Further calls
// of Close return the first one's error.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutdown() error {
	errs := []error{s.conn.Close()}
	s.grpc.Stop()
	if err := <-s.served; !errors.Is(err, grpc.ErrServerStopped) {
		errs = append(errs, err)
	}
	if err := s.db.Close(); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing Trillian: %w", err)
	}
	return nil
}

// IntegrateAll integrates every tree, as the signer of a deployment does: for a
// server whose clients leave that to it.
func (s *Server) IntegrateAll(ctx context.Context) error {
	for id, tree := range s.admin.trees() {
		snapshot, err := s.log.SnapshotForTree(ctx, tree)
		if snapshot != nil {
			snapshot.Close()
		}
		if tree.Deleted || errors.Is(err, storage.ErrTreeNeedsInit) {
			continue
		}
		if _, err := s.Integrate(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
