package pubsub

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

var _ message.Subscriber = (*Subscriber)(nil)

// Subscriber delivers streams as pages, in order, one page at a time for each
// subscription. Its channels close when their context ends or at Close, for no
// other reason: the Router takes a closed channel for the end of all work.
type Subscriber struct {
	cfg Config
	channels
}

// NewSubscriber returns a Subscriber; it does nothing until Subscribe.
func NewSubscriber(cfg Config) *Subscriber { return &Subscriber{cfg: cfg.withDefaults()} }

// Subscribe delivers the stream called topic, beginning where Config.From says.
// Messages are to be acked or nacked; their context ends with that, with ctx, and
// at Close. Errors of the source or of From are logged and retried, not returned.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.open(ctx, topic, &meter{now: s.cfg.Now, head: s.cfg.Head}, func(ctx, reading context.Context, c *channel) {
		(&subscription{cfg: s.cfg, channel: c}).follow(ctx, reading)
	})
}
