package keystore

import "testing"

// TestCache: what is used stays, the size is bounded, what is forgotten is gone.
func TestCache(t *testing.T) {
	const limit = 8
	c := newCache(limit)
	for id := PartyID(1); id <= 100; id++ {
		c.put(Party{ID: id, Generation: uint64(id)})
		if p, ok := c.get(1); !ok || p.Generation != 1 {
			t.Fatalf("after %d parties the busy one is %+v, %v", id, p, ok)
		}
		if n := len(c.young) + len(c.old); n > limit {
			t.Fatalf("%d parties are kept of %d", n, limit)
		}
	}
	if _, ok := c.get(2); ok {
		t.Error("a party that nobody asked for is kept")
	}
	c.forget(1)
	if _, ok := c.get(1); ok {
		t.Error("a party that is to be forgotten is kept")
	}
}
