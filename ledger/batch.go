package ledger

import (
	"context"
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
	due      bool       // a state leaf is due, whoever asks
	final    *string    // the successor, if that state leaf ends the ledger
	repeats  []repeat
	twins    map[events.ID]choice               // by the id of the share
	about    map[uint64]bool                    // records that the batch's commands are about
	seals    map[events.ID]bool                 // seals that they are about
	fresh    map[partyKey]keystore.Party        // enrolled by this batch
	labels   map[events.Hash]keystore.Enrolment // of fresh, and of an alias
	alone    bool                               // it ends a generation or makes an alias: nothing else is decided beside that
	on       uint64                             // closings that it is decided on
	counters map[keystore.PartyID]uint64        // next entry of each party
	resumed  map[uint64]bool                    // headers that the batch appends continuations of
	planned  []planned                          // events of commands, before they are put in order
	covered  []index.Entry                      // what they add to the index
	tree     *index.Tree                        // the index under the batch's state leaf, if it has one
	proposed []events.Proposed
	leaves   []leafed // of proposed
	answers  map[*request]Accepted
	bytes    int
}

// choice is a command and what was decided on it, enrolments last.
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
	least int                // slots of a cover
	who   []keystore.PartyID // of it and of what stands right behind it
	req   *request           // whose command asked for it; nil for enrolments
	also  bool               // it is not the first that the command asked for
	// header is what a continuation continues; nil if that stands right before it in
	// the batch.
	header *header
	then   []planned // its continuations in this batch, which stand right behind it
}

// repeat is a request whose share another request of the same batch records.
type repeat struct {
	req *request
	of  *request
}

func newBatch(first uint64) *batch {
	return &batch{
		first: first, twins: map[events.ID]choice{}, about: map[uint64]bool{}, seals: map[events.ID]bool{}, answers: map[*request]Accepted{},
		resumed: map[uint64]bool{}, fresh: map[partyKey]keystore.Party{}, labels: map[events.Hash]keystore.Enrolment{}, counters: map[keystore.PartyID]uint64{},
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
		if t.Seal != nil {
			b.seals[t.Seal.ID] = true
		}
	}
	if c.req.rest != nil {
		b.resumed[c.req.rest.header.index] = true
	}
	b.bytes += size
	b.alone = b.alone || decide.Alone(c.decided)
	for _, d := range c.decided {
		if _, enrols := d.Event.(*events.Enrolled); enrols {
			for _, p := range d.Parties {
				if p.Primary == "" {
					b.fresh[partyKey{p.Role, p.ID}] = keystore.Party{} // enrol fills it in
				}
			}
		}
	}
}

// enrolment finds the batch's own parties by their label (lookup).
func (b *batch) enrolment(_ context.Context, label events.Hash) (keystore.Enrolment, bool, error) {
	e, ok := b.labels[label]
	return e, ok, nil
}

func (b *batch) accept() {
	for _, r := range b.repeats {
		a := b.answers[r.of]
		a.Repeat = true
		b.answers[r.req] = a
	}
	decided := map[*request][]decide.Planned{}
	for _, c := range b.choices {
		decided[c.req] = c.decided
	}
	for _, r := range b.repeats {
		decided[r.req] = decided[r.of]
	}
	for _, req := range b.requests {
		req.answer(reply{accepted: b.answers[req], decided: decided[req], on: b.on})
	}
}

// plan decides on as many waiting requests as fit into one append. It answers
// refused and repeated commands at once; the others are the batch's or rest.
func (l *Ledger) plan(ctx context.Context, waiting []*request) (b *batch, rest []*request) {
	b = newBatch(l.state.next)
	b.on = l.state.closings
	if b.due = l.stateDue(); b.due {
		return b, waiting
	}
	for i, req := range waiting {
		if fits := l.planOne(ctx, b, req); !fits {
			return b, waiting[i:]
		}
	}
	return b, nil
}

