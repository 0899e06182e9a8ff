package projections

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

var _ Projection = (*ReadModel)(nil)

// ReadModel is what the stream says, as rows: entries by party, the register of
// recipients. All of it follows one position, so that each event is read, opened
// and decoded once. It is a [Projection] to a Runner, and answers queries, both by
// the version that is in use.
//
// Whose a slot is, only its label tells. The view keeps the next label of each
// party; new parties are learned from the events that enrol them. So nothing but
// rows is kept from page to page, and any process may apply the next page.
type ReadModel struct {
	store   Store
	keys    *keystore.Store
	secrets *keystore.Secrets
	headers *headers // nil: continuations must come with what they continue
	now     func() time.Time
	parked  atomic.Pointer[[]Parked] // as of the last state that was read
	nobody  keystore.Party           // its key wraps stored reports about nobody

	// applying is held by who changes rows, or which version is in use.
	applying sync.Mutex
	// view and version are guarded by both: reading needs one of them, changing
	// needs applying and mu.
	mu      sync.RWMutex
	view    View
	version int
}

// OpenReadModel opens the version in use. If there is none, it is begun.
func OpenReadModel(ctx context.Context, store Store, keys *keystore.Store) (*ReadModel, error) {
	m := &ReadModel{store: store, keys: keys, now: time.Now}
	rand.Read(m.nobody.Key[:])
	if err := m.open(ctx); err != nil {
		return nil, fmt.Errorf("opening the read model %s: %w", Name, err)
	}
	return m, nil
}

func (m *ReadModel) open(ctx context.Context) (err error) {
	if m.secrets, err = m.keys.Secrets(ctx); err != nil {
		return err
	}
	if _, m.version, err = m.store.Versions(ctx, m.Name()); err != nil {
		return err
	}
	if m.version == 0 {
		if m.view, err = m.store.Open(ctx, m.Name(), 1); err != nil {
			return err
		}
		m.version = 1
		err = m.store.Activate(ctx, m.Name(), 0, 1)
		if errors.Is(err, ErrMoved) { // another process began it
			err = errors.Join(m.view.Close(), m.reopen(ctx))
		}
	} else {
		m.view, err = m.store.Open(ctx, m.Name(), m.version)
	}
	if err != nil {
		return err
	}
	if _, err = m.readState(ctx, m.view, nil); err != nil {
		return errors.Join(err, m.view.Close())
	}
	return nil
}

func (m *ReadModel) reopen(ctx context.Context) (err error) {
	if _, m.version, err = m.store.Versions(ctx, m.Name()); err == nil {
		m.view, err = m.store.Open(ctx, m.Name(), m.version)
	}
	return err
}

// Close closes the view, not the store.
func (m *ReadModel) Close() error {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view.Close()
}

// Name implements [Projection].
func (m *ReadModel) Name() string { return Name }

// Version returns the version in use.
func (m *ReadModel) Version() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.version
}

// Versions returns the versions there are, in order, and the one in use.
func (m *ReadModel) Versions(ctx context.Context) (all []int, inUse int, err error) {
	return m.store.Versions(ctx, m.Name())
}

// Parked returns the parties that waited when the last page was applied.
func (m *ReadModel) Parked() []Parked { return *m.parked.Load() }

// Position implements [Projection].
func (m *ReadModel) Position(ctx context.Context) (uint64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	state, err := m.view.State(ctx, nil)
	return state.Next, err
}

// Apply implements [Projection].
func (m *ReadModel) Apply(ctx context.Context, page []events.Recorded) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	state, err := m.applyTo(ctx, m.view, page)
	if err == nil {
		m.parked.Store(&state.Parked)
	}
	return err
}

// applyTo commits what of the page a view does not have yet, and returns the
// state it is in then, without sequences.
func (m *ReadModel) applyTo(ctx context.Context, view View, page []events.Recorded) (State, error) {
	sealed, err := parse(ctx, m.secrets, page)
	if err != nil {
		return State{}, fmt.Errorf("projecting a page: %w", err)
	}
	for {
		state, err := m.applyOnce(ctx, view, page, sealed)
		switch {
		case errors.Is(err, ErrMoved) && ctx.Err() == nil:
			continue // somebody else got further: see what is left to do
		case err != nil:
			return state, fmt.Errorf("projecting a page: %w", err)
		}
		return state, nil
	}
}

func (m *ReadModel) applyOnce(ctx context.Context, view View, page []events.Recorded, sealed []*keystore.Sealed) (State, error) {
	state, err := view.State(ctx, labels(sealed))
	if err != nil {
		return state, err
	}
	first, last := page[0].Revision, page[len(page)-1].Revision
	switch {
	case last < state.Next:
		return state, nil
	case first > state.Next:
		return state, fmt.Errorf("event %d came where %d was due", first, state.Next)
	}
	c, err := m.fold(sealed[state.Next-first:], state).changes(ctx)
	if err != nil {
		return state, err
	}
	c.Next = last + 1
	if err := view.Commit(ctx, c); err != nil {
		return state, err
	}
	state.Next, state.Turn, state.Sequences = c.Next, c.Turn+1, nil
	state.Parked = append(state.Parked[:len(state.Parked):len(state.Parked)], c.Parked...)
	for _, gone := range c.Shredded {
		state.Parked = slices.DeleteFunc(state.Parked, func(p Parked) bool { return slices.Contains(gone.Sequences, p.Party) })
	}
	return state, nil
}

func (m *ReadModel) fold(sealed []*keystore.Sealed, state State) *fold {
	return &fold{keys: m.keys, headers: m.headers, state: state, now: m.now(), sealed: sealed, secrets: m.secrets}
}

// readState reads the state and remembers who is parked.
func (m *ReadModel) readState(ctx context.Context, view View, labels []events.Hash) (State, error) {
	state, err := view.State(ctx, labels)
	if err == nil {
		m.parked.Store(&state.Parked)
	}
	return state, err
}
