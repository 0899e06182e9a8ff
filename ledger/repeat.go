package ledger

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// repeated answers a command whose key recorded something before.
func (l *Ledger) repeated(ctx context.Context, cmd *Command, first Accepted) reply {
	also, planned, err := l.sameShare(ctx, cmd, first.Index)
	if err != nil {
		return reply{err: stoppedOr(ctx, err)}
	}
	first.Also = also
	return reply{accepted: first, decided: planned}
}

// sameShare compares a command with what its key recorded before, by opening that,
// and returns where the events stand that it asked for beside the first, and what it
// asks for, of which continuations may be missing. It returns ErrKeyReused if they
// differ. Any goroutine may call it that does not hold mu.
func (l *Ledger) sameShare(ctx context.Context, cmd *Command, index uint64) (also []Place, planned []decide.Planned, err error) {
	if end, ok := cmd.Record.(decide.Ending); ok {
		return nil, nil, l.sameEnding(ctx, end, index)
	}
	sealed := decide.RealmOf(cmd.Record) != decide.RealmOpen
	// It is decided again on what was known then. What was recorded once does not
	// lie in the future, whatever the clock does.
	before, spread := index, l.spreads(index)
	for ordinal := uint16(1); ; ordinal++ {
		at, known := l.place(l.eventID(cmd, ordinal))
		if !known {
			break
		}
		before, spread = min(before, at), spread || l.spreads(at)
	}
	// Else the rest of its people may wait for it; and a step of a seal is the
	// authority's, who is never gone.
	if !spread && !sealed {
		if gone, err := l.someoneGone(ctx, index); gone || err != nil {
			return nil, nil, err // there is nothing left to compare with
		}
	}
	target, err := l.targetOf(ctx, cmd, before)
	if refused := (*events.FieldError)(nil); errors.As(err, &refused) && err != errUnfinished {
		return nil, nil, ErrKeyReused // what it is about came later
	}
	if err != nil {
		return nil, nil, err
	}
	planned, err = l.decide(&shared{l}, cmd, target, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return nil, nil, err
	}
	// What the end of a seal told to whom follows from its step; those told may be gone.
	told := sealed && l.someoneEnded()
	for ordinal := range planned {
		id := l.eventID(cmd, uint16(ordinal))
		if ordinal > 0 && told {
			if _, known := l.place(id); !known {
				return nil, nil, ErrKeyReused
			}
		} else if err := l.samePlace(ctx, &planned[ordinal], id, spread); err != nil {
			return nil, nil, err
		}
		if ordinal > 0 {
			if at, known := l.place(id); known {
				also = append(also, Place{id, at})
			}
		}
	}
	slices.SortFunc(also, func(a, b Place) int { return cmp.Compare(a.Index, b.Index) })
	return also, planned, l.nothingMore(ctx, cmd, target, len(planned))
}

// samePlace compares a planned event with what was recorded under its id. Of one with
// continuations that are not all there it leaves those planned that are missing.
func (l *Ledger) samePlace(ctx context.Context, p *decide.Planned, id events.ID, spread bool) error {
	if _, enrols := p.Event.(*events.Enrolled); enrols {
		return nil // there is nothing to compare
	}
	at, known := l.place(id)
	if !known {
		return ErrKeyReused
	}
	if l.spreads(at) {
		return l.sameSpread(ctx, p, id, at)
	}
	if len(p.Parts) > 0 {
		return ErrKeyReused
	}
	if spread {
		if gone, err := l.someoneGone(ctx, at); gone || err != nil {
			return err
		}
	}
	return l.sameEvent(ctx, *p, at, nil)
}

// sameEnding compares a command to end a generation, or to make an alias, with what
// its key recorded before, as far as that is still known.
func (l *Ledger) sameEnding(ctx context.Context, cmd decide.Ending, index uint64) error {
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	same := sealed.Type == cmd.Type()
	read := func(text string) partyKey {
		id, err := events.ParseIdentity(l.state.Identities(), text)
		same = same && err == nil
		return partyKey{events.RoleSubject, id}
	}
	switch cmd := cmd.(type) {
	case *decide.AddAlias:
		of, primary := read(cmd.Alias), read(cmd.Subject)
		known := slices.ContainsFunc(slices.Collect(maps.Values(l.state.aliases)), func(a alias) bool { return a.at.index == index })
		a, open := l.state.aliases[of]
		same = same && (!known || open && a.at.index == index && a.primary == primary.id)
	case *decide.ConfirmClosure: // of who was erased before the last start, only that they are gone is known
		request, known := l.state.unsealed(cmd.ID)
		same = same && known && request < index && l.state.over(request)
		if same {
			asked, ended := l.state.owners.of(request), l.state.owners.of(index)
			same = len(asked) == len(ended) && (len(asked) == 0 || asked[0] == ended[0])
		}
	case *decide.Close:
		key := read(cmd.Subject)
		key.id = l.state.Primary(key.role, key.id)
		rotated := len(l.state.owners.of(index)) > 0 && slices.ContainsFunc(l.state.owners.of(index), func(id keystore.PartyID) bool { return l.state.sequences[id] != nil })
		here := slices.ContainsFunc(l.state.rotated[key], func(id keystore.PartyID) bool { return l.state.sequences[id].closed.at.index == index })
		same = same && rotated == here && (here == (cmd.Reason == events.ReasonRotated) || !rotated)
	}
	if !same {
		return ErrKeyReused
	}
	return nil
}

