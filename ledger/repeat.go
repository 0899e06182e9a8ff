package ledger

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// repeated answers a command whose key recorded something before.
func (l *Ledger) repeated(ctx context.Context, cmd *Command, first Accepted) reply {
	also, err := l.sameShare(ctx, cmd, first.Index)
	if err != nil {
		return reply{err: stoppedOr(ctx, err)}
	}
	first.Also = also
	return reply{accepted: first}
}

// sameShare compares a command with what its key recorded before, by opening that,
// and returns where the events stand that it asked for beside the first. It returns
// ErrKeyReused if they differ. Any goroutine may call it that does not hold mu.
func (l *Ledger) sameShare(ctx context.Context, cmd *Command, index uint64) (also []Place, err error) {
	// It is decided again on what was known then. What was recorded once does not
	// lie in the future, whatever the clock does.
	before := index
	for ordinal := uint16(1); ; ordinal++ {
		at, known := l.Find(l.eventID(cmd, ordinal))
		if !known {
			break
		}
		before = min(before, at)
	}
	target, err := l.targetOf(ctx, cmd, before)
	if refused := (*events.FieldError)(nil); errors.As(err, &refused) {
		return nil, ErrKeyReused // what it is about came later
	}
	if err != nil {
		return nil, err
	}
	l.mu.RLock()
	planned, err := l.decide(l.state, cmd, target, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	l.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	wanted := asked(planned)
	for ordinal, p := range wanted { // enrolments come last
		id := l.eventID(cmd, uint16(ordinal))
		at, known := l.Find(id)
		if !known {
			return nil, ErrKeyReused
		}
		if err := l.sameEvent(ctx, p, at); err != nil {
			return nil, err
		}
		if ordinal > 0 {
			also = append(also, Place{id, at})
		}
	}
	slices.SortFunc(also, func(a, b Place) int { return cmp.Compare(a.Index, b.Index) })
	return also, l.nothingMore(ctx, cmd, target, len(wanted))
}

// nothingMore wants that a key recorded no more than a command asks for. A
// reattribution begins as the retraction that it holds; what follows tells them
// apart.
func (l *Ledger) nothingMore(ctx context.Context, cmd *Command, target *target, asked int) error {
	if target == nil {
		return nil
	}
	at, more := l.Find(l.eventID(cmd, uint16(asked)))
	if !more {
		return nil
	}
	sealed, err := l.sealedAt(ctx, at)
	if err == nil && sealed.Type != events.TypeEnrolled {
		err = ErrKeyReused
	}
	return err
}

// sameEvent compares a planned event with the one recorded at an index.
func (l *Ledger) sameEvent(ctx context.Context, planned decide.Planned, index uint64) error {
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return err
	}
	if sealed.Type != planned.Event.Type() || len(sealed.Leaf.Slots) < len(planned.Parties) {
		return ErrKeyReused
	}
	for i, party := range planned.Parties {
		opened, err := l.openAs(ctx, sealed, partyKey{party.Role, party.ID})
		if errors.Is(err, errNotConcerned) {
			return ErrKeyReused
		}
		if err != nil {
			return err
		}
		want := entryContent(*opened.Content.Number, party).Marshal()
		if !bytes.Equal(want, opened.Slot) {
			return ErrKeyReused
		}
		if i == 0 && !bytes.Equal(marshalFacts(planned), opened.Facts.Marshal()) {
			return ErrKeyReused
		}
	}
	return nil
}

var errNotConcerned = errors.New("the event does not concern this party")

// openAs opens an event with a party's key.
func (l *Ledger) openAs(ctx context.Context, sealed *keystore.Sealed, key partyKey) (*keystore.Opened, error) {
	id, at, ok := l.entryOf(key, sealed.Revision)
	if !ok {
		return nil, errNotConcerned
	}
	party, err := l.keys.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	opened, err := sealed.Open(at.slot, party.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	return opened, nil
}

// entryOf finds a party's entry in an event.
func (l *Ledger) entryOf(key partyKey, revision uint64) (id keystore.PartyID, at place, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if id, ok = l.state.parties[key]; !ok {
		return id, at, false
	}
	at, ok = l.state.sequences[id].entryAt(revision)
	return id, at, ok
}

func (l *Ledger) sealedAt(ctx context.Context, index uint64) (*keystore.Sealed, error) {
	for e, err := range l.store.Read(ctx, l.stream, index, 1) {
		if err != nil {
			return nil, fmt.Errorf("reading event %d: %w", index, err)
		}
		if !l.secrets.Ours(e) {
			return nil, fmt.Errorf("reading event %d: it is not ours: %w", index, ErrCorrupt)
		}
		return keystore.Parse(l.origin, e)
	}
	return nil, fmt.Errorf("reading event %d: the stream ends before it: %w", index, ErrCorrupt)
}

// sameDecision reports whether two commands ask for the same, however they spell
// it.
func sameDecision(a, b []decide.Planned) bool {
	return slices.EqualFunc(asked(a), asked(b), samePlanned)
}

// asked returns what a command asks for: not the enrolments, which are needed when
// it is decided first and not again.
func asked(planned []decide.Planned) []decide.Planned {
	return slices.DeleteFunc(slices.Clone(planned), func(p decide.Planned) bool {
		_, enrols := p.Event.(*events.Enrolled)
		return enrols
	})
}

func samePlanned(x, y decide.Planned) bool {
	if x.Event.Type() != y.Event.Type() || len(x.Parties) != len(y.Parties) || !bytes.Equal(marshalFacts(x), marshalFacts(y)) {
		return false
	}
	said := map[partyKey]string{}
	for _, p := range x.Parties {
		said[partyKey{p.Role, p.ID}] = private(p)
	}
	for _, p := range y.Parties {
		if same, ok := said[partyKey{p.Role, p.ID}]; !ok || same != private(p) {
			return false
		}
	}
	return true
}

func marshalFacts(p decide.Planned) []byte { return events.MarshalFields(events.Fields(p.Event)) }

// private is what a party's slot says beside its number.
func private(p decide.Party) string {
	return string(entryContent(0, p).Marshal())
}
