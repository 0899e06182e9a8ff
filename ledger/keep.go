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

// keepErased keeps the entries of those whom a batch erases and who are under a
// hold, before it is appended. No error says what it was about: it is answered to
// who asked for the erasure.
func (l *Ledger) keepErased(ctx context.Context, b *batch) error {
	for _, c := range b.choices {
		for _, d := range c.decided {
			if d.Closing != events.ReasonErased {
				continue
			}
			if err := l.keepParties(ctx, d.Parties); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Ledger) keepParties(ctx context.Context, parties []decide.Party) error {
	for _, p := range parties {
		key := partyKey{p.Role, p.ID}
		names := append(slices.Clone(l.state.names[key]), p.ID)
		for _, id := range append(slices.Clone(l.state.rotated[key]), l.state.parties[key]) {
			if err := l.keepHeld(ctx, id, doomed{l.state.sequences[id].upTo(l.state.next), names}); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepHeld copies what a key opens under each hold that is on its owner. What is
// kept already stays; when it returns nil the rest is durable. It draws no random
// bytes, so that nothing that is made after it tells whether there was anything.
func (l *Ledger) keepHeld(ctx context.Context, id keystore.PartyID, d doomed) error {
	party, err := l.keys.ByID(ctx, id)
	if errors.Is(err, keystore.ErrDestroyed) {
		return nil // after what was to be kept
	}
	if err != nil {
		return err
	}
	holds, err := l.keys.HoldsOn(ctx, party.Role, d.names...)
	if err != nil {
		return err
	}
	for _, hold := range holds {
		chunk := 0
		for entries := range slices.Chunk(d.entries, keystore.HeldChunk) {
			if err := l.keepChunk(ctx, hold, &party, chunk, entries); err != nil {
				return err
			}
			chunk++
		}
	}
	return nil
}

func (l *Ledger) keepChunk(ctx context.Context, hold keystore.HoldKey, party *keystore.Party, chunk int, entries []entryPlace) error {
	if n, err := l.keys.HeldIn(ctx, hold, party.Label, chunk); err != nil || n >= len(entries) {
		return err
	}
	held := make([]keystore.Held, 0, len(entries))
	for _, packed := range entries {
		at := packed.unpack()
		sealed, err := l.sealedAt(ctx, at.index)
		if err != nil {
			return err
		}
		h, err := sealed.Hold(at.slot, party.Key)
		if err != nil {
			return fmt.Errorf("%w: %w", err, ErrCorrupt)
		}
		held = append(held, h)
	}
	return l.keys.Keep(ctx, hold, party.Label, chunk, held)
}

// HeldEntry is an entry of somebody who was erased, opened by what is kept under a
// hold and checked against its leaf.
type HeldEntry struct {
	Index    uint64          `json:"index" doc:"leaf in the log"`
	ID       events.ID       `json:"id"`
	Recorded time.Time       `json:"recorded" doc:"by the leaf's clock"`
	LeafHash events.Hash     `json:"leaf_hash"`
	Slot     uint16          `json:"slot" doc:"of the leaf, which commits to whose entry it is"`
	Subject  string          `json:"subject"`
	Number   uint64          `json:"number" doc:"of the entry in the person's sequence"`
	Type     string          `json:"type"`
	Event    any             `json:"event"`
	Private  *events.Private `json:"private,omitempty" doc:"what was told to the person alone"`
	Header   *HeldHeader     `json:"header,omitempty" doc:"of a share among many people: what this entry continues"`
}

// HeldHeader is the event that a held entry continues, opened and checked as it is.
type HeldHeader struct {
	Index    uint64      `json:"index"`
	LeafHash events.Hash `json:"leaf_hash"`
	Type     string      `json:"type"`
	Event    any         `json:"event"`
}

// heldHeader opens what an entry continues, if it continues anything.
func (l *Ledger) heldHeader(ctx context.Context, opened *keystore.Opened) (*HeldHeader, error) {
	if opened.Target == (keystore.EventSecrets{}) || opened.Content.TargetIndex == nil {
		return nil, nil
	}
	header, err := l.sealedAt(ctx, *opened.Content.TargetIndex)
	if err != nil {
		return nil, err
	}
	hash := events.LeafHash(header.Stored.Leaf)
	if events.Hash(opened.Content.TargetLeaf) != hash {
		return nil, fmt.Errorf("a held entry continues another leaf than %d: %w", header.Revision, ErrCorrupt)
	}
	h, err := header.OpenHeader(opened.Target)
	if err != nil {
		return nil, err
	}
	return &HeldHeader{header.Revision, hash, h.Event.Type(), h.Event}, nil
}

// HeldEntries opens what is kept under a hold of those who were erased since it was
// placed. Each entry is checked against its leaf.
func (l *Ledger) HeldEntries(ctx context.Context, matter string) (HoldView, []HeldEntry, error) {
	h, found, err := l.keys.Hold(ctx, matter)
	if err == nil && !found {
		err = ErrNoHold
	}
	if err != nil {
		return HoldView{}, nil, err
	}
	kept, err := l.keys.Kept(ctx, matter)
	if err != nil {
		return HoldView{}, nil, err
	}
	entries := []HeldEntry{}
	for _, k := range kept {
		sealed, err := l.sealedAt(ctx, k.Index)
		if err != nil {
			return HoldView{}, nil, err
		}
		opened, err := sealed.OpenHeld(k)
		if err != nil {
			return HoldView{}, nil, err
		}
		e := HeldEntry{
			Index: k.Index, ID: sealed.ID, Recorded: time.UnixMilli(int64(sealed.Leaf.TimeMS)).UTC(), LeafHash: events.LeafHash(sealed.Stored.Leaf),
			Slot: k.Slot, Subject: events.Identity(opened.Content.ID).String(), Type: opened.Event.Type(), Event: opened.Event, Private: opened.Content.Private,
		}
		if opened.Content.Number != nil {
			e.Number = *opened.Content.Number
		}
		if e.Header, err = l.heldHeader(ctx, opened); err != nil {
			return HoldView{}, nil, err
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b HeldEntry) int { return int(int64(a.Index) - int64(b.Index)) })
	return viewHold(h), entries, nil
}
