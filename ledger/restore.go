package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/verifier"
)

// errUnusable says that state.db is not that of this stream. It is no fault of
// the ledger: everything is folded from the stream then.
var errUnusable = errors.New("the state file does not belong to this stream")

// restore takes over from state.db what lies before the state leaf of the
// published size, or the last one before that. That leaf itself and everything
// after it is folded from the stream again, so:
//
//   - every label and its value is bound by that leaf, whose index root must be
//     the one they give; it stands in the stream and is ours;
//   - every leaf hash is bound by the roots of Trillian and of the signed
//     checkpoint, which our own tree must have at their sizes;
//   - whose a label is follows from the keystore alone, as in a replay;
//   - ids, which nothing of this binds, are bound by the runs' authentication.
//
// What only a full replay can tell, that the stream still holds all those events
// byte for byte, Verify tells.
func (l *Ledger) restore(ctx context.Context, logged uint64) (covered uint64, err error) {
	at, end, found, err := l.file.lastState(ctx, l.state.shown)
	if err != nil {
		return 0, err
	}
	if !found || at == 0 {
		return 0, cmp.Or(l.file.truncate(ctx, 0), l.emptyIndex())
	}
	if head, found, err := l.store.Last(ctx, l.stream); err != nil {
		return 0, fmt.Errorf("reading the stream: %w", err)
	} else if !found || head.Revision+1 < end {
		return 0, fmt.Errorf("the state knows %d events and the stream has fewer: the event store is older; bring back the newer one: %w", end, ErrCorrupt)
	}
	r := &restoring{Ledger: l, logged: logged, enrolments: map[events.Hash]keystore.Enrolment{}}
	opened := make(chan error, 1)
	go func() { // it reads as much as the rest does
		covered, err := l.openIndex(at)
		r.covered = covered
		opened <- err
	}()
	err = r.restore(ctx, at)
	if err := errors.Join(err, <-opened); err != nil {
		return r.covered, err
	}
	if err := r.index(ctx, at); err != nil {
		return r.covered, err
	}
	return r.covered, l.file.truncate(ctx, at+1)
}

// restoring is one reading of state.db into an empty state.
type restoring struct {
	*Ledger
	logged     uint64
	enrolments map[events.Hash]keystore.Enrolment // by enrolment label
	covered    uint64                             // the index has the labels of the events before this one
	rulesAt    uint64
	// orphaned: somebody is enrolled whose key the keystore lacks; the fold of the
	// stream says who.
	orphaned bool
}

func (r *restoring) restore(ctx context.Context, end uint64) error {
	if err := r.take(ctx, end); err != nil {
		return err
	}
	if err := r.rules(ctx); err != nil {
		return fmt.Errorf("%w: %w", errUnusable, err)
	}
	return nil
}

