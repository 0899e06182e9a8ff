package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// Published is the newest checkpoint and the index under it. It never changes;
// proofs are made under it while newer leaves come in.
type Published struct {
	Size   uint64
	Root   events.Hash
	Note   string
	TimeMS uint64 // of the state leaf
	// SeenAt is since when its quorum had seen it and nothing newer, in POSIX seconds;
	// Lacks what that lacked when it was shown, in words, "" if nothing.
	SeenAt uint64
	Lacks  string

	snap     *snapshot
	edge     []events.Hash
	revision uint64 // in the checkpoint stream
	appended bool   // it stands there
	vouched  bool   // its root was compared with ours
	// under is the policy that judged SeenAt and Lacks.
	under *Publication
}

// serves reports whether a published state is one to be handed out under a policy.
// One that was shown under another policy is judged anew first.
func (p *Published) serves(now *Publication) bool {
	return !now.cosigned() || now.Missing == MissingPublish || p.under == now && p.Lacks == ""
}

// again is a copy, judged by the policy in force when it is shown.
func (p *Published) again() *Published {
	again := *p
	return &again
}

// publishLoop is the publisher goroutine: on each tick, and when somebody
// waits, it publishes what is new.
func (l *Ledger) publishLoop(ctx context.Context) error {
	tick := time.NewTicker(l.tick)
	defer tick.Stop()
	defer func() {
		if c := l.cosigners.Load(); c != nil {
			c.close()
		}
	}()
	var again <-chan time.Time // after a publication that was put off: whoever waits has asked already
	for first := true; ; first = false {
		if !l.untilDue(ctx, tick, again, first) {
			return nil
		}
		again = nil
		l.lapse(ctx)
		if err := l.publishNew(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, ErrCorrupt) {
				return err
			}
			if !errors.Is(err, ErrQuorum) { // lack has told
				l.log.Warn("publishing was put off", zap.Error(err))
				again = time.After(min(l.tick, time.Second))
			}
		}
	}
}

