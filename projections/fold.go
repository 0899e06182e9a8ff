package projections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// fold turns a page of events into changes, from what the view knows. It works
// in steps, so that what is expensive (parsing, keys, opening) runs on all
// processors and outside the transaction that writes: only the matching of
// labels has to follow the order of the stream.
type fold struct {
	keys    *keystore.Store
	headers *headers
	state   State
	now     time.Time
	only    map[PartyID]uint64 // if not nil: these parties alone, from these leaves on

	sealed   []*keystore.Sealed // nil where nothing is projected
	expected map[events.Hash]*track
	tracks   []*track // all of them, in the order in which they were found
	enrolled map[events.Hash]keystore.Party
	readings []reading
	shredded map[PartyID]bool // roots of people who were erased
	secrets  *keystore.Secrets
}

// track is the sequence of one party on its way through the page.
type track struct {
	party  keystore.Party
	keyErr error  // why party has no key
	next   uint64 // number of the next entry
	moved  bool   // next or the existence of the sequence is news
	parked *Parked
}

// step is one entry to be opened.
type step struct {
	slot   uint16
	track  *track
	number uint64
	added  Additions
	erased bool // the entry is the person's last, who was erased
	err    error
}

// maxParked is how many parties may wait. More of them say that not the parties
// are the trouble, but the keystore or this program; then the projection halts.
const maxParked = 1000

// parse reads the events of ours. Foreign events are logged and alarmed by the
// ledger, never projected; state leaves concern nobody.
func parse(ctx context.Context, secrets *keystore.Secrets, page []events.Recorded) ([]*keystore.Sealed, error) {
	sealed := make([]*keystore.Sealed, len(page))
	err := eachOf(ctx, len(page), func(i int) error {
		if e := page[i]; e.Type != events.TypeState && secrets.Ours(e) {
			var err error
			sealed[i], err = keystore.Parse(secrets.Log.Name(), e)
			return err
		}
		return nil
	})
	return sealed, err
}

// labels returns the labels of all slots, decoys among them.
func labels(sealed []*keystore.Sealed) []events.Hash {
	var all []events.Hash
	for _, s := range sealed {
		if s != nil {
			for _, slot := range s.Leaf.Slots {
				all = append(all, slot.Label)
			}
		}
	}
	return all
}

// changes runs the steps. Its errors concern the page, not one party: whatever
// is wrong with one party parks it.
func (f *fold) changes(ctx context.Context) (*Changes, error) {
	if err := f.findKeys(ctx); err != nil {
		return nil, err
	}
	if err := f.findEnrolled(ctx); err != nil {
		return nil, err
	}
	for _, s := range f.sealed {
		if s != nil {
			f.match(s)
		}
	}
	if err := f.findHeaders(ctx); err != nil {
		return nil, err
	}
	// An error here is the end of ctx: some steps were not taken, and would look
	// like entries that add nothing.
	if err := eachOf(ctx, len(f.readings), func(i int) error { f.readings[i].open(f.secrets); return nil }); err != nil {
		return nil, err
	}
	for i := range f.readings {
		for _, s := range f.readings[i].steps {
			if s.erased {
				f.shred(s.track.party.Root)
			}
		}
	}
	return f.collect(ctx)
}

// findKeys reads the keys of the sequences that the page may continue.
func (f *fold) findKeys(ctx context.Context) error {
	waiting := map[PartyID]*Parked{}
	for i := range f.state.Parked {
		waiting[f.state.Parked[i].Party] = &f.state.Parked[i]
	}
	f.expected = map[events.Hash]*track{}
	for _, s := range f.state.Sequences {
		t := &track{next: s.Next, party: keystore.Party{ID: s.Party}}
		if f.only == nil {
			t.parked = waiting[s.Party] // its events are applied by Retry, in order
		} else if _, wanted := f.only[s.Party]; !wanted {
			continue
		}
		f.expected[s.Label] = t
		f.tracks = append(f.tracks, t)
	}
	ids := make([]PartyID, len(f.tracks))
	for i, t := range f.tracks {
		ids[i] = t.party.ID
	}
	for party := range waiting { // no label of theirs comes any more that could say that they were erased
		ids = append(ids, party)
	}
	found, err := f.keys.ByIDs(ctx, ids)
	if err != nil {
		return err
	}
	for _, k := range found {
		if errors.Is(k.Err, keystore.ErrDestroyed) {
			f.shred(k.Party.Root)
		}
	}
	for _, t := range f.tracks {
		t.keyErr = found[t.party.ID].Err
		t.party = found[t.party.ID].Party
	}
	return nil
}

