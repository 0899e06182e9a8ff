package ledger

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/verifier"
)

// openedEntry is an entry as the party's key opens it; the filter reads it.
type openedEntry struct {
	*keystore.Opened
	event     events.Event // what was recorded: a header's in a continuation
	continued bool
	width     int
}

// generation proves one generation and opens what is not erased.
func (p *prover) generation(ctx context.Context, id events.Identity, h held) (*verifier.Generation, []openedEntry, error) {
	g := &verifier.Generation{Number: h.number, Entries: []verifier.Entry{}, Absences: []verifier.Absence{}}
	if h.closed != nil {
		if err := p.closing(ctx, id, g, h); err != nil {
			return nil, nil, err
		}
	}
	sealed, err := p.ledger.sealedAt(ctx, h.enrol.index)
	if err != nil {
		return nil, nil, err
	}
	vrf := p.ledger.secrets.VRF.Prove(events.VRFInput(events.EnrolContext, p.ledger.origin, p.query.Role, id, h.number))
	label, _ := events.VRFLabel(vrf.Hash())
	_, member, err := p.pub.snap.tree.ProveMember(label)
	if err != nil {
		return nil, nil, err
	}
	g.Enrol = &verifier.Enrolment{
		VRF: vrf.Bytes(), Proven: verifier.Proven{Index: h.enrol.index, Leaf: sealed.Stored.Leaf}, Slot: h.enrol.slot, Member: member.Siblings,
	}
	if h.party == 0 { // erased, itself or together with a later one
		return g, nil, nil
	}
	party, err := p.ledger.keys.ByID(ctx, h.party)
	if errors.Is(err, keystore.ErrKeyMissing) {
		return nil, nil, fmt.Errorf("%w: %w", err, ErrKeyDestroyed)
	}
	if err != nil {
		return nil, nil, err
	}
	opened, err := sealed.Open(h.enrol.slot, party.Key)
	if err != nil {
		return nil, nil, err
	}
	g.Enrol.Opened = &verifier.Opening{
		Opening: opened.SlotOpening, Content: opened.Slot, EventID: sealed.ID, Type: sealed.Type, Seed: opened.Seed,
	}
	if h.primary != "" {
		return g, nil, nil
	}
	all, err := p.entries(ctx, g, party, h.entries)
	if err != nil {
		return nil, nil, err
	}
	g.Absences, err = p.absences(verifier.EntryAbsences(uint64(len(g.Entries))), func(a *verifier.Absence) events.Hash {
		return events.EntryLabel(party.Handle, a.Number)
	})
	return g, all, err
}

// closing proves where a generation ended. The VRF opens the slot, and what it
// says follows from the generation, so no key of the party is needed.
func (p *prover) closing(ctx context.Context, id events.Identity, g *verifier.Generation, h held) error {
	sealed, err := p.ledger.sealedAt(ctx, h.closed.index)
	if err != nil {
		return err
	}
	vrf := p.ledger.secrets.VRF.Prove(events.VRFInput(events.CloseContext, p.ledger.origin, p.query.Role, id, h.number))
	label, _ := events.VRFLabel(vrf.Hash())
	_, member, err := p.pub.snap.tree.ProveMember(label)
	if err != nil {
		return err
	}
	content := &events.SlotContent{Kind: events.SlotClose, Role: p.query.Role, Number: &h.number, Reason: &h.reason}
	g.Close = &verifier.Closing{
		VRF: vrf.Bytes(), Proven: verifier.Proven{Index: h.closed.index, Leaf: sealed.Stored.Leaf}, Slot: h.closed.slot,
		Content: content.Marshal(), Member: member.Siblings,
	}
	return nil
}

// readsAtOnce bounds how many events are asked for at a time.
const readsAtOnce = 4

// entries adds the party's entries, each opened whole. They stand all over the
// stream, so they are read a few at a time.
func (p *prover) entries(ctx context.Context, g *verifier.Generation, party keystore.Party, places []entryPlace) ([]openedEntry, error) {
	g.Entries = make([]verifier.Entry, len(places))
	all := make([]openedEntry, len(places))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for i, packed := range places {
		group.Go(func() error {
			at := packed.unpack()
			sealed, err := p.ledger.sealedAt(ctx, at.index)
			if err != nil {
				return err
			}
			opened, err := sealed.Open(at.slot, party.Key)
			if err != nil {
				return err
			}
			_, member, err := p.pub.snap.tree.ProveMember(events.EntryLabel(party.Handle, uint64(i)))
			if err != nil {
				return err
			}
			all[i] = openedEntry{opened, opened.Event, false, events.FieldWidth}
			if sealed.Type == events.TypeRecordContinued {
				if all[i].event, err = p.header(ctx, opened); err != nil {
					return err
				}
				all[i].continued = true
			}
			g.Entries[i] = verifier.Entry{
				Number: uint64(i), Proven: verifier.Proven{Index: at.index, Leaf: sealed.Stored.Leaf}, Slot: at.slot,
				Member: member.Siblings, EventID: sealed.ID, Type: sealed.Type,
				Opening: &opened.SlotOpening, Content: opened.Slot, Seed: &opened.Seed, Fields: opened.Facts.Marshal(),
			}
			return nil
		})
	}
	return all, group.Wait()
}

// filter closes again what the filter does not show: of such an entry only the
// event's type and the fields that the filter read stay open.
func (p *prover) filter(gens []verifier.Generation, shown [][]openedEntry) error {
	f := p.query.Filter
	if f == nil {
		return nil
	}
	if err := f.Valid(); err != nil {
		return fmt.Errorf("filtering: %w", err)
	}
	record := map[uint64]uint64{} // index of an entry to that of the record it belongs to
	whole := map[uint64]bool{}    // records that are never hidden: what they say stands in another leaf
	facts := map[uint64][]events.Event{}
	for k := range gens {
		for i := range gens[k].Entries {
			at, root := gens[k].Entries[i].Index, gens[k].Entries[i].Index
			o := shown[k][i]
			target := o.Content.TargetIndex
			if o.continued {
				if target = nil; o.Event.(*events.RecordContinued).Record != nil {
					target = &o.Event.(*events.RecordContinued).Record.Index
				}
			}
			if target != nil {
				if of, ok := record[*target]; ok {
					root = of
				}
			}
			record[at] = root
			if o.continued {
				record[*o.Content.TargetIndex] = root // which later events name
				whole[root] = true
			}
			facts[root] = append(facts[root], o.event)
		}
	}
	for k := range gens {
		for i := range gens[k].Entries {
			e := &gens[k].Entries[i]
			if whole[record[e.Index]] || f.Passes(facts[record[e.Index]]) {
				continue
			}
			if err := hide(e, f, shown[k][i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// hide closes an entry but for what the filter read.
func hide(e *verifier.Entry, f *verifier.Filter, o openedEntry) error {
	body, err := o.Facts.Body(o.Seed, o.width)
	if err != nil {
		return err
	}
	reads := map[string]bool{}
	for _, name := range f.Reads(e.Type) {
		reads[name] = true
	}
	for _, field := range o.Facts.Fields() {
		if reads[field.Name] {
			e.Shown = append(e.Shown, verifier.Field{
				Number: field.Number, Name: field.Name, Value: field.Value,
				Opening: events.Opening(o.Seed, field.Number+1), Path: body.Path(field.Number),
			})
		}
	}
	event := events.Opening(o.Seed, 0)
	e.Event, e.Seed, e.Fields = &event, nil, nil
	if len(events.About(e.Type)) == 0 {
		e.Opening, e.Content = nil, nil
	}
	return nil
}
