package embedded

import (
	"cmp"
	"context"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
)

// group is one persistent subscription. One goroutine, run, owns every field
// below the line; others hand it functions with do. It reads ahead only while
// somebody consumes, and forgets nothing that was not acknowledged: a crash
// leaves the last checkpoint, and what came behind it is delivered again.
type group struct {
	groups   *groups
	key      groupKey
	commands chan func()
	stop     chan struct{} // closed to end run
	ended    chan struct{} // closed when run has ended

	// ---- owned by run
	settings  settings
	progress  progress // over revisions, or places in $all
	next      int64    // the first one not read yet
	buffer    []*message
	retries   []*message // before the buffer
	pending   map[uuid.UUID]*message
	consumers []*consumer
	turn      int // whose turn it is

	saved        bool
	checkpointed int64
	handled      int32 // since the checkpoint
	lastSave     time.Time
	total        int64 // delivered

	replayed progress // over revisions of the parked stream
	cut      int64    // the parked stream is truncated up to here
}

// message is one event on its way to a consumer.
type message struct {
	event    event
	target   *event // what the event links to, if links are resolved
	seq      int64  // revision, or place in $all
	parked   int64  // its revision in the parked stream if it is replayed, else -1
	retries  int32
	consumer *consumer
	due      time.Time // zero for never
}

// consumer is one connected client. The group owns its counters; its handler
// empties the outbox.
type consumer struct {
	from     string
	slots    int
	outbox   chan message // holds slots; copies, because the group goes on with the original
	dropped  chan error   // holds one
	inFlight int
	total    int64
}

// drop tells the handler to end, if nobody has yet.
func (c *consumer) drop(err error) {
	select {
	case c.dropped <- err:
	default:
	}
}

func newGroup(gs *groups, key groupKey, s settings, done int64, saved bool) *group {
	return &group{
		groups: gs, key: key, settings: s, saved: saved,
		commands: make(chan func()), stop: make(chan struct{}), ended: make(chan struct{}),
		progress: startProgress(done), next: done + 1, checkpointed: done,
		pending: make(map[uuid.UUID]*message), lastSave: time.Now(), replayed: startProgress(-1), cut: -1,
	}
}

