package embedded_test

import (
	"errors"
	"io"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/eventstest"
)

// wire is a client without manners: it sends what the adapter never sends.
type wire struct {
	t    *testing.T
	conn *grpc.ClientConn
}

func openWire(t *testing.T) wire {
	t.Helper()
	node := openNode(t, embedded.Config{Path: t.TempDir()})
	conn, err := grpc.NewClient(node.Target(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return wire{t, conn}
}

func streamID(name string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(name)}
}

var (
	anyRevision  = &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}}}
	streamExists = &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}}
)

func (w wire) append(stream string, expected *streams.AppendReq_Options, evs ...events.Proposed) (*streams.AppendResp, metadata.MD, error) {
	w.t.Helper()
	call, err := streams.NewStreamsClient(w.conn).Append(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	options := &streams.AppendReq_Options{StreamIdentifier: streamID(stream), ExpectedStreamRevision: expected.ExpectedStreamRevision}
	if err := call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: options}}); err != nil {
		w.t.Fatal(err)
	}
	for _, e := range evs {
		if err := call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
			Id:       &shared.UUID{Value: &shared.UUID_String_{String_: e.ID.String()}},
			Metadata: map[string]string{"type": e.Type, "content-type": "application/octet-stream"},
			Data:     e.Data,
		}}}); err != nil {
			w.t.Fatalf("the server broke off: %v", err)
		}
	}
	resp, err := call.CloseAndRecv()
	return resp, call.Trailer(), err
}

func (w wire) success(stream string, expected *streams.AppendReq_Options, evs ...events.Proposed) *streams.AppendResp_Success {
	w.t.Helper()
	resp, _, err := w.append(stream, expected, evs...)
	if err != nil || resp.GetSuccess() == nil {
		w.t.Fatalf("append answered %v, %v", resp, err)
	}
	return resp.GetSuccess()
}

// TestAnyRevision checks the appends that the adapter does not offer. Within
// the memory of the node a repeat answers the original revision and position.
func TestAnyRevision(t *testing.T) {
	w := openWire(t)
	evs := eventstest.Events("any", 6)
	if resp, _, err := w.append("any", streamExists, evs[0]); err != nil || resp.GetWrongExpectedVersion().GetCurrentNoStream() == nil {
		t.Fatalf("StreamExists without a stream: %v, %v", resp, err)
	}
	original := w.success("any", anyRevision, evs[:3]...)
	later := w.success("any", streamExists, evs[3])
	if original.GetCurrentRevision() != 2 || later.GetCurrentRevision() != 3 {
		t.Fatalf("appends ended at %v and %v", original, later)
	}
	for _, expected := range []*streams.AppendReq_Options{anyRevision, streamExists} {
		repeat := w.success("any", expected, evs[:3]...)
		if repeat.GetCurrentRevision() != 2 || repeat.GetPosition().GetCommitPosition() != original.GetPosition().GetCommitPosition() {
			t.Fatalf("repeat answered %v, the original %v", repeat, original)
		}
		if resp, _, err := w.append("any", expected, evs[2], evs[4]); err != nil || resp.GetWrongExpectedVersion().GetCurrentRevision() != 3 {
			t.Fatalf("repeat in part: %v, %v", resp, err)
		}
	}
	if end := w.success("other", anyRevision, evs[0]); end.GetCurrentRevision() != 0 {
		t.Fatalf("the same id in another stream: %v", end)
	}
}

func TestTooLargeTrailers(t *testing.T) {
	w := openWire(t)
	var evs []events.Proposed
	for range 9 { // far over the limit, each event under it
		evs = append(evs, events.Proposed{ID: events.ID(uuid.New()), Type: "t", Data: make([]byte, 900<<10)})
	}
	_, trailer, err := w.append("large", anyRevision, evs...)
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("append answered %v", err)
	}
	for key, want := range map[string]string{"exception": "maximum-append-size-exceeded", "maximum-append-size": "1048576"} {
		if got := trailer.Get(key); len(got) != 1 || got[0] != want {
			t.Errorf("trailer %s is %q, want %q", key, got, want)
		}
	}
}

