package pubsub

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/zap"
)

var errSourceEnded = errors.New("the source ended while it should wait for more")

// subscription delivers pages over one channel, in the goroutine of that.
type subscription struct {
	cfg Config
	*channel
}

// follow asks the source again and again, each time from the first revision
// which was not acked.
func (s *subscription) follow(ctx, reading context.Context) {
	next, ok := s.position(reading)
	if !ok {
		return
	}
	s.meter.started(next)
	for failures := 0; ; {
		reached, err := s.read(ctx, reading, next)
		if reading.Err() != nil {
			return
		}
		if reached > next {
			failures = 0
		}
		next = reached
		failures++
		s.meter.restarted()
		s.cfg.Logger.Warn("reading the stream stopped, asking again",
			zap.String("stream", s.topic), zap.Uint64("next", next), zap.Int("failures", failures), zap.Error(err))
		if !wait(reading, s.cfg.SourceBackoff(failures)) {
			return
		}
	}
}

// position asks the consumer where to begin until it knows.
func (s *subscription) position(reading context.Context) (uint64, bool) {
	for failures := 1; ; failures++ {
		next, err := s.cfg.From(reading, s.topic)
		if reading.Err() != nil {
			return 0, false
		}
		if err == nil {
			return next, true
		}
		s.cfg.Logger.Warn("the consumer's position is unknown, asking again",
			zap.String("stream", s.topic), zap.Int("failures", failures), zap.Error(err))
		if !wait(reading, s.cfg.SourceBackoff(failures)) {
			return 0, false
		}
	}
}

// read delivers pages until the source fails or reading ends, and returns the
// next revision wanted: the one after the last that was acked.
func (s *subscription) read(ctx, reading context.Context, next uint64) (uint64, error) {
	for recorded, err := range s.cfg.Source.Pages(reading, s.topic, next, s.cfg.PageSize) {
		if err != nil {
			return next, err
		}
		if len(recorded) == 0 {
			continue
		}
		if err := checkPage(recorded, next); err != nil {
			return next, err
		}
		s.meter.arrived(recorded)
		page := Page{Stream: s.topic, Events: recorded}
		acked := s.deliver(ctx, reading, func(ctx context.Context) *message.Message {
			return newPageMessage(ctx, page)
		})
		if !acked {
			return next, reading.Err()
		}
		next = page.Last() + 1
		s.meter.acked(recorded[len(recorded)-1], true)
	}
	return next, errSourceEnded
}

// deliver offers one thing until it is acked, a new message each time because a
// message can be answered only once. False means that reading ended.
func (s *subscription) deliver(ctx, reading context.Context, newMessage func(context.Context) *message.Message) bool {
	for failures := 1; reading.Err() == nil; failures++ {
		switch s.offer(ctx, reading, newMessage) {
		case acked:
			return true
		case unanswered:
			return false
		}
		s.meter.nacked()
		pause := s.cfg.NackBackoff(failures)
		s.cfg.Logger.Debug("message nacked", zap.String("stream", s.topic),
			zap.Int("failures", failures), zap.Duration("pause", pause))
		if !wait(reading, pause) {
			return false
		}
	}
	return false
}

type answer int

const (
	unanswered answer = iota
	acked
	nacked
)

// offer sends one message and waits for its answer. Once somebody took it, only
// the answer or the end of ctx counts, not the end of reading: that is what
// Drain waits for.
func (s *subscription) offer(ctx, reading context.Context, newMessage func(context.Context) *message.Message) answer {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	msg := newMessage(ctx)
	select {
	case s.out <- msg:
	case <-reading.Done():
		return unanswered
	}
	s.meter.delivered(false)
	defer s.meter.landed()
	select {
	case <-msg.Acked():
		return acked
	case <-msg.Nacked():
		return nacked
	case <-ctx.Done():
		return unanswered
	}
}
