package ledger

import (
	"bytes"
	"context"
	"errors"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// Somebody may be erased, or another key may begin, between two continuations of a
// record. What was divided before does not hold then: the command is decided again,
// and who has an entry keeps it. Of those who are erased, one who is named by the
// command and has no entry yet begins a new generation, as in any later share; one
// whom only the record named is not there any more.

// spreads reports whether an event has continuations.
func (l *Ledger) spreads(index uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.state.continuations(index)) > 0
}

// told is what the continuations say that are there.
type told struct {
	at    []uint64       // the continuations
	facts []events.Event // of each; nil if nobody is left who opens it
	of    map[partyKey]int
	gone  uint64 // people that are erased, as far as somebody is left who tells
	lost  bool   // nobody is left in one of them
}

func (l *Ledger) toldBy(ctx context.Context, at []uint64) (*told, error) {
	t := &told{at: at, facts: make([]events.Event, len(at)), of: map[partyKey]int{}}
	for i, index := range at {
		parties, err := l.partiesOf(ctx, index)
		if err != nil {
			return nil, err
		}
		if len(parties) == 0 {
			t.lost = true
			continue
		}
		sealed, err := l.sealedAt(ctx, index)
		if err != nil {
			return nil, err
		}
		e, err := l.openAny(ctx, sealed, parties)
		if err != nil {
			return nil, err
		}
		for _, p := range parties {
			t.of[partyKey{p.Role, p.ID}] = i
		}
		t.facts[i], t.gone = e, t.gone+e.(*events.RecordContinued).Part.People-uint64(len(parties))
	}
	return t, nil
}

// sameSpread compares a planned event, and its continuations as far as they are there,
// with the recorded header at an index. If some are missing it leaves them planned.
func (l *Ledger) sameSpread(ctx context.Context, p *decide.Planned, id events.ID, index uint64) error {
	l.mu.RLock()
	there, open := l.state.continuations(index), l.state.unfinished(index)
	l.mu.RUnlock()
	said, err := l.toldBy(ctx, there)
	if err != nil {
		return err
	}
	rank := func(party decide.Party) events.Hash { return l.rank(id, party) }
	_, fixed := events.Continuations(p.Event)
	if len(p.Parts) == 0 && !fixed {
		p.Divide(rank) // so many are gone that the others would fit into one
	}
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return err
	}
	header := *p
	if header.Event, err = l.countedBefore(ctx, p, index, said); err != nil {
		return err
	}
	if err := l.sameEvent(ctx, header, index, nil); err != nil {
		return err
	}
	missing, err := l.samePeople(ctx, p, said, &decide.Reference{Index: index, LeafHash: events.LeafHash(sealed.Stored.Leaf)}, fixed)
	if err != nil {
		return err
	}
	switch {
	case fixed && open != (len(p.Parts) > len(there)), !fixed && !open && len(missing) > 0:
		return ErrKeyReused
	case !fixed && open:
		p.Rest(len(there), missing, rank)
	}
	return nil
}

// countedBefore is the header's event as it was planned before somebody was erased: a
// retraction counts those whom it reaches.
func (l *Ledger) countedBefore(ctx context.Context, p *decide.Planned, index uint64, said *told) (events.Event, error) {
	retracted, ok := p.Event.(*events.DisclosureRetracted)
	l.mu.RLock()
	nobody := len(l.state.ended) == 0
	l.mu.RUnlock()
	if !ok || nobody || len(p.Parties) == 0 {
		return p.Event, nil
	}
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return nil, err
	}
	e, err := l.openAny(ctx, sealed, p.Parties)
	if errors.Is(err, errNotConcerned) {
		err = ErrKeyReused
	}
	if err != nil {
		return nil, err
	}
	again := *retracted
	if before := events.People(e); before > again.Retraction.People {
		again.Retraction.People = before
	}
	return &again, nil
}

// samePeople compares what is said of each person with what was planned, and returns
// those who have no entry, which it is no fault to lack: all of them if the number of
// continuations is not fixed, because then those who are erased are not planned.
func (l *Ledger) samePeople(ctx context.Context, p *decide.Planned, said *told, of *decide.Reference, fixed bool) (missing []decide.Party, err error) {
	found := make([][]decide.Party, len(said.at))
	n, absent := 0, uint64(0)
	for k, part := range p.Parts {
		for _, party := range part.Parties {
			i, ok := said.of[partyKey{party.Role, party.ID}]
			switch {
			case ok && fixed && k >= len(said.at): // it would be told twice
				return nil, ErrKeyReused
			case ok:
				n, found[i] = n+1, append(found[i], party)
			case fixed && k < len(said.at):
				absent++
			default:
				missing = append(missing, party)
			}
		}
	}
	if n != len(said.of) || fixed && absent != said.gone && !said.lost {
		return nil, ErrKeyReused
	}
	for i, parties := range found {
		if said.facts[i] == nil {
			continue
		}
		if fixed && !bytes.Equal(marshalFacts(p.Parts[i]), marshalFacts(decide.Planned{Event: said.facts[i]})) {
			return nil, ErrKeyReused
		}
		if err := l.sameEvent(ctx, decide.Planned{Event: said.facts[i], Parties: parties}, said.at[i], of); err != nil {
			return nil, err
		}
	}
	return missing, nil
}