// findEnrolled reads the keys of the parties that begin in this page.
func (f *fold) findEnrolled(ctx context.Context) error {
	var labels []events.Hash
	for _, s := range f.sealed {
		if s != nil && s.Type == events.TypeEnrolled && f.only == nil {
			for _, slot := range s.Leaf.Slots {
				labels = append(labels, slot.Label)
			}
		}
	}
	found, err := f.keys.ByLabels(ctx, labels)
	maps.DeleteFunc(found, func(_ events.Hash, p keystore.Party) bool { return handlers[p.Role] == nil })
	f.enrolled = found
	return err
}

// match finds the entries of an event that are the next ones of some party.
func (f *fold) match(s *keystore.Sealed) {
	r := reading{opener: keystore.Opener{Sealed: s}}
	for k, slot := range s.Leaf.Slots {
		if t, ok := f.expected[slot.Label]; ok {
			if from, only := f.only[t.party.ID]; only && s.Revision < from {
				continue
			}
			delete(f.expected, slot.Label)
			r.steps = append(r.steps, step{slot: uint16(k), track: t, number: t.next})
			if t.keyErr == nil && t.parked == nil {
				t.next++
				f.expected[events.EntryLabel(t.party.Handle, t.next)] = t
			}
		} else if party, ok := f.enrolled[slot.Label]; ok {
			t := &track{party: party, moved: true}
			f.tracks = append(f.tracks, t)
			f.expected[events.EntryLabel(party.Handle, 0)] = t
		}
	}
	if len(r.steps) > 0 {
		f.readings = append(f.readings, r)
	}
}

// collect puts the rows together in the order of the stream. A party that fails
// stays where it failed: nothing of its later entries is applied.
func (f *fold) collect(ctx context.Context) (*Changes, error) {
	c := &Changes{From: f.state.Next, Turn: f.state.Turn, Next: f.state.Next}
	failed := 0
	for i := range f.readings {
		failed += f.collectFrom(&f.readings[i], c)
	}
	for _, t := range f.tracks {
		if t.moved && !f.shredded[t.party.Root] {
			c.Sequences = append(c.Sequences, Sequence{t.party.ID, events.EntryLabel(t.party.Handle, t.next), t.next})
		}
	}
	if f.only == nil && len(f.state.Parked)+failed > maxParked {
		return nil, fmt.Errorf("parking %d parties beside %d: %w", failed, len(f.state.Parked), ErrTooManyParked)
	}
	c.Recipients = merged(c.Recipients)
	for root := range f.shredded {
		family, err := f.keys.Family(ctx, root)
		if err != nil {
			return nil, err
		}
		c.Shredded = append(c.Shredded, Shredded{root, family})
	}
	return c, nil
}

// collectFrom adds what one event adds, and returns how many parties it parks.
func (f *fold) collectFrom(r *reading, c *Changes) (failed int) {
	for i := range r.steps {
		s := &r.steps[i]
		switch {
		case f.shredded[s.track.party.Root]:
		case s.track.parked != nil:
		case s.err != nil:
			s.track.next = s.number
			s.track.parked = &Parked{Party: s.track.party.ID, Index: r.opener.Revision, Class: classOf(s.err), Since: f.now}
			c.Parked = append(c.Parked, *s.track.parked)
			failed++
		default:
			c.add(s.added)
			s.track.moved = true
			s.track.next = s.number + 1
		}
	}
	return failed
}

// merged adds up the descriptions that are the same: a store is told each once.
func merged(all []Description) []Description {
	type key struct {
		party PartyID
		what  events.Recipient
	}
	at := map[key]int{}
	var out []Description
	for _, d := range all {
		i, known := at[key{d.Party, d.Recipient}]
		if !known {
			at[key{d.Party, d.Recipient}] = len(out)
			out = append(out, d)
			continue
		}
		u := &out[i].Usage
		if d.Described != nil {
			out[i].Described = d.Described
		}
		u.LastIndex, u.Last = d.LastIndex, d.Last
		u.Shares += d.Shares
		u.Subjects += d.Subjects
	}
	return out
}

// eachOf calls do for 0 to n-1 on all processors and returns the first error.
func eachOf(ctx context.Context, n int, do func(i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	workers := min(n, maxWorkers())
	for w := range workers {
		g.Go(func() error {
			for i := w; i < n; i += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
