package pubsub

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/zap"
)

// EventConfig says what an EventSubscriber reads and how far ahead it goes.
type EventConfig struct {
	// Source is read once for every subscription.
	Source Pages

	// Name is the consumer whose checkpoints these are; it never changes.
	Name string

	// Checkpoints keeps the place of Name in each topic. Nil keeps none: every
	// subscription begins where From says.
	Checkpoints CheckpointStore

	// From returns the next revision wanted of topic by a consumer that has no
	// checkpoint yet. Default: 0, the beginning.
	From func(ctx context.Context, topic string) (uint64, error)

	// Window is how many messages may be unanswered. With 1, the default, each
	// event is handled before the next one leaves. With more they leave in order,
	// and the Router handles them in any.
	Window int

	// PageSize is the largest number of events read at once; about two pages and
	// a window of events are held in memory. Default 500.
	PageSize int

	// Marshaler makes messages of events. Default: Plain{}.
	Marshaler Marshaler

	// NackBackoff is the pause before a nacked message is delivered again.
	// Default: Exponential(100ms, 30s).
	NackBackoff Backoff

	// Backoff is the pause before Source, From or Checkpoints is asked again
	// after an error. Default: Exponential(100ms, 30s).
	Backoff Backoff

	// Head is asked by Progress. Default: none.
	Head Head

	// Now is the clock of Progress. Default: time.Now.
	Now func() time.Time

	// Logger gets stream names, revisions and errors, never events. Default: none.
	Logger *zap.Logger
}

func (c EventConfig) withDefaults() EventConfig {
	// The fields that page mode has too have the same defaults there.
	same := Config{
		PageSize: c.PageSize, NackBackoff: c.NackBackoff, SourceBackoff: c.Backoff, Now: c.Now, Logger: c.Logger,
	}.withDefaults()
	c.PageSize, c.NackBackoff, c.Backoff, c.Now, c.Logger = same.PageSize, same.NackBackoff, same.SourceBackoff, same.Now, same.Logger
	if c.From == nil {
		c.From = func(context.Context, string) (uint64, error) { return 0, nil }
	}
	if c.Marshaler == nil {
		c.Marshaler = Plain{}
	}
	c.Window = max(c.Window, 1)
	return c
}

var _ message.Subscriber = (*EventSubscriber)(nil)

// EventSubscriber delivers the events of streams one by one. Up to Window are
// unanswered at any time; the checkpoint is the first revision below which all
// are acked. A Nack takes the subscription back to that event: once everything in
// flight is answered, it and all that follow are delivered again, in order, also
// those acked meanwhile. So no event is in two hands at once.
//
// Channels close as those of Subscriber do.
type EventSubscriber struct {
	cfg EventConfig
	channels
}

// NewEventSubscriber returns an EventSubscriber; it does nothing until Subscribe.
func NewEventSubscriber(cfg EventConfig) *EventSubscriber {
	return &EventSubscriber{cfg: cfg.withDefaults()}
}

// Subscribe delivers the stream called topic from the checkpoint on. Messages are
// to be acked or nacked; their context ends soon after, with ctx, and at Close.
// Errors of the source and of the checkpoints are logged and retried.
func (s *EventSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.open(ctx, topic, &meter{now: s.cfg.Now, head: s.cfg.Head}, func(ctx, reading context.Context, c *channel) {
		(&catchUp{cfg: s.cfg, channel: c}).follow(ctx, reading)
	})
}
