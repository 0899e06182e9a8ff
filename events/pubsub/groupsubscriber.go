package pubsub

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events/esdb"
)

// Groups is where persistent subscriptions come from, as events/esdb's Store.
type Groups interface {
	// Consume yields what the group hands to this consumer, at most buffer events
	// unanswered, until ctx ends or it fails for good; esdb.ErrNoGroup if there is
	// no such group.
	Consume(ctx context.Context, g esdb.Group, buffer uint32) iter.Seq2[*esdb.Delivery, error]

	// CreateGroup makes a group, or returns esdb.ErrGroupExists.
	CreateGroup(ctx context.Context, g esdb.Group, c esdb.GroupConfig) error
}

// GroupConfig says which persistent subscription a GroupSubscriber consumes.
type GroupConfig struct {
	Source Groups

	// Group is the name of the persistent subscription on every topic.
	Group string

	// Settings are those of groups that do not exist yet; a group that does is
	// used as it is. Its Timeout must be longer than a message takes, or the
	// server delivers it to somebody else meanwhile; its MaxRetries should not be
	// below ParkAfter.
	Settings esdb.GroupConfig

	// Window is how many messages each subscription may have unanswered.
	// Default 16.
	Window int

	// ParkAfter is how many deliveries a message gets: the Nack of the last one
	// parks it, for esdb.Store.ReplayParked. Deliveries that were lost with a
	// connection count. Default 10.
	ParkAfter int

	// Marshaler makes messages of events. Default: Plain{}.
	Marshaler Marshaler

	// NackBackoff is the pause before a nacked message is given back, by the
	// number of deliveries it had. Keep it shorter than Settings.Timeout.
	// Default: Exponential(100ms, 10s).
	NackBackoff Backoff

	// Backoff is the pause before Source is asked again after an error.
	// Default: Exponential(100ms, 30s).
	Backoff Backoff

	// Now is the clock of Progress. Default: time.Now.
	Now func() time.Time

	// Logger gets names, revisions and errors, never events. Default: none.
	Logger *zap.Logger
}

func (c GroupConfig) withDefaults() GroupConfig {
	if c.NackBackoff == nil {
		c.NackBackoff = Exponential(100*time.Millisecond, 10*time.Second)
	}
	same := Config{SourceBackoff: c.Backoff, Now: c.Now, Logger: c.Logger}.withDefaults()
	c.Backoff, c.Now, c.Logger = same.SourceBackoff, same.Now, same.Logger
	if c.Window <= 0 {
		c.Window = 16
	}
	if c.ParkAfter <= 0 {
		c.ParkAfter = 10
	}
	if c.Marshaler == nil {
		c.Marshaler = Plain{}
	}
	return c
}

var (
	_ message.Subscriber           = (*GroupSubscriber)(nil)
	_ message.SubscribeInitializer = (*GroupSubscriber)(nil)
)

// GroupSubscriber delivers what a persistent subscription hands to it. The server
// keeps the place; order is not promised. Ack and Nack are passed on as they come:
// a Nack gives the message back, and parks it after ParkAfter deliveries; none is
// ever skipped. An Ack that is on its way when the connection breaks, or at Close,
// may be lost, and the message comes again.
//
// Channels close as those of Subscriber do.
type GroupSubscriber struct {
	cfg GroupConfig
	channels
}

// NewGroupSubscriber returns a GroupSubscriber; it does nothing until Subscribe.
func NewGroupSubscriber(cfg GroupConfig) *GroupSubscriber {
	return &GroupSubscriber{cfg: cfg.withDefaults()}
}

// initializeTimeout bounds SubscribeInitialize, to which Watermill gives no context.
const initializeTimeout = 30 * time.Second

// SubscribeInitialize creates the group on topic, which may be esdb.AllStreams,
// if there is none.
func (s *GroupSubscriber) SubscribeInitialize(topic string) error {
	ctx, cancel := context.WithTimeout(context.Background(), initializeTimeout)
	defer cancel()
	return s.create(ctx, topic)
}

func (s *GroupSubscriber) create(ctx context.Context, topic string) error {
	err := s.cfg.Source.CreateGroup(ctx, s.group(topic), s.cfg.Settings)
	if errors.Is(err, esdb.ErrGroupExists) {
		return nil
	}
	return err
}

func (s *GroupSubscriber) group(topic string) esdb.Group {
	return esdb.Group{Stream: topic, Name: s.cfg.Group}
}

// Subscribe delivers what the group has for one more consumer on topic. The group
// is created if there is none. Messages are to be acked or nacked; their context
// ends with that, with ctx, and at Close.
func (s *GroupSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.open(ctx, topic, &meter{now: s.cfg.Now}, func(ctx, reading context.Context, c *channel) {
		(&member{GroupSubscriber: s, channel: c}).follow(ctx, reading)
	})
}
