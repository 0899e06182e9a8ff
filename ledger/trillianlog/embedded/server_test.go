package embedded_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"k8s.io/klog/v2"

	"github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

// createLog makes an initialised tree through the services.
func createLog(t *testing.T, server *embedded.Server) int64 {
	t.Helper()
	tree, err := trillian.NewTrillianAdminClient(server.Conn()).CreateTree(t.Context(), &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState:       trillian.TreeState_ACTIVE,
		TreeType:        trillian.TreeType_PREORDERED_LOG,
		MaxRootDuration: durationpb.New(0),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trillian.NewTrillianLogClient(server.Conn()).InitLog(t.Context(), &trillian.InitLogRequest{LogId: tree.TreeId}); err != nil {
		t.Fatal(err)
	}
	return tree.TreeId
}

func leaf(index int64, value string) *trillian.LogLeaf {
	identity := bytes.Repeat([]byte{byte(index)}, 32)
	return &trillian.LogLeaf{LeafIndex: index, LeafValue: []byte(value), LeafIdentityHash: identity}
}

func add(t *testing.T, server *embedded.Server, id, first, count int64) []*trillian.QueuedLogLeaf {
	t.Helper()
	req := &trillian.AddSequencedLeavesRequest{LogId: id}
	for i := first; i < first+count; i++ {
		req.Leaves = append(req.Leaves, leaf(i, fmt.Sprint("leaf ", i)))
	}
	resp, err := trillian.NewTrillianLogClient(server.Conn()).AddSequencedLeaves(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Results
}

func integrate(t *testing.T, server *embedded.Server, id int64, want int) {
	t.Helper()
	if n, err := server.Integrate(t.Context(), id); n != want || err != nil {
		t.Fatalf("Integrate() = %d, %v; want %d", n, err, want)
	}
}

func root(t *testing.T, server *embedded.Server, id int64) types.LogRootV1 {
	t.Helper()
	resp, err := trillian.NewTrillianLogClient(server.Conn()).GetLatestSignedLogRoot(t.Context(), &trillian.GetLatestSignedLogRootRequest{LogId: id})
	if err != nil {
		t.Fatal(err)
	}
	var root types.LogRootV1
	if err := root.UnmarshalBinary(resp.SignedLogRoot.LogRoot); err != nil {
		t.Fatal(err)
	}
	return root
}

// edit opens the closed file as anybody with access to it might.
func edit(t *testing.T, path string, statements ...string) error {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			return err
		}
	}
	return nil
}

func TestReplayStatuses(t *testing.T) {
	server := open(t, embedded.Config{Path: newPath(t)})
	id := createLog(t, server)
	add(t, server, id, 0, 3)
	for _, r := range add(t, server, id, 0, 3) {
		if codes.Code(r.Status.Code) != codes.AlreadyExists || string(r.Leaf.LeafValue) != fmt.Sprint("leaf ", r.Leaf.LeafIndex) {
			t.Errorf("identical leaf: %v", r)
		}
	}
	resp, err := trillian.NewTrillianLogClient(server.Conn()).AddSequencedLeaves(t.Context(), &trillian.AddSequencedLeavesRequest{
		LogId: id, Leaves: []*trillian.LogLeaf{leaf(1, "other")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := resp.Results[0]; codes.Code(r.Status.Code) != codes.FailedPrecondition || string(r.Leaf.LeafValue) != "leaf 1" {
		t.Errorf("another leaf: %v", r)
	}
}

func TestRefusals(t *testing.T) {
	server := open(t, embedded.Config{Path: newPath(t)})
	id := createLog(t, server)
	ctx := t.Context()
	client := trillian.NewTrillianLogClient(server.Conn())
	logs, _ := server.Storage()

	_, queue := client.QueueLeaf(ctx, &trillian.QueueLeafRequest{LogId: id, Leaf: leaf(0, "x")})
	_, queueDirectly := logs.QueueLeaves(ctx, nil, nil, time.Time{})
	_, byHash := client.GetInclusionProofByHash(ctx, &trillian.GetInclusionProofByHashRequest{LogId: id, LeafHash: make([]byte, 32), TreeSize: 1})
	_, logTree := trillian.NewTrillianAdminClient(server.Conn()).CreateTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_LOG, MaxRootDuration: durationpb.New(0),
	}})
	_, again := client.InitLog(ctx, &trillian.InitLogRequest{LogId: id})
	_, integrate := server.Integrate(ctx, 12345)
	got := map[string]codes.Code{
		"queueing over gRPC": status.Code(queue), "queueing": status.Code(queueDirectly), "asking by hash": status.Code(byHash),
		"creating a LOG": status.Code(logTree), "initialising twice": status.Code(again), "integrating no tree": status.Code(integrate),
	}
	want := map[string]codes.Code{
		"queueing over gRPC": codes.InvalidArgument, "queueing": codes.Unimplemented, "asking by hash": codes.Unimplemented,
		"creating a LOG": codes.InvalidArgument, "initialising twice": codes.AlreadyExists, "integrating no tree": codes.NotFound,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
}

func TestHardDeleteKeepsLeaves(t *testing.T) {
	server := open(t, embedded.Config{Path: newPath(t)})
	id := createLog(t, server)
	add(t, server, id, 0, 1)
	_, admin := server.Storage()
	err := admin.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx adminTX) error {
		if _, err := tx.SoftDeleteTree(ctx, id); err != nil {
			return err
		}
		return tx.HardDeleteTree(ctx, id)
	})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("hard-deleting a tree with a leaf: %v", err)
	}
	add(t, server, id, 1, 1) // the soft deletion was rolled back with it
}