func TestRefusedAppends(t *testing.T) {
	w := openWire(t)
	for name, c := range map[string]struct {
		stream string
		evs    []events.Proposed
		want   codes.Code
	}{
		"no stream":       {"", eventstest.Events("e", 1), codes.InvalidArgument},
		"not UTF-8":       {"a\xff", eventstest.Events("e", 1), codes.InvalidArgument},
		"no type":         {"a", []events.Proposed{{ID: events.ID(uuid.New())}}, codes.InvalidArgument},
		"$all":            {"$all", eventstest.Events("e", 1), codes.InvalidArgument},
		"no name":         {"$$", eventstest.Events("e", 1), codes.InvalidArgument},
		"meta metastream": {"$$$$a", eventstest.Events("e", 1), codes.InvalidArgument},
		"tombstone":       {"a", []events.Proposed{{ID: events.ID(uuid.New()), Type: "$streamDeleted"}}, codes.InvalidArgument},
	} {
		if _, _, err := w.append(c.stream, anyRevision, c.evs...); status.Code(err) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// messages reads a counted reading to its end.
func (w wire) messages(o *streams.ReadReq_Options) ([]*streams.ReadResp, error) {
	w.t.Helper()
	call, err := streams.NewStreamsClient(w.conn).Read(w.t.Context(), &streams.ReadReq{Options: o})
	if err != nil {
		w.t.Fatal(err)
	}
	var all []*streams.ReadResp
	for {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

func TestReadBackwards(t *testing.T) {
	w := openWire(t)
	w.success("back", anyRevision, eventstest.Events("back", 700)...)
	end := &streams.ReadReq_Options_StreamOptions{RevisionOption: &streams.ReadReq_Options_StreamOptions_End{}}
	at := func(n uint64) *streams.ReadReq_Options_StreamOptions {
		return &streams.ReadReq_Options_StreamOptions{RevisionOption: &streams.ReadReq_Options_StreamOptions_Revision{Revision: n}}
	}
	start := &streams.ReadReq_Options_StreamOptions{RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{}}
	for _, c := range []struct {
		from        *streams.ReadReq_Options_StreamOptions
		count       uint64
		first, want int
	}{
		{end, 1, 699, 1}, {end, 1 << 63, 699, 700}, {at(300), 10, 300, 10}, {at(5), 10, 5, 6}, {start, 3, 0, 1}, {at(9999), 2, 699, 2},
	} {
		c.from.StreamIdentifier = streamID("back")
		all, err := w.messages(&streams.ReadReq_Options{
			StreamOption: &streams.ReadReq_Options_Stream{Stream: c.from}, ReadDirection: streams.ReadReq_Options_Backwards,
			CountOption: &streams.ReadReq_Options_Count{Count: c.count},
		})
		if err != nil || len(all) != c.want {
			t.Fatalf("reading %d back from %v gave %d, %v; want %d", c.count, c.from, len(all), err, c.want)
		}
		for i, m := range all {
			if e := m.GetEvent().GetEvent(); e.GetStreamRevision() != uint64(c.first-i) || e.GetMetadata()["created"] == "" {
				t.Fatalf("message %d is %v", i, m)
			}
		}
	}
}

func TestRefusedReads(t *testing.T) {
	w := openWire(t)
	all := &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{}}
	live := &streams.ReadReq_Options_Subscription{}
	prefix := &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"a"}}
	filter := func(e *streams.ReadReq_Options_FilterOptions_Expression, multiplier uint32) *streams.ReadReq_Options_Filter {
		return &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter:                       &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: e},
			CheckpointIntervalMultiplier: multiplier,
		}}
	}
	for name, o := range map[string]*streams.ReadReq_Options{
		"no options":             nil,
		"no count":               {StreamOption: all},
		"backwards for ever":     {StreamOption: all, CountOption: live, ReadDirection: streams.ReadReq_Options_Backwards},
		"no checkpoint interval": {StreamOption: all, CountOption: live, FilterOption: filter(prefix, 0)},
		"empty filter":           {StreamOption: all, CountOption: live, FilterOption: filter(nil, 1)},
		"regex of another kind": {StreamOption: all, CountOption: live, FilterOption: filter(
			&streams.ReadReq_Options_FilterOptions_Expression{Regex: "(?<!a)b"}, 1)},
	} {
		if _, err := w.messages(o); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNodeInformation(t *testing.T) {
	w := openWire(t)
	info, err := gossip.NewGossipClient(w.conn).Read(t.Context(), &shared.Empty{})
	if err != nil || len(info.GetMembers()) != 1 || info.Members[0].State != gossip.MemberInfo_Leader || !info.Members[0].IsAlive {
		t.Errorf("gossip answered %v, %v", info, err)
	}
	features, err := serverfeatures.NewServerFeaturesClient(w.conn).GetSupportedMethods(t.Context(), &shared.Empty{})
	if err != nil || len(features.GetMethods()) == 0 || features.GetEventStoreServerVersion() == "" {
		t.Errorf("features answered %v, %v", features, err)
	}
}
