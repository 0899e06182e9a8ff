package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// closing is where a generation ends.
type closing struct {
	at     place // of its close label
	reason uint8
}

// alias is another identity of a party.
type alias struct {
	primary    events.Identity
	generation uint64
	label      events.Hash // of its enrolment
	at         place       // of its enrolment
}

// doomed is what must be known of somebody's generation until its key is destroyed.
type doomed struct {
	entries []entryPlace
	names   []events.Identity
}

// ending is whose generation an event closes.
type ending struct {
	party keystore.Party
	keystore.Closing
}

// endingOf finds whose generation a closing event ends, and how, before the event
// is folded. It is nil for every other event, and for a closing event of somebody
// whose key is gone.
func (l *Ledger) endingOf(ctx context.Context, typ string, leaf *events.Leaf) (*ending, error) {
	if leaf.Kind != events.KindEntry || typ != events.TypeClosed {
		return nil, nil
	}
	for _, slot := range leaf.Slots {
		id, known := l.state.expected[slot.Label]
		if !known {
			continue
		}
		party, err := l.keys.ByID(ctx, id)
		if errors.Is(err, keystore.ErrDestroyed) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		how, found := l.secrets.ClosingIn(leaf, party.Role, party.Identity, party.Generation)
		if !found {
			return nil, fmt.Errorf("it is the last entry of a party and does not close it: %w", ErrCorrupt)
		}
		return &ending{party, how}, nil
	}
	return nil, nil
}

// close takes in a closing event whose labels were claimed. The labels are kept
// with their places: once the key is gone, nothing else leads from an identity to
// what the log says of its end.
func (s *state) close(revision uint64, labels []events.Hash, end *ending) {
	s.closings++
	for k, label := range labels {
		s.ended[label] = place{revision, uint16(k)}
	}
	if end == nil {
		return
	}
	s.requests = slices.DeleteFunc(s.requests, func(at uint64) bool { return slices.Contains(s.owners.of(at), end.party.ID) })
	p, seq := &end.party, s.sequences[end.party.ID]
	key := partyKey{p.Role, p.Identity}
	delete(s.expected, events.EntryLabel(seq.handle, uint64(len(seq.entries)))) // nothing comes after it
	seq.closed = &closing{place{revision, end.Slot}, end.Reason}
	s.ended[p.Label] = seq.enrol
	delete(s.parties, key)
	if end.Reason == events.ReasonRotated {
		s.rotated[key] = append(s.rotated[key], p.ID)
		return
	}
	for _, id := range append(s.rotated[key], p.ID) { // the copies that were given away before open nothing any more
		d := doomed{names: append(s.names[key], p.Identity)}
		if gone := s.sequences[id]; gone != nil {
			d.entries = gone.upTo(revision)
		}
		s.doomed[id] = d
		delete(s.sequences, id)
	}
	delete(s.rotated, key)
	for _, id := range s.names[key] {
		a := s.aliases[partyKey{p.Role, id}]
		s.ended[a.label] = a.at
		delete(s.aliases, partyKey{p.Role, id})
	}
	delete(s.names, key)
}

func (s *state) alias(a keystore.Alias, at place) {
	s.closings++
	primary := partyKey{a.Party.Role, a.Party.Identity}
	s.names[primary] = append(s.names[primary], a.Identity)
	s.aliases[partyKey{a.Party.Role, a.Identity}] = alias{a.Party.Identity, a.Generation, a.Label, at}
}

// Primary returns the identity whose sequence an identity's entries go to: its own,
// unless it is an alias (decide.State).
func (s *state) Primary(role events.Role, id events.Identity) events.Identity {
	if a, ok := s.aliases[partyKey{role, id}]; ok {
		return a.primary
	}
	return id
}

// Names returns how many aliases an identity has (decide.State).
func (s *state) Names(role events.Role, id events.Identity) int {
	return len(s.names[partyKey{role, id}])
}

// destroyDoomed destroys the keys of those whom the log says to be erased. It runs
// before anything is served at a start, when an older copy of the keystore may have
// been brought back, and after each erasure; until it has succeeded nothing else is
// appended.
func (l *Ledger) destroyDoomed(ctx context.Context) error {
	l.mu.RLock()
	dooms := maps.Clone(l.state.doomed)
	l.mu.RUnlock()
	if len(dooms) == 0 {
		return nil
	}
	var err error
	for id, d := range dooms {
		err = errors.Join(err, l.keepHeld(ctx, id, d))
	}
	doomed := slices.Collect(maps.Keys(dooms))
	if err == nil {
		err = l.destroySealed(ctx, doomed) // they are found with the keys that die next
	}
	if err == nil {
		err = l.keys.Destroy(ctx, doomed...)
	}
	if err != nil {
		l.log.Error("the keys of erased people are still there; nothing is recorded until they are destroyed", zap.Error(err))
		return fmt.Errorf("erasing: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range doomed {
		delete(l.state.doomed, id)
	}
	l.log.Info("keys destroyed", zap.Int("keys", len(doomed)))
	return nil
}

// closings counts what ended a generation or gave somebody another name: what was
// decided about people holds until the next.
func (l *Ledger) closings() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.closings
}
