package projections

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/pubsub"
)

var (
	// ErrHalted is in Status.Err while a projection stands before a page that it
	// refused for a reason which time alone does not cure.
	ErrHalted = errors.New("projection halted")

	// ErrStopped is returned by WaitFor when the Runner ended before the revision
	// was reached.
	ErrStopped = errors.New("projections stopped")
)

// Projection turns events into rows.
type Projection interface {
	// Name identifies the projection in status and logs; it never changes.
	Name() string

	// Position returns the next revision wanted: one more than the last which is
	// committed, 0 before the first.
	Position(ctx context.Context) (uint64, error)

	// Apply takes a page of events with contiguous revisions. When it returns nil,
	// the rows of the page and the position after it are committed, in one
	// transaction. Events below the position are ignored: a page may come again,
	// after a crash or an unknown outcome even when it was committed. A page which
	// begins above the position is an error. Errors must not quote personal data:
	// they are logged. No two calls overlap.
	Apply(ctx context.Context, page []events.Recorded) error
}

// Config says which stream the projections follow.
type Config struct {
	// Source is the event store; every projection reads it at its own pace.
	Source pubsub.Pages

	// Stream is the ledger's stream.
	Stream string

	// PageSize is the largest number of events in one transaction. Default 500.
	PageSize int

	// PageTimeout bounds one attempt at a page, and thereby how long Run goes on
	// after its context ended. Default 30s.
	PageTimeout time.Duration

	// Backoff is the pause before a page that failed is delivered again, and
	// before the source or a position is asked again. Default: pubsub's.
	Backoff pubsub.Backoff

	// Transient tells errors which a second attempt may cure, such as a busy
	// database, from those that halt a projection. Default: Transient.
	Transient func(error) bool

	// Head returns how many events the stream has. Without it Lag knows only of
	// the pages in flight.
	Head func(ctx context.Context) (uint64, error)

	// Now is the clock for Status.At and Lag. Default time.Now.
	Now func() time.Time

	// Logger gets names, revisions and errors, never events. Default: none.
	Logger *zap.Logger
}

func (c Config) withDefaults() Config {
	if c.PageTimeout <= 0 {
		c.PageTimeout = 30 * time.Second
	}
	if c.Transient == nil {
		c.Transient = Transient
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return c
}

// closeTimeout is how long the Router waits for handlers once they are drained:
// only an Apply that ignores its context is still there then.
const closeTimeout = 5 * time.Second

// Runner runs projections, once: after Run ended, make another.
type Runner struct {
	cfg       Config
	router    *message.Router
	followers []*follower
	started   sync.Once
	stopping  chan struct{} // closed by Run: begin no page, retry none
	stopped   chan struct{} // closed by Run when no Apply runs any more
}

// NewRunner prepares a Runner; nothing is read before Run.
func NewRunner(cfg Config, projections ...Projection) (*Runner, error) {
	if cfg.Source == nil || cfg.Stream == "" || len(projections) == 0 {
		return nil, errors.New("preparing projections: a source, a stream and a projection are needed")
	}
	cfg = cfg.withDefaults()
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: closeTimeout}, pubsub.NewLogger(cfg.Logger))
	if err != nil {
		return nil, fmt.Errorf("preparing projections: %w", err)
	}
	r := &Runner{cfg: cfg, router: router, stopping: make(chan struct{}), stopped: make(chan struct{})}
	names := map[string]bool{}
	for _, p := range projections {
		if p.Name() == "" || names[p.Name()] {
			return nil, fmt.Errorf("preparing projections: the name %q is empty or taken", p.Name())
		}
		names[p.Name()] = true
		r.add(p)
	}
	return r, nil
}

// add gives p a subscriber of its own: each has its own position and its own pace.
//
// The order of the middleware matters, outermost first. Retry sees every error;
// report shows each failed attempt at once; Detach is outside Timeout, or there
// would be no deadline; Recoverer is innermost, so that a panic is an error to all
// of them. There is no Deduplicator: it marks a page as done before it is.
func (r *Runner) add(p Projection) {
	logger := r.cfg.Logger.With(zap.String("projection", p.Name()))
	f := &follower{projection: p, logger: logger, moved: make(chan struct{}), status: Status{Name: p.Name(), At: r.cfg.Now()}}
	f.subscriber = pubsub.NewSubscriber(pubsub.Config{
		Source:        watched{r.cfg.Source, func(err error) { f.failed(err, false, r.cfg.Now()) }},
		From:          func(ctx context.Context, _ string) (uint64, error) { return r.position(ctx, f) },
		PageSize:      r.cfg.PageSize,
		NackBackoff:   r.cfg.Backoff,
		SourceBackoff: r.cfg.Backoff,
		Logger:        logger,
	})
	r.followers = append(r.followers, f)
	retry := middleware.Retry{
		MaxRetries:          5,
		InitialInterval:     20 * time.Millisecond,
		MaxInterval:         time.Second,
		Multiplier:          2,
		RandomizationFactor: 0.5,
		ResetContextOnRetry: true,
		ShouldRetry:         func(p middleware.RetryParams) bool { return !r.isStopping() && r.cfg.Transient(p.Err) },
	}
	r.router.AddConsumerHandler(p.Name(), r.cfg.Stream, f.subscriber, r.apply(f)).
		AddMiddleware(retry.Middleware, r.report(f), pubsub.Detach,
			middleware.Timeout(r.cfg.PageTimeout), pubsub.Recoverer(logger))
}

