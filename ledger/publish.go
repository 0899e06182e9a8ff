package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/verifier"
)

// typeCheckpoint is the type of the events of the checkpoint stream. They are
// not leaves; the stream is a compare-and-swap cell with a history.
const typeCheckpoint = "CheckpointPublished"

// checkpointEvent is the data of such an event: the signed note, and the right
// edge of the tree at its size, from which a tree can be grown further.
type checkpointEvent struct {
	Checkpoint string        `json:"checkpoint"`
	Edge       []events.Hash `json:"edge"`
}

// Published is the newest checkpoint and the index under it. It never changes;
// proofs are made under it while newer leaves come in.
type Published struct {
	Size   uint64
	Root   events.Hash
	Note   string
	TimeMS uint64 // of the state leaf
	snap   *snapshot
}

// lastCheckpoint reads and opens the newest published checkpoint, nil if there
// is none.
func (l *Ledger) lastCheckpoint(ctx context.Context) (*Published, error) {
	e, found, err := l.store.Last(ctx, l.checkpoints())
	if err != nil {
		return nil, fmt.Errorf("reading the last checkpoint: %w", err)
	}
	if !found {
		l.ckptHead = events.NoStream
		return nil, nil
	}
	l.ckptHead = events.Expected(e.Revision)
	var data checkpointEvent
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return nil, fmt.Errorf("reading checkpoint event %d: %w", e.Revision, ErrCorrupt)
	}
	c, err := verifier.OpenCheckpoint([]byte(data.Checkpoint), l.origin, l.secrets.LogVerifier)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint event %d: %w: %w", e.Revision, err, ErrCorrupt)
	}
	return &Published{Size: c.Size, Root: c.Root, Note: data.Checkpoint}, nil
}

func (l *Ledger) checkpoints() string { return l.stream + "-checkpoints" }

// publishLoop is the publisher goroutine: on each tick, and when somebody
// waits, it publishes what is new.
func (l *Ledger) publishLoop(ctx context.Context) error {
	tick := time.NewTicker(l.tick)
	defer tick.Stop()
	for {
		if err := l.publishNew(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, ErrCorrupt) {
				return err
			}
			l.log.Warn("publishing was put off", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-l.publish:
		}
	}
}

// publishNew signs a size that covers every accepted leaf. Without a new leaf
// there is no new state. A state leaf that a crash left unsigned is signed.
func (l *Ledger) publishNew(ctx context.Context) error {
	if l.ckptStale {
		if err := l.adopt(ctx); err != nil {
			return fmt.Errorf("reading what is published: %w", err)
		}
	}
	l.mu.RLock()
	size := l.state.next
	_, ends := l.state.snapshots[size]
	l.mu.RUnlock()
	if p := l.published.Load(); p != nil && p.Size == size {
		return nil
	}
	if !ends {
		index, err := l.appendState(ctx)
		if err != nil {
			return fmt.Errorf("appending a state leaf: %w", err)
		}
		size = index + 1
	}
	return l.sign(ctx, size)
}

// sign publishes one size: our root and the log's are equal there, so sign it,
// put it into the checkpoint stream where the last one was expected, show it.
// After a crash before the append the size is signed again, with the same root;
// after it, start finds it published.
func (l *Ledger) sign(ctx context.Context, size uint64) error {
	ready, err := l.progress.await(ctx, size)
	if err != nil {
		return err
	}
	text := verifier.Checkpoint{Origin: l.origin, Size: ready.size, Root: ready.root}.Format()
	signed, err := note.Sign(&note.Note{Text: text}, l.secrets.Log)
	if err != nil {
		return fmt.Errorf("signing size %d: %w", size, err)
	}
	data, err := json.Marshal(checkpointEvent{Checkpoint: string(signed), Edge: ready.edge})
	if err != nil {
		return fmt.Errorf("signing size %d: %w", size, err)
	}
	// The id names the size and root, so that the store takes this append once.
	// After an error it may have been taken, now or later: the checkpoint stream
	// is read before anything else is signed (adopt).
	id := events.ID(uuid.NewSHA1(uuid.NameSpaceURL, []byte(text)))
	head, err := l.store.Append(ctx, l.checkpoints(), l.ckptHead, events.Proposed{ID: id, Type: typeCheckpoint, Data: data})
	if err != nil {
		l.ckptStale = true
		return fmt.Errorf("appending the checkpoint of size %d: %w", size, err)
	}
	l.ckptHead = events.Expected(head)
	if err := l.show(ctx, &Published{Size: size, Root: ready.root, Note: string(signed)}, l.snapshot(size)); err != nil {
		l.ckptStale = true // it is published; adopt shows it
		return err
	}
	l.log.Info("published", zap.Uint64("size", size))
	return nil
}

// adopt shows what the checkpoint stream says is published: a checkpoint of ours
// whose append was answered with an error, or one of another instance. Its root
// must be ours at that size.
func (l *Ledger) adopt(ctx context.Context) error {
	last, err := l.lastCheckpoint(ctx)
	if err != nil {
		return err
	}
	var size uint64
	if last != nil {
		size = last.Size
	}
	if shown := l.shown(); size < shown {
		return fmt.Errorf("the newest checkpoint has size %d, %d was published: %w", size, shown, ErrCorrupt)
	} else if size == shown {
		l.ckptStale = false
		return nil
	}
	if l.snapshot(size) == nil { // the writer does not know what was published: make it look
		if _, err := l.appendState(ctx); err != nil {
			return err
		}
	}
	snap := l.snapshot(size)
	if snap == nil {
		return fmt.Errorf("size %d was published and does not end with a state leaf: %w", size, ErrCorrupt)
	}
	ready, err := l.progress.await(ctx, size)
	if err != nil {
		return err
	}
	if ready.root != last.Root {
		return fmt.Errorf("another root than ours was published at size %d: %w", size, ErrCorrupt)
	}
	if err := l.show(ctx, last, snap); err != nil {
		return err
	}
	l.ckptStale = false
	l.log.Info("adopted a published checkpoint", zap.Uint64("size", size))
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
	if err := l.keys.SetMark(ctx, keystore.Mark{Genesis: l.state.genesis, Size: p.Size, Root: p.Root}); err != nil {
		return err
	}
	p.snap, p.TimeMS = snap, snap.timeMS
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
	for {
		l.publishMu.Lock()
		waiters := l.waiters
		p := l.published.Load()
		l.publishMu.Unlock()
		if p != nil && p.Size > index {
			return p, nil
		}
		if err := l.block(); err != nil {
			return nil, fmt.Errorf("waiting for a publication: %w", err)
		}
		select {
		case l.publish <- struct{}{}:
		default:
		}
		select {
		case <-waiters:
		case <-l.stopped:
			return nil, ErrStopped
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
