package esdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
)

// AllStreams as the stream of a Group means $all.
const AllStreams = "$all"

// Group names a persistent subscription: the server remembers for it what was
// handled, hands events to whoever consumes, and delivers each at least once,
// in order only while nothing is retried.
type Group struct {
	Stream string // or AllStreams
	Name   string
}

func (g Group) String() string { return g.Name + " on " + g.Stream }

// Strategies by which the server chooses the consumer of an event.
const (
	RoundRobin       = string(esdb.ConsumerStrategyRoundRobin)
	DispatchToSingle = string(esdb.ConsumerStrategyDispatchToSingle)
	Pinned           = string(esdb.ConsumerStrategyPinned)
)

// GroupConfig is how a group works. The zero value begins at the start and has
// the defaults of the official clients.
type GroupConfig struct {
	FromRevision uint64   // the first event delivered, of a stream
	FromPosition Position // the first event delivered, of AllStreams
	FromEnd      bool     // only what comes after the creation
	Prefixes     []string // of AllStreams: only streams with these prefixes; fixed at creation

	Strategy        string        // empty means RoundRobin
	MaxRetries      int32         // deliveries after the first before an event is parked; 0 means 10, below 0 none
	Timeout         time.Duration // an event not answered by then is retried; 0 means 30 s
	CheckpointAfter time.Duration // 0 means 2 s
	MinCheckpoint   int32         // events handled before a checkpoint by time; 0 means 10
	MaxCheckpoint   int32         // events handled that force a checkpoint; 0 means 1000
	MaxConsumers    int32         // 0 means any number
	HistoryBuffer   int32         // events read ahead; 0 means 500
	ReadBatch       int32         // events in one read; 0 means 20
	ResolveLinkTos  bool
}

func (c GroupConfig) settings() *esdb.PersistentSubscriptionSettings {
	s := esdb.SubscriptionSettingsDefault()
	for _, f := range []struct {
		from int32
		to   *int32
	}{
		{c.MaxRetries, &s.MaxRetryCount}, {c.MinCheckpoint, &s.CheckpointLowerBound}, {c.MaxCheckpoint, &s.CheckpointUpperBound},
		{c.MaxConsumers, &s.MaxSubscriberCount}, {c.HistoryBuffer, &s.HistoryBufferSize}, {c.ReadBatch, &s.ReadBatchSize},
		{int32(c.Timeout / time.Millisecond), &s.MessageTimeout}, {int32(c.CheckpointAfter / time.Millisecond), &s.CheckpointAfter},
	} {
		if f.from != 0 {
			*f.to = max(f.from, 0)
		}
	}
	if c.Strategy != "" {
		s.ConsumerStrategyName = esdb.ConsumerStrategy(c.Strategy)
	}
	s.ResolveLinkTos = c.ResolveLinkTos
	return &s
}

func (c GroupConfig) onStream(timeout *time.Duration) esdb.PersistentStreamSubscriptionOptions {
	o := esdb.PersistentStreamSubscriptionOptions{Settings: c.settings(), StartFrom: esdb.Start{}, Deadline: timeout}
	switch {
	case c.FromEnd:
		o.StartFrom = esdb.End{}
	case c.FromRevision > 0:
		o.StartFrom = esdb.Revision(c.FromRevision)
	}
	return o
}

func (c GroupConfig) onAll(timeout *time.Duration) esdb.PersistentAllSubscriptionOptions {
	o := esdb.PersistentAllSubscriptionOptions{Settings: c.settings(), StartFrom: esdb.Start{}, Deadline: timeout}
	switch {
	case c.FromEnd:
		o.StartFrom = esdb.End{}
	case c.FromPosition != Position{}:
		o.StartFrom = esdb.Position{Commit: c.FromPosition.Commit, Prepare: c.FromPosition.Prepare}
	}
	if len(c.Prefixes) > 0 {
		o.Filter = &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: c.Prefixes}
	}
	return o
}

// CreateGroup makes a group. It fails with ErrGroupExists if there is one,
// except when an answer was lost on the way and the group may be its own.
func (s *Store) CreateGroup(ctx context.Context, g Group, c GroupConfig) error {
	attempts := 0
	err := s.manage(ctx, "creating", g, func(ctx context.Context, client *esdb.Client) error {
		attempts++
		if g.Stream == AllStreams {
			return client.CreatePersistentSubscriptionToAll(ctx, g.Name, c.onAll(&s.timeout))
		}
		return client.CreatePersistentSubscription(ctx, g.Stream, g.Name, c.onStream(&s.timeout))
	})
	if attempts > 1 && errors.Is(err, ErrGroupExists) {
		return nil
	}
	return err
}

