package embedded

import (
	"errors"
	"io"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/emptypb"
)

// maxBatches bounds the batches that one call may have begun and not ended.
const maxBatches = 256

// BatchAppend implements Streams/BatchAppend: many appends over one call, each
// in one or more messages, each answered by itself. They are made one after the
// other, in the order in which they end. The deadline in a batch is not looked
// at: the call's own counts.
func (s *streamsServer) BatchAppend(in streams.Streams_BatchAppendServer) error {
	open := make(map[uuid.UUID]*batch)
	for {
		req, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return statusOf(err)
		}
		id, err := parseID(req.GetCorrelationId())
		if err != nil {
			return err
		}
		b := open[id]
		if b == nil {
			if len(open) == maxBatches {
				return status.Error(codes.ResourceExhausted, "too many batches are open")
			}
			b = s.begin(req)
			open[id] = b
		}
		b.take(req.GetProposedMessages())
		if !req.GetIsFinal() {
			continue
		}
		delete(open, id)
		if err := in.Send(b.finish(in, s.journal)); err != nil {
			return err
		}
	}
}

// batch is one append that is coming in.
type batch struct {
	proposal *proposal
	answer   *streams.BatchAppendResp
	err      error // the first thing wrong with it
}

func (s *streamsServer) begin(req *streams.BatchAppendReq) *batch {
	o := req.GetOptions()
	b := &batch{answer: &streams.BatchAppendResp{CorrelationId: req.GetCorrelationId(), StreamIdentifier: o.GetStreamIdentifier()}}
	b.proposal, b.err = s.parseTarget(o.GetStreamIdentifier(), o.GetExpectedStreamPosition())
	switch e := o.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		b.answer.ExpectedStreamPosition = &streams.BatchAppendResp_StreamPosition{StreamPosition: e.StreamPosition}
	case *streams.BatchAppendReq_Options_NoStream:
		b.answer.ExpectedStreamPosition = &streams.BatchAppendResp_NoStream{NoStream: e.NoStream}
	case *streams.BatchAppendReq_Options_Any:
		b.answer.ExpectedStreamPosition = &streams.BatchAppendResp_Any{Any: e.Any}
	case *streams.BatchAppendReq_Options_StreamExists:
		b.answer.ExpectedStreamPosition = &streams.BatchAppendResp_StreamExists{StreamExists: e.StreamExists}
	}
	return b
}

func (b *batch) take(all []*streams.BatchAppendReq_ProposedMessage) {
	for _, m := range all {
		if b.err == nil {
			b.err = b.proposal.take(m)
		}
	}
}

// finish writes the batch and completes its answer.
func (b *batch) finish(in streams.Streams_BatchAppendServer, j *journal) *streams.BatchAppendResp {
	var o outcome
	if b.err == nil {
		o, b.err = j.submit(in.Context(), b.proposal)
	}
	switch {
	case b.err == nil && o.gone:
		b.err = errGone{b.proposal.stream}
	case b.err == nil && o.conflict:
		b.err = errVersion{b.proposal.stream, b.proposal.expected, o.head}
	}
	if b.err != nil {
		b.answer.Result = &streams.BatchAppendResp_Error{Error: batchError(b.err).Proto()}
		return b.answer
	}
	success := &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(o.head)},
		PositionOption: &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{
			CommitPosition: wirePosition(o.position), PreparePosition: wirePosition(o.position),
		}},
	}
	if o.head < 0 {
		success.CurrentRevisionOption = &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}}
	}
	if o.position == 0 {
		success.PositionOption = &streams.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}}
	}
	b.answer.Result = &streams.BatchAppendResp_Success_{Success: success}
	return b.answer
}

// batchError is refuse for an answer inside a call.
func batchError(err error) *status.Status {
	var (
		goneErr errGone
		denied  errDenied
		version errVersion
		detail  protoadapt.MessageV1 = &shared.Unknown{}
		code                         = codes.Unknown
	)
	switch {
	case errors.As(err, &goneErr):
		code, detail = codes.NotFound, &shared.StreamDeleted{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(goneErr.stream)}}
	case errors.As(err, &denied):
		code, detail = codes.PermissionDenied, &shared.AccessDenied{}
	case errors.As(err, &version):
		code, detail = codes.FailedPrecondition, batchConflict(version)
	case errors.Is(err, errTooLarge):
		code, detail = codes.InvalidArgument, &shared.MaximumAppendSizeExceeded{MaxAppendSize: MaxAppendBytes}
	case status.Code(statusOf(err)) == codes.InvalidArgument:
		code, detail = codes.InvalidArgument, &shared.BadRequest{Message: status.Convert(err).Message()}
	}
	out := status.New(code, err.Error())
	if detailed, err := out.WithDetails(detail); err == nil {
		return detailed
	}
	return out
}

func batchConflict(e errVersion) *shared.WrongExpectedVersion {
	c := &shared.WrongExpectedVersion{
		CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(e.head)},
	}
	if e.head < 0 {
		c.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &emptypb.Empty{}}
	}
	switch e.want {
	case noStream:
		c.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &emptypb.Empty{}}
	case anyRevision:
		c.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: &emptypb.Empty{}}
	case streamExists:
		c.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &emptypb.Empty{}}
	default:
		c.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: uint64(e.want)}
	}
	return c
}
