package embedded

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// GetInfo implements PersistentSubscriptions/GetInfo.
func (s *groupsServer) GetInfo(ctx context.Context, req *persistent.GetInfoReq) (*persistent.GetInfoResp, error) {
	o := req.GetOptions()
	key, err := parseGroup(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err != nil {
		return nil, err
	}
	g, err := s.groups.find(key)
	if err != nil {
		return nil, refuse(trailers(ctx), err)
	}
	info, err := g.info(ctx)
	if err != nil {
		return nil, refuse(trailers(ctx), err)
	}
	return &persistent.GetInfoResp{SubscriptionInfo: info}, nil
}

// List implements PersistentSubscriptions/List. A stream without groups is
// answered not found, as the real server does.
func (s *groupsServer) List(ctx context.Context, req *persistent.ListReq) (*persistent.ListResp, error) {
	source := ""
	if one := req.GetOptions().GetListForStream(); one != nil {
		source = allStream
		if one.GetAll() == nil {
			var err error
			if source, err = parseStream(one.GetStream()); err != nil {
				return nil, err
			}
		}
	} else if req.GetOptions().GetListAllSubscriptions() == nil {
		return nil, status.Error(codes.InvalidArgument, "a list is of all groups or of those on a stream")
	}
	all := s.groups.list(source)
	if source != "" && len(all) == 0 {
		return nil, refuse(trailers(ctx), groupKey{source: source}.missing())
	}
	resp := &persistent.ListResp{}
	for _, g := range all {
		info, err := g.info(ctx)
		if err != nil {
			return nil, refuse(trailers(ctx), err)
		}
		resp.Subscriptions = append(resp.Subscriptions, info)
	}
	return resp, nil
}

// info describes the group as it stands. Figures over time are not measured.
func (g *group) info(ctx context.Context) (info *persistent.SubscriptionInfo, err error) {
	derr := g.do(ctx, func() { info, err = g.describe(ctx) })
	return info, errors.Join(derr, err)
}

func (g *group) describe(ctx context.Context) (*persistent.SubscriptionInfo, error) {
	_, head, _, err := g.source(ctx)
	if err != nil {
		return nil, err
	}
	parked, err := g.parkedCount(ctx)
	if err != nil {
		return nil, err
	}
	s := g.settings
	info := &persistent.SubscriptionInfo{
		EventSource: g.key.source, GroupName: g.key.name, Status: "Live",
		TotalItems: g.total, ParkedMessageCount: parked,
		ReadBufferCount: int32(len(g.buffer)), RetryBufferCount: int32(len(g.retries)),
		TotalInFlightMessages: int32(len(g.pending)), OutstandingMessagesCount: int32(len(g.pending)),
		ResolveLinkTos: s.Resolve, StartFrom: s.StartFrom, ExtraStatistics: s.Statistics,
		MessageTimeoutMilliseconds:    int32(s.Timeout / time.Millisecond),
		CheckPointAfterMilliseconds:   int32(s.CheckpointAfter / time.Millisecond),
		MaxRetryCount:                 s.MaxRetries,
		LiveBufferSize:                s.LiveBuffer,
		BufferSize:                    s.HistoryBuffer,
		ReadBatchSize:                 s.ReadBatch,
		MinCheckPointCount:            s.MinCheckpoint,
		MaxCheckPointCount:            s.MaxCheckpoint,
		NamedConsumerStrategy:         s.Strategy,
		MaxSubscriberCount:            s.MaxSubscribers,
		LastKnownEventPosition:        g.text(head),
		LastCheckpointedEventPosition: "",
	}
	if g.saved {
		info.LastCheckpointedEventPosition = g.text(g.checkpointed)
	}
	for _, c := range g.consumers {
		info.Connections = append(info.Connections, &persistent.SubscriptionInfo_ConnectionInfo{
			From: c.from, Username: "anonymous", ConnectionName: "", TotalItems: c.total,
			AvailableSlots: int32(c.slots - c.inFlight), InFlightMessages: int32(c.inFlight),
		})
	}
	return info, nil
}

// text is a place in the source as clients are told; there is none before the
// first event.
func (g *group) text(at int64) string {
	switch {
	case g.key.source == allStream:
		return wirePair(wirePosition(at))
	case at < 0:
		return ""
	}
	return strconv.FormatInt(at, 10)
}
