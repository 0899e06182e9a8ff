package index

import (
	"errors"

	"github.com/sharetrail/sharetrail/events"
)

// errMoved is a defect of this package: a version is not an extension of the one
// whose file was written.
var errMoved = errors.New("the version does not extend the one that was written")

// moving brings versions over to a generation that was written, one unit after
// the other: the same tree with the same hashes, whose buckets point into the new
// file and keep in memory only what came since.
type moving struct {
	to    *generation
	units []unit // still to be moved
}

// step moves units until some entries were moved. done says that t is the new
// generation's alone.
func (m *moving) step(t *Tree, entries uint64) (moved *Tree, done bool, err error) {
	root, kept := t.root, t.kept
	kept[m.to.slot] = m.to
	for left := int64(entries); left > 0 && len(m.units) > 0; m.units = m.units[1:] {
		u := m.units[0]
		mover := &mover{slot: m.to.slot, next: u.first, old: u.node.allAdded(nil)}
		if root, err = mover.descend(root, u.path, u.depth, 0); err != nil {
			return nil, false, err
		}
		if len(mover.old) > 0 {
			return nil, false, errMoved
		}
		left -= int64(mover.next-u.first) + 1
	}
	if len(m.units) == 0 {
		kept[1-m.to.slot] = nil
	}
	return &Tree{root: root, size: t.size, kept: kept, after: t.after}, len(m.units) == 0, nil
}

// allAdded appends the entries that a subtree has in memory, in order.
func (n *node) allAdded(out []Entry) []Entry {
	if n == nil {
		return out
	}
	return n.right.allAdded(n.left.allAdded(append(out, n.added()...)))
}

// mover moves one unit.
type mover struct {
	slot int     // of the new file
	next uint64  // number of the next entry in it
	old  []Entry // in memory when the file was written, and now in it
}

// descend copies the nodes down to the unit.
func (m *mover) descend(n *node, path events.Hash, depth, at int) (*node, error) {
	if n == nil {
		return nil, errMoved
	}
	if at == depth {
		return m.move(n), nil
	}
	if n.isBucket() {
		return nil, errMoved
	}
	var err error
	c := *n
	if bit(&path, at) == 0 {
		c.left, err = m.descend(n.left, path, depth, at+1)
	} else {
		c.right, err = m.descend(n.right, path, depth, at+1)
	}
	return &c, err
}

func (m *mover) move(n *node) *node {
	if n == nil {
		return nil
	}
	if !n.isBucket() {
		left := m.move(n.left)
		return &node{hash: n.hash, left: left, right: m.move(n.right)}
	}
	count := n.base.count()
	var room [bucketSize]Entry
	since := room[:0]
	for _, e := range n.added() {
		if len(m.old) > 0 && m.old[0].Label == e.Label {
			m.old = m.old[1:]
			count++
		} else {
			since = append(since, e)
		}
	}
	if count == 0 {
		return newBucket(0, since, n.hash)
	}
	first := m.next
	m.next += uint64(count)
	return newBucket(newSpan(m.slot, first, count), since, n.hash)
}
