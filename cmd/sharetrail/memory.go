package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// leastMemory is what the collector keeps a small ledger near: within it the heap
// may grow fivefold between two collections, because a small one would be collected
// a hundred times a second while it imports.
const (
	leastMemory = 220 << 20
	collectAt   = 400 // percent
)

// limitMemory sets the collector's goals unless the operator has set them. The ids
// of a ledger and the places of its entries are in memory: a fixed limit would have
// the collector work ever harder as it fills, so the limit follows what is in use.
func limitMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(leastMemory)
		go func() {
			for range time.Tick(time.Second) {
				debug.SetMemoryLimit(memoryFor(inUse()))
			}
		}()
	}
}

// memoryFor is the limit for a heap of which so much is in use: room for half
// of it as garbage, and for what is not heap.
func memoryFor(live int64) int64 {
	const beside = 32 << 20
	return max(leastMemory, live+live/2+beside)
}

// inUse is what the last collection found in use.
func inUse() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(sample[0].Value.Uint64())
}
