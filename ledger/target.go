package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// deed is what an event did to an earlier record.
type deed struct {
	to  uint64 // index of the record
	at  uint64 // index of the event
	typ string // of the event
}

// owners tells whose slots are in each event, in the order of the events.
type owners struct {
	ends []uint32 // of each event, in ids
	ids  []keystore.PartyID
}

func (o *owners) add(claimed []claim) {
	for _, c := range claimed {
		o.ids = append(o.ids, c.party)
	}
	o.ends = append(o.ends, uint32(len(o.ids)))
}

// of returns the parties of an event. The slice must not be changed; it stays
// as it is while the writer goes on.
func (o *owners) of(index uint64) []keystore.PartyID {
	from := uint32(0)
	if index > 0 {
		from = o.ends[index-1]
	}
	return o.ids[from:o.ends[index]:o.ends[index]]
}

// took notes whose the event is that was just folded, and what it did.
func (s *state) took(done *deed) {
	s.owners.add(s.claimed)
	if done != nil {
		done.at = s.next - 1
		if done.typ == events.TypeClosureDeclined {
			s.requests = slices.DeleteFunc(s.requests, func(at uint64) bool { return at == done.to })
		}
		s.deeds[done.to] = append(s.deeds[done.to], *done)
	}
}

// deedOf finds the record that an event is about, before the event is folded, by
// opening the slot of one of its parties. Most types of events are about none.
func (l *Ledger) deedOf(ctx context.Context, e events.Recorded, leaf *events.Leaf, stored *events.Stored) (*deed, error) {
	// A continuation says nothing that its header does not.
	if leaf.Kind != events.KindEntry || len(events.About(e.Type)) == 0 || e.Type == events.TypeRecordContinued {
		return nil, nil
	}
	sealed := &keystore.Sealed{Recorded: e, Origin: l.origin, Stored: stored, Leaf: leaf}
	for k, slot := range leaf.Slots {
		id, known := l.state.expected[slot.Label]
		if !known {
			continue
		}
		party, err := l.keys.ByID(ctx, id)
		if errors.Is(err, keystore.ErrDestroyed) || errors.Is(err, keystore.ErrKeyMissing) || errors.Is(err, keystore.ErrNoParty) {
			continue // another party's key tells the same
		}
		if err != nil {
			return nil, err
		}
		content, err := sealed.OpenSlot(uint16(k), party.Key)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
		}
		if content.TargetIndex == nil {
			continue // one who joins has no entry in the record
		}
		if *content.TargetIndex >= e.Revision {
			return nil, fmt.Errorf("it is about an event that is not before it: %w", ErrCorrupt)
		}
		return &deed{to: *content.TargetIndex, typ: e.Type}, nil
	}
	return nil, nil // nobody is left who could do anything to that record
}

// target is a record that a command is about.
type target struct {
	decide.Target
	deeds    map[uint64]int // how many were taken into account, of the record and of each that added people to it
	closings uint64         // how many were, of the ledger

	// Of a target that is a seal: in whose register it is, and how many entries that
	// had.
	register keystore.PartyID
	entries  int
}

// stale reports whether a seal's register grew since the target was read.
func (t *target) stale(s *state, b *batch) bool {
	return t != nil && t.Seal != nil && (b.seals[t.Seal.ID] || len(s.sequences[t.register].entries) != t.entries)
}

// errTargetMoved says that something happened to the target since it was read:
// read it again, and decide again.
var errTargetMoved = errors.New("the record changed meanwhile")

// ErrNoRecord says that an id names no record of the ledger.
var ErrNoRecord = &events.FieldError{Field: "id", Rule: "names no record of this ledger", Next: "use the id that recording it answered"}

// targetOf reads what a command is about, with everything that happened to it
// before an index. It returns nil for a command about nothing.
func (l *Ledger) targetOf(ctx context.Context, cmd *Command, before uint64) (*target, error) {
	id, about := cmd.Record.About()
	if !about {
		return nil, nil
	}
	if decide.RealmOf(cmd.Record) != decide.RealmOpen { // it is about a seal
		return l.sealTarget(ctx, cmd, id, before)
	}
	index, known := l.Find(id)
	if !known || index >= before {
		return nil, ErrNoRecord
	}
	t := &target{deeds: map[uint64]int{}}
	l.mu.RLock()
	t.closings = l.state.closings
	l.mu.RUnlock()
	return t, l.readTarget(ctx, &t.Target, t.deeds, index, before)
}

