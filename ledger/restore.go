package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"
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
func (l *Ledger) restore(ctx context.Context, logged uint64) error {
	if l.state.shown == 0 {
		return l.file.truncate(ctx, 0)
	}
	at, end, found, err := l.file.lastState(ctx, l.state.shown)
	if err != nil || !found || at == 0 {
		return errors.Join(err, l.file.truncate(ctx, 0))
	}
	if head, found, err := l.store.Last(ctx, l.stream); err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	} else if !found || head.Revision+1 < end {
		return fmt.Errorf("the state knows %d events and the stream has fewer: the event store is older; bring back the newer one: %w", end, ErrCorrupt)
	}
	r := &restoring{Ledger: l, logged: logged, parties: map[events.Hash]keystore.Party{}}
	if err := r.restore(ctx, at); err != nil {
		return err
	}
	return l.file.truncate(ctx, at+1)
}

// restoring is one reading of state.db into an empty state.
type restoring struct {
	*Ledger
	logged  uint64
	parties map[events.Hash]keystore.Party // by enrolment label
	labels  index.Builder
	rulesAt uint64
	// orphaned: somebody is enrolled whose key the keystore lacks; the fold of the
	// stream says who.
	orphaned bool
}

func (r *restoring) restore(ctx context.Context, end uint64) error {
	if err := r.take(ctx, end); err != nil {
		return err
	}
	built := make(chan error, 1)
	go func() {
		tree, err := r.labels.Build()
		r.state.tree = tree
		built <- err
	}()
	err := r.rules(ctx)
	if err := errors.Join(err, <-built); err != nil {
		return fmt.Errorf("%w: %w", errUnusable, err)
	}
	r.state.grower.rest(r.state.tree)
	return nil
}

// take reads the records up to an event and collects their labels.
func (r *restoring) take(ctx context.Context, end uint64) error {
	for p, err := range r.keys.Parties(ctx) {
		if err != nil {
			return err
		}
		r.parties[p.Label] = p
	}
	r.state.indices = make(map[events.ID]uint64, end+end/8)
	r.labels.Grow(int(2 * end)) // an ordinary event has two labels
	// One goroutine reads and authenticates, one grows our own tree, one folds.
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
					r.event(rec)
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

// grow appends the leaves as far as the log has come, and passes the runs on.
func (r *restoring) grow(ctx context.Context, end uint64, in <-chan run, out chan<- run) error {
	for run := range in {
		err := run.each(func(at uint64, rec *record) error {
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
func (r *restoring) event(rec *record) {
	s, at := r.state, place{index: r.state.next}
	s.claimed = s.claimed[:0]
	enrols := rec.flags&recordEnrols != 0
	r.orphaned = r.orphaned || enrols && !slices.ContainsFunc(rec.labels, func(l events.Hash) bool {
		_, ok := r.parties[l]
		return ok
	})
	for k, label := range rec.labels {
		at.slot = uint16(k)
		r.labels.Add(index.Entry{Label: label, Value: verifier.IndexValue(at.index, at.slot, rec.leafHash)})
		if s.claimLabel(label, at) || !enrols {
			continue
		}
		if p, ok := r.parties[label]; ok {
			s.enrol(p, at)
		}
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
		fallthrough
	default:
		s.indices[rec.id] = at.index
	}
	s.next, s.timeMS = at.index+1, rec.timeMS
	s.took(rec.done)
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

// recall folds what there is, from the state file's end if that is of use. The
// stream has the last word: if what was restored does not agree with it, with
// the log or with the checkpoint, everything is folded from its beginning.
func (l *Ledger) recall(ctx context.Context, logged uint64) error {
	if l.file == nil {
		return l.replay(ctx, logged)
	}
	known, shown := maps.Clone(l.known), l.state.shown
	err := l.restore(ctx, logged)
	restored := l.state.next > 0
	if err == nil {
		err = l.replay(ctx, logged)
	}
	if !errors.Is(err, errUnusable) && !(restored && errors.Is(err, ErrCorrupt)) {
		return err
	}
	l.log.Error("the state file does not agree with the stream; everything is folded again", zap.Error(err))
	l.state, l.sequenced, l.known, l.progress = newState(), newEdge(), known, newProgress()
	l.state.shown = shown
	return errors.Join(l.file.truncate(ctx, 0), l.replay(ctx, logged))
}