// UpdateGroup gives a group another configuration; its consumers are dropped
// and come back by themselves. FromEnd cannot be set by an update: the client
// sends the start for it.
func (s *Store) UpdateGroup(ctx context.Context, g Group, c GroupConfig) error {
	return s.manage(ctx, "updating", g, func(ctx context.Context, client *esdb.Client) error {
		if g.Stream == AllStreams {
			return client.UpdatePersistentSubscriptionToAll(ctx, g.Name, c.onAll(&s.timeout))
		}
		return client.UpdatePersistentSubscription(ctx, g.Stream, g.Name, c.onStream(&s.timeout))
	})
}

// DeleteGroup removes a group and sends its consumers away.
func (s *Store) DeleteGroup(ctx context.Context, g Group) error {
	return s.manage(ctx, "deleting", g, func(ctx context.Context, client *esdb.Client) error {
		if g.Stream == AllStreams {
			return client.DeletePersistentSubscriptionToAll(ctx, g.Name, esdb.DeletePersistentSubscriptionOptions{Deadline: &s.timeout})
		}
		return client.DeletePersistentSubscription(ctx, g.Stream, g.Name, esdb.DeletePersistentSubscriptionOptions{Deadline: &s.timeout})
	})
}

// ReplayParked delivers again what the group has parked.
func (s *Store) ReplayParked(ctx context.Context, g Group) error {
	return s.manage(ctx, "replaying", g, func(ctx context.Context, client *esdb.Client) error {
		if g.Stream == AllStreams {
			return client.ReplayParkedMessagesToAll(ctx, g.Name, esdb.ReplayParkedMessagesOptions{Deadline: &s.timeout})
		}
		return client.ReplayParkedMessages(ctx, g.Stream, g.Name, esdb.ReplayParkedMessagesOptions{Deadline: &s.timeout})
	})
}

// GroupInfo is how a group stands.
type GroupInfo struct {
	Consumers int
	InFlight  int64 // delivered and not answered
	Parked    int64
}

// Group returns how a group stands.
func (s *Store) Group(ctx context.Context, g Group) (GroupInfo, error) {
	var info *esdb.PersistentSubscriptionInfo
	err := s.manage(ctx, "reading", g, func(ctx context.Context, client *esdb.Client) (err error) {
		if g.Stream == AllStreams {
			info, err = client.GetPersistentSubscriptionInfoToAll(ctx, g.Name, esdb.GetPersistentSubscriptionOptions{Deadline: &s.timeout})
		} else {
			info, err = client.GetPersistentSubscriptionInfo(ctx, g.Stream, g.Name, esdb.GetPersistentSubscriptionOptions{Deadline: &s.timeout})
		}
		return err
	})
	if err != nil {
		return GroupInfo{}, err
	}
	return GroupInfo{Consumers: len(info.Connections), InFlight: info.Stats.TotalInFlightMessages, Parked: info.Stats.ParkedMessagesCount}, nil
}

// manage makes a call about a group until it is answered.
func (s *Store) manage(ctx context.Context, doing string, g Group, f func(context.Context, *esdb.Client) error) error {
	_, err := retry(ctx, s, func(ctx context.Context, c *esdb.Client) (struct{}, error) { return struct{}{}, f(ctx, c) })
	if err != nil {
		return fmt.Errorf("%s group %v: %w", doing, g, groupError(err))
	}
	return nil
}

// groupError is typed for calls about groups.
func groupError(err error) error {
	switch code, _ := grpcStatus(err); {
	case clientCode(err) == esdb.ErrorCodeResourceNotFound:
		return fmt.Errorf("%w: %v", ErrNoGroup, err)
	case clientCode(err) == esdb.ErrorCodeResourceAlreadyExists:
		return fmt.Errorf("%w: %v", ErrGroupExists, err)
	case code == codes.FailedPrecondition:
		return fmt.Errorf("%w: %v", ErrGroupFull, err)
	}
	return typed(err)
}
