package main

import (
	"runtime"
	"testing"
)

// TestMemoryFollows: the limit leaves a full ledger room, and what is in use is
// really read.
func TestMemoryFollows(t *testing.T) {
	runtime.GC()
	if live := inUse(); live <= 0 {
		t.Errorf("in use are %d bytes", live)
	}
	if got := memoryFor(1 << 20); got != leastMemory {
		t.Errorf("a small ledger gets %d bytes", got)
	}
	if live := int64(1 << 30); memoryFor(live) < live*3/2 || memoryFor(live) > 2*live {
		t.Errorf("a ledger of %d bytes gets %d", live, memoryFor(live))
	}
}
