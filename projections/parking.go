package projections

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/pubsub"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

var (
	// ErrParked says that events of a party wait, so that its rows are
	// incomplete and nothing is reported about it.
	ErrParked = errors.New("entries of this party wait to be projected; cure the cause and retry the parked parties")

	// ErrTooManyParked halts a projection: so many parties cannot all be wrong.
	ErrTooManyParked = fmt.Errorf("more than %d parties would wait; check that the keystore is the ledger's newest", maxParked)
)

// Classes of failures that park a party.
const (
	ClassKey        = "key"        // the keystore does not have the party's key
	ClassCiphertext = "ciphertext" // the key does not open the entry, or not to what the leaf says
	ClassType       = "type"       // no row is known for an event of this type with a party of this role
	ClassContents   = "contents"   // the event says something no row can hold
	ClassPanic      = "panic"      // this program failed
)

// ParkedError says where a party's events wait, and why. It is ErrParked.
type ParkedError struct{ Parked }

// Error implements error.
func (e *ParkedError) Error() string {
	return fmt.Sprintf("%v (since leaf %d, %s)", ErrParked, e.Index, e.Class)
}

// Unwrap lets errors.Is find ErrParked.
func (e *ParkedError) Unwrap() error { return ErrParked }

var (
	errType  = errors.New("unknown type of event")
	errPanic = errors.New("panic")
)

func classOf(err error) string {
	switch {
	case errors.Is(err, keystore.ErrNoParty):
		return ClassKey
	case errors.Is(err, errType):
		return ClassType
	case errors.Is(err, errPanic):
		return ClassPanic
	case errors.Is(err, errContents):
		return ClassContents
	}
	return ClassCiphertext
}

// open opens the entries of one event and has their rows made.
func (r *reading) open(secrets *keystore.Secrets) {
	for i := range r.steps {
		s := &r.steps[i]
		s.added, s.err = r.openOne(s)
		if s.err == nil && r.opener.Type == events.TypeClosed {
			p := &s.track.party
			how, found := secrets.ClosingIn(r.opener.Leaf, p.Role, p.Identity, p.Generation)
			s.erased = found && how.Reason == events.ReasonErased
		}
	}
}

// openOne opens one entry. Everything in it is a function of the event and the
// key, so an error is the party's own, and stays.
func (r *reading) openOne(s *step) (added Additions, err error) {
	defer func() {
		if recover() != nil { // what a panic says may quote personal data
			err = errPanic
		}
	}()
	if s.track.keyErr != nil || s.track.parked != nil {
		return Additions{}, s.track.keyErr
	}
	party := &s.track.party
	typ, kind := r.opener.Type, events.SlotEntry
	if typ == events.TypeRecordContinued {
		if kind = events.SlotContinuation; r.header != nil {
			typ = r.header.Type
		}
	}
	handle, known := handlers[party.Role][typ]
	if !known {
		return Additions{}, errType
	}
	opened, err := r.opener.Open(s.slot, party.Key)
	if err != nil {
		return Additions{}, err
	}
	if kind == events.SlotEntry {
		kind = entryKind(opened.Event)
	}
	if c := opened.Content; c.Kind != kind || c.Role != party.Role || *c.Number != s.number {
		return Additions{}, errContents
	}
	o := &occurrence{Opened: opened, reading: r, party: party, number: s.number}
	if kind == events.SlotContinuation {
		if o.Opened, o.of, err = r.continued(opened); err != nil {
			return Additions{}, err
		}
	}
	for _, h := range handle {
		more, err := h(o)
		if err != nil {
			return Additions{}, err
		}
		added.add(more)
	}
	return added, nil
}

// entryKind is the kind of slot that an event's entries have.
func entryKind(e events.Event) events.SlotKind {
	if events.UnsealedIn(e) != nil {
		return events.SlotUnseal
	}
	return events.SlotEntry
}

func maxWorkers() int { return runtime.GOMAXPROCS(0) }

// Retry applies what waits, of all parked parties, and returns who is parked
// still. Meanwhile no page is applied. It commits page by page: after a crash,
// or when ctx ends, the next Retry goes on where this one was.
func (m *ReadModel) Retry(ctx context.Context, source pubsub.Pages, stream string) ([]Parked, error) {
	m.applying.Lock()
	defer m.applying.Unlock()
	for {
		err := m.retry(ctx, source, stream)
		if errors.Is(err, ErrMoved) && ctx.Err() == nil {
			continue // what was committed stays, and parties wait where they are
		}
		if err != nil {
			return nil, fmt.Errorf("retrying the parked parties of %s: %w", m.Name(), err)
		}
		return m.Parked(), nil
	}
}

func (m *ReadModel) retry(ctx context.Context, source pubsub.Pages, stream string) error {
	state, err := m.readState(ctx, m.view, nil)
	if err != nil || len(state.Parked) == 0 {
		return err
	}
	waiting := map[PartyID]uint64{}
	for _, p := range state.Parked {
		waiting[p.Party] = p.Index
	}
	if err := m.retryPages(ctx, source, stream, waiting, &state); err != nil {
		return err
	}
	c := &Changes{From: state.Next, Turn: state.Turn, Next: state.Next}
	for party := range waiting {
		c.Unparked = append(c.Unparked, party)
	}
	if err := m.view.Commit(ctx, c); err != nil {
		return err
	}
	_, err = m.readState(ctx, m.view, nil)
	return err
}

// retryPages reads the stream from where the first party waits to where the view
// is. A source that ends early is an error: who is not through stays parked.
func (m *ReadModel) retryPages(ctx context.Context, source pubsub.Pages, stream string, waiting map[PartyID]uint64, state *State) error {
	next := state.Next
	for _, from := range waiting {
		next = min(next, from)
	}
	if next == state.Next {
		return nil
	}
	for page, err := range source.Pages(ctx, stream, next, retryPage) {
		if err != nil {
			return err
		}
		if len(page) == 0 {
			continue
		}
		if page[0].Revision != next {
			return fmt.Errorf("event %d came where %d was due", page[0].Revision, next)
		}
		page = page[:min(uint64(len(page)), state.Next-next)]
		if err := m.retryPage(ctx, page, waiting, state); err != nil {
			return err
		}
		if next += uint64(len(page)); next == state.Next || len(waiting) == 0 {
			return nil
		}
	}
	return errors.Join(ctx.Err(), errors.New("the stream ended before the events that wait"))
}

const retryPage = 500

// retryPage applies a page to the parties that wait, and moves the place where
// they wait behind it. Who fails again waits there and is no longer in waiting.
func (m *ReadModel) retryPage(ctx context.Context, page []events.Recorded, waiting map[PartyID]uint64, state *State) error {
	sealed, err := parse(ctx, m.secrets, page)
	if err != nil {
		return err
	}
	now, err := m.view.State(ctx, labels(sealed))
	if err != nil {
		return err
	}
	if now.Next != state.Next || now.Turn != state.Turn {
		return ErrMoved
	}
	f := m.fold(sealed, now)
	f.only = waiting
	c, err := f.changes(ctx)
	if err != nil {
		return err
	}
	for _, p := range c.Parked {
		delete(waiting, p.Party)
	}
	after := page[len(page)-1].Revision + 1
	for _, p := range now.Parked {
		if from, waits := waiting[p.Party]; waits && from < after {
			p.Index, waiting[p.Party] = after, after
			c.Parked = append(c.Parked, p)
		}
	}
	if err := m.view.Commit(ctx, c); err != nil {
		return err
	}
	state.Turn = c.Turn + 1
	return nil
}
