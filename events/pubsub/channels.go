package pubsub

import (
	"context"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// channels holds the subscriptions of one subscriber and ends them: what all
// subscribers share, whatever they deliver. The zero value is ready.
type channels struct {
	mu      sync.Mutex
	refuse  bool                  // guarded by mu; set by Drain and Close
	current map[*channel]struct{} // guarded by mu; those whose goroutine runs

	running sync.WaitGroup // one for each subscription's goroutine; Add under mu
}

// channel is one subscription. All its work happens below one goroutine, in run;
// the fields are set before that starts.
type channel struct {
	topic string
	out   chan *message.Message // closed by run
	stop  context.CancelFunc    // ends everything, messages in flight included
	pause context.CancelFunc    // ends reading and emitting, not what is in flight
	idle  chan struct{}         // closed by run when nothing will be in flight again
	meter *meter
}

// follow delivers what there is for a channel until reading ends, and returns
// when nothing is in flight any more. reading is a child of ctx, which Drain ends
// earlier; ctx is the life of what is in flight.
type follow func(ctx, reading context.Context, c *channel)

// open begins a subscription.
func (s *channels) open(ctx context.Context, topic string, m *meter, f follow) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse {
		return nil, fmt.Errorf("subscribing to %s: %w", topic, ErrClosed)
	}
	ctx, stop := context.WithCancel(ctx)
	reading, pause := context.WithCancel(ctx)
	c := &channel{
		topic: topic,
		out:   make(chan *message.Message),
		stop:  stop,
		pause: pause,
		idle:  make(chan struct{}),
		meter: m,
	}
	if s.current == nil {
		s.current = map[*channel]struct{}{}
	}
	s.current[c] = struct{}{}
	s.running.Go(func() {
		c.run(ctx, reading, f)
		s.mu.Lock()
		delete(s.current, c)
		s.mu.Unlock()
	})
	return c.out, nil
}

// run lives until ctx ends.
func (c *channel) run(ctx, reading context.Context, f follow) {
	defer close(c.out)
	defer c.stop()
	f(ctx, reading, c)
	close(c.idle)
	<-ctx.Done()
}

// Drain stops emitting and returns when nothing is in flight any more: each
// message was acked or nacked, or nobody took it. The channels stay open until
// Close, which is to follow; contexts of messages in flight live on. If ctx ends
// first its error is returned, and emitting remains stopped.
func (s *channels) Drain(ctx context.Context) error {
	all := s.refuseAndList()
	for _, c := range all {
		c.pause() // all of them before waiting for any
	}
	for _, c := range all {
		select {
		case <-c.idle:
		case <-ctx.Done():
			return fmt.Errorf("draining %s: %w", c.topic, ctx.Err())
		}
	}
	return nil
}

// Close ends every subscription: contexts of messages in flight are cancelled,
// all channels are closed and all goroutines gone when it returns. To let what is
// in flight finish, Drain first. Close may be called again.
func (s *channels) Close() error {
	for _, c := range s.refuseAndList() {
		c.stop()
	}
	s.running.Wait()
	return nil
}

// refuseAndList ends the acceptance of subscriptions and returns those there are.
func (s *channels) refuseAndList() []*channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = true
	return s.list()
}

// list is called with mu held.
func (s *channels) list() []*channel {
	all := make([]*channel, 0, len(s.current))
	for c := range s.current {
		all = append(all, c)
	}
	return all
}
