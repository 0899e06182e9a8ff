package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// guardTimeout is how long a start waits for what cosigners have seen.
const guardTimeout = 5 * time.Second

const bringBack = "bring back the newer one; going on with this one would sign sizes a second time, which its cosigners refuse"

// guarded is the newest checkpoint that a cosigner shows.
type guarded struct {
	*Published
	who string
}

// guard asks every cosigner, before anything is written, what it has signed last.
// Whatever the ledger's own key signed must be in the stream, with the same root:
// else this is an older copy, which must not be continued. It returns the newest
// that the checkpoint stream does not know, nil if there is none. Those who do not
// answer are told of; with the policy "stop" they keep the ledger from starting.
func (l *Ledger) guard(ctx context.Context, last *Published) (*guarded, error) {
	pub := l.publication.Load()
	ctx, cancel := context.WithTimeout(ctx, guardTimeout)
	defer cancel()
	seen := make([]*guarded, len(pub.policy.Witnesses))
	errs := make([]error, len(seen))
	var asking sync.WaitGroup
	for i, w := range pub.policy.Witnesses {
		asking.Go(func() { seen[i], errs[i] = l.lastSeen(ctx, w) })
	}
	asking.Wait()
	l.guarded = map[uint64]*guarded{}
	var newest *guarded
	for i, g := range seen {
		name := pub.policy.Witnesses[i].Name
		switch {
		case errs[i] != nil && pub.Missing == MissingStop:
			return nil, fmt.Errorf("asking %s what it has seen of this ledger, which the publication policy (stop) demands before anything is recorded: %w; have it answer, or change the policy", name, errs[i])
		case errs[i] != nil:
			l.log.Warn("started without knowing what a cosigner has seen of this ledger", zap.String("cosigner", name), zap.Error(errs[i]))
		case g == nil: // it has signed nothing yet
		default:
			if root, known := l.known[g.Size]; known && root != g.Root {
				return nil, otherRoot(g)
			}
			l.known[g.Size], l.guarded[g.Size] = g.Root, g // compared as our own tree grows to it
			if (last == nil || g.Size > last.Size) && (newest == nil || g.Size > newest.Size) {
				newest = g
			}
		}
	}
	return newest, nil
}

func otherRoot(g *guarded) error {
	return fmt.Errorf("%s has signed another root of this ledger at size %d than the stream has: it was changed, or goes on from an older copy; %s: %w", g.who, g.Size, bringBack, ErrCorrupt)
}

// lastSeen returns the newest checkpoint of this ledger that a cosigner shows.
func (l *Ledger) lastSeen(ctx context.Context, w verifier.PolicyWitness) (*guarded, error) {
	client := witness.Client{URL: w.URL}
	signed, err := client.Checkpoint(ctx, l.origin)
	if errors.Is(err, witness.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := verifier.OpenCheckpoint([]byte(signed), l.origin, l.secrets.LogVerifier)
	if err != nil {
		return nil, fmt.Errorf("it shows a checkpoint that is not signed by this ledger's key: %w", err)
	}
	own, err := verifier.SignedBy([]byte(signed), l.secrets.LogVerifier)
	if err != nil {
		return nil, err
	}
	return &guarded{&Published{Size: c.Size, Root: c.Root, Note: own}, w.Name}, nil
}

// checkGuarded demands that a checkpoint that only a cosigner knew is of the stream
// that was read meanwhile. The log's sequencer compares roots only as far as the
// log has come, so the rest is read here: nothing may be written before that.
func (l *Ledger) checkGuarded(ctx context.Context, g *guarded) error {
	if g.Size > l.state.next {
		return fmt.Errorf("%s has signed size %d of this ledger, and the stream has %d events: it is an older copy; %s: %w", g.who, g.Size, l.state.next, bringBack, ErrCorrupt)
	}
	if err := l.compareGuarded(ctx, g); err != nil {
		return err
	}
	if l.state.snapshots[g.Size] == nil {
		return fmt.Errorf("%s has signed size %d of this ledger, which does not end with a state leaf: %w", g.who, g.Size, ErrCorrupt)
	}
	return nil
}

func (l *Ledger) compareGuarded(ctx context.Context, g *guarded) error {
	tree := l.sequenced.clone()
	if tree.size() >= g.Size {
		return nil // compared by now
	}
	for e, err := range l.store.Read(ctx, l.stream, tree.size(), g.Size-tree.size()) {
		if err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		entry, leaf, _ := leafOf(l.secrets, e, tree.timeMS)
		if err := tree.append(events.LeafHash(entry), leaf.TimeMS); err != nil {
			return fmt.Errorf("growing the tree: %w", err)
		}
	}
	if tree.root() != g.Root {
		return otherRoot(g)
	}
	return nil
}
