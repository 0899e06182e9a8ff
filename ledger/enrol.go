package ledger

import (
	"context"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// enrol finds or makes the keys of the parties that have no sequence yet, or begin
// another one. Keys left by a crash before the append are used now. New ones are
// durable, all by one commit, before anything is appended.
func (l *Ledger) enrol(ctx context.Context, b *batch) error {
	var missing []keystore.Party
	for key := range b.fresh {
		p, found, err := l.keys.Party(ctx, key.role, key.id)
		if err != nil {
			return err
		}
		if found {
			used, err := l.labelled(p.Label)
			if err != nil {
				return err
			}
			if !used {
				b.enrols(p)
				continue
			}
		}
		g, label, err := l.nextGeneration(ctx, key, p.Generation)
		if err != nil {
			return err
		}
		missing = append(missing, keystore.Party{Role: key.role, Identity: key.id, Generation: g, Label: label})
	}
	added, err := l.keys.Add(ctx, missing...)
	if err != nil {
		return err
	}
	for _, p := range added {
		b.enrols(p)
	}
	return nil
}

func (b *batch) enrols(p keystore.Party) {
	b.fresh[partyKey{p.Role, p.Identity}] = p
	b.labels[p.Label] = keystore.Enrolment{Party: &p}
}

// labelled reports whether a label stands in a leaf.
func (l *Ledger) labelled(label events.Hash) (bool, error) {
	used, err := l.state.labelled(label)
	if err != nil {
		return false, fmt.Errorf("enrolling somebody: %w: %w", l.unsound(err), ErrCorrupt)
	}
	return used, nil
}

// nextGeneration finds the first generation of an identity, from g on, that the log
// does not have. Those before it must be closed, or be the open one, which the batch
// closes: the log alone tells, so it is the right one also when nothing else is left
// of who was erased.
func (l *Ledger) nextGeneration(ctx context.Context, key partyKey, g uint64) (uint64, events.Hash, error) {
	open, isOpen := l.state.parties[key]
	for ; ; g++ {
		label := l.secrets.EnrolLabel(key.role, key.id, g)
		used, err := l.labelled(label)
		if err != nil || !used {
			return g, label, err
		}
		end, _ := l.secrets.CloseLabel(key.role, key.id, g)
		closed, err := l.labelled(end)
		if err != nil {
			return 0, label, err
		}
		if closed {
			continue
		}
		if isOpen {
			if p, err := l.keys.ByID(ctx, open); err == nil && p.Generation == g {
				continue
			}
		}
		// Going on would put the same label into the log twice.
		return 0, label, fmt.Errorf("enrolling somebody: the log has their enrolment and the keystore lacks their key, so it is older than the event store; bring back the newer one: %w", ErrCorrupt)
	}
}

// resolveAlone gives slots to what is decided alone: the end of a generation and,
// after a rotation, the beginning of the next, in this order; or an alias.
func (l *Ledger) resolveAlone(ctx context.Context, b *batch, c choice) error {
	for ordinal, d := range c.decided {
		p := planned{event: d.Event, facts: c.facts[ordinal], id: c.id, also: ordinal > 0}
		if p.also {
			p.id = l.eventID(c.req.cmd, uint16(ordinal))
		} else {
			p.req = c.req
		}
		for _, party := range d.Parties {
			draws, err := l.drawAlone(ctx, b, &d, party)
			if err != nil {
				return err
			}
			p.slots = append(p.slots, draws...)
		}
		p.who = []keystore.PartyID{0} // nobody's number, and everybody's here: the order stays
		b.planned = append(b.planned, p)
	}
	return nil
}

func (l *Ledger) drawAlone(ctx context.Context, b *batch, d *decide.Planned, party decide.Party) ([]keystore.Draw, error) {
	key := partyKey{party.Role, party.ID}
	switch {
	case d.Closing != 0:
		return l.drawClosing(ctx, key, d.Closing)
	case party.Primary != "":
		draw, err := l.drawAlias(ctx, b, key, party.Primary)
		return []keystore.Draw{draw}, err
	}
	draw, _, err := l.draw(ctx, b, party, events.TypeEnrolled)
	return []keystore.Draw{draw}, err
}

// drawClosing makes the slots that end a party's open generation: its last entry,
// its close label and, if the person is erased, those of every alias.
func (l *Ledger) drawClosing(ctx context.Context, key partyKey, reason uint8) ([]keystore.Draw, error) {
	p, err := l.keys.ByID(ctx, l.state.parties[key])
	if err != nil {
		return nil, err
	}
	n := uint64(len(l.state.sequences[p.ID].entries))
	draws := []keystore.Draw{
		{Key: p.Key, Label: events.EntryLabel(p.Handle, n), Content: events.EntryContent(p.Role, n, p.Identity, nil)},
		l.drawClose(p.Key, p.Role, p.Identity, p.Generation, reason),
	}
	if reason == events.ReasonErased {
		for _, id := range l.state.names[key] {
			a := l.state.aliases[partyKey{key.role, id}]
			draws = append(draws, l.drawClose(p.Key, key.role, id, a.generation, reason))
		}
	}
	return draws, nil
}

func (l *Ledger) drawClose(under [32]byte, role events.Role, id events.Identity, g uint64, reason uint8) keystore.Draw {
	label, opening := l.secrets.CloseLabel(role, id, g)
	return keystore.Draw{Key: under, Label: label, Content: events.CloseContent(role, g, reason), Opening: &opening}
}

// drawAlias makes the slot that enrols an alias, and its row in the keystore.
func (l *Ledger) drawAlias(ctx context.Context, b *batch, key partyKey, primary events.Identity) (keystore.Draw, error) {
	to := partyKey{key.role, primary}
	p, fresh := b.fresh[to]
	if !fresh {
		var err error
		if p, err = l.keys.ByID(ctx, l.state.parties[to]); err != nil {
			return keystore.Draw{}, err
		}
	}
	g, label, err := l.nextGeneration(ctx, key, 0)
	if err != nil {
		return keystore.Draw{}, err
	}
	a := keystore.Alias{Party: p, Identity: key.id, Generation: g, Label: label}
	if err := l.keys.AddAlias(ctx, a); err != nil {
		return keystore.Draw{}, err
	}
	b.labels[label] = keystore.Enrolment{Alias: &a}
	return keystore.Draw{Key: p.Key, Label: label, Content: events.AliasContent(key.role, g, primary)}, nil
}
