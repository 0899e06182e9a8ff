// Package pubsubtest is an ordered log in memory, for tests of what consumes one.
//
// It is a real log: appended events keep their order and their revisions, readers
// catch up and then wait for more. Only durability is missing.
package pubsubtest

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Log holds any number of streams; the zero value is not ready, use NewLog.
type Log struct {
	mu      sync.Mutex
	streams map[string][]events.Recorded // guarded by mu; elements never change
	grown   chan struct{}                // guarded by mu; closed and replaced by Append
}

// NewLog returns a log without events.
func NewLog() *Log {
	return &Log{streams: map[string][]events.Recorded{}, grown: make(chan struct{})}
}

// Append adds events to the end of stream and returns its next revision.
func (l *Log) Append(stream string, proposed ...events.Proposed) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.streams[stream]
	for _, p := range proposed {
		revision := uint64(len(all))
		all = append(all, events.Recorded{
			ID: p.ID, Type: p.Type, Data: p.Data, Metadata: p.Metadata,
			Stream: stream, Revision: revision, Created: time.Unix(int64(revision), 0).UTC(),
		})
	}
	l.streams[stream] = all
	close(l.grown)
	l.grown = make(chan struct{})
	return uint64(len(all))
}

// Pages yields the events of stream from revision from in pages of 1 to max
// events, and what is appended later, until ctx ends.
func (l *Log) Pages(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error] {
	return func(yield func([]events.Recorded, error) bool) {
		for next := from; ctx.Err() == nil; {
			page, grown := l.page(stream, next, max)
			if len(page) > 0 {
				if !yield(page, nil) {
					return
				}
				next += uint64(len(page))
				continue
			}
			select {
			case <-grown:
			case <-ctx.Done():
			}
		}
	}
}

func (l *Log) page(stream string, from uint64, max int) ([]events.Recorded, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.streams[stream]
	if from >= uint64(len(all)) {
		return nil, l.grown
	}
	to := min(from+uint64(max), uint64(len(all)))
	return all[from:to:to], l.grown
}
