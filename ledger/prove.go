package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

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
	p := &prover{ledger: l, pub: pub, query: q, headers: map[uint64]headerEvent{}}
	if err := p.prove(ctx); err != nil {
		return verifier.Evidence{}, fmt.Errorf("proving what the ledger holds: %w", l.unsound(err))
	}
	return p.evidence, nil
}

// prover collects one party's evidence. The leaves to be proven are gathered
// first, so that the log is asked once.
type prover struct {
	ledger   *Ledger
	pub      *Published
	query    verifier.Query
	evidence verifier.Evidence
	proven   []*verifier.Proven

	mu      sync.Mutex // guards headers, which entries add
	headers map[uint64]headerEvent
}

// headerEvent is an event that an entry continues, as the evidence shows it.
type headerEvent struct {
	target verifier.Target
	event  events.Event
}

// header opens the event that a continuation continues, with what that holds for it.
func (p *prover) header(ctx context.Context, continuation *keystore.Opened) (events.Event, error) {
	index := *continuation.Content.TargetIndex
	p.mu.Lock()
	defer p.mu.Unlock()
	if h, known := p.headers[index]; known {
		return h.event, nil
	}
	sealed, err := p.ledger.sealedAt(ctx, index)
	if err != nil {
		return nil, err
	}
	opened, err := sealed.OpenHeader(continuation.Target)
	if err != nil {
		return nil, err
	}
	p.headers[index] = headerEvent{verifier.Target{
		Proven: verifier.Proven{Index: index, Leaf: sealed.Stored.Leaf}, EventID: sealed.ID, Type: sealed.Type,
		Seed: opened.Seed, Fields: opened.Facts.Marshal(),
	}, opened.Event}
	return opened.Event, nil
}

func (p *prover) prove(ctx context.Context) error {
	l, q, e := p.ledger, &p.query, &p.evidence
	if err := p.ownSpelling(); err != nil {
		return err
	}
	*e = verifier.Evidence{
		Origin: l.origin, Stream: l.stream, Role: q.Role.String(), IDs: []string{}, Checkpoint: p.pub.Note,
		Rules: []string{string(p.pub.snap.rulesDoc)}, Names: []verifier.Name{}, Targets: []verifier.Target{}, Copy: q.Copy,
	}
	genesis, err := l.sealedAt(ctx, 0)
	if err != nil {
		return err
	}
	e.Genesis = verifier.Proven{Index: 0, Leaf: genesis.Stored.Leaf}
	e.State = verifier.Proven{Index: p.pub.Size - 1, Leaf: p.pub.snap.leaf}
	if err := p.names(ctx); err != nil {
		return err
	}
	for _, index := range slices.Sorted(maps.Keys(p.headers)) {
		e.Targets = append(e.Targets, p.headers[index].target)
	}
	if q.Copy {
		forThirdParties(e)
	} else {
		e.Filter = q.Filter
	}
	if err := p.unsealed(ctx); err != nil {
		return err
	}
	p.gather()
	return errors.Join(p.inclusions(ctx), p.earlier(ctx))
}

// ownSpelling brings the names into this ledger's spelling, in order: whoever asks
// a chain of ledgers does so in that of the last. A name that an older ledger has no
// room for cannot stand in it.
func (p *prover) ownSpelling() error {
	var ids []events.Identity
	rules, err := events.ParseRules(p.pub.snap.rulesDoc)
	if err != nil {
		return err
	}
	for _, asked := range p.query.IDs {
		text := asked.String()
		if p.query.Role == events.RoleController {
			text = "org:" + p.ledger.origin
		}
		id, err := events.ParseIdentity(rules.Identities, text)
		if err == nil {
			ids = append(ids, id)
		} else if _, _, final := p.ledger.Final(); !final {
			return err
		}
	}
	slices.SortFunc(ids, func(a, b events.Identity) int { return cmp.Compare(a.String(), b.String()) })
	p.query.IDs = slices.Compact(ids)
	return nil
}