// untilDue waits for the next time to publish, false if ctx ends. A restricted
// ledger publishes at each tick, and when somebody waits. One that everybody reads
// publishes at the multiples of its grain alone: whoever waits, waits for that, and
// when something was recorded shows no finer than in the leaves' times.
func (l *Ledger) untilDue(ctx context.Context, tick *time.Ticker, again <-chan time.Time, first bool) bool {
	if l.Public() {
		l.mu.RLock()
		grain := time.Duration(l.state.rules.GrainMS) * time.Millisecond
		l.mu.RUnlock()
		timer := time.NewTimer(grain - time.Duration(l.now().UnixNano())%grain)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return ctx.Err() == nil
	}
	if first {
		return ctx.Err() == nil
	}
	select {
	case <-tick.C:
	case <-again:
	case <-l.publish:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// publishNew publishes what is due, if anything is.
func (l *Ledger) publishNew(ctx context.Context) error {
	if l.ckptStale {
		if err := l.adopt(ctx); err != nil {
			return fmt.Errorf("reading what is published: %w", err)
		}
	}
	if p := l.published.Load(); p != nil { // before a crash, or by another instance
		if err := l.showTiles(ctx, p.Size, p.Root, p.Note); err != nil {
			return err
		}
	}
	cosigners := l.cosigning(ctx)
	p, err := l.due(ctx, cosigners)
	if p == nil || err != nil {
		return err
	}
	return l.publishOne(ctx, cosigners, p)
}

// due returns what is to be published next, nil if nothing is: what was signed and
// waits for cosignatures; else every accepted leaf, if there are new ones; else the
// published state again, if its quorum is missing. Without a new leaf there is no new
// state, except to refresh the age of a cosigned one. A state leaf that a crash left
// unsigned is signed.
func (l *Ledger) due(ctx context.Context, cosigners *cosigners) (*Published, error) {
	if l.pending != nil {
		return l.pending, nil
	}
	if err := l.endWindow(ctx); err != nil {
		return nil, err
	}
	l.mu.RLock()
	size := l.state.next
	if l.cover() > 0 { // what stands behind the last state leaf waits for the next point of the grid
		size = l.state.window.state + 1
	}
	_, ends := l.state.snapshots[size]
	closed := l.state.finished() != nil // for good: nothing follows its last state
	l.mu.RUnlock()
	if p := l.published.Load(); p != nil && p.Size == size {
		_, lacks := l.judge(p.Note)
		switch {
		case lacks != "":
			return p, nil
		case closed || !cosigners.pub.cosigned() || l.now().Sub(l.publishedAt) < cosigners.pub.refresh:
			if p.under != cosigners.pub { // another policy is in force
				return nil, l.show(ctx, p.again(), p.snap)
			}
			return nil, nil
		}
		ends = false
	}
	if !ends {
		index, err := l.appendState(ctx)
		if err != nil {
			return nil, fmt.Errorf("appending a state leaf: %w", err)
		}
		size = index + 1
	}
	return l.sign(ctx, size)
}

// sign signs a size at which our root and the log's are equal. After a crash before
// it is appended the size is signed again, with the same root.
func (l *Ledger) sign(ctx context.Context, size uint64) (*Published, error) {
	ready, err := l.progress.await(ctx, size)
	if err != nil {
		return nil, err
	}
	if err := l.syncTiles(ctx, size, ready.root); err != nil {
		return nil, err
	}
	text := verifier.Checkpoint{Origin: l.origin, Size: ready.size, Root: ready.root}.Format()
	signed, err := note.Sign(&note.Note{Text: text}, l.secrets.Log)
	if err != nil {
		return nil, fmt.Errorf("signing size %d: %w", size, err)
	}
	return &Published{Size: size, Root: ready.root, Note: string(signed), edge: ready.edge, vouched: true}, nil
}

// publishOne has a signed size cosigned, puts it into the checkpoint stream where
// the last one was expected, and shows it. If anybody cosigns, it is put there first
// without: nobody outside ever sees a signature that the ledger could forget.
func (l *Ledger) publishOne(ctx context.Context, cosigners *cosigners, p *Published) error {
	if !p.vouched {
		if err := l.vouch(ctx, p); err != nil {
			return err
		}
	}
	if !cosigners.pub.cosigned() {
		l.lack("", "")
		return l.commit(ctx, p, p.Note)
	}
	if !p.appended {
		if _, err := l.appendCheckpoint(ctx, p, true); err != nil {
			return err
		}
		p.appended, l.pending = true, p
		l.waiting.Store(p.Size)
	}
	if err := l.remember(ctx, p); err != nil {
		return err
	}
	t, err := l.candidate(p)
	if err != nil {
		return err
	}
	signed, by, err := cosigners.gather(ctx, t, l.patience)
	if err != nil {
		return err
	}
	if err := l.checkAhead(ctx, cosigners, p); err != nil {
		return err
	}
	missing := cosigners.pub.policy.Missing(by)
	l.lack(missing, cosigners.pub.Missing)
	switch {
	case missing == "":
	case cosigners.pub.Missing != MissingPublish:
		return fmt.Errorf("publishing size %d: %w: %s", p.Size, ErrQuorum, missing)
	case l.pending != p: // shown already, without; the cosigners are asked on
		return nil
	}
	return l.commit(ctx, p, signed)
}

// candidate is what cosigners are asked to sign.
func (l *Ledger) candidate(p *Published) (candidate, error) {
	snap := l.snapshot(p.Size)
	if snap == nil {
		return candidate{}, fmt.Errorf("size %d does not end with a state leaf: %w", p.Size, ErrCorrupt)
	}
	signed, err := verifier.SignedBy([]byte(p.Note), l.secrets.LogVerifier)
	if err != nil {
		return candidate{}, fmt.Errorf("reading our own checkpoint of size %d: %w", p.Size, err)
	}
	t := candidate{Checkpoint: verifier.Checkpoint{Origin: l.origin, Size: p.Size, Root: p.Root}, note: signed}
	l.mu.RLock()
	t.earliest = snap.timeMS - min(snap.timeMS, l.state.rules.GrainMS)
	l.mu.RUnlock()
	return t, nil
}

// checkAhead stops the ledger if a cosigner has shown a checkpoint under the
// ledger's own key beyond all that the stream has, or with another root: an older
// copy of it is running.
func (l *Ledger) checkAhead(ctx context.Context, cosigners *cosigners, p *Published) error {
	if who, c := cosigners.forked(); c != nil {
		return otherRoot(&guarded{&Published{Size: c.Size, Root: c.Root}, who})
	}
	who, c := cosigners.ahead(p.Size)
	if c == nil {
		return nil
	}
	l.ckptStale = true // another instance may have published it
	head, found, err := l.store.Last(ctx, l.stream)
	if err != nil || !found || head.Revision+1 >= c.Size {
		return err
	}
	return fmt.Errorf("%s has signed size %d of this ledger, and the stream has %d events: it is an older copy; %s: %w", who, c.Size, head.Revision+1, bringBack, ErrCorrupt)
}

// commit puts a checkpoint that is to be shown into the checkpoint stream and shows
// it.
func (l *Ledger) commit(ctx context.Context, p *Published, signed string) error {
	final := p.again()
	final.Note = signed
	final.SeenAt, final.Lacks = l.judge(signed)
	snap := l.snapshot(p.Size)
	if snap == nil {
		return fmt.Errorf("size %d does not end with a state leaf: %w", p.Size, ErrCorrupt)
	}
	revision, err := l.appendCheckpoint(ctx, final, false)
	if err != nil {
		return err
	}
	final.revision, final.appended, l.pending = revision, true, nil
	l.waiting.Store(0)
	// The keystore comes before the tiles: whoever reads those has seen it.
	if err = l.remember(ctx, final); err == nil {
		err = l.showTiles(ctx, final.Size, final.Root, final.Note)
	}
	if err == nil {
		err = l.show(ctx, final, snap)
	}
	if err != nil {
		l.ckptStale = true // it is published; adopt shows it
		return err
	}
	l.log.Info("published", zapSize(p.Size), zap.Uint64("seen_at", final.SeenAt), zap.String("lacks", final.Lacks))
	return nil
}

// snapshot returns the index at a size that ends with a state leaf and was not
// published before, else nil.
func (l *Ledger) snapshot(size uint64) *snapshot {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.snapshots[size]
}

// shown is the published size, also while the ledger is being opened.
func (l *Ledger) shown() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.shown
}

// show makes a published state the one proofs are served at, once the keystore
// remembers it: what anybody has seen can then never be signed again otherwise.
func (l *Ledger) show(ctx context.Context, p *Published, snap *snapshot) error {
	if err := l.remember(ctx, p); err != nil {
		return err
	}
	p.snap, p.TimeMS, p.vouched = snap, snap.timeMS, true
	p.under = l.publication.Load()
	p.SeenAt, p.Lacks = l.judge(p.Note)
	l.publishedAt = l.now()
	l.mu.Lock()
	l.state.shown = p.Size
	for n := range l.state.snapshots {
		if n < p.Size {
			delete(l.state.snapshots, n)
		}
	}
	l.mu.Unlock()
	l.progress.forget(p.Size)
	l.publishMu.Lock()
	defer l.publishMu.Unlock()
	l.published.Store(p)
	close(l.waiters)
	l.waiters = make(chan struct{})
	return nil
}

// Published returns the newest published state, nil if there is none yet.
func (l *Ledger) Published() *Published { return l.published.Load() }

// WaitPublished returns once leaf index is under a published checkpoint. It
// asks for a publication at once instead of waiting for the next tick.
func (l *Ledger) WaitPublished(ctx context.Context, index uint64) (*Published, error) {
	for asked := false; ; asked = true {
		l.publishMu.Lock()
		waiters := l.waiters
		p := l.published.Load()
		l.publishMu.Unlock()
		if p != nil && p.Size > index && p.serves(l.publication.Load()) {
			return p, nil
		}
		if err := l.block(); err != nil {
			return nil, fmt.Errorf("waiting for a publication: %w", err)
		}
		if lacking := l.lacking.Load(); asked && lacking != nil && lacking.what != MissingPublish {
			return nil, fmt.Errorf("waiting for a publication: %w", lacking.error)
		}
		l.askToPublish()
		select {
		case <-waiters:
		case <-l.stopped:
			return nil, ErrStopped
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
