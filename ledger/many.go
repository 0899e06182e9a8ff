package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// A command about more people than fit into one event becomes a header and
// continuations (decide.Spread). The header and its first continuation are one
// append, in this order and next to each other; the others are appended behind, a few
// at a time, each by a request of its own, so that other recorders wait for a few and
// never for all. The caller's goroutine drives this, in Record: it decides, and it
// asks for the next few when the last ones are durable.
//
// A crash leaves a header without all of its continuations: an open record. Its
// people are those who have their entry already, and nothing else can be said of it.
// The same command with the same key compares what is there and appends the rest.
//
// Which event continues which follows from their ids (continuationID), so that a fold
// needs no keys to know what is open.

// What one request appends at most, with the enrolment of all of the people: others
// share the append with it.
const (
	partsAtOnce = 4
	restBytes   = maxBatchBytes / 2
)

// manyPeople reports whether a command is decided by whoever brings it, because the
// writer, for whom everybody waits, would be at it for long.
func manyPeople(cmd decide.Command, t *target) bool {
	n := 0
	switch cmd := cmd.(type) {
	case *decide.RecordDisclosure:
		n = len(cmd.Subjects)
	case *decide.OpenSeries:
		n = len(cmd.Subjects)
	case *decide.RecordPossible:
		n = len(cmd.Subjects)
	case *decide.AddSubjects:
		n = len(cmd.Subjects)
	case *decide.Retract:
		n = len(cmd.Subjects)
	}
	if t != nil {
		n += len(t.Parties)
		for _, added := range t.Added {
			n += len(added.Parties)
		}
	}
	return n > fewPeople
}

// fewPeople always fit into one event, whatever is said of them.
const fewPeople = 8

// header is an event as its continuations know it.
type header struct {
	index    uint64
	leafHash events.Hash
	secrets  keystore.EventSecrets
}

// rest asks for continuations of a recorded header.
type rest struct {
	header header
	id     events.ID        // of the header
	from   int              // number of the first of these, from 0
	of     int              // how many the header has
	parts  []decide.Planned // a few
	on     uint64           // closings that they were decided on
}

// complete appends the continuations that a recorded command lacks, and counts all of
// them in a. They were decided on so many closings (state); if there are more
// meanwhile it returns errTargetMoved.
func (l *Ledger) complete(ctx context.Context, cmd *Command, a *Accepted, planned []decide.Planned, on uint64) error {
	defer l.completes(cmd, planned)()
	for ordinal, p := range planned {
		if len(p.Parts) == 0 {
			continue
		}
		id := l.eventID(cmd, uint16(ordinal))
		if err := l.completeOne(ctx, id, p, on); err != nil {
			return err
		}
		l.mu.RLock()
		header, _ := l.state.unsealed(id)
		parts := l.state.continuations(header)
		a.Continuations, a.Last = a.Continuations+uint64(len(parts)), max(a.Last, parts[len(parts)-1])
		l.mu.RUnlock()
	}
	return nil
}

// completes notes that a command's continuations are being appended, until done is
// called.
func (l *Ledger) completes(cmd *Command, planned []decide.Planned) (done func()) {
	var all []func()
	for ordinal, p := range planned {
		if len(p.Parts) > 0 {
			all = append(all, l.completing.begin(l.eventID(cmd, uint16(ordinal))))
		}
	}
	return func() {
		for _, done := range all {
			done()
		}
	}
}

func (l *Ledger) completeOne(ctx context.Context, id events.ID, p decide.Planned, on uint64) error {
	var of *header
	for {
		index, done, err := l.progressOf(id)
		if err != nil || done >= len(p.Parts) {
			return err
		}
		if of == nil {
			if of, err = l.headerAt(ctx, index, p.Parties); err != nil {
				return err
			}
		}
		few := few(p.Parts[done:])
		r := l.submit(ctx, &request{
			rest:  &rest{header: *of, id: id, from: done, of: len(p.Parts), parts: few, on: on},
			reply: make(chan reply, 1),
		})
		if r.err == errPeopleMoved {
			return errTargetMoved
		}
		if r.err != nil && !errors.Is(r.err, errTargetMoved) {
			return fmt.Errorf("appending continuation %d of %d (the same command with the same key goes on from there): %w", done+1, len(p.Parts), r.err)
		}
	}
}

// few returns the first continuations, as many as one request appends.
func few(parts []decide.Planned) []decide.Planned {
	n, size := 0, 0
	for n < min(len(parts), partsAtOnce) {
		p := parts[n]
		enrolment := decide.Planned{Event: new(events.Enrolled)}
		for _, party := range p.Parties {
			enrolment.Parties = append(enrolment.Parties, decide.Party{Role: party.Role, ID: party.ID})
		}
		size += estimateOne(p, events.FactsOf(p.Event)) + estimateOne(enrolment, events.FactsOf(enrolment.Event))
		if n > 0 && size > restBytes {
			break
		}
		n++
	}
	return parts[:n]
}

// headerAt opens a header with the key of one of the parties that it has itself.
func (l *Ledger) headerAt(ctx context.Context, index uint64, parties []decide.Party) (*header, error) {
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return nil, err
	}
	if len(parties) == 0 {
		return nil, fmt.Errorf("opening event %d: %w", index, ErrKeyDestroyed)
	}
	opened, err := l.openAs(ctx, &keystore.Opener{Sealed: sealed}, partyKey{parties[0].Role, parties[0].ID})
	if err != nil {
		return nil, err
	}
	return &header{index, events.LeafHash(sealed.Stored.Leaf), keystore.EventSecrets{Seed: opened.Seed, DataKey: opened.DataKey}}, nil
}

// planRest decides on a request for continuations: they must be those that are due.
// Whoever else resumes the same record is sent back to look again.
func (l *Ledger) planRest(b *batch, req *request) (fits bool) {
	if b.alone {
		return false
	}
	if req.rest.on != l.state.closings {
		req.answer(reply{err: errPeopleMoved})
		return true
	}
	due := len(l.state.continuations(req.rest.header.index))
	if due != req.rest.from || b.resumed[req.rest.header.index] {
		req.answer(reply{err: errTargetMoved})
		return true
	}
	return b.offer(newChoice(events.ID{}, req, decide.Enrol(overlay{l.state, b}, req.rest.parts)))
}

// resolveRest is resolve for continuations of a recorded header: one behind the
// other, and the enrolments of their people before them.
func (l *Ledger) resolveRest(ctx context.Context, b *batch, c choice) error {
	r := c.req.rest
	var first *planned
	var enrolments []planned
	for i, d := range c.decided {
		p := planned{facts: c.facts[i], header: &r.header}
		if i >= len(r.parts) {
			p.header = nil
			p.id = l.enrolmentID(l.continuationID(r.id, r.from+len(enrolments), false))
		} else {
			p.id = l.continuationID(r.id, r.from+i, r.from+i == r.of-1)
		}
		if err := l.drawAll(ctx, b, d, &p); err != nil {
			return err
		}
		switch {
		case i >= len(r.parts):
			enrolments = append(enrolments, p)
		case first == nil:
			p.req, first = c.req, &p
		default:
			first.follow(p)
		}
	}
	b.planned = append(append(b.planned, enrolments...), *first)
	return nil
}

// follow puts a continuation right behind an event.
func (p *planned) follow(next planned) {
	p.then = append(p.then, next)
	for _, id := range next.who {
		if !slices.Contains(p.who, id) {
			p.who = append(p.who, id)
		}
	}
}