// do runs f in the group's goroutine.
func (g *group) do(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	select {
	case g.commands <- func() { defer close(ran); f() }:
		<-ran
		return nil
	case <-g.ended:
		return g.key.missing()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *group) run(ctx context.Context) {
	defer close(g.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		moved, err := g.work(ctx)
		pause := g.pause()
		if err != nil {
			g.groups.journal.log.Error("persistent subscription stopped for a moment", zap.String("group", g.key.name), zap.Error(err))
			moved, pause = nil, time.Second
		}
		timer.Reset(pause)
		select {
		case f := <-g.commands:
			f()
		case <-moved:
		case <-timer.C:
		case <-g.stop:
			g.drop("dropped", codes.Canceled, "was dropped")
			if err := g.save(ctx); err != nil {
				g.groups.journal.log.Error("checkpoint not saved", zap.String("group", g.key.name), zap.Error(err))
			}
			return
		}
	}
}

// work does all that can be done now and returns what to wait for.
func (g *group) work(ctx context.Context) (moved <-chan struct{}, err error) {
	g.expire(ctx, time.Now())
	for {
		if moved, err = g.fill(ctx); err != nil {
			return nil, err
		}
		if !g.dispatch() {
			break
		}
		for g.dispatch() {
		}
	}
	if err := g.cutParked(ctx); err != nil {
		return nil, err
	}
	if g.handled >= g.settings.MaxCheckpoint || g.handled >= g.settings.MinCheckpoint && time.Since(g.lastSave) >= g.settings.CheckpointAfter {
		return moved, g.save(ctx)
	}
	return moved, nil
}

// pause is the time until something is due.
func (g *group) pause() time.Duration {
	pause := time.Hour
	for _, m := range g.pending {
		if !m.due.IsZero() {
			pause = min(pause, time.Until(m.due))
		}
	}
	if g.handled >= g.settings.MinCheckpoint && g.handled > 0 {
		pause = min(pause, time.Until(g.lastSave.Add(g.settings.CheckpointAfter)))
	}
	return max(pause, time.Millisecond)
}

// save writes the checkpoint if there is a new one.
func (g *group) save(ctx context.Context) error {
	g.handled, g.lastSave = 0, time.Now()
	if g.progress.low == g.checkpointed {
		return nil
	}
	const update = `UPDATE groups SET done = ?, saved = 1 WHERE source = ? AND name = ?`
	if _, err := g.groups.db.Write.ExecContext(ctx, update, g.progress.low, g.key.source, g.key.name); err != nil {
		return err
	}
	g.checkpointed, g.saved = g.progress.low, true
	return nil
}

// dispatch hands one message to a consumer, or reports that none can go.
func (g *group) dispatch() bool {
	queue := &g.buffer
	if len(g.retries) > 0 {
		queue = &g.retries
	}
	if len(*queue) == 0 {
		return false
	}
	m := (*queue)[0]
	// Clients answer with ids, and an id is not unique: the second one waits.
	c := g.choose(m)
	if c == nil || g.pending[m.event.id] != nil {
		return false
	}
	*queue = (*queue)[1:]
	m.consumer, m.due = c, time.Time{}
	if g.settings.Timeout > 0 {
		m.due = time.Now().Add(g.settings.Timeout)
	}
	g.pending[m.event.id] = m
	c.inFlight++
	c.total++
	g.total++
	c.outbox <- *m // there is room: choose has looked
	return true
}

// choose returns the consumer of a message, or nil if nobody has room.
func (g *group) choose(m *message) *consumer {
	n := len(g.consumers)
	if n == 0 {
		return nil
	}
	first := 0
	switch g.settings.Strategy {
	case roundRobin:
		first = g.turn
	case pinned:
		hash := fnv.New32a()
		hash.Write([]byte(m.shown().stream))
		first = int(hash.Sum32() % uint32(n))
	}
	for i := range n {
		at := (first + i) % n
		// A message that timed out may still lie in the outbox.
		if c := g.consumers[at]; c.inFlight < c.slots && len(c.outbox) < c.slots {
			g.turn = at + 1
			return c
		}
	}
	return nil
}

// shown is the event that a consumer looks at.
func (m *message) shown() *event {
	if m.target != nil {
		return m.target
	}
	return &m.event
}

// fill reads ahead into the buffer. The channel it returns is closed when there
// is more to read.
func (g *group) fill(ctx context.Context) (<-chan struct{}, error) {
	if len(g.consumers) == 0 {
		return nil, nil
	}
	for {
		at, head, moved, err := g.source(ctx)
		if err != nil {
			return nil, err
		}
		room := int64(g.settings.HistoryBuffer) - int64(len(g.buffer))
		if room <= 0 {
			return nil, nil
		}
		// A deleted stream hides everything there is, not what is to come.
		if first := min(at.limits.first(head), head+1); g.key.source != allStream && g.next < first {
			g.next = first
			g.progress.skip(first - 1)
		}
		if at.tombstone || g.next > head {
			return moved, nil
		}
		if err := g.read(ctx, at, head, min(room, int64(g.settings.ReadBatch))); err != nil {
			return nil, err
		}
	}
}

// source returns where the source of the group stands; of $all only the head.
func (g *group) source(ctx context.Context) (at state, head int64, moved <-chan struct{}, err error) {
	j := g.groups.journal
	if g.key.source == allStream {
		head, moved = j.heads.all()
		return state{}, head, moved, nil
	}
	entry, err := j.heads.get(ctx, j.file.db.Read, g.key.source)
	if err != nil {
		return state{}, 0, nil, err
	}
	m := j.heads.mark(entry)
	return m.state, m.head, m.moved, nil
}

// read takes one page into the buffer.
func (g *group) read(ctx context.Context, at state, head, count int64) error {
	j, all := g.groups.journal, g.key.source == allStream
	var page []event
	var err error
	if all {
		page, err = j.file.allPage(ctx, g.next, head, count)
	} else {
		page, err = j.file.page(ctx, at.id, g.next, head, count)
	}
	if err != nil {
		return err
	}
	if len(page) == 0 {
		return missing(g.key.source, g.next)
	}
	for i := range page {
		m := &message{event: page[i], seq: page[i].revision, parked: -1}
		if all {
			m.seq = page[i].position
		}
		g.next = m.seq + 1
		// A group on $all would else be fed with what it parks itself.
		own := all && strings.HasPrefix(m.event.stream, "$persistentsubscription-"+allStream+"::")
		if own || !g.settings.Filter.match(&m.event) || at.limits.expired(m.event.created, j.now()) {
			g.progress.skip(m.seq)
			g.handled = min(g.handled+1, math.MaxInt32-1)
			continue
		}
		if g.settings.Resolve && m.event.kind == kindLink {
			if m.target, err = j.follow(ctx, &m.event); err != nil {
				return err
			}
		}
		g.progress.begin(m.seq)
		g.buffer = append(g.buffer, m)
	}
	return nil
}

// join adds a consumer.
func (g *group) join(c *consumer) error {
	if most := g.settings.MaxSubscribers; most > 0 && len(g.consumers) >= int(most) {
		return errGroup{
			exception: "maximum-subscribers-reached", source: g.key.source, name: g.key.name,
			text: "has as many consumers as it takes", code: codes.FailedPrecondition,
		}
	}
	g.consumers = append(g.consumers, c)
	return nil
}

// leave takes a consumer away. What it had is delivered to others, and that is
// not counted as a retry.
func (g *group) leave(ctx context.Context, c *consumer) error {
	g.consumers = slices.DeleteFunc(g.consumers, func(o *consumer) bool { return o == c })
	for _, m := range g.inFlight(func(m *message) bool { return m.consumer == c }) {
		g.release(m)
		g.retries = append(g.retries, m)
	}
	slices.SortStableFunc(g.retries, func(a, b *message) int { return cmp.Compare(a.seq, b.seq) })
	if len(g.consumers) == 0 {
		return g.save(ctx)
	}
	return nil
}

// drop sends every consumer away.
func (g *group) drop(exception string, code codes.Code, text string) {
	for _, c := range g.consumers {
		c.drop(g.key.refuse(exception, code, text))
	}
	g.consumers = nil
}

// reset begins again behind done with other settings.
func (g *group) reset(s settings, done int64) {
	g.drop("dropped", codes.Canceled, "has other settings now: subscribe again")
	g.settings, g.progress, g.next, g.checkpointed = s, startProgress(done), done+1, done
	g.buffer, g.retries, g.handled = nil, nil, 0
	clear(g.pending)
	g.replayed = startProgress(g.cut)
}

// inFlight returns the pending messages that match, in order.
func (g *group) inFlight(match func(*message) bool) []*message {
	var all []*message
	for _, m := range g.pending {
		if match(m) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *message) int { return cmp.Compare(a.seq, b.seq) })
	return all
}
