package embedded

import (
	"errors"
	"io"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxDrain is how much is read of an append that is refused already.
const maxDrain = 64 << 20

// streamsServer serves the Streams service from a journal.
type streamsServer struct {
	streams.UnimplementedStreamsServer
	journal *journal
	closing <-chan struct{}
	// closed reports the streams that this door must not write. Nil closes none.
	closed func(stream string) bool
}

// permit refuses writes to the streams that are closed to this door, and to
// their metadata.
func (s *streamsServer) permit(stream string) error {
	if s.closed == nil || !s.closed(stream) && !s.closed(describedStream(stream)) {
		return nil
	}
	return errDenied{stream}
}

// Append implements Streams/Append: options first, then the events, then one
// answer. A conflict is an answer and not an error.
func (s *streamsServer) Append(in streams.Streams_AppendServer) error {
	p, err := s.receive(in)
	if err != nil {
		drain(in)
		return err
	}
	o, err := s.journal.submit(in.Context(), p)
	switch {
	case err != nil:
		return statusOf(err)
	case o.gone:
		return refuse(in.SetTrailer, errGone{p.stream})
	case o.conflict:
		return in.SendAndClose(conflictMessage(p.expected, o.head))
	}
	success := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(o.head)},
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: wirePosition(o.position), PreparePosition: wirePosition(o.position),
		}},
	}
	if o.head < 0 {
		success.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: empty}
	}
	if o.position == 0 {
		success.PositionOption = &streams.AppendResp_Success_NoPosition{NoPosition: empty}
	}
	return in.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: success}})
}

// parseTarget reads where an append goes.
func (s *streamsServer) parseTarget(id *shared.StreamIdentifier, demand any) (p *proposal, err error) {
	p = &proposal{}
	if p.stream, err = parseStream(id); err != nil {
		return nil, err
	}
	if p.expected, err = parseExpected(demand); err != nil {
		return nil, err
	}
	return p, s.permit(p.stream)
}

// parseExpected reads the same choice from each kind of request that has it.
func parseExpected(demand any) (expected, error) {
	var revision uint64
	switch e := demand.(type) {
	case *streams.AppendReq_Options_Revision:
		revision = e.Revision
	case *streams.DeleteReq_Options_Revision:
		revision = e.Revision
	case *streams.TombstoneReq_Options_Revision:
		revision = e.Revision
	case *streams.BatchAppendReq_Options_StreamPosition:
		revision = e.StreamPosition
	case *streams.AppendReq_Options_NoStream, *streams.DeleteReq_Options_NoStream, *streams.TombstoneReq_Options_NoStream, *streams.BatchAppendReq_Options_NoStream:
		return noStream, nil
	case *streams.AppendReq_Options_Any, *streams.DeleteReq_Options_Any, *streams.TombstoneReq_Options_Any, *streams.BatchAppendReq_Options_Any:
		return anyRevision, nil
	case *streams.AppendReq_Options_StreamExists, *streams.DeleteReq_Options_StreamExists, *streams.TombstoneReq_Options_StreamExists, *streams.BatchAppendReq_Options_StreamExists:
		return streamExists, nil
	default:
		return 0, status.Error(codes.InvalidArgument, "a write says which revision it expects")
	}
	if revision > math.MaxInt64 {
		return 0, status.Error(codes.InvalidArgument, "a revision has 63 bits")
	}
	return expected(revision), nil
}

// receive reads an append to its end, or up to what is wrong with it.
func (s *streamsServer) receive(in streams.Streams_AppendServer) (*proposal, error) {
	first, err := in.Recv()
	if err != nil {
		return nil, statusOf(err)
	}
	o := first.GetOptions()
	if o == nil {
		return nil, status.Error(codes.InvalidArgument, "an append begins with its options")
	}
	p, err := s.parseTarget(o.GetStreamIdentifier(), o.GetExpectedStreamRevision())
	if err != nil {
		return nil, refuse(in.SetTrailer, err)
	}
	for {
		req, err := in.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, statusOf(err)
		}
		if req.GetProposedMessage() == nil {
			return nil, status.Error(codes.InvalidArgument, "after its options an append holds events only")
		}
		if err := p.take(req.GetProposedMessage()); err != nil {
			return nil, refuse(in.SetTrailer, err)
		}
	}
	return p, nil
}

// drain reads what is left of a refused append. A client that is cut off while
// it sends never sees why, and would have to take the outcome for unknown.
func drain(in streams.Streams_AppendServer) {
	for size := 0; size <= maxDrain; {
		req, err := in.Recv()
		if err != nil {
			return
		}
		m := req.GetProposedMessage()
		size += len(m.GetData()) + len(m.GetCustomMetadata()) + 64
	}
}

// proposed is an event on the wire, of an append or of a batch.
type proposed interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

// take adds an event to the proposal, as long as all of them fit.
func (p *proposal) take(m proposed) error {
	id, err := parseID(m.GetId())
	if err != nil {
		return err
	}
	e := event{
		id: id, kind: m.GetMetadata()[keyType], contentType: m.GetMetadata()[keyContentType],
		data: m.GetData(), metadata: m.GetCustomMetadata(),
	}
	switch {
	case e.kind == "" || e.contentType == "":
		return status.Error(codes.InvalidArgument, "an event needs the metadata "+keyType+" and "+keyContentType)
	case e.kind == kindTombstone:
		return status.Error(codes.InvalidArgument, "the type "+kindTombstone+" is the server's own: delete the stream instead")
	}
	// The columns are NOT NULL, and a nil slice would be bound as NULL.
	if e.data == nil {
		e.data = []byte{}
	}
	if e.metadata == nil {
		e.metadata = []byte{}
	}
	if p.size += e.size(); p.size > MaxAppendBytes {
		return errTooLarge
	}
	p.events = append(p.events, e)
	return nil
}

func conflictMessage(want expected, head int64) *streams.AppendResp {
	c := &streams.AppendResp_WrongExpectedVersion{
		CurrentRevisionOption: &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(head)},
	}
	if head < 0 {
		c.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty}
	}
	switch want {
	case noStream:
		c.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: empty}
	case anyRevision:
		c.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: empty}
	case streamExists:
		c.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: empty}
	default:
		c.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(want)}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: c}}
}