// Run feeds the projections until ctx ends. Then the pages in flight may still
// commit; when Run returns nil no Apply is running and databases may be closed.
// An error means that one is stuck, or that Watermill's Router gave up.
func (r *Runner) Run(ctx context.Context) error {
	err := errors.New("running projections: a Runner runs only once")
	r.started.Do(func() { err = r.run(ctx) })
	return err
}

func (r *Runner) run(ctx context.Context) error {
	defer close(r.stopped)
	ended := make(chan error, 1)
	// The end of ctx must not reach the Router: it would cancel all subscriptions
	// before the pages in flight are committed.
	alive := context.WithoutCancel(ctx)
	go func() { ended <- r.router.Run(alive) }()
	select {
	case <-r.router.Running(): // closing a Router that is not yet running blocks it
	case err := <-ended:
		return fmt.Errorf("running projections: %w", err)
	}
	select {
	case <-ctx.Done():
	case err := <-ended:
		return fmt.Errorf("running projections: the router ended by itself: %w", errors.Join(err, ErrStopped))
	}
	close(r.stopping)
	r.drain(alive)
	if err := r.router.Close(); err != nil {
		return fmt.Errorf("stopping projections: %w", err)
	}
	if err := <-ended; err != nil {
		return fmt.Errorf("running projections: %w", err)
	}
	return nil
}

// drain comes before Router.Close, which cancels handlers at once. A page which
// outlives the time given is bound by its own deadline and then left to Close.
func (r *Runner) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.PageTimeout+time.Second)
	defer cancel()
	var draining sync.WaitGroup
	for _, f := range r.followers {
		draining.Go(func() {
			if err := f.subscriber.Drain(ctx); err != nil {
				f.logger.Warn("projection did not finish its page", zap.Error(err))
			}
		})
	}
	draining.Wait()
}

func (r *Runner) isStopping() bool {
	select {
	case <-r.stopping:
		return true
	default:
		return false
	}
}

// position is where a subscription begins, and what Status shows from then on.
func (r *Runner) position(ctx context.Context, f *follower) (uint64, error) {
	next, err := f.projection.Position(ctx)
	if err != nil {
		err = fmt.Errorf("reading the position of %s: %w", f.projection.Name(), err)
		if ctx.Err() == nil {
			f.failed(err, false, r.cfg.Now())
		}
		return 0, err
	}
	f.reached(next, r.cfg.Now())
	return next, nil
}

// apply is the handler: one page, one transaction of the projection. A page that
// arrives while the Runner stops is refused, because nobody would wait for it.
func (r *Runner) apply(f *follower) message.NoPublishHandlerFunc {
	return func(msg *message.Message) error {
		if r.isStopping() {
			return fmt.Errorf("stopping projections: %w", context.Canceled)
		}
		page, ok := pubsub.PageOf(msg)
		if !ok {
			return errors.New("reading a message: it carries no page")
		}
		if err := f.projection.Apply(msg.Context(), page.Events); err != nil {
			return fmt.Errorf("applying %s to %s: %w", page, f.projection.Name(), err)
		}
		return nil
	}
}

// watched is a source whose errors show in the status of the projection that
// reads it, until the next page is committed.
type watched struct {
	source pubsub.Pages
	failed func(error)
}

func (w watched) Pages(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error] {
	return func(yield func([]events.Recorded, error) bool) {
		for page, err := range w.source.Pages(ctx, stream, from, max) {
			if err != nil && ctx.Err() == nil {
				w.failed(fmt.Errorf("reading %s: %w", stream, err))
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

// report keeps the status of f up to date with every attempt.
func (r *Runner) report(f *follower) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			page, ok := pubsub.PageOf(msg)
			if ok {
				f.begun(page.Events[0].Created)
			}
			produced, err := next(msg)
			switch {
			case err == nil && ok:
				f.committed(page.Events[len(page.Events)-1].Created)
				f.reached(page.Last()+1, r.cfg.Now())
			case err != nil && !r.isStopping():
				f.failed(err, !r.cfg.Transient(err), r.cfg.Now())
			}
			return produced, err
		}
	}
}

// Transient tells whether err is one that time may cure: a deadline, the network,
// a busy SQLite, or a PostgreSQL that lost the connection, a lock or its room.
func Transient(err error) bool {
	var network net.Error
	var sqlite interface{ Code() int }
	var postgres interface{ SQLState() string }
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, driver.ErrBadConn), errors.Is(err, ErrMoved),
		errors.As(err, &network):
		return true
	case errors.As(err, &postgres):
		// https://www.postgresql.org/docs/current/errcodes-appendix.html
		switch state := postgres.SQLState(); state[:min(2, len(state))] {
		case "08", "40", "53", "55", "57":
			return true
		}
	case errors.As(err, &sqlite):
		// https://www.sqlite.org/rescode.html: SQLITE_BUSY, SQLITE_LOCKED; the low byte is the primary code
		return sqlite.Code()&0xff == 5 || sqlite.Code()&0xff == 6
	}
	return false
}