func (l *Ledger) planOne(ctx context.Context, b *batch, req *request) (fits bool) {
	if req.aside != nil {
		req.answer(reply{err: req.aside(ctx)})
		return true
	}
	if err := l.state.finished(); err != nil {
		return l.refuse(ctx, req, err)
	}
	if b.final != nil {
		return false // decided when the end is written
	}
	if req.rest != nil {
		return l.planRest(b, req)
	}
	if req.cmd == nil {
		if req.final != nil && l.leavesOpen(b) {
			req.answer(reply{err: errUnfinishedAtEnd})
			return true
		}
		if req.final == nil && l.cover() > 0 { // that of this window stands there
			req.answer(reply{accepted: Accepted{Index: l.state.window.state}})
			return true
		}
		if req.final != nil && l.cover() > 0 && len(b.choices) > 0 {
			return false // covers may need the room that commands have taken
		}
		b.final = req.final
		b.wantsTip, b.requests = append(b.wantsTip, req), append(b.requests, req)
		return true
	}
	return l.planCommand(ctx, b, req)
}

// planCommand decides on a command against the state and the batch so far.
func (l *Ledger) planCommand(ctx context.Context, b *batch, req *request) (fits bool) {
	id := l.eventID(req.cmd, 0)
	if index, known := l.state.place(id); known {
		if req.decided != nil {
			req.answer(reply{err: errTargetMoved}) // there is much to compare, which is not the writer's work
		} else {
			req.answer(l.repeated(ctx, req.cmd, Accepted{ID: id, Index: index, Repeat: true}))
		}
		return true
	}
	if b.alone {
		return false
	}
	if l.state.moved(b, req) {
		req.answer(reply{err: errTargetMoved})
		return true
	}
	decided, err := req.decided, error(nil)
	if decided == nil {
		decided, err = l.decide(overlay{l.state, b}, req.cmd, req.target, l.now())
	}
	if err != nil {
		req.answer(reply{err: err})
		return true
	}
	if twin, known := b.twins[id]; known {
		b.twin(req, twin, decided)
		return true
	}
	return b.offer(newChoice(id, req, decide.Enrol(overlay{l.state, b}, decided)))
}

// moved reports whether a command would be decided on what is not so any more: on
// people or a record to whom something happened since, or happens in this batch. An
// alias is not decided while a record is open; it waits, or is refused.
func (s *state) moved(b *batch, req *request) bool {
	if req.decided != nil && req.on != s.closings {
		return true
	}
	if _, alias := req.cmd.Record.(*decide.AddAlias); alias && len(s.spread.awaited) > 0 {
		return true
	}
	t := req.target
	if t == nil {
		return false
	}
	if t.closings != s.closings || t.stale(s, b) {
		return true
	}
	for record, n := range t.deeds {
		if b.about[record] || len(s.deeds[record]) != n {
			return true
		}
	}
	return false
}

// twin answers a command whose key another one of the batch has, which asks for the
// same or not.
func (b *batch) twin(req *request, of choice, decided []decide.Planned) {
	switch {
	case req.decided != nil || of.req.decided != nil:
		req.answer(reply{err: errTargetMoved})
	case !sameDecision(of.decided, decided):
		req.answer(reply{err: ErrKeyReused})
	default:
		b.repeats, b.requests = append(b.repeats, repeat{req, of.req}), append(b.requests, req)
	}
}

// offer takes a command unless it does not fit, now or ever.
func (b *batch) offer(c choice) (fits bool) {
	size := estimate(c)
	switch {
	case size > maxBatchBytes:
		c.req.answer(reply{err: ErrTooLarge})
	case b.bytes+size > maxBatchBytes, decide.Alone(c.decided) && len(b.choices) > 0:
		return false
	default:
		b.take(c, size)
	}
	return true
}

// refuse answers a request at the end of the ledger: only what was recorded
// before is still answered.
func (l *Ledger) refuse(ctx context.Context, req *request, err error) (fits bool) {
	if req.cmd != nil {
		id := l.eventID(req.cmd, 0)
		if index, known := l.state.place(id); known {
			req.answer(l.repeated(ctx, req.cmd, Accepted{ID: id, Index: index, Repeat: true}))
			return true
		}
	}
	req.answer(reply{err: err})
	return true
}

