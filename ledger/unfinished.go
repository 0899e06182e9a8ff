package ledger

import (
	"context"
	"errors"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// awaitOpen waits for somebody to complete what a command is about, if anybody is at it.
func (l *Ledger) awaitOpen(ctx context.Context, cmd *Command) bool {
	id, _ := cmd.Record.About()
	l.mu.RLock()
	header, _ := l.state.unsealed(id)
	ids := l.state.openAbout(header)
	l.mu.RUnlock()
	// If it has been completed since, there is nothing to wait for.
	return len(ids) == 0 || l.completing.wait(ctx, ids)
}

// errPeopleMoved says that somebody was erased, or is under another key or name, since
// the people of a record were divided.
var errPeopleMoved = errors.New("people changed meanwhile")

// beforeAlias makes sure that an alias does not come between the continuations of a
// record: who is told under two names would be in it twice, and the command that it
// comes from could not be repeated. It returns errTargetMoved after waiting.
func (l *Ledger) beforeAlias(ctx context.Context, cmd *Command) error {
	if _, alias := cmd.Record.(*decide.AddAlias); !alias {
		return nil
	}
	var ids []events.ID
	l.mu.RLock()
	for _, a := range l.state.spread.awaited {
		ids = append(ids, a.of)
	}
	l.mu.RUnlock()
	switch {
	case len(ids) == 0:
		return nil
	case l.completing.wait(ctx, ids):
		return errTargetMoved
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return errUnfinishedBeforeAlias
}

var errUnfinishedBeforeAlias = &events.FieldError{Field: "alias",
	Rule: "cannot be added while a record is open: it may still name this person",
	Next: "see the status for which, and repeat the commands that they come from, with their keys"}

// errUnfinished refuses what is said of an open record.
var errUnfinished = &events.FieldError{Field: "id",
	Rule: "names a record that is open: it, or something said of it, has not reached all of its people yet",
	Next: "repeat the command that it comes from, with its key; that appends what is missing"}

// progressOf says where a header stands and how many continuations it has.
func (l *Ledger) progressOf(id events.ID) (index uint64, parts int, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	index, known := l.state.unsealed(id)
	if !known {
		return 0, 0, ErrNoEvent
	}
	return index, len(l.state.continuations(index)), nil
}

// Spread says how far a record is that has continuations.
type Spread struct {
	ID       events.ID `json:"id" doc:"of the record, which is the header's"`
	Index    uint64    `json:"index" doc:"leaf of the header"`
	Type     string    `json:"type" doc:"of the header"`
	Parts    uint64    `json:"parts" doc:"continuations that are recorded"`
	Of       uint64    `json:"of" doc:"continuations that there will be"`
	Last     uint64    `json:"last" doc:"leaf of the newest continuation"`
	Complete bool      `json:"complete"`
	Active   bool      `json:"active,omitempty" doc:"the others are being recorded just now"`
}

// SpreadOf says how far a record is; ok is false if it has no continuations.
func (l *Ledger) SpreadOf(ctx context.Context, id events.ID) (s Spread, ok bool, err error) {
	index, found := l.Find(id)
	if !found {
		return Spread{}, false, nil // what is under seal has none, and no place that anybody is told
	}
	l.mu.RLock()
	there, unfinished := l.state.continuations(index), l.state.unfinished(index)
	l.mu.RUnlock()
	if len(there) == 0 {
		return Spread{}, false, nil
	}
	s = Spread{ID: id, Index: index, Parts: uint64(len(there)), Of: uint64(len(there)), Complete: !unfinished}
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return Spread{}, false, err
	}
	s.Type, s.Last, s.Active = sealed.Type, there[len(there)-1], l.completing.runs(id)
	if unfinished {
		s.Of, err = l.announced(ctx, there[0])
	}
	return s, true, err
}

// announced reads how many continuations there will be off one of them.
func (l *Ledger) announced(ctx context.Context, continuation uint64) (uint64, error) {
	sealed, err := l.sealedAt(ctx, continuation)
	if err != nil {
		return 0, err
	}
	parties, err := l.partiesOf(ctx, continuation)
	if err != nil {
		return 0, err
	}
	e, err := l.openAny(ctx, sealed, parties)
	if errors.Is(err, ErrKeyDestroyed) {
		return 0, nil // nobody is left who could say
	}
	if err != nil {
		return 0, err
	}
	return e.(*events.RecordContinued).Part.Of, nil
}

// Unfinished lists the records that lack continuations, in the order of the log. Somebody
// must repeat the commands that they come from, or their people are not told.
func (l *Ledger) Unfinished(ctx context.Context) ([]Spread, error) {
	l.mu.RLock()
	ids := map[events.ID]bool{}
	for _, a := range l.state.spread.awaited {
		ids[a.of] = true
	}
	l.mu.RUnlock()
	var all []Spread
	for id := range ids {
		if s, ok, err := l.SpreadOf(ctx, id); err != nil {
			return nil, err
		} else if ok && !s.Complete {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Spread) int {
		if a.Index < b.Index {
			return -1
		}
		return 1
	})
	return all, nil
}

// errUnfinishedAtEnd refuses to end a ledger in which people would stay untold.
var errUnfinishedAtEnd = &events.FieldError{Field: "records",
	Rule: "are open: not all of their people have their entries yet, and nothing can be appended behind the end",
	Next: "see the status for which, and repeat the commands that they come from, with their keys"}

// leavesOpen reports whether records are open, or will be when a batch is appended.
func (l *Ledger) leavesOpen(b *batch) bool {
	for _, c := range b.choices {
		for _, p := range c.decided {
			if len(p.Parts) > 1 {
				return true
			}
		}
	}
	return len(l.state.spread.awaited) > 0
}
