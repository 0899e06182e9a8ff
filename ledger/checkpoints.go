package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

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
	// Pending says that the checkpoint waits for cosignatures and was not shown.
	// Shown is then the revision of the newest one that was, if one was.
	Pending bool    `json:"pending,omitempty"`
	Shown   *uint64 `json:"shown,omitempty"`
}

func (l *Ledger) checkpoints() string { return l.stream + "-checkpoints" }

// lastCheckpoints reads and opens the newest checkpoint that was shown and the one
// after it that waits for cosignatures; nil for one that there is not.
func (l *Ledger) lastCheckpoints(ctx context.Context) (shown, pending *Published, err error) {
	e, found, err := l.store.Last(ctx, l.checkpoints())
	if err != nil {
		return nil, nil, fmt.Errorf("reading the last checkpoint: %w", err)
	}
	if !found {
		l.ckptHead = events.NoStream
		return nil, nil, nil
	}
	l.ckptHead = events.Expected(e.Revision)
	data, last, err := l.openCheckpoint(e)
	if err != nil || !data.Pending {
		return last, nil, err
	}
	if data.Shown == nil {
		return nil, last, nil
	}
	for e, err := range l.store.Read(ctx, l.checkpoints(), *data.Shown, 1) {
		if err != nil {
			return nil, nil, fmt.Errorf("reading the checkpoint that was shown last: %w", err)
		}
		data, shown, err := l.openCheckpoint(e)
		if err == nil && (data.Pending || shown.Size >= last.Size) {
			err = fmt.Errorf("checkpoint event %d was not shown before a newer one: %w", e.Revision, ErrCorrupt)
		}
		return shown, last, err
	}
	return nil, nil, fmt.Errorf("checkpoint event %d is missing: %w", *data.Shown, ErrCorrupt)
}

func (l *Ledger) openCheckpoint(e events.Recorded) (checkpointEvent, *Published, error) {
	var data checkpointEvent
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return data, nil, fmt.Errorf("reading checkpoint event %d: %w", e.Revision, ErrCorrupt)
	}
	c, err := verifier.OpenCheckpoint([]byte(data.Checkpoint), l.origin, l.secrets.LogVerifier)
	if err != nil {
		return data, nil, fmt.Errorf("reading checkpoint event %d: %w: %w", e.Revision, err, ErrCorrupt)
	}
	p := &Published{Size: c.Size, Root: c.Root, Note: data.Checkpoint, edge: data.Edge, revision: e.Revision, appended: true}
	p.SeenAt, p.Lacks = l.judge(p.Note)
	return data, p, nil
}

// judge says of a note since when its quorum had seen it, and what that lacks,
// under the policy in force.
func (l *Ledger) judge(note string) (seenAt uint64, lacks string) {
	policy := l.publication.Load().policy
	by, err := policy.Cosigned([]byte(note))
	if err != nil {
		return 0, "a cosignature is not valid"
	}
	seenAt, _ = policy.Met(by)
	return seenAt, policy.Missing(by)
}

// appendCheckpoint adds an event to the checkpoint stream where the last one was
// expected. After an error the event may have been added, now or later: the stream
// is read before anything else is signed (adopt).
func (l *Ledger) appendCheckpoint(ctx context.Context, p *Published, pending bool) (revision uint64, err error) {
	data := checkpointEvent{Checkpoint: p.Note, Edge: p.edge, Pending: pending}
	if shown := l.published.Load(); pending && shown != nil {
		data.Shown = &shown.revision
	}
	b, err := json.Marshal(data)
	if err != nil {
		return 0, fmt.Errorf("appending the checkpoint of size %d: %w", p.Size, err)
	}
	// The id names the content and its place, so that the store takes this append once.
	id := events.ID(uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(b, "\n%d", l.ckptHead)))
	head, err := l.store.Append(ctx, l.checkpoints(), l.ckptHead, events.Proposed{ID: id, Type: typeCheckpoint, Data: b})
	if err != nil {
		l.ckptStale = true
		return 0, fmt.Errorf("appending the checkpoint of size %d: %w", p.Size, err)
	}
	l.ckptHead = events.Expected(head)
	return head, nil
}

// remember has the keystore know a size that is signed, before anybody outside sees
// it: it can then never be signed again with another root.
func (l *Ledger) remember(ctx context.Context, p *Published) error {
	err := l.keys.SetMark(ctx, keystore.Mark{Genesis: l.state.genesis, Size: p.Size, Root: p.Root})
	if errors.Is(err, keystore.ErrOtherMark) {
		return fmt.Errorf("signing size %d: %w: %w", p.Size, err, ErrCorrupt)
	}
	return err
}

// adopt takes over what the checkpoint stream says: a checkpoint of ours whose
// append was answered with an error, or one of another instance. Its root must be
// ours at that size.
func (l *Ledger) adopt(ctx context.Context) error {
	shown, pending, err := l.lastCheckpoints(ctx)
	if err != nil {
		return err
	}
	l.pending = nil
	l.waiting.Store(0)
	if pending != nil {
		if err := l.vouch(ctx, pending); err != nil {
			return err
		}
		l.pending = pending
		l.waiting.Store(pending.Size)
	}
	var size uint64
	if shown != nil {
		size = shown.Size
	}
	before := l.published.Load()
	switch now := l.shown(); {
	case size < now:
		return fmt.Errorf("the newest checkpoint has size %d, %d was published: %w", size, now, ErrCorrupt)
	case size == now && (before == nil || shown.Root != before.Root):
		if size > 0 {
			return fmt.Errorf("another root than ours was published at size %d: %w", size, ErrCorrupt)
		}
	case size == now && shown.Note == before.Note:
	case size == now:
		if err := l.show(ctx, shown, before.snap); err != nil {
			return err
		}
	default:
		if err := l.vouch(ctx, shown); err != nil {
			return err
		}
		if err := l.show(ctx, shown, l.snapshot(size)); err != nil {
			return err
		}
		l.log.Info("adopted a published checkpoint", zapSize(size))
	}
	l.ckptStale = false
	return nil
}

// vouch demands that a checkpoint beyond the shown one is of our own tree.
func (l *Ledger) vouch(ctx context.Context, p *Published) error {
	if l.snapshot(p.Size) == nil { // the writer does not know what was signed: make it look
		if _, err := l.appendState(ctx); err != nil {
			return err
		}
	}
	if l.snapshot(p.Size) == nil {
		return fmt.Errorf("size %d was signed and does not end with a state leaf: %w", p.Size, ErrCorrupt)
	}
	ready, err := l.progress.await(ctx, p.Size)
	if err != nil {
		return err
	}
	if ready.root != p.Root {
		return fmt.Errorf("another root than ours was signed at size %d: %w", p.Size, ErrCorrupt)
	}
	p.edge, p.vouched = ready.edge, true
	return nil
}