// take reads the records up to an event.
func (r *restoring) take(ctx context.Context, end uint64) error {
	if err := r.know(ctx); err != nil {
		return err
	}
	// One goroutine reads and authenticates, one grows our own tree and notes the
	// ids, one folds the rest.
	reading, folding := make(chan run, 4), make(chan run, 4)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(reading)
		return r.read(ctx, end, reading)
	})
	g.Go(func() error {
		defer close(folding)
		return r.grow(ctx, end, reading, folding)
	})
	g.Go(func() error {
		for run := range folding {
			err := run.each(func(at uint64, rec *record) error {
				if at < end {
					return r.event(ctx, rec)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("%w: %w", errUnusable, err)
	}
	if r.state.next != end || r.orphaned {
		return fmt.Errorf("%w: it ends at %d, or knows parties that the keystore does not", errUnusable, r.state.next)
	}
	return nil
}

// know reads what the keystore has under enrolment labels.
func (r *restoring) know(ctx context.Context) error {
	for p, err := range r.keys.Parties(ctx) {
		if err != nil {
			return err
		}
		r.enrolments[p.Label] = keystore.Enrolment{Party: &p}
	}
	for a, err := range r.keys.Aliases(ctx) {
		if err != nil {
			return err
		}
		r.enrolments[a.Label] = keystore.Enrolment{Alias: &a}
	}
	for label, err := range r.keys.Tombstones(ctx) {
		if err != nil {
			return err
		}
		r.enrolments[label] = keystore.Enrolment{Destroyed: true}
	}
	return nil
}

func (r *restoring) read(ctx context.Context, end uint64, out chan<- run) error {
	for run, err := range r.file.runs(ctx, end+1) {
		if err != nil {
			return err
		}
		if err := pass(ctx, run, out); err != nil {
			return err
		}
	}
	return nil
}

// grow notes the ids, appends the leaves as far as the log has come, and passes the
// runs on.
func (r *restoring) grow(ctx context.Context, end uint64, in <-chan run, out chan<- run) error {
	for run := range in {
		err := run.each(func(at uint64, rec *record) error {
			if at < end && rec.kind() != events.KindForeign {
				r.state.ids.put(rec.id, at)
			}
			if at >= min(end, r.logged) {
				return nil
			}
			return r.advanceHash(rec.leafHash, rec.timeMS)
		})
		if err == nil {
			err = pass(ctx, run, out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func pass(ctx context.Context, r run, out chan<- run) error {
	select {
	case out <- r:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// each parses a run's records. The record is valid during the call.
func (r run) each(do func(at uint64, rec *record) error) error {
	var rec record
	var err error
	at := r.first
	for rest := r.records; len(rest) > 0; at++ {
		if rest, err = rec.parse(rest); err != nil {
			return err
		}
		if err := do(at, &rec); err != nil {
			return err
		}
	}
	if at != r.first+r.count {
		return errRecord
	}
	return nil
}

// event is fold for a record.
func (r *restoring) event(ctx context.Context, rec *record) error {
	s, at := r.state, place{index: r.state.next}
	s.claimed = s.claimed[:0]
	if rec.flags&recordContinues != 0 {
		r.orphaned = r.orphaned || !r.continues(rec.id) // the fold of the stream says what is wrong
	}
	enrols := rec.flags&recordEnrols != 0
	r.orphaned = r.orphaned || enrols && !slices.ContainsFunc(rec.labels, func(l events.Hash) bool {
		_, ok := r.enrolments[l]
		return ok
	})
	var end *ending
	if rec.flags&recordCloses != 0 { // few, and only the event itself says how it ends
		sealed, err := r.sealedAt(ctx, at.index)
		if err == nil {
			end, err = r.endingOf(ctx, sealed.Type, sealed.Leaf)
		}
		if err != nil {
			return err
		}
	}
	for k, label := range rec.labels {
		at.slot = uint16(k)
		if s.claimLabel(label, at) || !enrols {
			continue
		}
		if e, ok := r.enrolments[label]; ok {
			s.enrolled(e, label, at)
		}
	}
	if rec.flags&recordCloses != 0 {
		s.close(at.index, rec.labels, end)
	}
	switch rec.kind() {
	case events.KindForeign:
		s.foreign++
	case events.KindState:
		s.prevState = rec.leafHash
		if at.index == 0 {
			s.genesis = rec.leafHash
		}
		if rec.flags&recordRules != 0 {
			r.rulesAt = at.index
		}
	case events.KindEntry:
		if s.underSeal() {
			s.sealed[rec.id] = at.index
		}
	}
	s.spread.newest = rec.id
	s.next, s.timeMS = at.index+1, rec.timeMS
	if rec.flags&recordRequest != 0 {
		s.requests = append(s.requests, at.index)
	}
	s.took(rec.done)
	return nil
}

// rules reads the rules document in force from the stream. The next state leaf
// says whether it is the right one.
func (r *restoring) rules(ctx context.Context) error {
	sealed, err := r.sealedAt(ctx, r.rulesAt)
	if err != nil {
		return err
	}
	r.state.rulesDoc = sealed.Stored.Body
	r.state.rules, err = events.ParseRules(r.state.rulesDoc)
	return err
}

// index brings the index to the state leaf at end: with the labels that it lacks,
// or built anew if it has none.
func (r *restoring) index(ctx context.Context, end uint64) error {
	if r.covered == end {
		return nil
	}
	var built index.Builder
	take := r.state.grower.add
	if r.covered == 0 {
		built.Grow(int(2 * end)) // an ordinary event has two labels
		take = built.Add
	}
	for run, err := range r.file.runs(ctx, end+1) {
		if err != nil {
			return fmt.Errorf("%w: %w", errUnusable, err)
		}
		if run.first+run.count <= r.covered {
			continue
		}
		err := run.each(func(at uint64, rec *record) error {
			for k, label := range rec.labels {
				if at >= r.covered && at < end {
					take(index.Entry{Label: label, Value: verifier.IndexValue(at, uint16(k), rec.leafHash)})
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%w: %w", errUnusable, err)
		}
	}
	if r.covered > 0 {
		return nil
	}
	tree, err := built.Build()
	if err != nil {
		return fmt.Errorf("%w: %w", errUnusable, err)
	}
	if err := r.labels.Rebuild(tree, indexMark(end)); err != nil {
		return err
	}
	r.setIndex(r.labels)
	return nil
}
