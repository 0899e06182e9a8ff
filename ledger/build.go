package ledger

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/verifier"
)

// sealed is a planned event as it is to be appended.
type sealed struct {
	proposed events.Proposed
	leafed   leafed
	covered  []index.Entry
}

// build puts the planned events in a random order that keeps each party's, and
// makes their leaves and, last, the state leaf if one is wanted.
func (l *Ledger) build(ctx context.Context, b *batch) error {
	at, err := l.leafTime(l.now())
	if err != nil {
		return err
	}
	b.planned = append(b.planned, l.covers(b)...)
	units := shuffle(b.planned)
	entered := l.entryTime(at)
	var order []planned
	from := make([]int, len(units))
	for i, p := range units {
		from[i] = len(order)
		order = append(append(order, p), p.then...)
	}
	made := make([]sealed, len(order))
	// With its place fixed, an event depends on no other but the one it continues: the
	// cores share the work.
	err = inParallel(ctx, len(units), func(i int) (err error) {
		return l.sealUnit(units[i], b.first+uint64(from[i]), entered, made[from[i]:])
	})
	if err != nil {
		return fmt.Errorf("sealing an event: %w", err)
	}
	for i, p := range order {
		b.proposed, b.leaves = append(b.proposed, made[i].proposed), append(b.leaves, made[i].leafed)
		b.covered = append(b.covered, made[i].covered...)
		if p.req == nil {
			continue
		}
		a, at := b.answers[p.req], Place{p.id, b.first + uint64(i)}
		if p.also {
			a.Also = append(a.Also, at)
		} else {
			a.ID, a.Index = at.ID, at.Index
		}
		b.answers[p.req] = a
	}
	if !b.endsWithState() {
		return nil
	}
	return l.buildState(b, b.first+uint64(len(order)), at)
}

// sealUnit makes an event and the continuations right behind it.
func (l *Ledger) sealUnit(p planned, revision, at uint64, made []sealed) (err error) {
	of := p.header
	own := keystore.NewEventSecrets()
	if made[0], err = l.seal(p, own, of, revision, at); err != nil {
		return err
	}
	if of == nil {
		of = &header{revision, made[0].leafed.hash, *own}
	}
	for i, next := range p.then {
		if made[i+1], err = l.seal(next, nil, of, revision+1+uint64(i), at); err != nil {
			return err
		}
	}
	return nil
}

// seal makes the event that stands at a revision, and that continues another if of
// is not nil. It reads nothing that changes.
func (l *Ledger) seal(p planned, own *keystore.EventSecrets, of *header, revision, at uint64) (sealed, error) {
	draft := keystore.Draft{
		Origin: l.origin, Stream: l.stream, ID: p.id, TimeMS: at, Event: p.event, Facts: p.facts, Slots: p.slots, Least: p.least, Own: own,
	}
	if of != nil {
		draft.Target = &of.secrets
		for _, draw := range p.slots {
			draw.Content.TargetIndex, draw.Content.TargetLeaf = &of.index, of.leafHash[:]
		}
	}
	stored, leaf, err := keystore.Seal(draft)
	if err != nil {
		return sealed{}, err
	}
	leafHash := events.LeafHash(stored.Leaf)
	covered := make([]index.Entry, len(leaf.Slots))
	for k, slot := range leaf.Slots {
		covered[k] = index.Entry{Label: slot.Label, Value: verifier.IndexValue(revision, uint16(k), leafHash)}
	}
	proposed := l.propose(revision, p.id, events.ClearType(p.event), stored.Marshal())
	return sealed{proposed, leafed{stored.Leaf, leaf, stored, leafHash}, covered}, nil
}

// inParallel does n things, in portions that are worth a goroutine, and returns
// an error of one that failed.
func inParallel(ctx context.Context, n int, do func(i int) error) error {
	const portion = 16
	workers := min(runtime.GOMAXPROCS(0), (n+portion-1)/portion)
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	work := func() error {
		for ctx.Err() == nil {
			from := int(next.Add(portion)) - portion
			if from >= n {
				return nil
			}
			for i := from; i < min(from+portion, n); i++ {
				if err := do(i); err != nil {
					return err
				}
			}
		}
		return ctx.Err() // not its cause: what stopped the ledger is not the caller's
	}
	for range workers {
		g.Go(work)
	}
	return g.Wait()
}

func (l *Ledger) buildState(b *batch, next, at uint64) error {
	tree, err := l.state.grower.with(b.covered)
	if err != nil {
		return fmt.Errorf("building the index: %w: %w", l.unsound(err), ErrCorrupt)
	}
	b.tree = tree
	doc, body := l.state.rulesDoc, []byte(nil)
	if next == 0 {
		rules := *l.firstRules
		rules.Authorities = append(slices.Clone(rules.Authorities), l.listed...)
		doc = rules.Marshal()
		if _, err := events.ParseRules(doc); err != nil {
			return fmt.Errorf("making the rules: the authorities must be identities in their one spelling, each once: %w", err)
		}
		body = doc
	}
	said := events.State{
		Covered: next, MapRoot: tree.Root(), MapEntries: tree.Len(),
		VRFKey: l.vrfKey(), RulesHash: events.RulesHash(doc), PrevState: l.state.prevState,
	}
	if next == 0 {
		said.Predecessor = []byte(l.predecessor)
	}
	if b.final != nil {
		said.Final, said.Successor = true, []byte(*b.final)
	}
	leaf := events.Leaf{Kind: events.KindState, TimeMS: at, Ext: said.Marshal()}
	stored := events.Stored{Leaf: leaf.Marshal(), Body: body}
	id := events.ID(uuid.New()) // random: nobody may take another writer's state leaf for their own
	b.proposed = append(b.proposed, l.propose(next, id, events.TypeState, stored.Marshal()))
	b.leaves = append(b.leaves, leafed{stored.Leaf, &leaf, &stored, events.LeafHash(stored.Leaf)})
	for _, req := range b.wantsTip {
		b.answers[req] = Accepted{ID: id, Index: next}
	}
	return nil
}

func (l *Ledger) propose(revision uint64, id events.ID, typ string, data []byte) events.Proposed {
	return events.Proposed{ID: id, Type: typ, Data: data, Metadata: l.secrets.Provenance(revision, id, typ, data)}
}

// shuffle returns a random order of the events in which no party's events
// change places: of those whose predecessors are all placed, it draws one. Events
// of strangers come in any order with the same probability; with shared parties
// every allowed order can come, but not equally often.
func shuffle(in []planned) []planned {
	var out []planned
	queues := map[keystore.PartyID][]int{} // each party's events, in order
	for i, p := range in {
		for _, id := range p.who {
			queues[id] = append(queues[id], i)
		}
	}
	first := func(i int) bool {
		for _, id := range in[i].who {
			if queues[id][0] != i {
				return false
			}
		}
		return true
	}
	left := keystore.Perm(len(in))
	for len(left) > 0 {
		at := slices.IndexFunc(left, first)
		i := left[at]
		for _, id := range in[i].who {
			queues[id] = queues[id][1:]
		}
		left = slices.Delete(left, at, at+1)
		out = append(out, in[i])
	}
	return out
}
