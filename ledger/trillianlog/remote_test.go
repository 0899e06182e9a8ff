package trillianlog_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/trillian"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sharetrail/sharetrail/ledger/trillianlog"
	"github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

// remote is a connection that behaves like one to a deployment: around, when
// set, sees every call by its method's short name and may fail or change it.
type remote struct {
	grpc.ClientConnInterface
	around func(ctx context.Context, method string, reply any, call func() error) error
}

func (r *remote) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	call := func() error { return r.ClientConnInterface.Invoke(ctx, method, args, reply, opts...) }
	return r.around(ctx, method[strings.LastIndexByte(method, '/')+1:], reply, call)
}

var errUnavailable = status.Error(codes.Unavailable, "test")

// TestTransient fails every call once before the server sees it and once after
// it was carried out, when only its answer is lost.
func TestTransient(t *testing.T) {
	server := startServer(t, embedded.Config{Path: newPath(t)})
	openLog(t, configFor(server)) // creating a tree is not tried again
	calls := map[string]int{}
	cfg := configFor(server)
	cfg.Conn = &remote{server.Conn(), func(_ context.Context, method string, _ any, call func() error) error {
		calls[method]++
		switch calls[method] {
		case 1:
			return errUnavailable
		case 2:
			return errors.Join(call(), errUnavailable)
		}
		return call()
	}}
	log := openLog(t, cfg)
	mustAdd(t, log, 0, leavesAt(0, 10)) // the third attempt finds the second's leaves
	if size := checkLog(t, log); size != 10 {
		t.Errorf("the log has %d leaves, want 10", size)
	}
	if _, err := log.Inclusion(t.Context(), 3, 10); err != nil {
		t.Error(err)
	}
	if _, err := log.Consistency(t.Context(), 3, 10); err != nil {
		t.Error(err)
	}
}

// TestTransientUntilContextEnds: a server that stays away.
func TestTransientUntilContextEnds(t *testing.T) {
	server := startServer(t, embedded.Config{Path: newPath(t)})
	cfg := configFor(server)
	ctx, cancel := context.WithCancel(t.Context())
	away := 0
	cfg.Conn = &remote{server.Conn(), func(_ context.Context, _ string, _ any, call func() error) error {
		if away++; away == 3 {
			cancel()
		}
		return errUnavailable
	}}
	_, err := trillianlog.Open(ctx, cfg)
	if !errors.Is(err, context.Canceled) || status.Code(err) != codes.Unavailable {
		t.Errorf("Open() = %v, want both the end of the context and the last answer", err)
	}
}

// TestSigner leaves integration to somebody else, who takes a few polls.
func TestSigner(t *testing.T) {
	server := startServer(t, embedded.Config{Path: newPath(t)})
	cfg := configFor(server)
	cfg.Integrate = nil
	var id int64
	polls := 0
	cfg.Conn = &remote{server.Conn(), func(ctx context.Context, method string, _ any, call func() error) error {
		if method == "AddSequencedLeaves" {
			polls = 0
		}
		if polls++; polls == 4 && id != 0 {
			if _, err := server.Integrate(ctx, id); err != nil {
				return err
			}
		}
		return call()
	}}
	log := openLog(t, cfg)
	id = log.TreeID()
	mustAdd(t, log, 0, leavesAt(0, 10))
	mustAdd(t, log, 5, leavesAt(5, 10))
	if size := checkLog(t, log); size != 15 {
		t.Errorf("the log has %d leaves, want 15", size)
	}
}

// TestNoSigner waits for a root that never comes.
func TestNoSigner(t *testing.T) {
	server := startServer(t, embedded.Config{Path: newPath(t)})
	cfg := configFor(server)
	cfg.Integrate = nil
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	added, polls := false, 0
	cfg.Conn = &remote{server.Conn(), func(_ context.Context, method string, _ any, call func() error) error {
		added = added || method == "AddSequencedLeaves"
		if added && method == "GetLatestSignedLogRoot" {
			if polls++; polls == 3 {
				defer cancel()
			}
		}
		return call()
	}}
	log := openLog(t, cfg)
	err := log.Add(ctx, 0, leavesAt(0, 3))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "waiting for the signer") {
		t.Errorf("Add() = %v", err)
	}
}

