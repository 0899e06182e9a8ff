package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

const (
	askTimeout = 30 * time.Second // for one answer
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second  // between tries of one that does not answer
	maxAhead   = 10 * time.Minute // that a cosigner's clock may be ahead of ours, as readers allow it
)

// candidate is a checkpoint to be cosigned.
type candidate struct {
	verifier.Checkpoint
	note     string // with the log's signature alone
	earliest uint64 // POSIX milliseconds: readers refuse a signature before this as one made before its state
}

// cosigner asks one witness or auditor, in a goroutine of its own: one that is slow
// or away holds up nobody. It asks about the newest checkpoint only.
type cosigner struct {
	*Ledger
	verifier.PolicyWitness
	client witness.Client
	newest chan candidate // capacity 1, replaced
	signal chan struct{}  // capacity 1: something has happened

	offered uint64 // publisher only

	// Of its goroutine alone: what it is known to have signed last. A size above 0
	// with a zero root is one that it told us.
	size uint64
	root events.Hash

	mu     sync.Mutex
	status CosignerStatus
	line   string // its signature of status.Size
	tried  uint64 // the size of the last try that ended
	failed bool   // the last try did
	ahead  *verifier.Checkpoint
	forked *verifier.Checkpoint // under the ledger's own key, and not of its tree
}

// CosignerStatus says how one cosigner is doing.
type CosignerStatus struct {
	Name    string `json:"name" doc:"in the policy"`
	Role    string `json:"role" enum:"witness,auditor"`
	Key     string `json:"key" doc:"verifier key"`
	URL     string `json:"url"`
	Size    uint64 `json:"size" doc:"leaves under the newest checkpoint that it is known to have signed"`
	At      string `json:"at,omitempty" doc:"when it signed that"`
	Problem string `json:"problem,omitempty" doc:"why it did not sign the newest one"`
	Alarm   string `json:"alarm,omitempty" doc:"evidence of two histories; stays until the ledger is started again"`
}

// run asks until ctx ends. What fails is tried again, and what is newer replaces it.
func (c *cosigner) run(ctx context.Context) {
	var t candidate
	var pause time.Duration
	for {
		var again <-chan time.Time
		if pause > 0 {
			again = time.After(pause)
		}
		select {
		case <-ctx.Done():
			return
		case t = <-c.newest:
		case <-again:
		}
		err := c.ask(ctx, t)
		if ctx.Err() != nil {
			return
		}
		if pause = 0; err != nil {
			pause = min(max(2*pause, firstPause), maxPause)
		}
		c.tell(t, err)
	}
}

// offer has the cosigner asked about a checkpoint instead of any older one.
func (c *cosigner) offer(t candidate) {
	if c.offered == t.Size { // signed, being asked, or tried again and again
		return
	}
	c.offered = t.Size
	select {
	case <-c.newest:
	default:
	}
	c.newest <- t // the publisher alone sends
}

// tell notes how a try ended.
func (c *cosigner) tell(t candidate, err error) {
	c.mu.Lock()
	before := c.status.Problem
	c.tried, c.failed, c.status.Problem = t.Size, err != nil, ""
	if err != nil {
		c.status.Problem = verifier.Plain(err.Error())
	}
	changed := before != c.status.Problem
	c.mu.Unlock()
	switch {
	case changed && err != nil:
		c.log.Warn("no cosignature", zap.String("cosigner", c.Name), zap.Uint64("size", t.Size), zap.Error(err))
	case changed:
		c.log.Info("cosigned again", zap.String("cosigner", c.Name), zap.Uint64("size", t.Size))
	}
	select {
	case c.signal <- struct{}{}:
	default:
	}
	if c.lacking.Load() != nil {
		c.askToPublish()
	}
}

// ask gets the signature of one checkpoint: with a proof from the size that the
// cosigner is believed to have signed last, and from the one it names if that is
// another.
func (c *cosigner) ask(ctx context.Context, t candidate) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for range 3 {
		path, err := c.consistency(ctx, t)
		if err != nil {
			return err
		}
		lines, err := c.client.AddCheckpoint(ctx, &witness.Request{Old: c.size, Proof: path, Checkpoint: t.note})
		var last *witness.SizeError
		switch {
		case err == nil:
			return c.take(t, lines)
		case errors.As(err, &last) && last.Size > t.Size:
			return c.meetAhead(ctx, t, last.Size)
		case errors.As(err, &last) && last.Size == c.size:
			return fmt.Errorf("it refuses size %d as what it signed last, and says that it is: %w", c.size, err)
		case errors.As(err, &last):
			c.size, c.root = last.Size, events.Hash{}
		case errors.Is(err, witness.ErrConflict):
			// Our own proof was checked before it was sent.
			c.alarm(t, "it refuses a checkpoint whose proof is right: it has seen another history of this ledger, or is at fault itself", err)
			return errors.Join(err, c.meetFork(ctx, t))
		default:
			return err
		}
	}
	return errors.New("it names another size with each answer")
}

