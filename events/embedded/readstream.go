package embedded

import (
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// counted reads up to the head as it stood when the call came, so that it ends
// even under a steady stream of appends.
func (r *reading) counted(o *streams.ReadReq_Options_StreamOptions, count int64, backwards bool) error {
	at, err := r.journal.heads.look(r.ctx, r.stream)
	switch {
	case err != nil:
		return err
	case at.tombstone:
		return errGone{r.stream}
	case at.head < 0, at.limits.deleted():
		return r.notFound()
	}
	from := int64(0)
	switch p := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		from = clamp(p.Revision)
	case *streams.ReadReq_Options_StreamOptions_End:
		from = math.MaxInt64
	}
	now := r.journal.now()
	first := at.limits.first(at.head)
	if backwards {
		return r.back(at, first, min(from, at.head), count, now)
	}
	_, err = r.forth(at, max(first, from), at.head, count, now)
	return err
}

// subscription sends what lies after the position asked for, tells the client
// when it is caught up, and then sends what comes. Because every round begins
// where the last one ended and goes up to a durable head, nothing is left out
// or sent twice between catching up and living.
//
// What the stream's metadata hide is left out while catching up; a live
// subscriber sees each new event whatever the metadata say.
func (r *reading) subscription(o *streams.ReadReq_Options_StreamOptions) error {
	entry, err := r.journal.heads.get(r.ctx, r.journal.file.db.Read, r.stream)
	if err != nil {
		return err
	}
	at := r.journal.heads.mark(entry)
	if at.tombstone {
		return errGone{r.stream}
	}
	next := int64(0)
	switch p := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		next = clamp(p.Revision)
		if next < math.MaxInt64 {
			next++ // a subscription begins after the revision it names
		}
	case *streams.ReadReq_Options_StreamOptions_End:
		next = at.head + 1
	}
	if err := r.confirm(); err != nil {
		return err
	}
	r.follows = true
	for live := false; ; {
		at := r.journal.heads.mark(entry)
		if at.tombstone {
			return errGone{r.stream}
		}
		if !live {
			next = max(next, min(at.limits.first(at.head), at.head+1))
		}
		if next <= at.head {
			shown := at.state
			if live {
				shown.limits = limits{}
			}
			if next, err = r.forth(shown, next, at.head, math.MaxInt64, r.journal.now()); err != nil {
				return err
			}
			continue
		}
		if !live {
			if err := r.caughtUp(); err != nil {
				return err
			}
			live = true
		}
		if err := r.wait(at.moved); err != nil {
			return err
		}
	}
}

// forth sends at most count of the events first..last, without those that are
// too old, and returns the revision after the last one it looked at.
func (r *reading) forth(at state, first, last, count int64, now time.Time) (next int64, err error) {
	for next = first; next <= last && count > 0; {
		page, err := r.page(at.id, next, last, count)
		if err != nil {
			return next, err
		}
		for i := range page {
			if page[i].revision != next {
				return next, missing(r.stream, next)
			}
			next++
			if at.limits.expired(page[i].created, now) {
				continue
			}
			if err := r.send(&page[i]); err != nil {
				return next, err
			}
			count--
		}
		if len(page) == 0 {
			return next, missing(r.stream, next)
		}
	}
	return next, nil
}

func (r *reading) page(id, first, last, count int64) ([]event, error) {
	if r.follows {
		if page := r.journal.tail.page(r.stream, first, last, count); len(page) > 0 {
			return page, nil
		}
	}
	return r.journal.file.page(r.ctx, id, first, last, count)
}

// back sends at most count of the events last..first.
func (r *reading) back(at state, first, last, count int64, now time.Time) error {
	for next := last; next >= first && count > 0; {
		page, err := r.journal.file.pageBack(r.ctx, at.id, first, next, count)
		if err != nil {
			return err
		}
		for i := range page {
			if page[i].revision != next {
				return missing(r.stream, next)
			}
			next--
			if at.limits.expired(page[i].created, now) {
				return nil // what stands before it is older
			}
			if err := r.send(&page[i]); err != nil {
				return err
			}
			count--
		}
		if len(page) == 0 {
			return missing(r.stream, next)
		}
	}
	return nil
}
