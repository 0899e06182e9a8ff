package embedded

import (
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// all reads $all: every event of every stream in the order they became durable,
// hidden ones and system events too.
func (r *reading) all(o *streams.ReadReq_Options, count *streams.ReadReq_Options_Count, backwards bool) error {
	s := scan{reading: r}
	if f := o.GetFilter(); f != nil {
		var err error
		if f.GetEventType() != nil {
			s.filter, err = parseFilter(true, f.GetEventType())
		} else {
			s.filter, err = parseFilter(false, f.GetStreamIdentifier())
		}
		if err != nil {
			return err
		}
		window := int64(defaultWindow)
		if m, ok := f.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); ok {
			window = int64(m.Max)
		}
		s.interval = window * int64(f.GetCheckpointIntervalMultiplier())
	}
	switch {
	case count != nil && backwards:
		return statusOf(s.back(o.GetAll(), clamp(count.Count)))
	case count != nil:
		last, _ := r.journal.heads.all()
		_, err := s.forth(startAll(o.GetAll(), placeAt, last), last, clamp(count.Count))
		return statusOf(err)
	case s.filter != nil && s.interval == 0:
		return status.Error(codes.InvalidArgument, "the checkpoint interval of a filtered subscription is at least 1")
	}
	return statusOf(s.subscription(o.GetAll()))
}

// startAll is the place where a reading of $all begins; from says what a
// position means to it.
func startAll(o *streams.ReadReq_Options_AllOptions, from func(uint64) int64, last int64) int64 {
	switch p := o.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		return from(p.Position.GetCommitPosition())
	case *streams.ReadReq_Options_AllOptions_End:
		return last + 1
	}
	return 1
}

// scan is a reading that goes through $all and sends what its filter chooses.
type scan struct {
	*reading
	filter   *filter
	interval int64 // events looked at between two checkpoints; 0 sends none
	scanned  int64 // since the last checkpoint
}

// subscription is the one of a stream, over positions.
func (s *scan) subscription(o *streams.ReadReq_Options_AllOptions) error {
	last, _ := s.journal.heads.all()
	next := startAll(o, placeAfter, last)
	if err := s.confirm(); err != nil {
		return err
	}
	for live := false; ; {
		last, moved := s.journal.heads.all()
		if next <= last {
			var err error
			if next, err = s.forth(next, last, math.MaxInt64); err != nil {
				return err
			}
			continue
		}
		if !live {
			if err := s.caughtUp(); err != nil {
				return err
			}
			live = true
		}
		if err := s.wait(moved); err != nil {
			return err
		}
	}
}

// forth sends at most count of the events first..last and returns the place
// after the last one it looked at. A checkpoint names the event looked at last,
// so who resumes from it misses nothing.
func (s *scan) forth(first, last, count int64) (next int64, err error) {
	for next = max(first, 1); next <= last && count > 0; {
		page, err := s.journal.file.allPage(s.ctx, next, last, s.limit(count))
		if err != nil {
			return next, err
		}
		for i := 0; i < len(page) && count > 0; i++ {
			if page[i].position != next {
				return next, missing(allStream, next)
			}
			next++
			if s.filter.match(&page[i]) {
				if err := s.send(&page[i]); err != nil {
					return next, err
				}
				count--
			}
			if err := s.checkpoint(page[i].position); err != nil {
				return next, err
			}
		}
		if len(page) == 0 {
			return next, missing(allStream, next)
		}
	}
	return next, nil
}

// limit is how many events a query need not pass to find count of them.
func (s *scan) limit(count int64) int64 {
	if s.filter != nil {
		return pageEvents
	}
	return count
}

func (s *scan) checkpoint(position int64) error {
	if s.scanned++; s.interval == 0 || s.scanned < s.interval {
		return nil
	}
	s.scanned = 0
	return s.out.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{
		CommitPosition: wirePosition(position), PreparePosition: wirePosition(position),
	}}})
}

// back sends at most count of the events before a position, the last one first.
func (s *scan) back(o *streams.ReadReq_Options_AllOptions, count int64) error {
	last, _ := s.journal.heads.all()
	next := min(startAll(o, placeAt, last)-1, last)
	for next >= 1 && count > 0 {
		page, err := s.journal.file.allPageBack(s.ctx, 1, next, s.limit(count))
		if err != nil {
			return err
		}
		for i := 0; i < len(page) && count > 0; i++ {
			if page[i].position != next {
				return missing(allStream, next)
			}
			next--
			if !s.filter.match(&page[i]) {
				continue
			}
			if err := s.send(&page[i]); err != nil {
				return err
			}
			count--
		}
		if len(page) == 0 {
			return missing(allStream, next)
		}
	}
	return nil
}
