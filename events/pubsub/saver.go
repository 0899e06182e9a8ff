package pubsub

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

// saveTimeout bounds one attempt to save. It also bounds how long Close waits for
// the last one.
const saveTimeout = 5 * time.Second

// saver moves a checkpoint behind the acks, in a goroutine of its own and always
// to the newest position, so that a slow store makes for fewer saves and not for
// slower deliveries. The methods of a nil saver do nothing.
type saver struct {
	cfg      *EventConfig
	consumer Consumer
	want     chan uint64   // holds the newest position; closed by end
	moved    chan struct{} // closed by run when the checkpoint is somebody else's
	at       uint64        // of run: where the checkpoint is
}

func newSaver(cfg *EventConfig, c Consumer, at uint64) *saver {
	return &saver{cfg: cfg, consumer: c, want: make(chan uint64, 1), moved: make(chan struct{}), at: at}
}

// reach says that everything below next is acked. It never blocks, having one
// caller.
func (s *saver) reach(next uint64) {
	if s == nil {
		return
	}
	select {
	case <-s.want:
	default:
	}
	s.want <- next
}

// end makes run return when the last position is saved.
func (s *saver) end() {
	if s != nil {
		close(s.want)
	}
}

// lost is closed when somebody else has moved the checkpoint.
func (s *saver) lost() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.moved
}

// run saves until end. After the end of ctx it tries only once.
func (s *saver) run(ctx context.Context) {
	for next := range s.want {
		if !s.save(ctx, next) {
			return
		}
	}
}

// save reports whether the checkpoint is still ours.
func (s *saver) save(ctx context.Context, next uint64) bool {
	for failures := 1; ; failures++ {
		err := s.attempt(ctx, next)
		switch {
		case err == nil:
			s.at = next
			return true
		case errors.Is(err, ErrCheckpointMoved):
			close(s.moved)
			return false
		}
		s.cfg.Logger.Warn("the checkpoint was not saved, trying again",
			zap.Stringer("consumer", s.consumer), zap.Uint64("next", next), zap.Int("failures", failures), zap.Error(err))
		if !wait(ctx, s.cfg.Backoff(failures)) {
			return true // what is not saved comes again
		}
		select {
		case newer, open := <-s.want:
			if open {
				next = newer
			}
		default:
		}
	}
}

// attempt outlives ctx, so that Close leaves a checkpoint that is up to date.
func (s *saver) attempt(ctx context.Context, next uint64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return s.cfg.Checkpoints.Save(ctx, s.consumer, s.at, next)
}
