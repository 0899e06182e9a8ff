package embedded

import (
	"context"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Read implements Streams/Read: a counted read of a stream or of $all in either
// direction, or a subscription to one of them.
//
// It sends nothing but what clients know how to take: some messages of the
// protocol (the first and last position) make the official client panic.
func (s *streamsServer) Read(req *streams.ReadReq, out streams.Streams_ReadServer) error {
	o := req.GetOptions()
	r := &reading{
		streamsServer: s, ctx: out.Context(), out: out,
		textIDs: o.GetUuidOption().GetString_() != nil, resolve: o.GetResolveLinks(),
	}
	backwards := o.GetReadDirection() == streams.ReadReq_Options_Backwards
	count, counted := o.GetCountOption().(*streams.ReadReq_Options_Count)
	_, live := o.GetCountOption().(*streams.ReadReq_Options_Subscription)
	switch {
	case !counted && !live:
		return status.Error(codes.InvalidArgument, "a read has a count or is a subscription")
	case live && backwards:
		return status.Error(codes.InvalidArgument, "a subscription runs forwards")
	case o.GetAll() != nil:
		return r.all(o, count, backwards)
	case o.GetFilter() != nil:
		return status.Error(codes.InvalidArgument, "a stream is read without a filter")
	}
	var err error
	if r.stream, err = parseStream(o.GetStream().GetStreamIdentifier()); err != nil {
		return err
	}
	if live {
		return refuse(out.SetTrailer, r.subscription(o.GetStream()))
	}
	return refuse(out.SetTrailer, r.counted(o.GetStream(), clamp(count.Count), backwards))
}

// reading is one call of Read.
type reading struct {
	*streamsServer
	ctx     context.Context
	out     streams.Streams_ReadServer
	stream  string // empty for $all
	textIDs bool
	resolve bool // links are sent with the event they point to
	follows bool // a subscription: it may be served from memory
}

// send sends an event, and what it points to if that is wanted.
func (r *reading) send(e *event) error {
	select {
	case <-r.closing:
		return errClosing
	default:
	}
	m := &streams.ReadResp_ReadEvent{
		Event:    recordedEvent(e, r.textIDs),
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: wirePosition(e.position)},
	}
	if r.resolve && e.kind == kindLink {
		target, err := r.journal.follow(r.ctx, e)
		if err != nil {
			return err
		}
		m.Link, m.Event = m.Event, nil
		if target != nil {
			m.Event = recordedEvent(target, r.textIDs)
		}
	}
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: m}})
}

func (r *reading) confirm() error {
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
}

func (r *reading) caughtUp() error {
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

// wait returns when the channel is closed, or with the reason to stop.
func (r *reading) wait(moved <-chan struct{}) error {
	select {
	case <-moved:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-r.closing:
		return errClosing
	}
}

func (r *reading) notFound() error {
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
		StreamNotFound: &streams.ReadResp_StreamNotFound{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.stream)},
		},
	}})
}

// missing is what a reader is told when the file lacks an event that it must
// hold: better no answer than a short one.
func missing(stream string, at int64) error {
	return status.Errorf(codes.DataLoss, "event %d of stream %s is missing in the file: restore it from a backup", at, stream)
}

func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
