package pubsub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Progress is how far one subscription is: the numbers for a metrics endpoint, a
// health check or a status page. Counters begin at zero with the subscription.
type Progress struct {
	Topic string

	Next     uint64 // everything below is acked; 0 in a group, whose place the server keeps
	Read     uint64 // everything below has arrived from the source; 0 in a group
	PageSize int    // events in the page that arrived last
	InFlight int    // messages delivered and not answered

	Acked    uint64 // messages, which in page mode are pages
	Nacked   uint64
	Parked   uint64 // put aside by a group
	Failures uint64 // events that the marshaler could not read, each delivery
	Restarts uint64 // how often the source was asked again after an error

	LastAck     time.Time // when a message was acked last; zero: none yet
	LastCreated time.Time // the store's time of the newest acked event

	// Known only if the subscriber knows a Head.
	Head     events.Expected // revision of the last event, or events.NoStream
	Lag      uint64          // events in the stream that are not acked
	CaughtUp bool            // Lag is 0, and Head was asked
}

// Head says where a stream ends, as events/esdb's Store.Head.
type Head func(ctx context.Context, stream string) (events.Expected, error)

// Progress returns how far each subscription is, ordered by topic. With a Head
// configured it asks the store once for each; the numbers that need no Head are
// there beside an error too.
func (s *channels) Progress(ctx context.Context) ([]Progress, error) {
	s.mu.Lock()
	list := s.list()
	s.mu.Unlock()
	all := make([]Progress, 0, len(list))
	var failed error
	for _, c := range list {
		p, err := c.meter.progress(ctx, c.topic)
		if err != nil {
			failed = err
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b Progress) int { return cmp.Compare(a.Topic, b.Topic) })
	return all, failed
}

// meter counts for one subscription.
type meter struct {
	now  func() time.Time
	head Head // may be nil

	mu sync.Mutex
	p  Progress // guarded by mu; without topic and head
}

func (m *meter) progress(ctx context.Context, topic string) (Progress, error) {
	m.mu.Lock()
	p := m.p
	m.mu.Unlock()
	p.Topic = topic
	if m.head == nil {
		return p, nil
	}
	// The head is asked after the position was read, so it may only be further.
	head, err := m.head(ctx, topic)
	if err != nil {
		return p, fmt.Errorf("asking for the end of %s: %w", topic, err)
	}
	p.Head = head
	p.Lag = uint64(max(int64(head)+1-int64(p.Next), 0))
	p.CaughtUp = p.Lag == 0
	return p, nil
}

func (m *meter) update(f func(p *Progress)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.p)
}

// started notes where a subscription begins.
func (m *meter) started(next uint64) {
	m.update(func(p *Progress) { p.Next, p.Read = next, next })
}

// arrived notes a page from the source.
func (m *meter) arrived(page []events.Recorded) {
	m.update(func(p *Progress) {
		p.PageSize = len(page)
		p.Read = page[len(page)-1].Revision + 1
	})
}

func (m *meter) delivered(failed bool) {
	m.update(func(p *Progress) {
		p.InFlight++
		if failed {
			p.Failures++
		}
	})
}

// acked notes that a message up to and including last is acked.
func (m *meter) acked(last events.Recorded, counted bool) {
	now := m.now()
	m.update(func(p *Progress) {
		p.Acked++
		p.LastAck, p.LastCreated = now, last.Created
		if counted {
			p.Next = last.Revision + 1
		}
	})
}

func (m *meter) nacked()    { m.update(func(p *Progress) { p.Nacked++ }) }
func (m *meter) parked()    { m.update(func(p *Progress) { p.Parked++ }) }
func (m *meter) restarted() { m.update(func(p *Progress) { p.Restarts++ }) }
func (m *meter) landed()    { m.update(func(p *Progress) { p.InFlight-- }) }