// names adds what the ledger holds under each name that was asked for, and under
// each that those lead to.
func (p *prover) names(ctx context.Context) error {
	var led []events.Identity
	for _, id := range p.query.IDs {
		p.evidence.IDs = append(p.evidence.IDs, id.String())
		to, err := p.name(ctx, id)
		if err != nil {
			return err
		}
		led = append(led, to...)
	}
	slices.SortFunc(led, func(a, b events.Identity) int { return cmp.Compare(a.String(), b.String()) })
	for _, id := range slices.Compact(led) {
		if slices.Contains(p.query.IDs, id) {
			continue
		}
		if _, err := p.name(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// name adds what the ledger holds under a name, and returns the names it was an
// alias of.
func (p *prover) name(ctx context.Context, id events.Identity) (led []events.Identity, err error) {
	held, err := p.ledger.heldUnder(ctx, p.query.Role, id, p.pub.Size)
	if err != nil {
		return nil, err
	}
	n := verifier.Name{ID: id.String(), Generations: []verifier.Generation{}}
	var shown [][]openedEntry
	for _, h := range held {
		g, entries, err := p.generation(ctx, id, h)
		if err != nil {
			return nil, fmt.Errorf("sequence %d: %w", h.number, err)
		}
		n.Generations, shown = append(n.Generations, *g), append(shown, entries)
		if h.primary != "" {
			led = append(led, h.primary)
		}
	}
	if err := p.filter(n.Generations, shown); err != nil {
		return nil, err
	}
	closed := len(held) > 0 && held[len(held)-1].closed != nil
	n.Absences, err = p.absences(verifier.NameAbsences(uint64(len(held)), closed), func(a *verifier.Absence) events.Hash {
		proof := p.ledger.secrets.VRF.Prove(a.VRFInput(p.ledger.origin, p.query.Role, id))
		a.VRF = proof.Bytes()
		label, _ := events.VRFLabel(proof.Hash())
		return label
	})
	p.evidence.Names = append(p.evidence.Names, n)
	return led, err
}

// absences proves that labels are not in the index.
func (p *prover) absences(want []verifier.Absence, label func(*verifier.Absence) events.Hash) ([]verifier.Absence, error) {
	for i := range want {
		a := &want[i]
		proof, err := p.pub.snap.tree.ProveAbsent(label(a))
		if err != nil {
			return nil, fmt.Errorf("proving the absence of %s %d: %w", a.Label, a.Number, err)
		}
		a.Prove(proof)
	}
	return want, nil
}

// gather lists the leaves to be proven, when nothing is added any more.
func (p *prover) gather() {
	e := &p.evidence
	p.proven = append(p.proven, &e.Genesis, &e.State)
	for i := range e.Names {
		for k := range e.Names[i].Generations {
			g := &e.Names[i].Generations[k]
			if g.Enrol != nil {
				p.proven = append(p.proven, &g.Enrol.Proven)
			}
			if g.Close != nil {
				p.proven = append(p.proven, &g.Close.Proven)
			}
			for j := range g.Entries {
				p.proven = append(p.proven, &g.Entries[j].Proven)
			}
		}
	}
	for i := range e.Targets {
		p.proven = append(p.proven, &e.Targets[i].Proven)
	}
}

func (p *prover) inclusions(ctx context.Context) error {
	indices := make([]uint64, len(p.proven))
	for i, leaf := range p.proven {
		indices[i] = leaf.Index
	}
	proofs, err := p.ledger.inclusions(ctx, indices, p.pub)
	if err != nil {
		return err
	}
	for i, proof := range proofs {
		p.proven[i].Inclusion = proof
	}
	return nil
}

// earlier proves that the published checkpoint extends the one that was asked for.
func (p *prover) earlier(ctx context.Context) error {
	if origin, _, _ := strings.Cut(p.query.Since, "\n"); origin != p.ledger.origin {
		return nil // none, or of another ledger of the chain
	}
	c, err := verifier.OpenCheckpoint([]byte(p.query.Since), p.ledger.origin, p.ledger.secrets.LogVerifier)
	if err != nil {
		return &events.FieldError{Field: "since_checkpoint", Rule: "is no checkpoint of this ledger's", Next: "give the signed checkpoint, or the report that holds it"}
	}
	if c.Size > p.pub.Size || c.Size == 0 {
		return &events.FieldError{Field: "since_checkpoint", Rule: "is newer than what is published", Next: "ask again, and if it stays so, tell an auditor: the ledger may be an older copy"}
	}
	e := &verifier.Earlier{Checkpoint: p.query.Since, Proof: verifier.Path{}}
	if c.Size < p.pub.Size {
		proof, err := p.ledger.trees.Consistency(ctx, c.Size, p.pub.Size)
		if err != nil {
			return err
		}
		for _, h := range proof {
			e.Proof = append(e.Proof, h)
		}
	}
	p.evidence.Earlier = e
	return nil
}

// forThirdParties takes out whatever says more than that the entries shown are in
// the log.
func forThirdParties(e *verifier.Evidence) {
	e.Names = e.Names[:len(e.IDs)] // an alias shows nothing that leads anywhere
	for i := range e.Names {
		n := &e.Names[i]
		n.Absences = []verifier.Absence{}
		for k := range n.Generations {
			g := &n.Generations[k]
			g.Enrol, g.Close, g.Absences = nil, nil, []verifier.Absence{}
			g.Entries = slices.DeleteFunc(g.Entries, func(e verifier.Entry) bool { return e.Seed == nil })
			for j := range g.Entries {
				g.Entries[j].Member = nil
			}
		}
		n.Generations = slices.DeleteFunc(n.Generations, func(g verifier.Generation) bool { return len(g.Entries) == 0 })
	}
}
