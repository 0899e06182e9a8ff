package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrCheckpointMoved is returned by Save when the checkpoint is not where the
// caller left it: another process consumes under the same name.
var ErrCheckpointMoved = errors.New("the checkpoint is not where it was left")

// Consumer names a checkpoint: who reads what.
type Consumer struct {
	Name  string
	Topic string
}

func (c Consumer) String() string { return c.Name + " on " + c.Topic }

// CheckpointStore keeps the next revision that each consumer wants.
//
// Load returns 0 for a consumer without a checkpoint. Save moves it from one
// revision to a higher one; if it is not at from it returns an error that wraps
// ErrCheckpointMoved and changes nothing. When Save returns nil the checkpoint
// is as durable as the store promises. Both may be called from many goroutines.
type CheckpointStore interface {
	Load(ctx context.Context, c Consumer) (next uint64, err error)
	Save(ctx context.Context, c Consumer, from, to uint64) error
}

var _ CheckpointStore = (*MemoryCheckpoints)(nil)

// MemoryCheckpoints live as long as the process. The zero value is ready.
type MemoryCheckpoints struct {
	mu   sync.Mutex
	next map[Consumer]uint64 // guarded by mu
}

// Load implements CheckpointStore.
func (m *MemoryCheckpoints) Load(_ context.Context, c Consumer) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.next[c], nil
}

// Save implements CheckpointStore.
func (m *MemoryCheckpoints) Save(_ context.Context, c Consumer, from, to uint64) error {
	if err := checkMove(c, from, to); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next[c] != from {
		return fmt.Errorf("saving the checkpoint of %v: %w", c, ErrCheckpointMoved)
	}
	if m.next == nil {
		m.next = map[Consumer]uint64{}
	}
	m.next[c] = to
	return nil
}

// checkMove keeps checkpoints from going back.
func checkMove(c Consumer, from, to uint64) error {
	if to <= from {
		return fmt.Errorf("saving the checkpoint of %v: it cannot go from %d to %d", c, from, to)
	}
	return nil
}
