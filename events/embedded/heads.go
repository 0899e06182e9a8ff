package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// heads knows where the streams in use stand, and $all. The writer goroutine
// alone moves a head, and only after the commit: what heads shows is durable.
type heads struct {
	file *file

	mu       sync.Mutex
	byName   map[string]*stream
	last     int64         // position of the last durable event
	allMoved chan struct{} // closed when last moves, then replaced
}

// state is where a stream stands, without the waiting.
type state struct {
	id        int64 // 0 until the first event is durable
	head      int64 // last durable revision, -1 without any
	tombstone bool  // the last event is a tombstone
	described bool  // it has metadata
	limits    limits
}

// stream is one entry of heads; its fields are guarded by heads.mu.
type stream struct {
	name string
	state
	moved chan struct{} // closed when the state changes, then replaced
}

// mark is a copy of what an entry said at one moment.
type mark struct {
	state
	moved <-chan struct{}
}

func newHeads(f *file) *heads {
	return &heads{file: f, byName: make(map[string]*stream), allMoved: make(chan struct{})}
}

// get returns the entry of a stream and makes one if need be, also for a stream
// that has no event yet: a subscriber waits on it, the writer will move it.
func (h *heads) get(ctx context.Context, q queryer, name string) (*stream, error) {
	h.mu.Lock()
	s := h.byName[name]
	h.mu.Unlock()
	if s != nil {
		return s, nil
	}
	found, err := find(ctx, q, name)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// The writer may have moved the stream since the query: its entry is newer.
	if s := h.byName[name]; s != nil {
		return s, nil
	}
	s = &stream{name: name, state: found, moved: make(chan struct{})}
	h.byName[name] = s
	return s, nil
}

// look returns where a stream stands without making an entry for it.
func (h *heads) look(ctx context.Context, name string) (state, error) {
	h.mu.Lock()
	s := h.byName[name]
	h.mu.Unlock()
	if s != nil {
		return h.mark(s).state, nil
	}
	return find(ctx, h.file.db.Read, name)
}

func (h *heads) mark(s *stream) mark {
	h.mu.Lock()
	defer h.mu.Unlock()
	return mark{state: s.state, moved: s.moved}
}

// all returns the last position and the channel that is closed behind it.
func (h *heads) all() (last int64, moved <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last, h.allMoved
}

// move publishes what a transaction made durable and wakes everybody who waits
// for it.
func (h *heads) move(places map[*stream]*place, last int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s, at := range places {
		if s.state != at.state {
			s.state = at.state
			close(s.moved)
			s.moved = make(chan struct{})
		}
	}
	if h.last != last {
		h.last = last
		close(h.allMoved)
		h.allMoved = make(chan struct{})
	}
}

// queryer is a transaction or one of the two pools.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// find reads where a stream stands from the file.
func find(ctx context.Context, q queryer, name string) (state, error) {
	const query = `SELECT coalesce(s.id, 0), coalesce(e.revision, -1), coalesce(e.type, ''), m.data
		FROM (SELECT ? AS name) AS n
		LEFT JOIN streams AS s ON s.name = n.name
		LEFT JOIN events AS e ON e.stream = s.id AND e.revision = (SELECT max(revision) FROM events WHERE stream = s.id)
		LEFT JOIN streams AS ms ON ms.name = '$$' || n.name
		LEFT JOIN events AS m ON m.stream = ms.id AND m.revision = (SELECT max(revision) FROM events WHERE stream = ms.id)`
	var (
		s    state
		kind string
		meta []byte
	)
	if err := q.QueryRowContext(ctx, query, name).Scan(&s.id, &s.head, &kind, &meta); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return s, fmt.Errorf("finding a stream: %w", err)
	}
	s.tombstone, s.described, s.limits = kind == kindTombstone, meta != nil, parseLimits(meta)
	if isMetastream(name) {
		// The metadata of a stream go with it.
		described, err := find(ctx, q, describedStream(name))
		if err != nil {
			return s, err
		}
		s.tombstone, s.limits = described.tombstone, metastreamLimits
	}
	return s, nil
}
