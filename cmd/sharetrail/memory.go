package main

import (
	"os"
	"runtime/debug"
)

// memoryLimit is what the collector keeps the process near: the index and the
// ids of a million shares take about half of it. Above it the collector works
// harder; nothing fails.
const memoryLimit = 400 << 20

// limitMemory sets the collector's goal unless the operator has set one.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
