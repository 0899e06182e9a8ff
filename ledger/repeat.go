package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// repeated answers a command whose key recorded a share before.
func (l *Ledger) repeated(ctx context.Context, cmd *Command, first Accepted) reply {
	if err := l.sameShare(ctx, cmd, first.Index); err != nil {
		return reply{err: stoppedOr(ctx, err)}
	}
	return reply{accepted: first}
}

// sameShare compares a command with the share its key recorded before, by
// opening that share. It returns ErrKeyReused if they differ. Any goroutine may
// call it that does not hold mu.
func (l *Ledger) sameShare(ctx context.Context, cmd *Command, index uint64) error {
	// What was recorded once does not lie in the future, whatever the clock does.
	l.mu.RLock()
	planned, err := decide.Disclosure(l.state, cmd.Record, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	l.mu.RUnlock()
	if err != nil {
		return err
	}
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return err
	}
	if len(sealed.Leaf.Slots) < len(planned[0].Parties) {
		return ErrKeyReused
	}
	for i, party := range planned[0].Parties {
		opened, err := l.openAs(ctx, sealed, partyKey{party.Role, party.ID})
		if errors.Is(err, errNotConcerned) {
			return ErrKeyReused
		}
		if err != nil {
			return err
		}
		want := events.EntryContent(party.Role, *opened.Content.Number, party.ID, party.Private).Marshal()
		if !bytes.Equal(want, opened.Slot) {
			return ErrKeyReused
		}
		if i == 0 && !bytes.Equal(marshalFacts(planned[0]), opened.Facts.Marshal()) {
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

// sameDecision reports whether two commands ask for the same share, however they
// spell it.
func sameDecision(a, b []decide.Planned) bool {
	x, y := a[0], b[0]
	if len(x.Parties) != len(y.Parties) || !bytes.Equal(marshalFacts(x), marshalFacts(y)) {
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
	return string(events.EntryContent(p.Role, 0, p.ID, p.Private).Marshal())
}