// TestSQLProviders answers for an identical leaf as Trillian's MySQL and
// PostgreSQL providers do: FailedPrecondition, and without the leaf.
func TestSQLProviders(t *testing.T) {
	server := startServer(t, embedded.Config{Path: newPath(t)})
	cfg := configFor(server)
	cfg.Conn = &remote{server.Conn(), func(_ context.Context, _ string, reply any, call func() error) error {
		err := call()
		if resp, ok := reply.(*trillian.AddSequencedLeavesResponse); ok {
			for _, r := range resp.Results {
				r.Leaf = nil
				if r.Status.GetCode() == int32(codes.AlreadyExists) {
					r.Status = status.New(codes.FailedPrecondition, "conflicting LeafIdentityHash").Proto()
				}
			}
		}
		return err
	}}
	log := openLog(t, cfg)
	mustAdd(t, log, 0, leavesAt(0, 10))
	mustAdd(t, log, 4, leavesAt(4, 10))
	if err := log.Add(t.Context(), 3, leavesAt(4, 1)); !errors.Is(err, trillianlog.ErrMismatch) {
		t.Errorf("Add() = %v, want ErrMismatch", err)
	}
	checkLog(t, log)
}

// TestLargeMessages splits what is too large for one request, and asks for
// smaller pages when an answer is.
func TestLargeMessages(t *testing.T) {
	server := startServer(t, embedded.Config{Path: newPath(t)})
	cfg := configFor(server)
	requests, refused := 0, 0
	cfg.Conn = &remote{server.Conn(), func(_ context.Context, method string, reply any, call func() error) error {
		if method == "AddSequencedLeaves" {
			requests++
		}
		err := call()
		if resp, ok := reply.(*trillian.GetLeavesByRangeResponse); ok && len(resp.Leaves) > 2 {
			refused++
			return status.Error(codes.ResourceExhausted, "grpc: received message larger than max (5 vs. 4)")
		}
		return err
	}}
	log := openLog(t, cfg)
	leaves := make([]trillianlog.Leaf, 4)
	for i := range leaves {
		leaves[i].Value = make([]byte, 1<<20)
	}
	mustAdd(t, log, 0, leaves)
	if requests != 2 {
		t.Errorf("%d requests for 4 MiB, want 2", requests)
	}
	n := 0
	for _, err := range log.Leaves(t.Context(), 0, 4) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 4 || refused == 0 {
		t.Errorf("read %d leaves, %d pages were refused", n, refused)
	}
}

func TestOpenRefuses(t *testing.T) {
	server := startServer(t, embedded.Config{Path: newPath(t)})
	open := func(change func(*trillianlog.Config)) error {
		cfg := configFor(server)
		change(&cfg)
		_, err := trillianlog.Open(t.Context(), cfg)
		return err
	}
	for name, change := range map[string]func(*trillianlog.Config){
		"no name":          func(c *trillianlog.Config) { c.TreeName = "" },
		"a long name":      func(c *trillianlog.Config) { c.TreeName = strings.Repeat("x", 21) },
		"an unknown tree":  func(c *trillianlog.Config) { c.TreeID = 1 },
		"two of this name": func(c *trillianlog.Config) { c.Conn = twice(server) },
	} {
		if err := open(change); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	log := openLog(t, configFor(server))
	if err := open(func(c *trillianlog.Config) { c.TreeID, c.TreeName = log.TreeID(), "" }); err != nil {
		t.Errorf("by id: %v", err)
	}
}

// twice lists every tree two times.
func twice(server *embedded.Server) grpc.ClientConnInterface {
	return &remote{server.Conn(), func(ctx context.Context, _ string, reply any, call func() error) error {
		err := call()
		if resp, ok := reply.(*trillian.ListTreesResponse); ok {
			tree := &trillian.Tree{TreeType: trillian.TreeType_PREORDERED_LOG, DisplayName: "test"}
			resp.Tree = append(resp.Tree, tree, tree)
		}
		return err
	}}
}
