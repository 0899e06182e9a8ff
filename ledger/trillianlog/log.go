// Package trillianlog is the client side of a Trillian log whose indices we
// choose: a PREORDERED_LOG, in which the leaf index is the revision of the
// event in its stream. It is the one package that imports Trillian's API; the
// rest of the product sees leaves, roots and proofs.
//
// The stream is the source of truth and the log a function of it, so adding is
// idempotent: the same leaf at the same index may be added any number of times,
// by any number of restarts, and another leaf there is an alarm. Trillian does
// not sign and its roots are not trusted here: the ledger computes every root
// itself before it signs one.
//
// What always holds:
//
//   - When Add returns nil, the leaves are in Trillian's tree, byte for byte.
//   - No leaf is handed out that the tree does not cover, or whose bytes are
//     not what the tree's leaf hash was made of.
//   - An answer is complete or an error: a size Trillian has not reached, which
//     it answers with success and no proof, is ErrBeyond.
//
// The server may be the embedded one or any trillian_log_server with a signer;
// the code path is the same but for who integrates.
package trillianlog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

var (
	// ErrMismatch: the log holds another leaf at this index. Somebody else
	// wrote to the log, or the stream was changed after it was logged. Stop, and
	// keep both; nothing was overwritten and trying again cannot help.
	ErrMismatch = errors.New("the log holds a different leaf")

	// ErrGap: leaves are missing before the ones added. Add those first,
	// starting at the size that Root gives.
	ErrGap = errors.New("leaves before this one are missing")

	// ErrBeyond: the log is smaller than the index or size asked for.
	ErrBeyond = errors.New("beyond the end of the log")

	// ErrDamaged: what the log stores contradicts itself. Rebuild it from the
	// stream.
	ErrDamaged = errors.New("the log contradicts itself")
)

// Config says which log to use.
type Config struct {
	// Conn leads to the log and admin services of one Trillian server. The
	// caller keeps it and closes it after its last use.
	Conn grpc.ClientConnInterface

	// TreeID names the tree. With 0 it is found by TreeName, or created.
	TreeID int64

	// TreeName is the tree's display name, 1 to 20 bytes (the limit of
	// Trillian's SQL schemas). It is not used when TreeID is set.
	TreeName string

	// Integrate sequences all the leaves it can and returns when the root
	// covers them; the embedded server has it. Nil means that a signer does so
	// in its own time: Add then waits for its root.
	Integrate func(ctx context.Context, treeID int64) error

	// Logger gets one line for every call that is tried again. It never gets
	// leaves. Nil means none.
	Logger *zap.Logger
}

// Log is one tree. Its methods may be called concurrently; calls of Add are
// carried out one after the other.
type Log struct {
	client    trillian.TrillianLogClient
	integrate func(ctx context.Context, treeID int64) error
	logger    *zap.Logger
	treeID    int64

	waiting atomic.Pointer[error] // the error that the newest call waits to pass

	adding sync.Mutex
	size   uint64 // a root of at least this size was seen; guarded by adding
}

// Open finds or creates the tree and makes sure that it has a first root.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	l := &Log{
		client:    trillian.NewTrillianLogClient(cfg.Conn),
		integrate: cfg.Integrate,
		logger:    cfg.Logger,
	}
	if l.logger == nil {
		l.logger = zap.NewNop()
	}
	admin := trillian.NewTrillianAdminClient(cfg.Conn)
	tree, err := l.findTree(ctx, admin, cfg.TreeID, cfg.TreeName)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	l.treeID = tree.TreeId
	if err := l.initialise(ctx); err != nil {
		return nil, fmt.Errorf("initialising tree %d: %w", l.treeID, err)
	}
	return l, nil
}

// TreeID is the tree's name inside Trillian.
func (l *Log) TreeID() int64 { return l.treeID }

// Root returns the size and root hash of the latest tree. It is Trillian's
// word, to be compared before it is signed.
func (l *Log) Root(ctx context.Context) (size uint64, root [sha256.Size]byte, err error) {
	var resp *trillian.GetLatestSignedLogRootResponse
	err = l.call(ctx, "GetLatestSignedLogRoot", func() (err error) {
		resp, err = l.client.GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: l.treeID}, callOptions...)
		return err
	})
	if err == nil {
		size, root, err = decodeRoot(resp.GetSignedLogRoot())
	}
	if err != nil {
		return 0, root, fmt.Errorf("reading the latest root: %w", err)
	}
	return size, root, nil
}

func decodeRoot(signed *trillian.SignedLogRoot) (size uint64, root [sha256.Size]byte, err error) {
	var decoded types.LogRootV1
	if err := decoded.UnmarshalBinary(signed.GetLogRoot()); err != nil {
		return 0, root, fmt.Errorf("decoding a root: %w", err)
	}
	if len(decoded.RootHash) != len(root) {
		return 0, root, fmt.Errorf("a root hash of %d bytes: %w", len(decoded.RootHash), ErrDamaged)
	}
	copy(root[:], decoded.RootHash)
	return decoded.TreeSize, root, nil
}