// prepare makes the keys, the events and the leaves of a batch.
func (l *Ledger) prepare(ctx context.Context, b *batch) error {
	if _, unmet := l.lagging(); unmet || b.endsWithState() {
		if err := l.confirm(ctx); err != nil {
			return err
		}
	}
	if err := l.keepErased(ctx, b); err != nil {
		return err
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

// resolve gives every slot of a command's events its key, label and content.
// Enrolments come before the share in the batch.
func (l *Ledger) resolve(ctx context.Context, b *batch, c choice) error {
	if b.alone {
		return l.resolveAlone(ctx, b, c)
	}
	if c.req.rest != nil {
		return l.resolveRest(ctx, b, c)
	}
	for ordinal, d := range slices.Backward(c.decided) {
		p := planned{id: c.id, also: ordinal > 0, facts: c.facts[ordinal]}
		if p.also {
			p.id = l.eventID(c.req.cmd, uint16(ordinal))
		}
		if _, enrols := d.Event.(*events.Enrolled); !enrols || ordinal == 0 {
			p.req = c.req
		}
		if err := l.drawAll(ctx, b, d, &p); err != nil {
			return err
		}
		if len(d.Parts) > 0 {
			first := planned{id: l.continuationID(p.id, 0, len(d.Parts) == 1), facts: events.FactsOf(d.Parts[0].Event)}
			if err := l.drawAll(ctx, b, d.Parts[0], &first); err != nil {
				return err
			}
			p.follow(first)
		}
		b.planned = append(b.planned, p)
	}
	return nil
}

// drawAll fills a planned event with what its parties need.
func (l *Ledger) drawAll(ctx context.Context, b *batch, d decide.Planned, p *planned) error {
	p.event = d.Event
	for _, party := range d.Parties {
		if party.Sealed {
			continue
		}
		draw, id, err := l.draw(ctx, b, party, d.Event.Type())
		if err != nil {
			return err
		}
		p.slots, p.who = append(p.slots, draw), append(p.who, id)
	}
	sealed, err := l.sealedDraws(ctx, p.id, d.Parties)
	p.slots = append(p.slots, sealed...)
	return err
}

// entryContent is what a party's slot says as its entry number i.
func entryContent(i uint64, p decide.Party) *events.SlotContent {
	if p.About != nil && p.About.Slot != nil {
		return events.UnsealContent(p.Role, i, p.ID, p.Private, p.About.Index, p.About.LeafHash, *p.About.Slot)
	}
	if p.About != nil {
		return events.AboutContent(p.Role, i, p.ID, p.Private, p.About.Index, p.About.LeafHash)
	}
	return events.EntryContent(p.Role, i, p.ID, p.Private)
}

// sealedContent is what the slot of somebody says whom an event concerns under seal.
func sealedContent(p decide.Party) *events.SlotContent {
	return events.SealedContent(p.Role, p.ID, p.Private)
}

// sealedDraws gives the people whom an event concerns under seal slots that are in
// nobody's sequence, each under a key of its own.
func (l *Ledger) sealedDraws(ctx context.Context, id events.ID, parties []decide.Party) (draws []keystore.Draw, err error) {
	people := slices.DeleteFunc(slices.Clone(parties), func(p decide.Party) bool { return !p.Sealed })
	keys, err := l.keys.AddSealKeys(ctx, id, len(people))
	if err != nil {
		return nil, err
	}
	for i, p := range people {
		draws = append(draws, keystore.Draw{Key: keys[i].Key, Label: keystore.RandomLabel(), Content: sealedContent(p)})
	}
	return draws, nil
}

func (l *Ledger) draw(ctx context.Context, b *batch, party decide.Party, typ string) (keystore.Draw, keystore.PartyID, error) {
	key := partyKey{party.Role, party.ID}
	p, fresh := b.fresh[key]
	if typ == events.TypeEnrolled {
		content := events.EnrolContent(p.Role, p.Generation, p.Handle, p.Identity)
		return keystore.Draw{Key: p.Key, Label: p.Label, Content: content}, p.ID, nil
	}
	if !fresh {
		var err error
		if p, err = l.keys.ByID(ctx, l.state.parties[key]); err != nil { // decisions name no alias
			return keystore.Draw{}, 0, err
		}
	}
	i, counted := b.counters[p.ID]
	if seq := l.state.sequences[p.ID]; !counted && seq != nil {
		i = uint64(len(seq.entries))
	}
	b.counters[p.ID] = i + 1
	content := entryContent(i, party)
	if typ == events.TypeRecordContinued {
		content.Kind = events.SlotContinuation // its header is named when that is sealed
	}
	return keystore.Draw{Key: p.Key, Label: events.EntryLabel(p.Handle, i), Content: content}, p.ID, nil
}
