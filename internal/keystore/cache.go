package keystore

import "sync"

// cachedParties bounds the keys kept unwrapped in memory: about 200 bytes each
// beside the identity.
const cachedParties = 16384

// cache keeps the parties used last. A party's row never changes while it
// exists, so a copy cannot be stale; whoever destroys a key must drop the copy
// before the destruction counts as done (forget).
//
// It holds two generations of entries. When the younger is full it becomes the
// older, whose entries that nobody asked for meanwhile are dropped: about the
// parties used last, without a list to keep in order.
type cache struct {
	mu         sync.Mutex
	young, old map[PartyID]Party
	limit      int                  // of both together
	gone       map[PartyID]struct{} // destroyed in this process: who read the row before must not bring it back
}

func newCache(limit int) *cache {
	return &cache{young: map[PartyID]Party{}, limit: limit, gone: map[PartyID]struct{}{}}
}

func (c *cache) get(id PartyID) (Party, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.young[id]; ok {
		return p, true
	}
	p, ok := c.old[id]
	if ok {
		c.add(p)
	}
	return p, ok
}

func (c *cache) put(p Party) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, gone := c.gone[p.ID]; !gone {
		c.add(p)
	}
}

// add is called with mu held.
func (c *cache) add(p Party) {
	if len(c.young) >= c.limit/2 {
		c.old, c.young = c.young, make(map[PartyID]Party, c.limit/2)
	}
	c.young[p.ID] = p
}

// forget drops a party whose key is being destroyed.
func (c *cache) forget(id PartyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, id)
	delete(c.old, id)
	c.gone[id] = struct{}{}
}

// Forget drops every key that is kept unwrapped in memory, so that the next use
// of each asks the file: after it was restored under a running process.
func (s *Store) Forget() {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	s.cache.young, s.cache.old = map[PartyID]Party{}, nil
}
