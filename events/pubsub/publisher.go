package pubsub

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/sharetrail/sharetrail/events"
)

// Appender is where a Publisher writes, as events/esdb's Store.
//
// Append writes all events behind the expected revision or none; when it returns
// nil they are durable. After an error that wraps events.ErrConflict nothing was
// written; a repeat of the identical append behind the same revision is answered
// like the original. Head returns what the next Append must expect.
type Appender interface {
	Append(ctx context.Context, stream string, expected events.Expected, evs ...events.Proposed) (last uint64, err error)
	Head(ctx context.Context, stream string) (events.Expected, error)
}

// PublisherConfig says where a Publisher writes, and how.
type PublisherConfig struct {
	Store Appender

	// Marshaler makes events of messages. Default: Plain{}.
	Marshaler Marshaler

	// Timeout bounds a Publish beside the messages' contexts. Default 30s.
	Timeout time.Duration
}

var _ message.Publisher = (*Publisher)(nil)

// Publisher appends messages to streams. Its methods may be called from any
// goroutine; Publishes to one topic take turns.
type Publisher struct {
	cfg PublisherConfig

	mu       sync.Mutex
	closed   bool             // guarded by mu
	lanes    map[string]*lane // guarded by mu; by topic
	inFlight sync.WaitGroup   // one for each Publish; Add under mu
}

// NewPublisher returns a Publisher; it does nothing until Publish.
func NewPublisher(cfg PublisherConfig) *Publisher {
	if cfg.Marshaler == nil {
		cfg.Marshaler = Plain{}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	return &Publisher{cfg: cfg, lanes: map[string]*lane{}}
}

type expectedKey struct{}

// WithExpected makes a Publish demand that the stream stands at expected. Set the
// result as the context of the first message.
func WithExpected(ctx context.Context, expected events.Expected) context.Context {
	return context.WithValue(ctx, expectedKey{}, expected)
}

// Publish appends msgs to the stream called topic, in one append: all of them or
// none. When it returns nil they are durable. It ends with the context of any of
// the messages.
//
// With WithExpected they are written behind that revision or not at all: the
// error then wraps events.ErrConflict. Without, they go to the end of the stream,
// wherever that is: the Publisher names the revision it believes to be the last
// and, when somebody else was faster, the next one. Messages that do not fit into
// one append are refused with what the store says, for EventStoreDB
// esdb.ErrTooLarge, and never split.
//
// After any error but those, and those by which the store says that nothing was
// written, the messages may stand in the stream. A repeat with the same UUIDs is
// safe: behind an expected revision always, else as long as this Publisher
// remembers it. A repeat by another process may write them twice; the ids are
// the same, so that a consumer can tell.
func (p *Publisher) Publish(topic string, msgs ...*message.Message) error {
	if len(msgs) == 0 {
		return nil
	}
	if err := p.begin(); err != nil {
		return fmt.Errorf("publishing to %s: %w", topic, err)
	}
	defer p.inFlight.Done()
	evs := make([]events.Proposed, len(msgs))
	for i, msg := range msgs {
		var err error
		if evs[i], err = p.cfg.Marshaler.Marshal(topic, msg); err != nil {
			return fmt.Errorf("publishing to %s: %w", topic, err)
		}
	}
	ctx, cancel := p.contextOf(msgs)
	defer cancel()
	var err error
	if expected, ok := ctx.Value(expectedKey{}).(events.Expected); ok {
		_, err = p.cfg.Store.Append(ctx, topic, expected, evs...)
	} else {
		err = p.atEnd(ctx, topic, evs)
	}
	if err != nil {
		return fmt.Errorf("publishing to %s: %w", topic, err)
	}
	return nil
}

// Close refuses further Publishes and waits for those in flight, which their
// contexts and the Timeout bound. It may be called again.
func (p *Publisher) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.inFlight.Wait()
	return nil
}

func (p *Publisher) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	p.inFlight.Add(1)
	return nil
}

// contextOf ends with any of the messages' contexts and has the values of the
// first.
func (p *Publisher) contextOf(msgs []*message.Message) (context.Context, context.CancelFunc) {
	first := msgs[0].Context()
	ctx, cancel := context.WithTimeout(first, p.cfg.Timeout)
	stops := []func() bool{}
	for _, msg := range msgs[1:] {
		if other := msg.Context(); other.Done() != first.Done() {
			stops = append(stops, context.AfterFunc(other, cancel))
		}
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// maxLanes is how many topics are remembered; those in use or in doubt always are.
const maxLanes = 1024

// atEnd appends to the end of the stream when it is this call's turn.
func (p *Publisher) atEnd(ctx context.Context, topic string, evs []events.Proposed) error {
	p.mu.Lock()
	l := p.lanes[topic]
	if l == nil {
		l = &lane{turn: make(chan struct{}, 1), doubts: map[batchKey]events.Expected{}}
		p.lanes[topic] = l
	}
	l.users++
	p.mu.Unlock()
	defer p.leave(topic, l)
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
		return l.append(ctx, p.cfg.Store, topic, evs)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave runs after the turn was given back: with no users nobody has it.
func (p *Publisher) leave(topic string, l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.users--; l.users == 0 && len(p.lanes) > maxLanes && len(l.doubts) == 0 {
		delete(p.lanes, topic)
	}
}
