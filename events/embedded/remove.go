package embedded

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// kindTombstone is the type of the event that ends a stream for ever. Clients
// cannot append it. It stands at the next revision in the file and at the last
// possible one on the wire.
const kindTombstone = "$streamDeleted"

// work is what a proposal asks for.
type work int

const (
	appending work = iota
	deleting
	tombstoning
)

// remove deletes a stream: all its events are hidden, or a tombstone ends it.
// Nothing leaves the file, and $all shows the events as before.
func (t *transaction) remove(ctx context.Context, p *proposal, at *place) (outcome, error) {
	deleted := at.limits.deleted()
	switch head := expected(at.head); {
	case p.expected == streamExists && deleted:
		return outcome{gone: true}, nil
	case p.expected == anyRevision, p.expected == head, p.expected == streamExists && head >= 0:
	case p.expected == noStream && deleted:
	default:
		return outcome{conflict: true, head: at.head}, nil
	}
	if p.work == deleting {
		if err := t.truncate(ctx, at.name, wholeStream); err != nil {
			return outcome{}, err
		}
		return outcome{head: at.head, position: t.last}, nil
	}
	meta, err := t.place(ctx, metastreamOf(at.name))
	if err != nil {
		return outcome{}, err
	}
	end := []event{{id: uuid.New(), kind: kindTombstone, contentType: octetType, data: []byte{}, metadata: []byte{}}}
	if err := t.add(ctx, at, end); err != nil {
		return outcome{}, err
	}
	at.tombstone, meta.tombstone = true, true
	return outcome{head: at.head, position: t.last}, nil
}

// Delete implements Streams/Delete: the stream can be written again.
func (s *streamsServer) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := req.GetOptions()
	position, err := s.remove(ctx, deleting, o.GetStreamIdentifier(), o.GetExpectedStreamRevision())
	if err != nil {
		return nil, err
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{
		Position: &streams.DeleteResp_Position{CommitPosition: position, PreparePosition: position},
	}}, nil
}

// Tombstone implements Streams/Tombstone: the stream ends for ever.
func (s *streamsServer) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := req.GetOptions()
	position, err := s.remove(ctx, tombstoning, o.GetStreamIdentifier(), o.GetExpectedStreamRevision())
	if err != nil {
		return nil, err
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{
		Position: &streams.TombstoneResp_Position{CommitPosition: position, PreparePosition: position},
	}}, nil
}

func (s *streamsServer) remove(ctx context.Context, w work, id *shared.StreamIdentifier, demand any) (position uint64, err error) {
	name, err := parseStream(id)
	if err != nil {
		return 0, err
	}
	if isMetastream(name) {
		return 0, status.Error(codes.InvalidArgument, "the metadata of a stream cannot be deleted apart from it")
	}
	want, err := parseExpected(demand)
	if err != nil {
		return 0, err
	}
	if err := s.permit(name); err != nil {
		return 0, refuse(trailers(ctx), err)
	}
	o, err := s.journal.submit(ctx, &proposal{work: w, stream: name, expected: want})
	switch {
	case err != nil:
		return 0, statusOf(err)
	case o.gone:
		return 0, refuse(trailers(ctx), errGone{name})
	case o.conflict:
		return 0, refuse(trailers(ctx), errVersion{name, want, o.head})
	}
	return wirePosition(o.position), nil
}

func trailers(ctx context.Context) func(metadata.MD) {
	return func(md metadata.MD) { _ = grpc.SetTrailer(ctx, md) }
}
