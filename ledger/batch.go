package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/index"
)

// batch is one append in the making.
type batch struct {
	first    uint64
	requests []*request // each answered when the batch is settled, once
	choices  []choice   // the commands among them
	wantsTip []*request // those that ask for a state leaf
	repeats  []repeat
	twins    map[events.ID]choice        // by the id of the share
	about    map[uint64]bool             // records that the batch's commands are about
	fresh    map[partyKey]keystore.Party // enrolled by this batch
	labels   map[events.Hash]partyKey    // of fresh
	counters map[keystore.PartyID]uint64 // next entry of each party
	planned  []planned                   // events of commands, before they are put in order
	covered  []index.Entry               // what they add to the index
	tree     *index.Tree                 // the index under the batch's state leaf, if it has one
	proposed []events.Proposed
	leaves   []leafed // of proposed
	answers  map[*request]Accepted
	bytes    int
}

// choice is a command and what was decided on it.
type choice struct {
	id      events.ID // of the share
	req     *request
	decided []decide.Planned
	facts   []*events.Facts // of each planned event
}

func newChoice(id events.ID, req *request, decided []decide.Planned) choice {
	c := choice{id: id, req: req, decided: decided}
	for _, d := range decided {
		c.facts = append(c.facts, events.FactsOf(d.Event))
	}
	return c
}

// planned is an event of a batch with its parties resolved.
type planned struct {
	id    events.ID
	event events.Event
	facts *events.Facts
	slots []keystore.Draw
	who   []keystore.PartyID
	req   *request // whose command asked for it; nil for enrolments
	also  bool     // it is not the first that the command asked for
}

// repeat is a request whose share another request of the same batch records.
type repeat struct {
	req *request
	of  *request
}

func newBatch(first uint64) *batch {
	return &batch{
		first: first, twins: map[events.ID]choice{}, about: map[uint64]bool{}, answers: map[*request]Accepted{},
		fresh: map[partyKey]keystore.Party{}, labels: map[events.Hash]partyKey{}, counters: map[keystore.PartyID]uint64{},
	}
}

// take adds a command to the batch. Nothing in it can fail, so a batch is never
// left with half a command.
func (b *batch) take(c choice, size int) {
	b.requests, b.choices, b.twins[c.id] = append(b.requests, c.req), append(b.choices, c), c
	if t := c.req.target; t != nil {
		for record := range t.deeds {
			b.about[record] = true
		}
	}
	b.bytes += size
	for _, d := range c.decided {
		if _, enrols := d.Event.(*events.Enrolled); enrols {
			for _, p := range d.Parties {
				b.fresh[partyKey{p.Role, p.ID}] = keystore.Party{} // enrol fills it in
			}
		}
	}
}

// enrolment finds the batch's own parties by their label (lookup).
func (b *batch) enrolment(_ context.Context, label events.Hash) (keystore.Party, bool, error) {
	key, ok := b.labels[label]
	return b.fresh[key], ok, nil
}

func (b *batch) accept() {
	for _, r := range b.repeats {
		a := b.answers[r.of]
		a.Repeat = true
		b.answers[r.req] = a
	}
	for _, req := range b.requests {
		req.answer(reply{accepted: b.answers[req]})
	}
}

// plan decides on as many waiting requests as fit into one append. It answers
// refused and repeated commands at once; the others are the batch's or rest.
func (l *Ledger) plan(ctx context.Context, waiting []*request) (b *batch, rest []*request) {
	b = newBatch(l.state.next)
	for i, req := range waiting {
		if fits := l.planOne(ctx, b, req); !fits {
			return b, waiting[i:]
		}
	}
	return b, nil
}

func (l *Ledger) planOne(ctx context.Context, b *batch, req *request) (fits bool) {
	if req.cmd == nil {
		b.wantsTip, b.requests = append(b.wantsTip, req), append(b.requests, req)
		return true
	}
	id := l.eventID(req.cmd, 0)
	if index, known := l.state.indices[id]; known {
		req.answer(l.repeated(ctx, req.cmd, Accepted{ID: id, Index: index, Repeat: true}))
		return true
	}
	if req.target != nil {
		for record, n := range req.target.deeds {
			if b.about[record] || len(l.state.deeds[record]) != n {
				req.answer(reply{err: errTargetMoved}) // it would be decided on what is not so any more
				return true
			}
		}
	}
	decided, err := l.decide(overlay{l.state, b}, req.cmd, req.target, l.now())
	if err != nil {
		req.answer(reply{err: err})
		return true
	}
	if twin, known := b.twins[id]; known {
		if !sameDecision(twin.decided, decided) {
			req.answer(reply{err: ErrKeyReused})
			return true
		}
		b.repeats, b.requests = append(b.repeats, repeat{req, twin.req}), append(b.requests, req)
		return true
	}
	c := newChoice(id, req, decided)
	size := estimate(c)
	switch {
	case size > maxBatchBytes:
		req.answer(reply{err: ErrTooLarge})
	case b.bytes+size > maxBatchBytes:
		return false
	default:
		b.take(c, size)
	}
	return true
}

