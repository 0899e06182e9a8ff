package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events/pubsub"
)

// Rebuild says how a version of a read model is built beside the one in use.
type Rebuild struct {
	// Source and Stream are what the rows are a function of.
	Source pubsub.Pages
	Stream string

	// Head returns how many events the stream has now.
	Head func(ctx context.Context) (uint64, error)

	// Version to be built and put in place. 0: the newest unfinished one, or
	// else a new one. A version older than the one in use is brought up to date
	// and put back in its place.
	Version int

	// PageSize is the largest number of events in one transaction. Default 500.
	PageSize int

	// Progress, if set, is told after every page.
	Progress func(Progress)

	// Now is the clock behind rate and ETA. Default time.Now.
	Now func() time.Time
}

// Progress is how far a rebuild is.
type Progress struct {
	Name    string
	Version int
	Next    uint64        // the next revision wanted
	Head    uint64        // revisions there are
	Rate    float64       // events a second since this rebuild began or was resumed
	ETA     time.Duration // until Head, at this rate; 0 while it is unknown
}

// Rebuild builds a version of the read model in tables of its own, while the
// version in use goes on to follow the stream and to answer, and then puts it in
// its place by one transaction. Every page is committed: a rebuild that ended
// early, by a crash or by ctx, goes on where it was. The version that was in use
// stays until it is dropped.
//
// A version with parked parties is not put in place; ErrParked says so.
func (m *ReadModel) Rebuild(ctx context.Context, cfg Rebuild) (version int, err error) {
	if cfg.PageSize <= 0 {
		cfg.PageSize = 500
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	b := &build{ReadModel: m, cfg: cfg}
	if err := b.run(ctx); err != nil {
		return 0, fmt.Errorf("rebuilding %s: %w", m.Name(), err)
	}
	return b.version, nil
}

// build is one run of a rebuild.
type build struct {
	*ReadModel
	cfg     Rebuild
	version int
	view    View
	next    uint64 // of view
	began   time.Time
	first   uint64 // next when it began
}

func (b *build) run(ctx context.Context) (err error) {
	if b.version, err = b.pick(ctx); err != nil {
		return err
	}
	if b.view, err = b.store.Open(ctx, b.Name(), b.version); err != nil {
		return err
	}
	swapped := false
	defer func() {
		if !swapped {
			err = errors.Join(err, b.view.Close())
		}
	}()
	state, err := b.view.State(ctx, nil)
	if err != nil {
		return err
	}
	b.next, b.first, b.began = state.Next, state.Next, b.cfg.Now()
	head, err := b.cfg.Head(ctx)
	if err != nil {
		return err
	}
	if err := b.advance(ctx, head); err != nil {
		return err
	}
	swapped, err = b.swap(ctx)
	return err
}

// pick chooses the version to be built.
func (b *build) pick(ctx context.Context) (int, error) {
	all, active, err := b.store.Versions(ctx, b.Name())
	if err != nil {
		return 0, err
	}
	newest := active
	if len(all) > 0 {
		newest = max(newest, slices.Max(all))
	}
	switch {
	case b.cfg.Version == active && active != 0:
		return 0, fmt.Errorf("version %d is in use and is not built in place: build another one", active)
	case b.cfg.Version != 0:
		return b.cfg.Version, nil
	case newest > active:
		return newest, nil
	}
	return newest + 1, nil
}

// advance applies pages until the view wants head next.
func (b *build) advance(ctx context.Context, head uint64) error {
	if b.next >= head {
		b.report(head)
		return nil
	}
	for page, err := range b.cfg.Source.Pages(ctx, b.cfg.Stream, b.next, b.cfg.PageSize) {
		if err != nil {
			return err
		}
		if len(page) == 0 {
			continue
		}
		state, err := b.applyTo(ctx, b.view, page)
		if err != nil {
			return err
		}
		b.next = state.Next
		b.report(max(head, b.next))
		if b.next >= head {
			return nil
		}
	}
	return errors.Join(ctx.Err(), errors.New("the stream ended early"))
}

func (b *build) report(head uint64) {
	if b.cfg.Progress == nil {
		return
	}
	p := Progress{Name: b.Name(), Version: b.version, Next: b.next, Head: head}
	if passed := b.cfg.Now().Sub(b.began); passed > 0 && b.next > b.first {
		p.Rate = float64(b.next-b.first) / passed.Seconds()
		p.ETA = time.Duration(float64(head-b.next) / p.Rate * float64(time.Second))
	}
	b.cfg.Progress(p)
}

// swap puts the version in the place of the one in use, which meanwhile may have
// got further: it must not go back in time, so the rest is caught up while no
// page is applied. Readers see the one or the other.
func (b *build) swap(ctx context.Context) (bool, error) {
	m := b.ReadModel
	m.applying.Lock()
	defer m.applying.Unlock()
	current, err := m.view.State(ctx, nil)
	if err != nil {
		return false, err
	}
	if err := b.advance(ctx, current.Next); err != nil {
		return false, err
	}
	state, err := b.view.State(ctx, nil)
	if err != nil {
		return false, err
	}
	if len(state.Parked) > 0 {
		return false, fmt.Errorf("version %d has %d parked parties: %w", b.version, len(state.Parked), &ParkedError{state.Parked[0]})
	}
	if err := m.store.Activate(ctx, m.Name(), m.version, b.version); err != nil {
		return false, err
	}
	m.mu.Lock()
	old := m.view
	m.view, m.version = b.view, b.version
	m.mu.Unlock()
	m.parked.Store(&state.Parked)
	return true, old.Close()
}

// Drop removes a version that is not in use.
func (m *ReadModel) Drop(ctx context.Context, version int) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	if err := m.store.Drop(ctx, m.Name(), version); err != nil {
		return fmt.Errorf("removing version %d of %s: %w", version, m.Name(), err)
	}
	return nil
}
