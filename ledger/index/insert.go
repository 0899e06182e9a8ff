package index

import (
	"cmp"
	"encoding/binary"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
)

// InsertEach inserts many batches at once, and returns the tree that inserting
// one after the other would give, and its root after each. An auditor needs all
// these roots and none of the trees between.
//
// It goes through the tree once, from the buckets upwards, with what each subtree's
// hash was after which batch. So it reads a bucket once however many batches
// touch it, makes each node once, and hashes only what has to be hashed; and the
// subtrees are independent of each other, so it uses all cores.
//
// The error is that of Insert; which batch it came from is not said.
func (t *Tree) InsertEach(batches [][]Entry) (*Tree, []events.Hash, error) {
	e := &each{kept: &t.kept, batches: batches}
	e.scatter()
	e.plan(t.root, 0, parts, 0)
	if err := e.run(); err != nil {
		return nil, nil, err
	}
	h := new(histories)
	root := e.assemble(h, t.root, 0, parts, 0)
	roots := make([]events.Hash, 0, len(batches))
	last := t.Root()
	versions := h.versions[1:] // the first is from before
	for i := range batches {
		for len(versions) > 0 && int(versions[0].batch) <= i {
			last, versions = versions[0].hash, versions[1:]
		}
		roots = append(roots, last)
	}
	if root == nil {
		return t, roots, nil
	}
	return &Tree{root: root, size: t.size + uint64(len(e.refs)), kept: t.kept, after: t.after}, roots, nil
}

// each is one call of InsertEach.
type each struct {
	kept    *kept
	batches [][]Entry
	refs    []ref          // of all entries, by the first byte of their labels
	start   [parts + 1]int // of those with each first byte
	jobs    []*part
	next    atomic.Int64 // jobs that were begun
}

// ref names an entry: comparing its first bytes is mostly enough.
type ref struct {
	prefix uint64
	batch  uint32
	at     uint32
}

func (e *each) entry(r ref) *Entry { return &e.batches[r.batch][r.at] }

// scatter puts the entries in order by their first byte.
func (e *each) scatter() {
	for _, batch := range e.batches {
		for i := range batch {
			e.start[int(batch[i].Label[0])+1]++
		}
	}
	for i := range parts {
		e.start[i+1] += e.start[i]
	}
	next := e.start
	e.refs = make([]ref, e.start[parts])
	for b, batch := range e.batches {
		for i := range batch {
			label := &batch[i].Label
			e.refs[next[label[0]]] = ref{binary.BigEndian.Uint64(label[:]), uint32(b), uint32(i)}
			next[label[0]]++
		}
	}
}

// part is a subtree that is worked on by itself: that of a first byte, or a larger
// one that has not so many labels.
type part struct {
	node     *node
	refs     []ref
	depth    int
	versions []version // what became of it
}

// plan finds the jobs under a node, which has the labels that begin with the bytes
// from low to below high. assemble takes the same way.
func (e *each) plan(n *node, low, high, depth int) {
	refs := e.refs[e.start[low]:e.start[high]]
	if !divides(n, len(refs), depth) {
		e.jobs = append(e.jobs, &part{node: n, refs: refs, depth: depth})
		return
	}
	left, right := n.halves()
	e.plan(left, low, (low+high)/2, depth+1)
	e.plan(right, (low+high)/2, high, depth+1)
}

// divides says that a subtree is an inner node when n entries have come to it, and
// no bucket was there before.
func divides(at *node, n, depth int) bool {
	switch {
	case depth == partDepth || n == 0:
		return false
	case at == nil:
		return n > bucketSize
	}
	return !at.isBucket()
}

// halves are the children of an inner node, or of nothing.
func (n *node) halves() (left, right *node) {
	if n == nil {
		return nil, nil
	}
	return n.left, n.right
}

// assemble makes the nodes above the jobs.
func (e *each) assemble(h *histories, n *node, low, high, depth int) *node {
	if !divides(n, e.start[high]-e.start[low], depth) {
		j := e.jobs[0]
		e.jobs = e.jobs[1:]
		h.versions = append(h.versions, j.versions...)
		return j.node
	}
	left, right := n.halves()
	at := len(h.versions)
	left = e.assemble(h, left, low, (low+high)/2, depth+1)
	middle := len(h.versions)
	right = e.assemble(h, right, (low+high)/2, high, depth+1)
	h.join(n, at, middle, depth)
	return &node{hash: h.last(), left: left, right: right}
}

// fewEntries are inserted faster than they are spread over the cores.
const fewEntries = 256

// run does the jobs, on all cores.
func (e *each) run() error {
	if len(e.refs) < fewEntries {
		return e.work()
	}
	g := new(errgroup.Group)
	for range min(runtime.GOMAXPROCS(0), len(e.jobs)) {
		g.Go(e.work)
	}
	return g.Wait()
}

// work does jobs until there are none.
func (e *each) work() (err error) {
	h := &histories{kept: e.kept}
	var came []dated
	for i := e.next.Add(1); int(i) <= len(e.jobs); i = e.next.Add(1) {
		j := e.jobs[i-1]
		if came, err = e.sort(came[:0], j.refs); err != nil {
			return err
		}
		h.versions = h.versions[:0]
		if j.node, err = h.grow(j.node, came, j.depth); err != nil {
			return err
		}
		j.versions = slices.Clone(h.versions)
	}
	return nil
}

// sort appends the entries that refs name to out, in order.
func (e *each) sort(out []dated, refs []ref) ([]dated, error) {
	slices.SortFunc(refs, func(a, b ref) int {
		if c := cmp.Compare(a.prefix, b.prefix); c != 0 {
			return c
		}
		return byLabel(*e.entry(a), *e.entry(b))
	})
	for i, r := range refs {
		entry := e.entry(r)
		if i > 0 && r.prefix == refs[i-1].prefix && entry.Label == out[i-1].entry.Label {
			return nil, duplicate(entry.Label)
		}
		out = append(out, dated{entry, int32(r.batch), false})
	}
	return out, nil
}
