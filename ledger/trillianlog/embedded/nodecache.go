package embedded

import (
	"sync"

	"github.com/transparency-dev/merkle/compact"
)

// A proof needs a node of each level. Those from this level up are few, and the
// proofs of one report share most of them.
const (
	cachedLevel = 5
	cachedNodes = 1 << 16 // about 8 MiB
)

// nodeCache keeps nodes that a snapshot has read. Once committed, a node never
// changes, so nothing here is ever out of date.
type nodeCache struct {
	mu    sync.RWMutex
	nodes map[cachedNode][]byte
}

type cachedNode struct {
	tree int64
	id   compact.NodeID
}

// get returns a node's hash, which must not be changed. A nil cache has none.
func (c *nodeCache) get(tree int64, id compact.NodeID) ([]byte, bool) {
	if c == nil || id.Level < cachedLevel {
		return nil, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	hash, ok := c.nodes[cachedNode{tree, id}]
	return hash, ok
}

func (c *nodeCache) put(tree int64, id compact.NodeID, hash []byte) {
	if c == nil || id.Level < cachedLevel {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes == nil || len(c.nodes) >= cachedNodes {
		c.nodes = map[cachedNode][]byte{} // what is needed comes back
	}
	c.nodes[cachedNode{tree, id}] = hash
}
