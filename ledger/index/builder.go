package index

import (
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// parts is how many subtrees a Builder makes independently of each other: those
// under the first partDepth bits.
const (
	partDepth = 8
	parts     = 1 << partDepth
)

// Builder makes a tree of many entries at once, on all cores, several times
// faster than inserting them. Its zero value is ready. It is used up by Build.
type Builder struct {
	parts [parts][]Entry
}

// Grow makes room for about n entries.
func (b *Builder) Grow(n int) {
	for i := range b.parts {
		b.parts[i] = slices.Grow(b.parts[i], n/parts+n/parts/8)
	}
}

// Add takes an entry.
func (b *Builder) Add(e Entry) {
	p := &b.parts[e.Label[0]]
	*p = append(*p, e)
}

// Build returns the tree that inserting the entries would give, with the same
// error for a label that comes twice.
func (b *Builder) Build() (*Tree, error) {
	nodes := make([]*node, parts)
	counts := make([]uint64, parts)
	g := new(errgroup.Group)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range nodes {
		g.Go(func() error {
			entries := b.parts[i]
			b.parts[i] = nil // the buckets have copies
			slices.SortFunc(entries, byLabel)
			for k := 1; k < len(entries); k++ {
				if entries[k].Label == entries[k-1].Label {
					return duplicate(entries[k].Label)
				}
			}
			nodes[i], counts[i] = build(nil, 0, entries, partDepth), uint64(len(entries))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for depth := partDepth - 1; depth >= 0; depth-- {
		for i := range len(nodes) / 2 {
			nodes[i] = join(nodes[2*i], nodes[2*i+1], counts[2*i]+counts[2*i+1], depth)
			counts[i] = counts[2*i] + counts[2*i+1]
		}
		nodes, counts = nodes[:len(nodes)/2], counts[:len(counts)/2]
	}
	return &Tree{root: nodes[0], size: counts[0]}, nil
}

// join makes the subtree at depth of its two halves, which hold n entries.
func join(left, right *node, n uint64, depth int) *node {
	switch {
	case n == 0:
		return nil
	case n > bucketSize:
		return newInner(left, right)
	}
	var entries []Entry // so few that both halves are buckets
	for _, half := range []*node{left, right} {
		if half != nil {
			entries = append(entries, half.added()...)
		}
	}
	return build(nil, 0, entries, depth)
}
