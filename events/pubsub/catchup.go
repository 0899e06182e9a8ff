package pubsub

import (
	"context"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
)

// catchUp delivers events over one channel. It has three goroutines, which end
// with the session: one reads, one saves the checkpoint, and that of the channel
// does everything else, in window.
type catchUp struct {
	cfg EventConfig
	*channel
}

// follow runs one session after the other: a session ends when another process
// has moved the checkpoint, and the next begins where that stands.
func (s *catchUp) follow(ctx, reading context.Context) {
	for failures := 1; ; failures++ {
		saved, next, ok := s.start(reading)
		if !ok {
			return
		}
		s.meter.started(next)
		s.session(ctx, reading, saved, next)
		if reading.Err() != nil {
			return
		}
		s.meter.restarted()
		s.cfg.Logger.Error("the checkpoint was moved by somebody else: does another process consume under this name?",
			zap.String("stream", s.topic), zap.String("consumer", s.cfg.Name))
		if !wait(reading, s.cfg.Backoff(failures)) {
			return
		}
	}
}

// start asks where the checkpoint is (0: there is none) and where to begin, until
// it knows.
func (s *catchUp) start(reading context.Context) (saved, next uint64, ok bool) {
	for failures := 1; ; failures++ {
		saved, next, err := s.position(reading)
		if reading.Err() != nil {
			return 0, 0, false
		}
		if err == nil {
			return saved, next, true
		}
		s.cfg.Logger.Warn("the consumer's position is unknown, asking again",
			zap.String("stream", s.topic), zap.Int("failures", failures), zap.Error(err))
		if !wait(reading, s.cfg.Backoff(failures)) {
			return 0, 0, false
		}
	}
}

func (s *catchUp) position(ctx context.Context) (saved, next uint64, err error) {
	if s.cfg.Checkpoints != nil {
		if saved, err = s.cfg.Checkpoints.Load(ctx, s.consumer()); err != nil {
			return 0, 0, err
		}
	}
	if saved > 0 {
		return saved, saved, nil
	}
	next, err = s.cfg.From(ctx, s.topic)
	return 0, next, err
}

func (s *catchUp) consumer() Consumer { return Consumer{Name: s.cfg.Name, Topic: s.topic} }

// session delivers from next on until reading ends or the checkpoint is lost.
func (s *catchUp) session(ctx, reading context.Context, saved, next uint64) {
	feeding, stop := context.WithCancel(reading)
	pages := make(chan []events.Recorded)
	w := &window{cfg: &s.cfg, channel: s.channel, pages: pages}
	var helpers sync.WaitGroup
	helpers.Go(func() { s.feed(feeding, next, pages) })
	if s.cfg.Checkpoints != nil {
		w.saver = newSaver(&s.cfg, s.consumer(), saved)
		helpers.Go(func() { w.saver.run(ctx) })
	}
	w.run(ctx, reading)
	stop()
	w.saver.end()
	helpers.Wait()
}

// feed reads pages from next on until ctx ends, whatever happens to the source.
func (s *catchUp) feed(ctx context.Context, next uint64, pages chan<- []events.Recorded) {
	for failures := 0; ; {
		reached, err := s.read(ctx, next, pages)
		if ctx.Err() != nil {
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
		if !wait(ctx, s.cfg.Backoff(failures)) {
			return
		}
	}
}

// read hands over pages until the source fails, and returns the next revision.
func (s *catchUp) read(ctx context.Context, next uint64, pages chan<- []events.Recorded) (uint64, error) {
	for page, err := range s.cfg.Source.Pages(ctx, s.topic, next, s.cfg.PageSize) {
		if err != nil {
			return next, err
		}
		if len(page) == 0 {
			continue
		}
		if err := checkPage(page, next); err != nil {
			return next, err
		}
		select {
		case pages <- page:
			next = page[len(page)-1].Revision + 1
			s.meter.arrived(page)
		case <-ctx.Done():
			return next, fmt.Errorf("reading %s: %w", s.topic, ctx.Err())
		}
	}
	return next, errSourceEnded
}
