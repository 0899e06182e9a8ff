package esdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/sharetrail/sharetrail/events"
)

// ErrGap says that a stream did not continue with the next revision, or $all
// with a later position. The stream was truncated or deleted, or the server is
// not to be trusted.
var ErrGap = errors.New("the stream has a gap")

var (
	errEnd   = errors.New("end of the reading")
	errBreak = errors.New("the consumer broke off")
)

// receiver waits for the next item. It returns errEnd when a reading is
// complete; every other error means that it was cut off.
type receiver[T any] func() (T, error)

// source opens a reader of the client where the last one was cut off.
type source[T any] func(ctx context.Context, c *esdb.Client) (receiver[T], func(), error)

// pages reads a stream from revision from on. doing names the work in errors.
func (s *Store) pages(ctx context.Context, doing, stream string, from uint64, max int,
	open func(ctx context.Context, c *esdb.Client, next uint64) (receiver[events.Recorded], func(), error),
) iter.Seq2[[]events.Recorded, error] {
	return func(yield func([]events.Recorded, error) bool) {
		next := from
		err := resume(ctx, s, max, func(ctx context.Context, c *esdb.Client) (receiver[events.Recorded], func(), error) {
			return open(ctx, c, next)
		}, func(page []events.Recorded) error {
			page, gap := checkPage(page, &next)
			if len(page) > 0 && !yield(page, nil) {
				return errBreak
			}
			return gap
		})
		if err != nil {
			yield(nil, fmt.Errorf("%s %s at %d: %w", doing, stream, next, dropped(err)))
		}
	}
}

// resume runs one session after the other, each from where the last was cut
// off, until one is complete or take breaks off. What take returns ends it.
func resume[T any](ctx context.Context, s *Store, max int, open source[T], take func([]T) error) error {
	if max < 1 {
		return fmt.Errorf("a page cannot hold %d events", max)
	}
	var pause backoff
	for {
		err := session(ctx, s, max, open, func(page []T) error {
			pause.reset()
			return take(page)
		})
		if errors.Is(err, errBreak) || errors.Is(err, errEnd) {
			return nil
		}
		if reason := s.ended(ctx); reason != nil {
			return reason
		}
		if cureOf(err) == none {
			return err
		}
		if reason := s.wait(ctx, &pause, err); reason != nil {
			return reason
		}
	}
}

// session reads over one connection until that breaks; it never returns nil.
func session[T any](ctx context.Context, s *Store, max int, open source[T], take func([]T) error) error {
	ctx, cancel := context.WithCancelCause(leader(ctx))
	defer cancel(nil)
	c, err := s.take(ctx)
	if err != nil {
		return err
	}
	f := &feed[T]{items: make(chan item[T], min(max, readAhead)), opened: make(chan struct{})}
	go func() {
		err := f.run(ctx, c, open)
		if errors.Is(context.Cause(ctx), errNoAnswer) {
			err = errNoAnswer
		}
		s.put(c, err)
	}()
	if err := s.opened(ctx, f.opened); err != nil {
		cancel(err)
		return err
	}
	for {
		page, err := collect(ctx, s, f, max)
		if len(page) > 0 {
			if err := take(page); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// feed carries items from a client's reader, which blocks, to a consumer,
// which must be able to leave. Its goroutine ends with its context.
type feed[T any] struct {
	items  chan item[T]  // the last item has an error
	opened chan struct{} // closed when the reader is open
}

type item[T any] struct {
	v   T
	err error
}

// run returns why it ended.
func (f *feed[T]) run(ctx context.Context, c *esdb.Client, open source[T]) error {
	receive, stop, err := open(ctx, c)
	close(f.opened)
	if err != nil {
		f.send(ctx, item[T]{err: err})
		return err
	}
	defer stop()
	for {
		v, err := receive()
		if err != nil {
			f.send(ctx, item[T]{err: err})
			return err
		}
		if !f.send(ctx, item[T]{v: v}) {
			return ctx.Err()
		}
	}
}

func (f *feed[T]) send(ctx context.Context, it item[T]) bool {
	select {
	case f.items <- it:
		return true
	case <-ctx.Done():
		return false
	}
}

// opened waits until the server has answered at all.
func (s *Store) opened(ctx context.Context, opened <-chan struct{}) error {
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	select {
	case <-opened:
		return nil
	case <-timer.C:
		return errNoAnswer
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return ErrClosed
	}
}

// collect waits for one item and takes what has arrived with it. It may return
// items and an error that came behind them.
func collect[T any](ctx context.Context, s *Store, f *feed[T], max int) ([]T, error) {
	var first item[T]
	select {
	case first = <-f.items:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closed:
		return nil, ErrClosed
	}
	if first.err != nil {
		return nil, first.err
	}
	page := []T{first.v}
	for len(page) < max {
		select {
		case it := <-f.items:
			if it.err != nil {
				return page, it.err
			}
			page = append(page, it.v)
		default:
			return page, nil
		}
	}
	return page, nil
}
