package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// held is what the log has of one generation under a name.
type held struct {
	number  uint64
	party   keystore.PartyID // whose key opens it; 0 if it is erased
	enrol   place
	primary events.Identity // of an alias; its slot opens with the primary's key
	closed  *place
	reason  uint8 // of the close
	entries []entryPlace
}

// ErrErasing says that somebody was just erased: until that is published nothing can
// be proven about them, neither what was nor that it is gone.
var ErrErasing = errors.New("this name was erased a moment ago; try again in a second")

// heldUnder lists the generations under a name in the first size leaves. Those that
// can be opened are in the state; of those that cannot, the labels lead to their
// places, and only the VRF gives the labels.
func (l *Ledger) heldUnder(ctx context.Context, role events.Role, id events.Identity, size uint64) ([]held, error) {
	open, err := l.openUnder(ctx, role, id)
	if err != nil {
		return nil, err
	}
	var all []held
	for g := uint64(0); ; g++ {
		h, known := open[g]
		if !known {
			if h, known, err = l.erasedUnder(ctx, role, id, g); err != nil {
				return nil, err
			}
		}
		if !known || h.enrol.index >= size {
			return all, nil
		}
		if h.closed != nil && h.closed.index >= size {
			if h.reason == events.ReasonErased {
				return nil, ErrErasing
			}
			h.closed, h.reason = nil, 0
		}
		h.entries = (&sequence{entries: h.entries}).upTo(size)
		all = append(all, h)
	}
}

// openUnder returns what the state knows of an identity, by generation.
func (l *Ledger) openUnder(ctx context.Context, role events.Role, id events.Identity) (map[uint64]held, error) {
	key := partyKey{role, id}
	l.mu.RLock()
	ids := l.state.rotated[key]
	if party, ok := l.state.parties[key]; ok {
		ids = append(ids[:len(ids):len(ids)], party)
	}
	some := map[keystore.PartyID]held{}
	for _, party := range ids {
		seq := l.state.sequences[party]
		h := held{party: party, enrol: seq.enrol, entries: seq.entries}
		if seq.closed != nil {
			h.closed, h.reason = &seq.closed.at, seq.closed.reason
		}
		some[party] = h
	}
	as, isAlias := l.state.aliases[key]
	l.mu.RUnlock()
	all := map[uint64]held{}
	for party, h := range some {
		p, err := l.keys.ByID(ctx, party)
		if errors.Is(err, keystore.ErrDestroyed) {
			return nil, ErrErasing
		}
		if err != nil {
			return nil, err
		}
		h.number = p.Generation
		all[p.Generation] = h
	}
	if !isAlias {
		return all, nil
	}
	e, found, err := l.keys.Enrolment(ctx, as.label)
	if err != nil || !found || e.Alias == nil {
		return nil, errors.Join(err, ErrErasing)
	}
	all[as.generation] = held{number: as.generation, party: e.Alias.Party.ID, enrol: as.at, primary: as.primary}
	return all, nil
}

// erasedUnder finds a generation of which nothing but its labels is left.
func (l *Ledger) erasedUnder(ctx context.Context, role events.Role, id events.Identity, g uint64) (held, bool, error) {
	enrolLabel := l.secrets.EnrolLabel(role, id, g)
	closeLabel, _ := l.secrets.CloseLabel(role, id, g)
	l.mu.RLock()
	closed, isClosed := l.state.ended[closeLabel]
	enrol, found := l.state.ended[enrolLabel]
	l.mu.RUnlock()
	if !isClosed {
		return held{}, false, nil
	}
	if !found {
		// The tombstone is lost, in a keystore that was older than the enrolment. The
		// stream has it.
		var err error
		if enrol, err = l.search(ctx, enrolLabel, closed.index); err != nil {
			return held{}, false, err
		}
	}
	sealed, err := l.sealedAt(ctx, closed.index)
	if err != nil {
		return held{}, false, err
	}
	how, ok := l.secrets.ClosingIn(sealed.Leaf, role, id, g)
	if !ok || how.Slot != closed.slot {
		return held{}, false, fmt.Errorf("leaf %d carries a close label and does not close: %w", closed.index, ErrCorrupt)
	}
	return held{number: g, enrol: enrol, closed: &closed, reason: how.Reason}, true, nil
}

// search finds a label in the enrolments before a leaf, by reading them all.
func (l *Ledger) search(ctx context.Context, label events.Hash, before uint64) (place, error) {
	for e, err := range l.store.Read(ctx, l.stream, 0, before) {
		if err != nil {
			return place{}, fmt.Errorf("looking for an enrolment: %w", err)
		}
		if e.Type != events.TypeEnrolled || !l.secrets.Ours(e) {
			continue
		}
		sealed, err := keystore.Parse(l.origin, e)
		if err != nil {
			return place{}, err
		}
		for k, slot := range sealed.Leaf.Slots {
			if slot.Label == label {
				at := place{e.Revision, uint16(k)}
				l.mu.Lock()
				l.state.ended[label] = at
				l.mu.Unlock()
				return at, nil
			}
		}
	}
	return place{}, fmt.Errorf("a generation ends that never began: %w", ErrCorrupt)
}
