package trillianlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sharetrail/sharetrail/events"
)

// identityTag separates our identity hashes from any other use of SHA-256.
const identityTag = "sharetrail/trillian/v1"

// messageBudget bounds one AddSequencedLeaves request; a server takes 4 MiB
// unless told otherwise. leafOverhead is what a leaf costs beside its value.
const (
	messageBudget = 3 << 20
	leafOverhead  = 128
)

// Leaf is one leaf on its way into the log.
type Leaf struct {
	Value   []byte   // the exact leaf bytes, not empty
	EventID [16]byte // the id of the event at the leaf's index
}

// identityHash names one event at one index. Trillian refuses a second leaf
// with the same identity; by default that is the leaf hash, so two events with
// the same payload would leave a hole in the log for ever.
func identityHash(index uint64, id [16]byte) [sha256.Size]byte {
	b := make([]byte, 0, len(identityTag)+8+len(id))
	b = append(b, identityTag...)
	b = binary.BigEndian.AppendUint64(b, index)
	return sha256.Sum256(append(b, id[:]...))
}

// Add puts leaves at first, first+1, ... and returns nil when the tree covers
// them. Leaves that the log already has are compared instead: equal ones are
// fine, a different one is ErrMismatch. A first beyond the end of the log is
// ErrGap, a full disk events.ErrNoSpace. Passing errors are tried again until ctx ends; after any error a part
// of the leaves may be in the log, and adding the same leaves again is safe.
func (l *Log) Add(ctx context.Context, first uint64, leaves []Leaf) error {
	if len(leaves) == 0 {
		return nil
	}
	end := first + uint64(len(leaves))
	if end < first || end > math.MaxInt64 {
		return fmt.Errorf("adding %d leaves at %d: the index is too large", len(leaves), first)
	}
	l.adding.Lock()
	defer l.adding.Unlock()
	if err := l.add(ctx, first, end, leaves); err != nil {
		return fmt.Errorf("adding leaves %d to %d: %w", first, end-1, err)
	}
	return nil
}

func (l *Log) add(ctx context.Context, first, end uint64, leaves []Leaf) error {
	if err := l.refuseGap(ctx, first); err != nil {
		return err
	}
	var doubtful []uint64
	for start := 0; start < len(leaves); {
		n := fitting(leaves[start:])
		more, err := l.addRequest(ctx, first+uint64(start), leaves[start:start+n])
		if err != nil {
			return err
		}
		doubtful = append(doubtful, more...)
		start += n
	}
	if err := l.reach(ctx, end); err != nil {
		return err
	}
	return l.compare(ctx, first, leaves, doubtful)
}

// refuseGap keeps leaves out that could never be integrated, or only by chance
// much later: Trillian itself accepts them.
func (l *Log) refuseGap(ctx context.Context, first uint64) error {
	if first <= l.size {
		return nil
	}
	if err := l.refresh(ctx); err != nil {
		return err
	}
	if first > l.size {
		return fmt.Errorf("the log has %d leaves: %w", l.size, ErrGap)
	}
	return nil
}

// fitting returns how many leaves go into one request: at least one.
func fitting(leaves []Leaf) int {
	size := 0
	for i, leaf := range leaves {
		size += len(leaf.Value) + leafOverhead
		if i > 0 && size > messageBudget {
			return i
		}
	}
	return len(leaves)
}

// addRequest sends one request and returns the indices at which the log says it
// has a leaf already. Which one it cannot say reliably: the SQL providers
// answer FailedPrecondition for an identical leaf too, and none returns it. The
// RPC itself succeeds whatever happened to its leaves.
func (l *Log) addRequest(ctx context.Context, first uint64, leaves []Leaf) (doubtful []uint64, err error) {
	req := &trillian.AddSequencedLeavesRequest{LogId: l.treeID, Leaves: make([]*trillian.LogLeaf, len(leaves))}
	for i, leaf := range leaves {
		identity := identityHash(first+uint64(i), leaf.EventID)
		req.Leaves[i] = &trillian.LogLeaf{
			LeafIndex:        int64(first) + int64(i),
			LeafValue:        leaf.Value,
			LeafIdentityHash: identity[:],
		}
	}
	err = l.call(ctx, "AddSequencedLeaves", func() error {
		resp, err := l.client.AddSequencedLeaves(ctx, req, callOptions...)
		if err != nil {
			return err
		}
		doubtful, err = readResults(first, resp.Results, len(leaves))
		return err
	})
	return doubtful, err
}

func readResults(first uint64, results []*trillian.QueuedLogLeaf, want int) (doubtful []uint64, err error) {
	if len(results) != want {
		return nil, fmt.Errorf("the log answered for %d leaves of %d", len(results), want)
	}
	for i, r := range results {
		index := first + uint64(i)
		switch code := codes.Code(r.GetStatus().GetCode()); code {
		case codes.OK:
		case codes.AlreadyExists, codes.FailedPrecondition:
			doubtful = append(doubtful, index)
		default:
			return nil, status.Errorf(code, "leaf %d: %s", index, r.GetStatus().GetMessage())
		}
	}
	return doubtful, nil
}

// reach returns nil when the tree has at least size leaves.
func (l *Log) reach(ctx context.Context, size uint64) error {
	if l.integrate != nil {
		if err := l.integrate(ctx, l.treeID); noSpace(err) {
			return fmt.Errorf("%w: %w", events.ErrNoSpace, err)
		} else if err != nil {
			return err
		}
		if err := l.refresh(ctx); err != nil {
			return err
		}
		if l.size < size {
			return fmt.Errorf("integration stopped at %d: %w", l.size, ErrGap)
		}
		return nil
	}
	pause := backoff{next: 5 * time.Millisecond, limit: 200 * time.Millisecond}
	for {
		if err := l.refresh(ctx); err != nil {
			return err
		}
		if l.size >= size {
			return nil
		}
		if err := pause.wait(ctx); err != nil {
			return fmt.Errorf("waiting for the signer, whose root stands at %d: %w", l.size, err)
		}
	}
}

func (l *Log) refresh(ctx context.Context) error {
	size, _, err := l.Root(ctx)
	if err != nil {
		return err
	}
	if size < l.size {
		return fmt.Errorf("the root went back from size %d to %d: %w", l.size, size, ErrDamaged)
	}
	l.size = size
	return nil
}

// compare reads back the doubtful leaves, which the tree covers by now.
func (l *Log) compare(ctx context.Context, first uint64, leaves []Leaf, doubtful []uint64) error {
	if len(doubtful) == 0 {
		return nil
	}
	suspect := make(map[uint64]bool, len(doubtful))
	for _, index := range doubtful {
		suspect[index] = true
	}
	index, last := doubtful[0], doubtful[len(doubtful)-1]
	var mismatches []error
	for stored, err := range l.Leaves(ctx, index, last-index+1) {
		if err != nil {
			return err
		}
		if suspect[index] && !bytes.Equal(stored, leaves[index-first].Value) {
			mismatches = append(mismatches, fmt.Errorf("leaf %d: %w", index, ErrMismatch))
		}
		index++
	}
	if n := len(mismatches); n > 1 {
		return fmt.Errorf("%w (and %d more)", mismatches[0], n-1)
	}
	return errors.Join(mismatches...)
}
