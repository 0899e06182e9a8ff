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

// ErrNotPublished says that there is no published checkpoint to prove under.
var ErrNotPublished = errors.New("nothing is published yet; try again in a second")

// ErrKeyDestroyed says that a party's key is gone, and with it what it opens.
var ErrKeyDestroyed = errors.New("the party's key is not in the keystore")

// Prove returns everything the ledger holds about a party, with proofs, all
// under the newest published state.
func (l *Ledger) Prove(ctx context.Context, q verifier.Query) (verifier.Evidence, error) {
	pub := l.published.Load()
	if pub == nil {
		return verifier.Evidence{}, ErrNotPublished
	}
	if err := l.progress.reach(ctx, pub.Size, l.stopped); err != nil {
		return verifier.Evidence{}, fmt.Errorf("waiting for the log: %w", err)
	}
	p := &prover{ledger: l, pub: pub, evidence: verifier.Evidence{
		Origin: l.origin, Stream: l.stream, Role: q.Role.String(), ID: q.ID.String(),
		Checkpoint: pub.Note, Rules: string(pub.snap.rulesDoc),
		Enrolments: []verifier.Enrolment{}, Entries: []verifier.Entry{},
	}}
	if err := p.prove(ctx, q); err != nil {
		return verifier.Evidence{}, fmt.Errorf("proving what the ledger holds: %w", err)
	}
	return p.evidence, nil
}

// prover collects one party's evidence. The leaves to be proven are gathered
// first, so that the log is asked once.
type prover struct {
	ledger   *Ledger
	pub      *Published
	evidence verifier.Evidence
	proven   []*verifier.Proven
}

func (p *prover) prove(ctx context.Context, q verifier.Query) error {
	e := &p.evidence
	genesis, err := p.ledger.sealedAt(ctx, 0)
	if err != nil {
		return err
	}
	e.Genesis = verifier.Proven{Index: 0, Leaf: genesis.Stored.Leaf}
	e.State = verifier.Proven{Index: p.pub.Size - 1, Leaf: p.pub.snap.leaf}
	handle, enrolled, err := p.sequence(ctx, q)
	if err != nil {
		return err
	}
	if err := p.absences(q, handle, enrolled); err != nil {
		return err
	}
	p.proven = append(p.proven, &e.Genesis, &e.State)
	for i := range e.Enrolments {
		p.proven = append(p.proven, &e.Enrolments[i].Proven)
	}
	for i := range e.Entries {
		p.proven = append(p.proven, &e.Entries[i].Proven)
	}
	return p.inclusions(ctx)
}

// sequence adds the party's enrolment and entries as of the published state.
func (p *prover) sequence(ctx context.Context, q verifier.Query) (handle events.Hash, enrolled bool, err error) {
	l := p.ledger
	l.mu.RLock()
	id, ok := l.state.parties[partyKey{q.Role, q.ID}]
	var enrol place
	var entries []place
	if ok {
		seq := l.state.sequences[id]
		enrol = seq.enrol
		entries = seq.upTo(p.pub.Size)
	}
	l.mu.RUnlock()
	if !ok || enrol.index >= p.pub.Size {
		return events.Hash{}, false, nil
	}
	party, err := l.keys.ByID(ctx, id)
	if errors.Is(err, keystore.ErrKeyMissing) {
		return events.Hash{}, false, fmt.Errorf("%w: %w", err, ErrKeyDestroyed)
	}
	if err != nil {
		return events.Hash{}, false, err
	}
	if err := p.enrolment(ctx, q, party, enrol); err != nil {
		return events.Hash{}, false, err
	}
	if err := p.entries(ctx, party, entries); err != nil {
		return events.Hash{}, false, err
	}
	return party.Handle, true, nil
}

func (p *prover) open(ctx context.Context, party keystore.Party, at place) (*keystore.Sealed, *keystore.Opened, error) {
	sealed, err := p.ledger.sealedAt(ctx, at.index)
	if err != nil {
		return nil, nil, err
	}
	opened, err := sealed.Open(at.slot, party.Key)
	return sealed, opened, err
}

func opening(sealed *keystore.Sealed, opened *keystore.Opened, at place) verifier.Opening {
	return verifier.Opening{
		Slot: at.slot, Opening: opened.SlotOpening, Content: opened.Slot, EventID: sealed.ID, Type: sealed.Type,
	}
}

func (p *prover) enrolment(ctx context.Context, q verifier.Query, party keystore.Party, at place) error {
	sealed, opened, err := p.open(ctx, party, at)
	if err != nil {
		return err
	}
	_, member, err := p.pub.snap.tree.ProveMember(party.Label)
	if err != nil {
		return err
	}
	input := events.VRFInput(events.EnrolContext, p.ledger.origin, q.Role, q.ID, party.Generation)
	p.evidence.Enrolments = append(p.evidence.Enrolments, verifier.Enrolment{
		Generation: party.Generation,
		VRF:        p.ledger.secrets.VRF.Prove(input).Bytes(),
		Proven:     verifier.Proven{Index: at.index, Leaf: sealed.Stored.Leaf},
		Opening:    opening(sealed, opened, at),
		Seed:       opened.Seed,
		Member:     member,
	})
	return nil
}

// readsAtOnce bounds how many events are asked for at a time.
const readsAtOnce = 4

// entries adds the party's entries. Each stands somewhere else in the stream, so
// they are read a few at a time.
func (p *prover) entries(ctx context.Context, party keystore.Party, places []place) error {
	all := make([]verifier.Entry, len(places))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, at := range places {
		g.Go(func() error {
			sealed, opened, err := p.open(ctx, party, at)
			if err != nil {
				return err
			}
			_, member, err := p.pub.snap.tree.ProveMember(events.EntryLabel(party.Handle, uint64(i)))
			if err != nil {
				return err
			}
			all[i] = verifier.Entry{
				Number:  uint64(i),
				Proven:  verifier.Proven{Index: at.index, Leaf: sealed.Stored.Leaf},
				Opening: opening(sealed, opened, at),
				Seed:    opened.Seed,
				Fields:  opened.Facts.Marshal(),
				Member:  member,
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	p.evidence.Entries = append(p.evidence.Entries, all...)
	return nil
}

// absences adds the proofs that nothing else carries this party's labels.
func (p *prover) absences(q verifier.Query, handle events.Hash, enrolled bool) error {
	want := verifier.NeededAbsences(enrolled, len(p.evidence.Entries))
	for i := range want {
		a := &want[i]
		label := events.EntryLabel(handle, a.Number)
		if a.Label != verifier.LabelEntry {
			proof := p.ledger.secrets.VRF.Prove(a.VRFInput(p.ledger.origin, q.Role, q.ID))
			a.VRF = proof.Bytes()
			label, _ = events.VRFLabel(proof.Hash())
		}
		var err error
		if a.Proof, err = p.pub.snap.tree.ProveAbsent(label); err != nil {
			return fmt.Errorf("proving the absence of %s %d: %w", a.Label, a.Number, err)
		}
	}
	p.evidence.Absences = want
	return nil
}

func (p *prover) inclusions(ctx context.Context) error {
	indices := make([]uint64, len(p.proven))
	for i, leaf := range p.proven {
		indices[i] = leaf.Index
	}
	proofs, err := p.ledger.trees.Inclusions(ctx, indices, p.pub.Size)
	if err != nil {
		return err
	}
	for i, proof := range proofs {
		p.proven[i].Inclusion = make([]events.Hash, len(proof))
		for j, h := range proof {
			p.proven[i].Inclusion[j] = h
		}
	}
	return nil
}
