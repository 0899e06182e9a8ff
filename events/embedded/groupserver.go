package embedded

import (
	"context"
	"errors"
	"io"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// maxSlots bounds what one consumer may have in flight.
const maxSlots = 1 << 16

// groupsServer serves the PersistentSubscriptions service.
type groupsServer struct {
	persistent.UnimplementedPersistentSubscriptionsServer
	groups  *groups
	closing <-chan struct{}
}

// Create implements PersistentSubscriptions/Create.
func (s *groupsServer) Create(ctx context.Context, req *persistent.CreateReq) (*persistent.CreateResp, error) {
	key, set, done, err := s.parseCreate(ctx, req.GetOptions())
	if err == nil {
		err = s.groups.create(ctx, key, set, done)
	}
	return &persistent.CreateResp{}, refuse(trailers(ctx), err)
}

// Update implements PersistentSubscriptions/Update.
func (s *groupsServer) Update(ctx context.Context, req *persistent.UpdateReq) (*persistent.UpdateResp, error) {
	key, set, done, err := s.parseUpdate(ctx, req.GetOptions())
	if err == nil {
		err = s.groups.update(ctx, key, set, done)
	}
	return &persistent.UpdateResp{}, refuse(trailers(ctx), err)
}

// Delete implements PersistentSubscriptions/Delete.
func (s *groupsServer) Delete(ctx context.Context, req *persistent.DeleteReq) (*persistent.DeleteResp, error) {
	o := req.GetOptions()
	key, err := parseGroup(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err == nil {
		err = s.groups.remove(ctx, key)
	}
	return &persistent.DeleteResp{}, refuse(trailers(ctx), err)
}

// parseGroup names a group on $all or on a stream.
func parseGroup(all bool, id *shared.StreamIdentifier, name string) (groupKey, error) {
	key := groupKey{source: allStream, name: name}
	if name == "" {
		return key, status.Error(codes.InvalidArgument, "a group has a name")
	}
	if all {
		return key, nil
	}
	var err error
	key.source, err = parseStream(id)
	return key, err
}

// Read implements PersistentSubscriptions/Read: options first, then answers to
// the events that come back.
func (s *groupsServer) Read(in persistent.PersistentSubscriptions_ReadServer) error {
	first, err := in.Recv()
	if err != nil {
		return statusOf(err)
	}
	o := first.GetOptions()
	if o == nil {
		return status.Error(codes.InvalidArgument, "a subscription begins with its options")
	}
	key, err := parseGroup(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err != nil {
		return err
	}
	if o.GetBufferSize() < 1 || o.GetBufferSize() > maxSlots {
		return status.Errorf(codes.InvalidArgument, "a consumer has a buffer of 1 to %d events", maxSlots)
	}
	g, err := s.groups.find(key)
	if err != nil {
		return refuse(in.SetTrailer, err)
	}
	slots := int(o.GetBufferSize())
	c := &consumer{slots: slots, outbox: make(chan message, slots), dropped: make(chan error, 1)}
	if p, ok := peer.FromContext(in.Context()); ok {
		c.from = p.Addr.String()
	}
	var full error
	if err := g.do(in.Context(), func() { full = g.join(c) }); err != nil || full != nil {
		return refuse(in.SetTrailer, errors.Join(err, full))
	}
	err = s.consume(in, g, c, o.GetUuidOption().GetString_() != nil)
	after := context.WithoutCancel(in.Context()) // the client may be gone, the group has to hear of it
	var saving error
	_ = g.do(after, func() { saving = g.leave(after, c) }) // a group that is gone needs nothing
	return refuse(in.SetTrailer, errors.Join(err, saving))
}

// consume carries events out and answers in until one side ends.
func (s *groupsServer) consume(in persistent.PersistentSubscriptions_ReadServer, g *group, c *consumer, textIDs bool) error {
	confirmation := &persistent.ReadResp{Content: &persistent.ReadResp_SubscriptionConfirmation_{
		SubscriptionConfirmation: &persistent.ReadResp_SubscriptionConfirmation{SubscriptionId: g.key.source + "::" + g.key.name},
	}}
	if err := in.Send(confirmation); err != nil {
		return err
	}
	received := make(chan error, 1)
	go func() { received <- receiveAnswers(in, g, c) }() // ends with the call
	for {
		select {
		case m := <-c.outbox:
			if err := in.Send(deliveryMessage(&m, textIDs)); err != nil {
				return err
			}
		case err := <-c.dropped:
			return err
		case err := <-received:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-s.closing:
			return errClosing
		}
	}
}

func receiveAnswers(in persistent.PersistentSubscriptions_ReadServer, g *group, c *consumer) error {
	for {
		req, err := in.Recv()
		if err != nil {
			return err
		}
		switch m := req.GetContent().(type) {
		case *persistent.ReadReq_Ack_:
			ids, err := parseIDs(m.Ack.GetIds())
			if err != nil {
				return err
			}
			err = g.do(in.Context(), func() { g.ack(c, ids) })
			if err != nil {
				return err
			}
		case *persistent.ReadReq_Nack_:
			ids, err := parseIDs(m.Nack.GetIds())
			if err != nil {
				return err
			}
			err = g.do(in.Context(), func() { g.nack(in.Context(), c, m.Nack.GetAction(), m.Nack.GetReason(), ids) })
			if err != nil {
				return err
			}
		default:
			return status.Error(codes.InvalidArgument, "after its options a subscription answers events only")
		}
	}
}

func parseIDs(wire []*shared.UUID) ([]uuid.UUID, error) {
	ids := make([]uuid.UUID, len(wire))
	for i := range wire {
		var err error
		if ids[i], err = parseID(wire[i]); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// ReplayParked implements PersistentSubscriptions/ReplayParked.
func (s *groupsServer) ReplayParked(ctx context.Context, req *persistent.ReplayParkedReq) (*persistent.ReplayParkedResp, error) {
	o := req.GetOptions()
	key, err := parseGroup(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err != nil {
		return nil, err
	}
	stopAt := int64(math.MaxInt64)
	if limit, ok := o.GetStopAtOption().(*persistent.ReplayParkedReq_Options_StopAt); ok {
		stopAt = limit.StopAt
	}
	g, err := s.groups.find(key)
	if err == nil {
		var replaying error
		err = g.do(ctx, func() { replaying = g.replay(ctx, stopAt) })
		err = errors.Join(err, replaying)
	}
	return &persistent.ReplayParkedResp{}, refuse(trailers(ctx), err)
}

// RestartSubsystem implements PersistentSubscriptions/RestartSubsystem: every
// consumer is sent away, every group begins again at its checkpoint.
func (s *groupsServer) RestartSubsystem(ctx context.Context, _ *shared.Empty) (*shared.Empty, error) {
	for _, g := range s.groups.list("") {
		if err := g.do(ctx, func() { g.reset(g.settings, g.checkpointed) }); err != nil {
			return nil, refuse(trailers(ctx), err)
		}
	}
	return empty, nil
}

// deliveryMessage is a message as its consumer gets it.
func deliveryMessage(m *message, textIDs bool) *persistent.ReadResp {
	event := &persistent.ReadResp_ReadEvent{
		Event:    deliveredEvent(&m.event, textIDs),
		Position: &persistent.ReadResp_ReadEvent_CommitPosition{CommitPosition: wirePosition(m.event.position)},
		Count:    &persistent.ReadResp_ReadEvent_RetryCount{RetryCount: m.retries},
	}
	if m.target != nil {
		event.Event, event.Link = deliveredEvent(m.target, textIDs), event.Event
	}
	return &persistent.ReadResp{Content: &persistent.ReadResp_Event{Event: event}}
}

// deliveredEvent is recordedEvent in the message type of this service.
func deliveredEvent(e *event, textIDs bool) *persistent.ReadResp_ReadEvent_RecordedEvent {
	r := recordedEvent(e, textIDs)
	return &persistent.ReadResp_ReadEvent_RecordedEvent{
		Id: r.Id, StreamIdentifier: r.StreamIdentifier, StreamRevision: r.StreamRevision,
		PreparePosition: r.PreparePosition, CommitPosition: r.CommitPosition,
		Metadata: r.Metadata, CustomMetadata: r.CustomMetadata, Data: r.Data,
	}
}
