package index

import (
	"fmt"
	"os"

	"github.com/sharetrail/sharetrail/events"
)

const entryBytes = 64

// span says where a bucket's entries lie in the file of a generation:
//
//	1 bit  which file (kept)
//	55 bit number of entries before it
//	8 bit  number of entries
//
// The zero span has none.
type span uint64

func newSpan(slot int, first uint64, count int) span {
	return span(uint64(slot)<<63 | first<<8 | uint64(count))
}

func (s span) count() int    { return int(s & 0xff) }
func (s span) first() uint64 { return uint64(s) << 1 >> 9 }
func (s span) slot() int     { return int(s >> 63) }

// part is the span of count entries after the first ones.
func (s span) part(after, count int) span {
	if count == 0 {
		return 0
	}
	return s&(1<<63) | span((s.first()+uint64(after))<<8|uint64(count))
}

// kept are the files that a version's spans point into: one, and while a store
// moves from one generation to the next, two. A file whose name is gone stays
// open until no version needs it.
type kept [2]*generation

// generation is a file of sorted entries (generation.go).
type generation struct {
	slot int // in kept
	file *os.File
	size uint64 // entries
}

// free is the slot for the next generation.
func (k *kept) free() int {
	if k[0] == nil {
		return 0
	}
	return 1
}

// read appends the entries of a span to out, unchecked; raw has room for them.
func (k *kept) read(s span, raw []byte, out []Entry) ([]Entry, error) {
	n := s.count()
	if n == 0 {
		return out, nil
	}
	raw = raw[:n*entryBytes]
	if _, err := k[s.slot()].file.ReadAt(raw, headerBytes+int64(s.first())*entryBytes); err != nil {
		return nil, fmt.Errorf("reading the index: %w", readError(err))
	}
	return appendEntries(out, raw), nil
}

func appendEntries(out []Entry, raw []byte) []Entry {
	for ; len(raw) >= entryBytes; raw = raw[entryBytes:] {
		out = append(out, Entry{events.Hash(raw[:32]), events.Hash(raw[32:64])})
	}
	return out
}

func errBucket(n *node) error {
	return fmt.Errorf("reading %d entries from number %d on: %w", n.base.count(), n.base.first(), ErrDamaged)
}