// TestClockStepsBack turns the clock back within one run and between two.
func TestClockStepsBack(t *testing.T) {
	path := newPath(t)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { now = now.Add(-time.Hour); return now }
	server := open(t, embedded.Config{Path: path, Now: clock})
	id := createLog(t, server)
	last := root(t, server, id).TimestampNanos
	for i := range int64(5) {
		add(t, server, id, i, 1)
		integrate(t, server, id, 1)
		next := root(t, server, id).TimestampNanos
		if next <= last {
			t.Errorf("the root's time went from %d to %d", last, next)
		}
		last = next
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	now = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	server = open(t, embedded.Config{Path: path, Now: clock})
	add(t, server, id, 5, 1)
	integrate(t, server, id, 1)
}

func TestFileRefusals(t *testing.T) {
	newer := newPath(t)
	open(t, embedded.Config{Path: newer}).Close()
	if err := edit(t, newer, "PRAGMA user_version = 2"); err != nil {
		t.Fatal(err)
	}
	other := newPath(t)
	if err := edit(t, other, "CREATE TABLE something (x)"); err != nil {
		t.Fatal(err)
	}
	text := newPath(t)
	if err := os.WriteFile(text, bytes.Repeat([]byte("not a database. "), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		newer:                                  "format 2",
		other:                                  "another kind of file",
		text:                                   "not a database",
		filepath.Join(t.TempDir(), "no", "db"): "no such file",
	} {
		if _, err := embedded.Open(t.Context(), embedded.Config{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open() = %v, want %q in it", err, want)
		}
	}
}

func TestFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?%23#log.db") // and a name that means something in a URL
	server := open(t, embedded.Config{Path: path})
	createLog(t, server)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("log.db%s has mode %v", suffix, info.Mode())
		}
	}
}

// TestLogs: Trillian's lines arrive in zap, errors as errors and everything
// else at Debug, and leaves never.
func TestLogs(t *testing.T) {
	core, lines := observer.New(zapcore.DebugLevel)
	server := open(t, embedded.Config{Path: newPath(t), Logger: zap.New(core)})
	id := createLog(t, server)
	add(t, server, id, 0, 2)
	integrate(t, server, id, 2)
	klog.Infof("info %d", 1)
	klog.Warning("warning")
	klog.Error("error")
	klog.InfoS("structured", "key", "value")
	var got []string
	for _, e := range lines.All() {
		if strings.Contains(fmt.Sprint(e.ContextMap()), "leaf 1") {
			t.Errorf("a leaf in the log: %v", e.ContextMap())
		}
		got = append(got, fmt.Sprint(e.LoggerName, " ", e.Level, " ", e.Message, " ", e.ContextMap()))
	}
	want := []string{
		"trillian debug trillian says map[text:info 1]",
		"trillian debug trillian says map[text:warning]",
		"trillian error trillian says map[text:error]",
		"trillian debug trillian says map[key:value text:structured]",
	}
	if diff := cmp.Diff(want, got[max(0, len(got)-4):]); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestSynchronous(t *testing.T) {
	const normal, full = 1, 2
	levels, err := open(t, embedded.Config{Path: newPath(t)}).Synchronous(t.Context())
	if diff := cmp.Diff([]int{normal, full, normal, full}, levels); err != nil || diff != "" {
		t.Errorf("levels (-want +got), %v:\n%s", err, diff)
	}
}

func TestCloseTwice(t *testing.T) {
	server := open(t, embedded.Config{Path: newPath(t)})
	if err := errors.Join(server.Close(), server.Close()); err != nil {
		t.Error(err)
	}
	if _, err := server.Integrate(t.Context(), 1); err == nil {
		t.Error("a closed server integrated")
	}
}
