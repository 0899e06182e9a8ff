package projections

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// People who do not fit into an event have their entries in continuations of it. What
// was recorded stands in that event, their header, which may be pages back. The rows
// of such an entry say what the header says; its own leaf, and what the slot says, are
// the continuation's.

// Headers reads single events of a stream.
type Headers interface {
	// Read yields events in order, beginning with revision from.
	Read(ctx context.Context, stream string, from, count uint64) iter.Seq2[events.Recorded, error]
}

// headers finds the events that others continue.
type headers struct {
	from    Headers
	stream  string
	secrets *keystore.Secrets

	mu    sync.Mutex
	known *keystore.Sealed // the one that was asked for last: continuations come in rows
}

// ReadHeaders says where the events are that others continue. It must be called
// before a page is applied that has a continuation, unless its header is in the page.
func (m *ReadModel) ReadHeaders(from Headers, stream string) {
	m.headers = &headers{from: from, stream: stream, secrets: m.secrets}
}

func (h *headers) at(ctx context.Context, index uint64) (*keystore.Sealed, error) {
	if h == nil {
		return nil, fmt.Errorf("reading event %d, which a later one continues: nobody said where the events are", index)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known != nil && h.known.Revision == index {
		return h.known, nil
	}
	for e, err := range h.from.Read(ctx, h.stream, index, 1) {
		if err != nil {
			return nil, fmt.Errorf("reading event %d, which a later one continues: %w", index, err)
		}
		if e.Revision != index || !h.secrets.Ours(e) {
			break
		}
		if h.known, err = keystore.Parse(h.secrets.Log.Name(), e); err != nil {
			return nil, err
		}
		return h.known, nil
	}
	return nil, fmt.Errorf("reading event %d, which a later one continues: it is not there", index)
}

// findHeaders brings to each continuation what it continues. What is wrong with a slot
// parks its party when it is opened; here it is passed over.
func (f *fold) findHeaders(ctx context.Context) error {
	var inPage map[uint64]*keystore.Sealed
	for i := range f.readings {
		r := &f.readings[i]
		if r.opener.Type != events.TypeRecordContinued {
			continue
		}
		if inPage == nil {
			inPage = map[uint64]*keystore.Sealed{}
			for _, s := range f.sealed {
				if s != nil {
					inPage[s.Revision] = s
				}
			}
		}
		for _, s := range r.steps {
			content, err := r.opener.OpenSlot(s.slot, s.track.party.Key)
			if err != nil || content.TargetIndex == nil || *content.TargetIndex >= r.opener.Revision {
				continue
			}
			header, ok := inPage[*content.TargetIndex]
			if !ok {
				if header, err = f.headers.at(ctx, *content.TargetIndex); err != nil {
					return err
				}
			}
			r.header = header
			break
		}
	}
	return nil
}

var errHeader = errors.New("its header is another event, or does not open")

// continued puts what the header says in the place of what a continuation says.
func (r *reading) continued(opened *keystore.Opened) (o *keystore.Opened, of *continuation, err error) {
	part, ok := opened.Event.(*events.RecordContinued)
	c := opened.Content
	if !ok || r.header == nil || c.TargetIndex == nil || *c.TargetIndex != r.header.Revision ||
		events.Hash(c.TargetLeaf) != events.LeafHash(r.header.Stored.Leaf) {
		return nil, nil, errHeader
	}
	if r.opened == nil || r.openedBy != opened.Target {
		if r.opened, err = r.header.OpenHeader(opened.Target); err != nil {
			return nil, nil, err
		}
		r.openedBy = opened.Target
	}
	whole := *opened
	whole.Facts, whole.Event = r.opened.Facts, r.opened.Event
	return &whole, &continuation{header: r.header.Revision, id: r.header.ID, record: part.Record}, nil
}

// continuation is what an entry's row says of the header beside its facts.
type continuation struct {
	header uint64
	id     events.ID
	record *events.Reference // that the header is about
}

// in corrects a row that was made of the header's facts and the continuation's slot.
func (c *continuation) in(row *Entry) {
	if c == nil {
		return
	}
	row.Record, row.EventID, row.About = &c.header, c.id, nil
	if c.record != nil {
		row.About = &c.record.Index
	}
}

// RecordLeaf is the leaf that later entries about this one name: that of the header if
// the entry continues one.
func (e *Entry) RecordLeaf() uint64 {
	if e.Record != nil {
		return *e.Record
	}
	return e.Index
}

// Span returns the lowest and the highest leaf that later entries about some may name.
// There must be one.
func Span(entries []Entry) (first, last uint64) {
	first = entries[0].RecordLeaf()
	for i := range entries {
		first, last = min(first, entries[i].RecordLeaf()), max(last, entries[i].RecordLeaf())
	}
	return first, last
}

// event is the entry as one about an earlier record.
func (e *Entry) event() Event { return Event{e.Index, e.Record, e.EventID, e.Recorded} }
