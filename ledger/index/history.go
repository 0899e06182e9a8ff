package index

import (
	"bytes"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// before is the number of the batch of what was there already.
const before = -1

// dated is an entry that came with a batch.
type dated struct {
	entry *Entry
	batch int32
	filed bool // it is in the file
}

// version is a subtree's hash from a batch on.
type version struct {
	hash  events.Hash
	batch int32
	count int32 // of labels, but many for all that are more than one
}

const many = 2

// histories computes the versions of subtrees. Each of its methods that makes a
// subtree pushes its versions on the stack: how it was before, and after each batch
// that changed it, in order.
type histories struct {
	kept     *kept
	versions []version
	raw      [bucketSize * entryBytes]byte
	base     [bucketSize]Entry
	all      []dated
}

func (h *histories) push(hash events.Hash, batch, count int32) {
	h.versions = append(h.versions, version{hash, batch, count})
}

func (h *histories) last() events.Hash { return h.versions[len(h.versions)-1].hash }

// grow returns n with the entries that came, which are sorted and free of
// duplicates. n stays as it was.
func (h *histories) grow(n *node, came []dated, depth int) (*node, error) {
	switch {
	case len(came) == 0:
		h.push(n.sum(), before, n.count())
		return n, nil
	case n == nil:
		return h.fill(came, 0, depth), nil
	case n.isBucket():
		return h.bucket(n, came, depth)
	}
	zeros, ones := cut(came, depth)
	at := len(h.versions)
	left, err := h.grow(n.left, zeros, depth+1)
	if err != nil {
		return nil, err
	}
	middle := len(h.versions)
	right, err := h.grow(n.right, ones, depth+1)
	if err != nil {
		return nil, err
	}
	h.join(n, at, middle, depth)
	return &node{hash: h.last(), left: left, right: right}, nil
}

// count is how many labels a subtree has, many at the most.
func (n *node) count() int32 {
	switch {
	case n == nil:
		return 0
	case n.isBucket():
		return int32(min(many, n.base.count()+len(n.added())))
	}
	return many
}

// bucket grows a bucket, whose entries are checked by the way.
func (h *histories) bucket(n *node, came []dated, depth int) (*node, error) {
	base, err := h.kept.read(n.base, h.raw[:], h.base[:0])
	if err != nil {
		return nil, err
	}
	if !ascending(base) {
		return nil, errBucket(n)
	}
	h.all = h.all[:0]
	added := n.added()
	for len(base)+len(added)+len(came) > 0 {
		switch {
		case len(base) > 0 && (len(added) == 0 || less(&base[0], &added[0])) && (len(came) == 0 || less(&base[0], came[0].entry)):
			h.all, base = append(h.all, dated{&base[0], before, true}), base[1:]
		case len(added) > 0 && (len(came) == 0 || less(&added[0], came[0].entry)):
			h.all, added = append(h.all, dated{&added[0], before, false}), added[1:]
		default:
			h.all, came = append(h.all, came[0]), came[1:]
		}
	}
	if !agree(h.all[0].entry.Label, h.all[len(h.all)-1].entry.Label, depth) {
		return nil, errBucket(n)
	}
	at := len(h.versions)
	var twice *Entry
	for i := 1; i < len(h.all) && twice == nil; i++ {
		if e := h.all[i].entry; h.all[i-1].entry.Label == e.Label {
			twice = e
		}
	}
	if twice != nil { // or the file is not what it was
		if _, err := h.kept.checked(n, depth); err != nil {
			return nil, err
		}
		return nil, duplicate(twice.Label)
	}
	next := h.fill(h.all, n.base, depth)
	if h.versions[at].hash != n.hash {
		return nil, errBucket(n)
	}
	return next, nil
}

func less(a, b *Entry) bool { return bytes.Compare(a.Label[:], b.Label[:]) <= 0 }

// fill makes a subtree of entries alone, of which those of the file are at a span.
func (h *histories) fill(all []dated, at span, depth int) *node {
	if len(all) <= bucketSize {
		h.hash(all, depth)
		var room [bucketSize]Entry
		more := room[:0]
		for _, d := range all {
			if !d.filed {
				more = append(more, *d.entry)
			}
		}
		return newBucket(at, more, h.last())
	}
	zeros, ones := cut(all, depth)
	filed, low := 0, 0
	for i, d := range all {
		if d.filed {
			if filed++; i < len(zeros) {
				low++
			}
		}
	}
	from := len(h.versions)
	var left, right *node
	left = h.fillHalf(zeros, at.part(0, low), depth+1)
	middle := len(h.versions)
	right = h.fillHalf(ones, at.part(low, filed-low), depth+1)
	h.join(nil, from, middle, depth)
	return &node{hash: h.last(), left: left, right: right}
}

func (h *histories) fillHalf(all []dated, at span, depth int) *node {
	if len(all) == 0 {
		h.push(events.Hash{}, before, 0)
		return nil
	}
	return h.fill(all, at, depth)
}

// hash computes the versions of a subtree of which no nodes are made.
func (h *histories) hash(all []dated, depth int) {
	switch {
	case len(all) == 0:
		h.push(events.Hash{}, before, 0)
		return
	case len(all) == 1 && depth > 0:
		d := all[0]
		if d.batch != before {
			h.push(events.Hash{}, before, 0)
		}
		h.push(verifier.IndexLeafHash(d.entry.Label, d.entry.Value), d.batch, 1)
		return
	}
	zeros, ones := cut(all, depth)
	at := len(h.versions)
	h.hash(zeros, depth+1)
	middle := len(h.versions)
	h.hash(ones, depth+1)
	h.join(nil, at, middle, depth)
}

// cut is split for dated entries.
func cut(all []dated, depth int) (zeros, ones []dated) {
	low, high := 0, len(all)
	for low < high {
		if middle := (low + high) / 2; bit(&all[middle].entry.Label, depth) == 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return all[:low], all[low:]
}

// join replaces the versions of two halves, on the stack from at and from middle
// on, by those of the subtree at depth. If it was an inner node before, that is n.
func (h *histories) join(n *node, at, middle, depth int) {
	end := len(h.versions)
	left, right := h.versions[at:middle:middle], h.versions[middle:end:end]
	for first := true; ; first = false {
		if first && n != nil {
			h.push(n.hash, before, many)
		} else {
			h.pair(&left[0], &right[0], depth)
		}
		switch {
		case len(left) == 1 && len(right) == 1:
			h.versions = append(h.versions[:at], h.versions[end:]...)
			return
		case len(right) == 1 || len(left) > 1 && left[1].batch < right[1].batch:
			left = left[1:]
		case len(left) == 1 || right[1].batch < left[1].batch:
			right = right[1:]
		default:
			left, right = left[1:], right[1:]
		}
	}
}

// pair pushes the version that two halves give.
func (h *histories) pair(left, right *version, depth int) {
	batch := max(left.batch, right.batch)
	switch count := left.count + right.count; {
	case depth > 0 && count == 0:
		h.push(events.Hash{}, batch, 0)
	case depth > 0 && count == 1:
		sum := left.hash // a label that is alone is a leaf, as high as it is alone
		if right.count == 1 {
			sum = right.hash
		}
		h.push(sum, batch, 1)
	default:
		h.push(verifier.IndexNodeHash(left.hash, right.hash), batch, many)
	}
}
