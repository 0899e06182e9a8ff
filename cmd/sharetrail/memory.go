package main

import (
	"os"
	"runtime/debug"
)

// memoryLimit is what the collector keeps the process near: the index and the
// ids of a million shares take about half of it. Above it the collector works
// harder; nothing fails.
const memoryLimit = 400 << 20

// collectAt is by how many percent the memory in use may grow between two
// collections, within the limit: a small ledger would be collected a hundred times
// a second while it imports.
const collectAt = 400

// limitMemory sets the collector's goals unless the operator has set them.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}