// consistency proves that a checkpoint continues what the cosigner signed last, and
// checks the proof before it is sent: a refusal is then evidence.
func (c *cosigner) consistency(ctx context.Context, t candidate) ([]events.Hash, error) {
	if c.size == 0 || c.size > t.Size {
		c.size, c.root = 0, events.Hash{}
		return nil, nil
	}
	if c.size == t.Size {
		return nil, nil
	}
	if c.root.IsZero() {
		root, err := c.rootAt(ctx, c.size)
		if err != nil {
			return nil, err
		}
		c.root = root
	}
	hashes, err := c.trees.Consistency(ctx, c.size, t.Size)
	if err != nil {
		return nil, fmt.Errorf("proving that size %d continues size %d: %w", t.Size, c.size, err)
	}
	path := make([]events.Hash, len(hashes))
	for i, h := range hashes {
		path[i] = h
	}
	if err := witness.CheckConsistency(path, c.size, c.root, t.Checkpoint); err != nil {
		return nil, fmt.Errorf("proving that size %d continues size %d: the log's proof is wrong: %w", t.Size, c.size, err)
	}
	return path, nil
}

// rootAt returns our root at a size that ends with an event of ours. It takes the
// log's word for the path: what is made of it is checked against a root that we
// know, to which no other one has a proof.
func (l *Ledger) rootAt(ctx context.Context, size uint64) (events.Hash, error) {
	sealed, err := l.sealedAt(ctx, size-1)
	if err != nil {
		return events.Hash{}, fmt.Errorf("finding the root of size %d: %w", size, err)
	}
	paths, err := l.trees.Inclusions(ctx, []uint64{size - 1}, size)
	if err != nil {
		return events.Hash{}, fmt.Errorf("finding the root of size %d: %w", size, err)
	}
	path := make([][]byte, len(paths[0]))
	for i := range paths[0] {
		path[i] = paths[0][i][:]
	}
	leaf := events.LeafHash(sealed.Stored.Leaf)
	root, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, size-1, size, leaf[:], path)
	if err != nil {
		return events.Hash{}, fmt.Errorf("finding the root of size %d: %w", size, err)
	}
	return events.Hash(root), nil
}

// take keeps a signature that readers will take too.
func (c *cosigner) take(t candidate, lines string) error {
	line, at, err := c.Key.Take(t.note, lines)
	if err != nil {
		return errors.New("its answer is no cosignature by the key of the policy")
	}
	if at.UnixMilli()+999 < int64(t.earliest) {
		return fmt.Errorf("it signed as of %s, before the state that it signed; its clock or ours is wrong", at.Format(time.RFC3339))
	}
	if at.After(c.now().Add(maxAhead)) { // readers would take the report for younger than it is, or refuse it
		return fmt.Errorf("it signed as of %s, which is not yet; its clock or ours is wrong", at.Format(time.RFC3339))
	}
	c.size, c.root = t.Size, t.Root
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line, c.status.Size, c.status.At = line, t.Size, at.Format(time.RFC3339)
	return nil
}

// meetAhead deals with a cosigner that says it has signed a larger size. If the
// ledger's own signature shows that, the publisher stops or catches up.
func (c *cosigner) meetAhead(ctx context.Context, t candidate, size uint64) error {
	err := fmt.Errorf("it says that it has signed size %d already", size)
	signed, fetching := c.client.Checkpoint(ctx, c.origin)
	if fetching != nil {
		return errors.Join(err, fetching)
	}
	cp, opening := verifier.OpenCheckpoint([]byte(signed), c.origin, c.secrets.LogVerifier)
	if opening != nil || cp.Size <= t.Size {
		return fmt.Errorf("%w, and shows no such checkpoint of this ledger", err)
	}
	c.mu.Lock()
	c.ahead = &cp
	c.mu.Unlock()
	return fmt.Errorf("%w, and shows it", err)
}

// meetFork finds out which of the two it is. A checkpoint under the ledger's own key
// with another root than the ledger's tree has is proof: the publisher stops.
func (c *cosigner) meetFork(ctx context.Context, t candidate) error {
	signed, err := c.client.Checkpoint(ctx, c.origin)
	if err != nil {
		return err
	}
	cp, err := verifier.OpenCheckpoint([]byte(signed), c.origin, c.secrets.LogVerifier)
	if err != nil || cp.Size == 0 || cp.Size > t.Size {
		return errors.New("it shows no checkpoint of this ledger that says so")
	}
	root := t.Root
	if cp.Size < t.Size {
		c.size, c.root = cp.Size, events.Hash{}
		if _, err := c.consistency(ctx, t); err != nil {
			return err
		}
		root = c.root
	}
	if cp.Root == root {
		return errors.New("what it shows is of the ledger's own history")
	}
	c.mu.Lock()
	c.forked = &cp
	c.mu.Unlock()
	return fmt.Errorf("it shows another root of size %d under the ledger's own key", cp.Size)
}

// alarm tells, once, that somebody may have seen another history.
func (c *cosigner) alarm(t candidate, what string, err error) {
	c.mu.Lock()
	told := c.status.Alarm != ""
	c.status.Alarm = what
	c.mu.Unlock()
	c.alarms.Add(1)
	if !told {
		c.log.Error("ALARM: a cosigner refuses this ledger's history; keep everything and find out why before anything is restored or removed",
			zap.String("cosigner", c.Name), zap.String("what", what), zap.Uint64("size", t.Size), zap.Stringer("root", t.Root), zap.Error(err))
	}
}