// someoneGone reports whether somebody whom an event concerned was erased: then who
// was meant and what was said of them cannot be compared any more. The events of
// somebody who is erased keep their number of people, where they have one.
func (l *Ledger) someoneGone(ctx context.Context, index uint64) (bool, error) {
	if !l.someoneEnded() {
		return false, nil
	}
	parties, err := l.partiesOf(ctx, index)
	if err != nil {
		return false, err
	}
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return false, err
	}
	l.mu.RLock()
	known := len(l.state.owners.of(index))
	l.mu.RUnlock()
	people := uint64(0)
	for _, p := range parties {
		if p.Role == events.RoleSubject {
			people++
		}
	}
	switch {
	case known > len(parties): // erased since the start
		return true, nil
	case people == 0 && events.Carries(sealed.Type, events.RoleSubject): // every such event concerns somebody
		return true, nil
	}
	e, err := l.openAny(ctx, sealed, parties)
	if err != nil {
		return false, err
	}
	return events.People(e) > people, nil
}

// someoneEnded reports whether the generation of anybody has ended.
func (l *Ledger) someoneEnded() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.state.ended) > 0
}

// nothingMore wants that a key recorded no more than a command asks for. A
// reattribution begins as the retraction that it holds; what follows tells them
// apart.
func (l *Ledger) nothingMore(ctx context.Context, cmd *Command, target *target, asked int) error {
	if target == nil {
		return nil
	}
	at, more := l.place(l.eventID(cmd, uint16(asked)))
	if !more {
		return nil
	}
	sealed, err := l.sealedAt(ctx, at)
	if err == nil && sealed.Type != events.TypeEnrolled {
		err = ErrKeyReused
	}
	return err
}

// sameEvent compares a planned event with the one recorded at an index, which
// continues of if that is not nil.
func (l *Ledger) sameEvent(ctx context.Context, planned decide.Planned, index uint64, of *decide.Reference) error {
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return err
	}
	opener := &keystore.Opener{Sealed: sealed}
	if sealed.Type != events.ClearType(planned.Event) || len(sealed.Leaf.Slots) < len(planned.Parties) {
		return ErrKeyReused
	}
	if err := l.sameSealed(ctx, sealed, planned.Parties); err != nil {
		return err
	}
	for i, party := range planned.Parties {
		if party.Sealed {
			continue
		}
		opened, err := l.openAs(ctx, opener, partyKey{party.Role, party.ID})
		if errors.Is(err, errNotConcerned) {
			return ErrKeyReused
		}
		if err != nil {
			return err
		}
		want := entryContent(*opened.Content.Number, party)
		if of != nil {
			want = events.ContinuationContent(party.Role, *opened.Content.Number, party.ID, party.Private, of.Index, of.LeafHash)
		}
		if !bytes.Equal(want.Marshal(), opened.Slot) {
			return ErrKeyReused
		}
		if i == 0 && !bytes.Equal(marshalFacts(planned), opened.Facts.Marshal()) {
			return ErrKeyReused
		}
	}
	return nil
}

// sameSealed compares whom an event concerns under seal with what was planned.
func (l *Ledger) sameSealed(ctx context.Context, sealed *keystore.Sealed, parties []decide.Party) error {
	want := map[string]bool{}
	for _, p := range parties {
		if p.Sealed {
			want[string(sealedContent(p).Marshal())] = true
		}
	}
	if len(want) == 0 {
		return nil
	}
	keys, err := l.keys.SealKeys(ctx, sealed.ID)
	if err != nil {
		return err
	}
	slots, err := sealed.OpenSealed(keys)
	if err != nil {
		return err
	}
	for _, s := range slots {
		if !want[string(s.Opened.Slot)] {
			return ErrKeyReused
		}
	}
	if len(slots) > len(want) || len(slots) < len(want) && !l.someoneEnded() { // the keys of the erased are gone
		return ErrKeyReused
	}
	return nil
}

var errNotConcerned = errors.New("the event does not concern this party")

// openAs opens an event with a party's key.
func (l *Ledger) openAs(ctx context.Context, sealed *keystore.Opener, key partyKey) (*keystore.Opened, error) {
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
	ids := l.state.rotated[key]
	if id, open := l.state.parties[key]; open {
		ids = append(ids[:len(ids):len(ids)], id)
	}
	for _, id := range ids {
		if at, ok := l.state.sequences[id].entryAt(revision); ok {
			return id, at, true
		}
	}
	return 0, place{}, false
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
	return slices.EqualFunc(decide.Asked(a), decide.Asked(b), samePlanned)
}

func samePlanned(x, y decide.Planned) bool {
	if x.Event.Type() != y.Event.Type() || len(x.Parties) != len(y.Parties) || !slices.EqualFunc(x.Parts, y.Parts, samePlanned) ||
		!bytes.Equal(marshalFacts(x), marshalFacts(y)) {
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
	if p.Sealed {
		return string(sealedContent(p).Marshal())
	}
	return string(entryContent(0, p).Marshal())
}
