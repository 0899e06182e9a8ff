//lint:file-ignore SA1019 clients send the deprecated members, and a faithful server reads them

package embedded

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// wireSettings is what the settings of a Create and of an Update have in common.
type wireSettings interface {
	GetResolveLinks() bool
	GetExtraStatistics() bool
	GetMaxRetryCount() int32
	GetMinCheckpointCount() int32
	GetMaxCheckpointCount() int32
	GetMaxSubscriberCount() int32
	GetLiveBufferSize() int32
	GetReadBatchSize() int32
	GetHistoryBufferSize() int32
	GetMessageTimeoutTicks() int64
	GetMessageTimeoutMs() int32
	GetCheckpointAfterTicks() int64
	GetCheckpointAfterMs() int32
}

// parseSettings reads settings. Sizes of zero get the defaults of the clients.
func parseSettings(w wireSettings, strategy string) (settings, error) {
	size := func(n, otherwise int32) int32 {
		if n == 0 {
			return otherwise
		}
		return n
	}
	ticks := func(n int64) time.Duration { return time.Duration(min(n, math.MaxInt64/100)) * 100 }
	s := settings{
		Resolve: w.GetResolveLinks(), Statistics: w.GetExtraStatistics(), Strategy: strategy,
		MaxRetries: w.GetMaxRetryCount(), MaxSubscribers: w.GetMaxSubscriberCount(),
		MinCheckpoint: size(w.GetMinCheckpointCount(), 10), MaxCheckpoint: size(w.GetMaxCheckpointCount(), 1000),
		LiveBuffer: size(w.GetLiveBufferSize(), 500), HistoryBuffer: size(w.GetHistoryBufferSize(), 500),
		ReadBatch:       size(w.GetReadBatchSize(), 20),
		Timeout:         ticks(w.GetMessageTimeoutTicks()) + time.Duration(w.GetMessageTimeoutMs())*time.Millisecond,
		CheckpointAfter: ticks(w.GetCheckpointAfterTicks()) + time.Duration(w.GetCheckpointAfterMs())*time.Millisecond,
	}
	switch strategy {
	case roundRobin, dispatchToSingle, pinned:
	default:
		return s, status.Errorf(codes.InvalidArgument, "the consumer strategy %q is not supported: name %s, %s or %s", strategy, roundRobin, dispatchToSingle, pinned)
	}
	for _, n := range []int32{s.MaxRetries, s.MaxSubscribers, s.MinCheckpoint, s.LiveBuffer, s.ReadBatch, s.HistoryBuffer} {
		if n < 0 {
			return s, status.Error(codes.InvalidArgument, "a setting of a group is negative")
		}
	}
	if s.MaxCheckpoint < s.MinCheckpoint || s.Timeout < 0 || s.CheckpointAfter < 0 {
		return s, status.Error(codes.InvalidArgument, "the settings of a group contradict themselves")
	}
	return s, nil
}

var strategies = map[int32]string{0: dispatchToSingle, 1: roundRobin, 2: pinned}

// begin is where a group on $all or on a stream starts.
type begin struct {
	position *uint64 // of the wire, inclusive
	revision *uint64 // inclusive
	end      bool
}

// startOf returns what clients are told of a beginning, and everything that the
// group does not deliver: the revisions, or places in $all, up to done.
func (s *groupsServer) startOf(ctx context.Context, source string, b begin) (word string, done int64, err error) {
	if b.end {
		done, err = s.groups.head(ctx, source)
	}
	if source == allStream {
		switch {
		case b.end:
			return "C:-1/P:-1", done, err
		case b.position == nil:
			return "C:0/P:0", 0, nil
		}
		return wirePair(*b.position), placeAt(*b.position) - 1, nil
	}
	switch {
	case b.end:
		return "-1", done, err
	case b.revision == nil:
		return "0", -1, nil
	}
	revision := clamp(*b.revision)
	return strconv.FormatInt(revision, 10), revision - 1, nil
}

// wirePair is a position in the text form of the protocol.
func wirePair(position uint64) string { return fmt.Sprintf("C:%d/P:%d", position, position) }

func (s *groupsServer) parseCreate(ctx context.Context, o *persistent.CreateReq_Options) (key groupKey, set settings, done int64, err error) {
	strategy := o.GetSettings().GetConsumerStrategy()
	if strategy == "" {
		strategy = strategies[int32(o.GetSettings().GetNamedConsumerStrategy())]
	}
	if set, err = parseSettings(o.GetSettings(), strategy); err != nil {
		return key, set, 0, err
	}
	id, b := o.GetStream().GetStreamIdentifier(), createBegin(o)
	if o.GetStream() == nil { // clients of 2020 name the stream here
		id = o.GetStreamIdentifier()
	}
	if key, err = parseGroup(o.GetAll() != nil, id, o.GetGroupName()); err != nil {
		return key, set, 0, err
	}
	if f := o.GetAll().GetFilter(); f.GetEventType() != nil {
		set.Filter, err = parseFilter(true, f.GetEventType())
	} else if f != nil {
		set.Filter, err = parseFilter(false, f.GetStreamIdentifier())
	}
	if err != nil {
		return key, set, 0, err
	}
	set.StartFrom, done, err = s.startOf(ctx, key.source, b)
	return key, set, done, err
}

func createBegin(o *persistent.CreateReq_Options) (b begin) {
	switch at := o.GetAll().GetAllOption().(type) {
	case *persistent.CreateReq_AllOptions_Position:
		position := at.Position.GetCommitPosition()
		b.position = &position
	case *persistent.CreateReq_AllOptions_End:
		b.end = true
	}
	switch at := o.GetStream().GetRevisionOption().(type) {
	case *persistent.CreateReq_StreamOptions_Revision:
		b.revision = &at.Revision
	case *persistent.CreateReq_StreamOptions_End:
		b.end = true
	}
	if o.GetAll() == nil && o.GetStream() == nil && o.GetSettings() != nil {
		b.revision = &o.GetSettings().Revision
	}
	return b
}

func (s *groupsServer) parseUpdate(ctx context.Context, o *persistent.UpdateReq_Options) (key groupKey, set settings, done int64, err error) {
	if set, err = parseSettings(o.GetSettings(), strategies[int32(o.GetSettings().GetNamedConsumerStrategy())]); err != nil {
		return key, set, 0, err
	}
	id, b := o.GetStream().GetStreamIdentifier(), begin{}
	if o.GetStream() == nil {
		id = o.GetStreamIdentifier()
	}
	if key, err = parseGroup(o.GetAll() != nil, id, o.GetGroupName()); err != nil {
		return key, set, 0, err
	}
	switch at := o.GetAll().GetAllOption().(type) {
	case *persistent.UpdateReq_AllOptions_Position:
		position := at.Position.GetCommitPosition()
		b.position = &position
	case *persistent.UpdateReq_AllOptions_End:
		b.end = true
	}
	switch at := o.GetStream().GetRevisionOption().(type) {
	case *persistent.UpdateReq_StreamOptions_Revision:
		b.revision = &at.Revision
	case *persistent.UpdateReq_StreamOptions_End:
		b.end = true
	}
	set.StartFrom, done, err = s.startOf(ctx, key.source, b)
	return key, set, done, err
}