// readTarget reads the record at an index into t, and those that added people to it.
func (l *Ledger) readTarget(ctx context.Context, t *decide.Target, counted map[uint64]int, index, before uint64) error {
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return err
	}
	if sealed.Leaf.Kind != events.KindEntry || sealed.Type == events.TypeEnrolled {
		return ErrNoRecord
	}
	l.mu.RLock()
	deeds := slices.Clone(l.state.deeds[index])
	open := l.state.unfinished(index)
	for _, d := range deeds {
		open = open || d.at < before && l.state.unfinished(d.at)
	}
	l.mu.RUnlock()
	if open {
		return errUnfinished
	}
	deeds = slices.DeleteFunc(deeds, func(d deed) bool { return d.at >= before })
	t.ID, t.Index, t.LeafHash, counted[index] = sealed.ID, index, events.LeafHash(sealed.Stored.Leaf), len(deeds)
	if t.Parties, err = l.partiesOf(ctx, index); err != nil {
		return err
	}
	if t.Event, err = l.openAny(ctx, sealed, t.Parties); err != nil {
		return err
	}
	t.Share = events.ShareIn(t.Event)
	if _, request := t.Event.(*events.ClosureRequested); request && l.over(index) {
		t.Ended = events.TypeClosed
	}
	for i, d := range deeds {
		if d.typ == events.TypeDisclosureAmended {
			t.Versions++
			if slices.ContainsFunc(deeds[i+1:], func(d deed) bool { return d.typ == events.TypeDisclosureAmended }) {
				continue // a later one holds the whole share
			}
		}
		if d.typ == events.TypeSeriesUpdated && i+1 < len(deeds) && deeds[i+1].typ == d.typ {
			continue // the next one counts further
		}
		if d.typ == events.TypeSubjectsAdded {
			added := new(decide.Target)
			if err := l.readTarget(ctx, added, counted, d.at, before); err != nil {
				return err
			}
			t.Added = append(t.Added, added)
		} else if err := l.apply(ctx, t, d); err != nil {
			return err
		}
	}
	return nil
}

