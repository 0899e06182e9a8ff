package pubsub_test

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sharetrail/sharetrail/events/pubsub"
)

// TestCheckpointStores is the suite for stores of checkpoints.
func TestCheckpointStores(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoints.db")
	file, err := pubsub.OpenCheckpoints(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for name, store := range map[string]pubsub.CheckpointStore{"memory": &pubsub.MemoryCheckpoints{}, "SQLite": file} {
		t.Run(name, func(t *testing.T) { testCheckpoints(t, store) })
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if file, err = pubsub.OpenCheckpoints(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if next, err := file.Load(t.Context(), pubsub.Consumer{Name: "a", Topic: "b"}); err != nil || next != 7 {
		t.Errorf("after opening again: %d, %v", next, err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

func testCheckpoints(t *testing.T, store pubsub.CheckpointStore) {
	ctx, c := t.Context(), pubsub.Consumer{Name: "a", Topic: "b"}
	at := func(want uint64) {
		t.Helper()
		if got, err := store.Load(ctx, c); err != nil || got != want {
			t.Errorf("the checkpoint is %d, %v; want %d", got, err, want)
		}
	}
	at(0)
	for _, move := range []struct {
		from, to uint64
		err      error
	}{
		{0, 3, nil}, {0, 4, pubsub.ErrCheckpointMoved}, {2, 4, pubsub.ErrCheckpointMoved}, {4, 5, pubsub.ErrCheckpointMoved}, {3, 7, nil},
	} {
		if err := store.Save(ctx, c, move.from, move.to); !errors.Is(err, move.err) {
			t.Errorf("%v: got %v", move, err)
		}
	}
	at(7)
	for _, to := range []uint64{7, 6, 0} {
		if err := store.Save(ctx, c, 7, to); err == nil || errors.Is(err, pubsub.ErrCheckpointMoved) {
			t.Errorf("moving it from 7 to %d: %v", to, err)
		}
	}
	for _, other := range []pubsub.Consumer{{Name: "ab"}, {Topic: "ab"}, {Name: "b", Topic: "a"}} {
		if got, err := store.Load(ctx, other); err != nil || got != 0 {
			t.Errorf("another consumer has %d, %v", got, err)
		}
	}
	at(7)

	other := pubsub.Consumer{Name: "race"}
	var won atomic.Int32
	var racing sync.WaitGroup
	for to := range uint64(8) {
		racing.Go(func() {
			switch err := store.Save(ctx, other, 0, to+1); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, pubsub.ErrCheckpointMoved):
				t.Error(err)
			}
		})
	}
	racing.Wait()
	if won.Load() != 1 {
		t.Errorf("%d moved the same checkpoint", won.Load())
	}
}