// overlay is the writer's state plus the batch being built.
type overlay struct {
	*state
	b *batch
}

func (o overlay) Enrolled(role events.Role, id events.Identity) bool {
	_, fresh := o.b.fresh[partyKey{role, id}]
	return fresh || o.state.Enrolled(role, id)
}

// estimate bounds the bytes of planned events from above.
func estimate(c choice) (n int) {
	for i, p := range c.decided {
		part := 0
		for _, party := range p.Parties {
			// Beside the identity and the texts a slot's content has less than
			// 128 bytes.
			content := len(party.ID)
			if party.Private != nil {
				content += party.Private.Size()
			}
			part = max(part, events.PaddedSize(128+content))
		}
		body := events.PaddedSize(len(c.facts[i].Marshal()))
		n += 1024 + body + keystore.SlotBytes(len(p.Parties), part)
	}
	return n
}

// prepare makes the keys, the events and the leaves of a batch.
func (l *Ledger) prepare(ctx context.Context, b *batch) error {
	if _, unmet := l.lagging(); unmet || len(b.wantsTip) > 0 {
		if err := l.confirm(ctx); err != nil {
			return err
		}
	}
	if err := l.enrol(ctx, b); err != nil {
		return err
	}
	for _, c := range b.choices {
		if err := l.resolve(ctx, b, c); err != nil {
			return err
		}
	}
	return l.build(ctx, b)
}

// enrol finds or makes the keys of the parties that have no sequence yet. Keys
// left by a crash before the append are used now. New ones are durable, all by
// one commit, before anything is appended.
func (l *Ledger) enrol(ctx context.Context, b *batch) error {
	var missing []keystore.Party
	for key := range b.fresh {
		p, found, err := l.keys.Party(ctx, key.role, key.id)
		if err != nil {
			return err
		}
		if found {
			b.fresh[key], b.labels[p.Label] = p, key
			continue
		}
		input := events.VRFInput(events.EnrolContext, l.origin, key.role, key.id, 0)
		label, _ := events.VRFLabel(l.secrets.VRF.Prove(input).Hash())
		if l.state.labelled(label) {
			// Going on would put the same label into the log twice.
			return fmt.Errorf("enrolling somebody: the log has their enrolment and the keystore lacks their key, so it is older than the event store; bring back the newer one: %w", ErrCorrupt)
		}
		missing = append(missing, keystore.Party{Role: key.role, Identity: key.id, Label: label})
	}
	added, err := l.keys.Add(ctx, missing...)
	if err != nil {
		return err
	}
	for _, p := range added {
		key := partyKey{p.Role, p.Identity}
		b.fresh[key], b.labels[p.Label] = p, key
	}
	return nil
}

// resolve gives every slot of a command's events its key, label and content.
// Enrolments come before the share in the batch.
func (l *Ledger) resolve(ctx context.Context, b *batch, c choice) error {
	for ordinal, d := range slices.Backward(c.decided) {
		p := planned{event: d.Event, facts: c.facts[ordinal]}
		_, enrols := d.Event.(*events.Enrolled)
		p.id, p.also = c.id, ordinal > 0
		if p.also {
			p.id = l.eventID(c.req.cmd, uint16(ordinal))
		}
		if !enrols {
			p.req = c.req
		}
		for _, party := range d.Parties {
			draw, id, err := l.draw(ctx, b, party, enrols)
			if err != nil {
				return err
			}
			p.slots, p.who = append(p.slots, draw), append(p.who, id)
		}
		b.planned = append(b.planned, p)
	}
	return nil
}

// entryContent is what a party's slot says as its entry number i.
func entryContent(i uint64, p decide.Party) *events.SlotContent {
	if p.About != nil {
		return events.AboutContent(p.Role, i, p.ID, p.Private, p.About.Index, p.About.LeafHash)
	}
	return events.EntryContent(p.Role, i, p.ID, p.Private)
}

func (l *Ledger) draw(ctx context.Context, b *batch, party decide.Party, enrols bool) (keystore.Draw, keystore.PartyID, error) {
	key := partyKey{party.Role, party.ID}
	p, fresh := b.fresh[key]
	if enrols {
		content := events.EnrolContent(p.Role, p.Generation, p.Handle, p.Identity)
		return keystore.Draw{Key: p.Key, Label: p.Label, Content: content}, p.ID, nil
	}
	if !fresh {
		var err error
		if p, err = l.keys.ByID(ctx, l.state.parties[key]); err != nil {
			return keystore.Draw{}, 0, err
		}
	}
	i, counted := b.counters[p.ID]
	if seq := l.state.sequences[p.ID]; !counted && seq != nil {
		i = uint64(len(seq.entries))
	}
	b.counters[p.ID] = i + 1
	content := entryContent(i, party)
	return keystore.Draw{Key: p.Key, Label: events.EntryLabel(p.Handle, i), Content: content}, p.ID, nil
}
