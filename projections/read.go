package projections

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// maxLimit bounds how many rows one answer has.
const maxLimit = 1000

// ErrCursor says that a text is not a cursor that a listing gave.
var ErrCursor = errors.New("malformed cursor; begin the listing again without one")

// Listing is one page of a listing.
type Listing struct {
	// AsOf is the revision that the rows want next: they show every event below.
	AsOf        uint64       `json:"as_of"`
	Disclosures []Disclosure `json:"disclosures"`
	// Next leads to the next page of the same state; nil after the last.
	Next *Cursor `json:"next,omitempty"`
}

// Cursor is a place in a listing. It carries the state that the first page
// showed, so that all pages tell of one moment, whatever is recorded meanwhile.
// The zero Cursor is the beginning.
type Cursor struct {
	From uint64 // number of the first entry wanted
	AsOf uint64 // 0: the newest state
}

// MarshalText implements encoding.TextMarshaler.
func (c Cursor) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d-%d", c.From, c.AsOf), nil }

// UnmarshalText accepts exactly what MarshalText gives.
func (c *Cursor) UnmarshalText(text []byte) error {
	var got Cursor
	if _, err := fmt.Sscanf(string(text), "%d-%d", &got.From, &got.AsOf); err != nil {
		return ErrCursor
	}
	if again, _ := got.MarshalText(); string(again) != string(text) {
		return ErrCursor
	}
	*c = got
	return nil
}

// ListQuery asks for a page of a listing.
type ListQuery struct {
	From       Cursor
	Limit      int  // at most 1000
	AsRecorded bool // the records alone, with nothing that became of them
}

// List returns shares of a party from a cursor on, in the order in which they were
// recorded, with all that became of them up to the state of the cursor. ErrParked
// if the rows about the party are incomplete. Whoever is unknown has an empty
// listing.
func (m *ReadModel) List(ctx context.Context, role events.Role, id events.Identity, q ListQuery) (*Listing, error) {
	limit := min(max(q.Limit, 1), maxLimit)
	page, err := m.entries(ctx, role, id, EntryQuery{
		Kind: KindShare, From: q.From.From, Limit: limit + 1, UpTo: upTo(q.From.AsOf), Later: !q.AsRecorded,
	})
	if err != nil {
		return nil, fmt.Errorf("listing the shares of a %s: %w", role, err)
	}
	l := &Listing{AsOf: page.Next, Disclosures: []Disclosure{}}
	if q.From.AsOf != 0 {
		l.AsOf = min(q.From.AsOf, page.Next)
	}
	if len(page.Entries) > limit {
		l.Next = &Cursor{From: page.Entries[limit].Number, AsOf: l.AsOf}
		page.Entries = page.Entries[:limit]
	}
	later := laterBy(page.Later)
	for i := range page.Entries {
		e := &page.Entries[i]
		versions, err := versionsOf(e, later.of(e.RecordLeaf()), role)
		if err != nil {
			return nil, fmt.Errorf("listing the shares of a %s: %w", role, err)
		}
		l.Disclosures = append(l.Disclosures, versions[len(versions)-1])
	}
	return l, nil
}

// upTo is the last leaf of a state that wants asOf next. Nothing ever stands at
// the last number there is, so the newest state needs no other query.
func upTo(asOf uint64) uint64 {
	if asOf == 0 {
		return math.MaxInt64
	}
	return asOf - 1
}

// History returns every version of one share of a party, as recorded first, each
// with what became of it until the next one. None if the number is no share's.
func (m *ReadModel) History(ctx context.Context, role events.Role, id events.Identity, number uint64) ([]Disclosure, error) {
	page, err := m.entries(ctx, role, id, EntryQuery{Kind: KindShare, From: number, Limit: 1, UpTo: upTo(0), Later: true})
	if err != nil {
		return nil, fmt.Errorf("reading the versions of a share: %w", err)
	}
	if len(page.Entries) == 0 || page.Entries[0].Number != number {
		return nil, nil
	}
	e := &page.Entries[0]
	versions, err := versionsOf(e, laterBy(page.Later).of(e.RecordLeaf()), role)
	if err != nil {
		return nil, fmt.Errorf("reading the versions of a share: %w", err)
	}
	return versions, nil
}

// entries asks the view about a party, whoever it is. A parked party is refused.
func (m *ReadModel) entries(ctx context.Context, role events.Role, id events.Identity, q EntryQuery) (EntryPage, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	generations, err := m.keys.Generations(ctx, role, id)
	if q.Own {
		generations, err = m.keys.Own(ctx, role, id)
	}
	if err != nil {
		return EntryPage{}, err
	}
	if len(generations) == 0 {
		state, err := m.view.State(ctx, nil)
		return EntryPage{Next: state.Next}, err
	}
	q.Party = generations[0].Root
	page, err := m.view.Entries(ctx, q)
	if err != nil {
		return page, err
	}
	for _, parked := range append(m.Parked(), parkedIn(page)...) {
		if slices.ContainsFunc(generations, func(p keystore.Party) bool { return p.ID == parked.Party }) && parked.Index <= q.UpTo {
			return page, &ParkedError{parked}
		}
	}
	for _, entries := range [][]Entry{page.Entries, page.Later} {
		for i := range entries {
			at := slices.IndexFunc(generations, func(p keystore.Party) bool { return p.Generation == generationOf(entries[i].Number) })
			if at < 0 {
				return EntryPage{}, errWrapped
			}
			if err := entries[i].unwrap(&generations[at]); err != nil {
				return EntryPage{}, err
			}
		}
	}
	return page, nil
}

func parkedIn(page EntryPage) []Parked {
	if page.Parked == nil {
		return nil
	}
	return []Parked{*page.Parked}
}

// all returns every entry of a party that a query asks for, as one page. Entries are
// only ever added above, so the pages tell of one moment: that of the first.
func (m *ReadModel) all(ctx context.Context, role events.Role, id events.Identity, q EntryQuery) (all EntryPage, err error) {
	q.Limit = maxLimit
	for {
		page, err := m.entries(ctx, role, id, q)
		if err != nil {
			return all, err
		}
		if q.From == 0 {
			all.Next = min(page.Next, q.UpTo+1)
			q.UpTo = min(q.UpTo, max(page.Next, 1)-1)
		}
		all.Entries, all.Later = append(all.Entries, page.Entries...), append(all.Later, page.Later...)
		if len(page.Entries) < maxLimit {
			return all, nil
		}
		q.From = page.Entries[len(page.Entries)-1].Number + 1
	}
}
