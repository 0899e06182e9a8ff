package embedded

import (
	"context"
	"net"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// protocolVersion is the release whose protocol is spoken: the first that
	// tells subscribers that they are caught up.
	protocolVersion = "23.10.0"

	// maxMessage is the real server's limit for one gRPC message.
	maxMessage = 16<<20 - 10000
)

const (
	appendWindow = 4 << 20
	bufferSize   = 256 << 10
)

// newServer puts the services on a gRPC server. Clients ping every ten seconds
// also when idle; grpc-go would take that for abuse without the policy below.
//
// The windows let a client send the largest append without waiting for us to ask
// for more: by default that is 64 KiB, and an append of a megabyte took as long as
// its commit.
func newServer(s *streamsServer, g *groups, address net.Addr) *grpc.Server {
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.InitialWindowSize(appendWindow), grpc.InitialConnWindowSize(appendWindow),
		grpc.ReadBufferSize(bufferSize), grpc.WriteBufferSize(bufferSize),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	streams.RegisterStreamsServer(server, s)
	serverfeatures.RegisterServerFeaturesServer(server, featuresServer{})
	persistent.RegisterPersistentSubscriptionsServer(server, &groupsServer{groups: g, closing: s.closing})
	gossip.RegisterGossipServer(server, gossipServer{now: s.journal.now, address: address})
	return server
}

// featuresServer tells clients what there is. They take what is not listed for
// missing.
type featuresServer struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

func (featuresServer) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	method := func(service, name string) *serverfeatures.SupportedMethod {
		return &serverfeatures.SupportedMethod{ServiceName: service, MethodName: name}
	}
	return &serverfeatures.SupportedMethods{
		EventStoreServerVersion: protocolVersion,
		Methods: append(groupMethods(),
			method("event_store.client.streams.streams", "append"),
			method("event_store.client.streams.streams", "batchappend"),
			method("event_store.client.streams.streams", "read"),
			method("event_store.client.streams.streams", "delete"),
			method("event_store.client.streams.streams", "tombstone"),
			method("event_store.client.gossip.gossip", "read"),
			method("event_store.client.server_features.serverfeatures", "getsupportedmethods"),
		),
	}, nil
}

// groupMethods lists persistent subscriptions. The Go client wants the methods
// for managing them, the Node client the features too; a client that misses one
// falls back to HTTP, which nobody serves here.
func groupMethods() []*serverfeatures.SupportedMethod {
	var all []*serverfeatures.SupportedMethod
	for _, name := range []string{"create", "update", "delete", "read", "getinfo", "replayparked", "list", "restartsubsystem"} {
		m := &serverfeatures.SupportedMethod{ServiceName: "event_store.client.persistent_subscriptions.persistentsubscriptions", MethodName: name}
		if name != "restartsubsystem" {
			m.Features = []string{"stream", "all"}
		}
		all = append(all, m)
	}
	return all
}

// gossipServer describes a cluster of one: this node, which leads it. Over a
// socket the address is a formality, because a socket has no host and port.
type gossipServer struct {
	gossip.UnimplementedGossipServer
	now     func() time.Time
	address net.Addr
}

func (s gossipServer) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	end := &gossip.EndPoint{Address: "localhost", Port: 2113}
	if a, ok := s.address.(*net.TCPAddr); ok {
		end = &gossip.EndPoint{Address: a.IP.String(), Port: uint32(a.Port)}
	}
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId:   structured([16]byte{15: 1}),
		TimeStamp:    s.now().UnixNano() / 100,
		State:        gossip.MemberInfo_Leader,
		IsAlive:      true,
		HttpEndPoint: end,
	}}}, nil
}
