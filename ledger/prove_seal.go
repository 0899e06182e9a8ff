package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/verifier"
)

// unsealed adds the sealed leaves that entries name which are shown whole: what was
// under seal is told in a copy, and the leaf proves since when it is there.
func (p *prover) unsealed(ctx context.Context) error {
	if p.query.Copy {
		return nil
	}
	others := map[events.Identity]bool{} // names under which something was sealed
	for _, n := range p.evidence.Names {
		for _, g := range n.Generations {
			for _, e := range g.Entries {
				if e.Seed == nil || e.Type != events.TypeUnsealed && e.Type != events.TypeEventUnsealed {
					continue
				}
				content, err := events.ParseSlotContent(e.Content)
				if err != nil {
					return fmt.Errorf("reading entry %d: %w: %w", e.Number, err, ErrCorrupt)
				}
				t, err := p.sealedTarget(ctx, content)
				if err != nil {
					return fmt.Errorf("opening what entry %d unseals: %w", e.Number, err)
				}
				p.evidence.Targets = append(p.evidence.Targets, *t)
				if sealed, err := events.ParseSlotContent(t.Content); t.Slot != nil && err == nil {
					others[events.Identity(sealed.ID)] = true
				}
			}
		}
	}
	if err := p.otherNames(ctx, others); err != nil {
		return err
	}
	slot := func(t verifier.Target) int {
		if t.Slot == nil {
			return -1
		}
		return int(*t.Slot)
	}
	slices.SortFunc(p.evidence.Targets, func(a, b verifier.Target) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(slot(a), slot(b)))
	})
	return nil
}

// otherNames adds what the ledger holds under names that something told here was
// sealed under: aliases by now, which proves whose it is.
func (p *prover) otherNames(ctx context.Context, others map[events.Identity]bool) error {
	e := &p.evidence
	for _, n := range e.Names {
		if id, err := p.ledger.ParseIdentity(n.ID); err == nil {
			delete(others, id)
		}
	}
	for id := range others {
		if _, err := p.name(ctx, id); err != nil {
			return err
		}
	}
	slices.SortFunc(e.Names[len(e.IDs):], func(a, b verifier.Name) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// sealedTarget opens the sealed leaf that a slot names: with the key of the slot
// there that says whom it concerns, or with the authority's if none does.
func (p *prover) sealedTarget(ctx context.Context, content *events.SlotContent) (*verifier.Target, error) {
	l := p.ledger
	sealed, err := l.sealedAt(ctx, *content.TargetIndex)
	if err != nil {
		return nil, err
	}
	t := &verifier.Target{
		Proven: verifier.Proven{Index: sealed.Revision, Leaf: sealed.Stored.Leaf}, EventID: sealed.ID, Type: sealed.Type,
	}
	if *content.TargetSlot == events.BodyAlone {
		parties, err := l.partiesOf(ctx, sealed.Revision)
		if err != nil {
			return nil, err
		}
		for _, party := range parties {
			if party.Role == events.RoleAuthority {
				opened, err := l.openAs(ctx, &keystore.Opener{Sealed: sealed}, partyKey{party.Role, party.ID})
				if err != nil {
					return nil, err
				}
				t.Seed, t.Fields = opened.Seed, opened.Facts.Marshal()
				return t, nil
			}
		}
		return nil, ErrKeyDestroyed
	}
	keys, err := l.keys.SealKeys(ctx, sealed.ID)
	if err != nil {
		return nil, err
	}
	slots, err := sealed.OpenSealed(keys)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(slots, func(s keystore.SealedSlot) bool { return s.Slot == *content.TargetSlot })
	if at < 0 {
		return nil, ErrKeyDestroyed
	}
	opened := slots[at].Opened
	t.Slot, t.Opening, t.Content = content.TargetSlot, &opened.SlotOpening, opened.Slot
	t.Seed, t.Fields = opened.Seed, opened.Facts.Marshal()
	return t, nil
}
