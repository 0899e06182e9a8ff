package ledger_test

import (
	"context"
	"errors"
	"sync"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

var (
	stream      = ledger.Stream(ledgertest.ID)
	checkpoints = stream + "-checkpoints"
	errDisk     = errors.New("no space left on device")
)

// fault is what happens to one append instead of nothing.
type fault struct {
	before error         // answered without appending
	after  error         // answered although it was appended
	hold   chan struct{} // waited for before anything
	do     func()        // done before anything
}

// faults puts faults between a ledger and its real event store.
type faults struct {
	ledger.Store
	held chan struct{} // one for each append that is held up

	mu    sync.Mutex
	queue map[string][]fault // by stream
}

func newFaults() *faults {
	return &faults{held: make(chan struct{}, 16), queue: map[string][]fault{}}
}

func (f *faults) wrap(s ledger.Store) ledger.Store {
	f.Store = s
	return f
}

// next queues what happens to the next appends to a stream.
func (f *faults) next(stream string, more ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue[stream] = append(f.queue[stream], more...)
}

func (f *faults) holdNext(stream string) (release chan struct{}) {
	release = make(chan struct{})
	f.next(stream, fault{hold: release})
	return release
}

func (f *faults) pending(stream string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue[stream])
}

func (f *faults) take(stream string) (x fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.queue[stream]; len(q) > 0 {
		x, f.queue[stream] = q[0], q[1:]
	}
	return x
}

func (f *faults) Append(ctx context.Context, stream string, expected events.Expected, evs ...events.Proposed) (uint64, error) {
	x := f.take(stream)
	if x.hold != nil {
		f.held <- struct{}{}
		select {
		case <-x.hold:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if x.do != nil {
		x.do()
	}
	if x.before != nil {
		return 0, x.before
	}
	last, err := f.Store.Append(ctx, stream, expected, evs...)
	if err == nil && x.after != nil {
		return 0, x.after
	}
	return last, err
}
