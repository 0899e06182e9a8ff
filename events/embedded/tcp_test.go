package embedded_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/eventstest"
)

func TestTCPAddress(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "127.0.0.1", "nonsense"} {
		if node, err := embedded.Open(t.Context(), embedded.Config{Path: t.TempDir(), TCP: address}); err == nil {
			node.Close()
			t.Errorf("a node listens on %s", address)
		}
	}
	if node := openNode(t, embedded.Config{Path: t.TempDir()}); node.TCP() != "" {
		t.Errorf("a node listens on %s without being asked", node.TCP())
	}
	if node := openNode(t, embedded.Config{Path: t.TempDir(), TCP: "localhost:0"}); !strings.HasPrefix(node.TCP(), "127.0.0.1:") {
		t.Errorf("a node listens on %s", node.TCP())
	}
}

// openDoors opens a node with a protected stream, and both ways into it.
func openDoors(t *testing.T) (node *embedded.Node, owner, guest *esdb.Store) {
	t.Helper()
	node = openNode(t, embedded.Config{
		Path: t.TempDir(), TCP: "127.0.0.1:0",
		Protected: func(stream string) bool { return strings.HasPrefix(stream, "ledger-") },
	})
	return node, openStore(t, node.Target()), openStore(t, node.TCP())
}

func TestProtected(t *testing.T) {
	_, owner, guest := openDoors(t)
	all := eventstest.Events("ledger", 3)
	mustAppend(t, owner, "ledger-1", events.NoStream, all[:2]...)
	mustAppend(t, guest, "free", events.NoStream, all...)
	checkStream(t, guest, "ledger-1", all[:2])
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"append": func() error { _, err := guest.Append(ctx, "ledger-1", 1, all[2]); return err },
		"begin":  func() error { _, err := guest.Append(ctx, "ledger-2", events.NoStream, all...); return err },
		"metadata": func() error {
			return guest.SetStreamMetadata(ctx, "ledger-1", events.NoStream, esdb.Metadata{MaxCount: 1})
		},
		"delete":    func() error { return guest.Delete(ctx, "ledger-1", 1) },
		"tombstone": func() error { return guest.Tombstone(ctx, "ledger-1", 1) },
		"large append": func() error {
			_, err := guest.Append(ctx, "ledger-1", 1, eventstest.Events("many", 3000)...)
			return err
		},
	} {
		if err := call(); !errors.Is(err, esdb.ErrDenied) {
			t.Errorf("%s answered %v", name, err)
		}
	}
	checkStream(t, owner, "ledger-1", all[:2])
	// The owner may do all of it.
	mustAppend(t, owner, "ledger-1", 1, all[2])
	if err := owner.Delete(ctx, "ledger-1", 2); err != nil {
		t.Fatal(err)
	}
	if err := owner.Tombstone(ctx, "ledger-1", 2); err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, target string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestTCPGossip(t *testing.T) {
	node, _, _ := openDoors(t)
	info, err := gossip.NewGossipClient(dial(t, node.TCP())).Read(t.Context(), &shared.Empty{})
	if err != nil || !strings.HasPrefix(node.TCP(), info.GetMembers()[0].GetHttpEndPoint().GetAddress()+":") {
		t.Fatalf("gossip answered %v, %v; want %s", info, err, node.TCP())
	}
}

// TestBatchAppend sends batches in pieces and interleaved over one call.
func TestBatchAppend(t *testing.T) {
	node, _, _ := openDoors(t)
	call, err := streams.NewStreamsClient(dial(t, node.TCP())).BatchAppend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := func(n byte) *shared.UUID {
		return &shared.UUID{Value: &shared.UUID_String_{String_: events.ID{0: n}.String()}}
	}
	send := func(n byte, stream string, final bool, evs ...events.Proposed) {
		req := &streams.BatchAppendReq{CorrelationId: id(n), IsFinal: final}
		if stream != "" {
			req.Options = &streams.BatchAppendReq_Options{
				StreamIdentifier: streamID(stream), ExpectedStreamPosition: &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}},
			}
		}
		for _, e := range evs {
			req.ProposedMessages = append(req.ProposedMessages, &streams.BatchAppendReq_ProposedMessage{
				Id: &shared.UUID{Value: &shared.UUID_String_{String_: e.ID.String()}}, Data: e.Data,
				Metadata: map[string]string{"type": e.Type, "content-type": "application/octet-stream"},
			})
		}
		if err := call.Send(req); err != nil {
			t.Fatal(err)
		}
	}
	receive := func() *streams.BatchAppendResp {
		resp, err := call.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	evs := eventstest.Events("batch", 4)
	send(1, "first", false, evs[0])
	send(2, "second", true, evs[1])
	if resp := receive(); resp.GetCorrelationId().GetString_() != id(2).GetString_() || resp.GetSuccess().GetCurrentRevision() != 0 {
		t.Fatalf("batch 2 answered %v", resp)
	}
	send(1, "", true, evs[2])
	if resp := receive(); resp.GetSuccess().GetCurrentRevision() != 1 || resp.GetSuccess().GetPosition().GetCommitPosition() == 0 {
		t.Fatalf("batch 1 answered %v", resp)
	}
	for stream, want := range map[string]codes.Code{
		"second": codes.FailedPrecondition, "ledger-1": codes.PermissionDenied, "$all": codes.InvalidArgument,
	} {
		send(3, stream, true, evs[3])
		if resp := receive(); resp.GetError().GetCode() != int32(want) || len(resp.GetError().GetDetails()) != 1 {
			t.Errorf("%s answered %v, want %v", stream, resp, want)
		}
	}
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
}