// partiesOf returns whom an event concerns, those in its continuations too, the
// recipient first, whatever place its slot was given. Whose key was destroyed is not
// concerned any more.
func (l *Ledger) partiesOf(ctx context.Context, index uint64) (parties []decide.Party, err error) {
	l.mu.RLock()
	events := append([]uint64{index}, l.state.continuations(index)...)
	var ids [][]keystore.PartyID
	for _, at := range events {
		ids = append(ids, l.state.owners.of(at))
	}
	l.mu.RUnlock()
	for _, some := range ids {
		found, err := l.keys.ByIDs(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, id := range some {
			switch f := found[id]; {
			case errors.Is(f.Err, keystore.ErrDestroyed) || errors.Is(f.Err, keystore.ErrKeyMissing) || errors.Is(f.Err, keystore.ErrNoParty):
			case f.Err != nil:
				return nil, f.Err
			default:
				parties = append(parties, decide.Party{Role: f.Party.Role, ID: f.Party.Identity})
			}
		}
	}
	slices.SortStableFunc(parties, func(a, b decide.Party) int { return int(b.Role) - int(a.Role) })
	return parties, nil
}

// openAny reads an event's facts with the key of one of its parties; partiesOf
// returns none whose key is gone.
func (l *Ledger) openAny(ctx context.Context, sealed *keystore.Sealed, parties []decide.Party) (events.Event, error) {
	if len(parties) == 0 {
		return nil, fmt.Errorf("opening event %d: %w", sealed.Revision, ErrKeyDestroyed)
	}
	opened, err := l.openAs(ctx, &keystore.Opener{Sealed: sealed}, partyKey{parties[0].Role, parties[0].ID})
	if err != nil {
		return nil, err
	}
	return opened.Event, nil
}

// apply takes into account what an event did to the target.
func (l *Ledger) apply(ctx context.Context, t *decide.Target, d deed) error {
	switch d.typ {
	case events.TypeDisclosureAmended:
		sealed, err := l.sealedAt(ctx, d.at)
		if err != nil {
			return err
		}
		e, err := l.openAny(ctx, sealed, t.Parties)
		if err != nil {
			return err
		}
		newest := *events.ShareIn(e)
		newest.Extent = t.Share.Extent
		t.Share = &newest
	case events.TypeDisclosureRetracted:
		gone, err := l.partiesOf(ctx, d.at)
		if err != nil {
			return err
		}
		withdrawn := make(map[partyKey]bool, len(gone))
		for _, g := range gone {
			withdrawn[partyKey{g.Role, g.ID}] = true
		}
		t.Parties = slices.DeleteFunc(t.Parties, func(p decide.Party) bool {
			return p.Role == events.RoleSubject && withdrawn[partyKey{p.Role, p.ID}]
		})
		if !slices.ContainsFunc(t.Parties, func(p decide.Party) bool { return p.Role == events.RoleSubject }) {
			t.Ended = d.typ
		}
	case events.TypeSeriesUpdated, events.TypeSeriesClosed:
		sealed, err := l.sealedAt(ctx, d.at)
		if err != nil {
			return err
		}
		e, err := l.openAny(ctx, sealed, t.Parties)
		if err != nil {
			return err
		}
		switch e := e.(type) {
		case *events.SeriesUpdated:
			t.Progress = e.Progress
		case *events.SeriesClosed:
			t.Progress, t.Ended = e.Progress, d.typ
		}
	case events.TypeDisputeResolved, events.TypeConsentWithdrawn, events.TypeConsentExpired, events.TypeClosureDeclined:
		t.Ended = d.typ
	}
	return nil
}

// decide takes the decision that a command asks for, without the enrolments that it
// needs. Whoever calls it holds mu or is the writer, or brings a state that locks.
func (l *Ledger) decide(state knowing, cmd *Command, t *target, now time.Time) ([]decide.Planned, error) {
	var about *decide.Target
	if t != nil {
		about = &t.Target
	}
	planned, err := cmd.Record.Decide(state, about, now)
	if err != nil {
		return nil, err
	}
	planned = decide.Spread(decide.Asked(planned), func(ordinal int, p decide.Party) events.Hash {
		return l.rank(l.eventID(cmd, uint16(ordinal)), p)
	})
	for _, p := range planned {
		if err := allowed(state.book(), p); err != nil {
			return nil, err
		}
	}
	return planned, nil
}

// knowing is what decisions and the check of their events may ask.
type knowing interface {
	decide.State
	book() *events.Rules
}

// allowed refuses what the ledger's rules have no room for, and what cannot be sealed:
// later it would fail a whole batch, and with it commands of others.
func allowed(rules *events.Rules, p decide.Planned) error {
	if len(p.Parties) > events.MaxSlots {
		return &events.FieldError{Field: "subjects", Rule: fmt.Sprintf("are so many that this would concern more than %d parties", events.MaxSlots),
			Next: "record it as several"}
	}
	var roles []events.Role
	for _, party := range p.Parties {
		if !party.Sealed {
			roles = append(roles, party.Role)
		}
	}
	if !rules.Allows(p.Event, roles...) || !allowsSealed(rules, p.Event) {
		return &events.FieldError{Field: "type", Rule: "the rules of this ledger, made by an older program, have no room for this " + p.Event.Type(),
			Next: "begin a new ledger for it"}
	}
	if len(p.Parts) > 0 {
		return allowed(rules, p.Parts[0])
	}
	return nil
}

// allowsSealed reports whether what an event holds under seal may be written, too.
func allowsSealed(rules *events.Rules, e events.Event) bool {
	step, ok := e.(*events.SealRecorded)
	if !ok || step.Record == nil {
		return true
	}
	inner, err := step.Record.Event()
	return err == nil && rules.Allows(inner)
}
