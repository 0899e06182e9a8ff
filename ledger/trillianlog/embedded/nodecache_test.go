package embedded

import (
	"bytes"
	"testing"

	"github.com/transparency-dev/merkle/compact"
)

// TestNodeCache: what was put is found under its tree and id alone, low levels are
// not kept, and the room is bounded.
func TestNodeCache(t *testing.T) {
	var c nodeCache
	id := compact.NewNodeID(cachedLevel, 7)
	c.put(1, id, []byte("a"))
	c.put(1, compact.NewNodeID(cachedLevel-1, 7), []byte("low"))
	if hash, ok := c.get(1, id); !ok || !bytes.Equal(hash, []byte("a")) {
		t.Errorf("got %q, %v", hash, ok)
	}
	for _, other := range []compact.NodeID{compact.NewNodeID(cachedLevel, 8), compact.NewNodeID(cachedLevel+1, 7), compact.NewNodeID(cachedLevel-1, 7)} {
		if hash, ok := c.get(1, other); ok {
			t.Errorf("%v gives %q", other, hash)
		}
	}
	if _, ok := c.get(2, id); ok {
		t.Error("another tree has the node")
	}
	for i := range uint64(cachedNodes) + 10 {
		c.put(1, compact.NewNodeID(cachedLevel, i), []byte("x"))
	}
	if len(c.nodes) > cachedNodes {
		t.Errorf("it keeps %d nodes", len(c.nodes))
	}
	var none *nodeCache
	none.put(1, id, nil)
	if _, ok := none.get(1, id); ok {
		t.Error("no cache has a node")
	}
}
