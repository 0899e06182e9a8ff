package tiles

import (
	"crypto/sha256"
	"math/bits"
	"slices"

	"github.com/sharetrail/sharetrail/events"
)

// nodeHash is RFC 6962's hash of an inner node.
func nodeHash(left, right events.Hash) events.Hash {
	var b [65]byte
	b[0] = 0x01
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// Edge is the right edge of a tree: the roots of the perfect subtrees it consists
// of, the largest first. A tree grows from it without its leaves. The zero Edge is
// the empty tree.
type Edge struct {
	size   uint64
	hashes []events.Hash
}

// NewEdge is the edge of a size with these hashes; false if it has another number
// of them.
func NewEdge(size uint64, hashes []events.Hash) (*Edge, bool) {
	return &Edge{size, slices.Clone(hashes)}, bits.OnesCount64(size) == len(hashes)
}

// Size is how many leaves the tree has.
func (e *Edge) Size() uint64 { return e.size }

// Hashes are the subtree roots.
func (e *Edge) Hashes() []events.Hash { return slices.Clone(e.hashes) }

// Append grows the tree by a leaf.
func (e *Edge) Append(leaf events.Hash) { e.push(leaf, 0) }

// AppendTile grows the tree by 256 leaves at once, whose subtree has this root.
// The size must be a multiple of 256.
func (e *Edge) AppendTile(root events.Hash) { e.push(root, 8) }

func (e *Edge) push(h events.Hash, height int) {
	for ; e.size>>height&1 == 1; height++ { // a subtree of that height waits for its other half
		last := len(e.hashes) - 1
		h = nodeHash(e.hashes[last], h)
		e.hashes = e.hashes[:last]
		e.size -= 1 << height
	}
	e.hashes = append(e.hashes, h)
	e.size += 1 << height
}

// Root is the tree's root.
func (e *Edge) Root() events.Hash {
	if e.size == 0 {
		return sha256.Sum256(nil)
	}
	return foldRight(e.hashes)
}

// foldRight is the root over perfect subtrees of falling size.
func foldRight(hashes []events.Hash) events.Hash {
	root := hashes[len(hashes)-1]
	for _, left := range slices.Backward(hashes[:len(hashes)-1]) {
		root = nodeHash(left, root)
	}
	return root
}

// TileRoot is the root over the 256 hashes of a full tile.
func TileRoot(tile []byte) events.Hash {
	var level [Width]events.Hash
	for i := range level {
		level[i] = events.Hash(tile[i*32:])
	}
	for n := Width / 2; n > 0; n /= 2 {
		for i := range n {
			level[i] = nodeHash(level[2*i], level[2*i+1])
		}
	}
	return level[0]
}

// edgeOf is the edge that partial tiles hold: levels[l] are the hashes of level l
// that no full tile has.
func edgeOf(size uint64, levels [][]byte) *Edge {
	e := &Edge{size: size}
	for l := len(levels) - 1; l >= 0; l-- {
		tile := levels[l]
		for n := len(tile) / 32; n > 0; {
			part := 1 << (bits.Len(uint(n)) - 1) // the largest perfect subtree that is left
			sub := make([]events.Hash, part)
			for i := range sub {
				sub[i] = events.Hash(tile[i*32:])
			}
			for m := part / 2; m > 0; m /= 2 {
				for i := range m {
					sub[i] = nodeHash(sub[2*i], sub[2*i+1])
				}
			}
			e.hashes = append(e.hashes, sub[0])
			tile, n = tile[part*32:], n-part
		}
	}
	return e
}
