// Package watch lets a person follow a ledger's log for entries of their own, with
// the handle that their report holds, and without telling anybody whom they look
// for: all leaves are read, and compared here.
//
// An entry's label is L(h, i) for the handle h and the next number i. Whoever does
// not have h cannot tell it from any other label. What always holds: an entry is
// told only once all leaves read up to the checkpoint give its root, which continues
// the one of the last time.
package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/audit"
)

// skippedAhead is how far ahead labels are looked for that must not be there yet.
const skippedAhead = 8

// Entry is an entry that was found.
type Entry struct {
	Number uint64 `json:"number"` // from 0
	Index  uint64 `json:"index"`  // of its leaf
	TimeMS uint64 `json:"time_ms"`
}

// Watch is how far somebody has followed a log. It holds no handle.
type Watch struct {
	genesis events.Hash
	first   events.Hash // the label of entry 0, which tells whose watch it is
	next    uint64
	edge    *tiles.Edge // nil before the first look
	from    uint64      // where the first look begins
}

// Start begins to watch at a size, for entry number next.
func Start(trust *verifier.Trust, handle events.Hash, next, from uint64) *Watch {
	return &Watch{genesis: trust.Genesis, first: events.EntryLabel(handle, 0), next: next, from: from}
}

// kept is a Watch as it is stored.
type kept struct {
	Genesis events.Hash   `json:"genesis"`
	First   events.Hash   `json:"first"`
	Next    uint64        `json:"next"`
	Size    uint64        `json:"size"`
	Edge    []events.Hash `json:"edge"`
}

// Marshal returns what Parse reads. Nobody learns whose entries it is about, but
// from the label of the first.
func (w *Watch) Marshal() []byte {
	k := kept{Genesis: w.genesis, First: w.first, Next: w.next, Size: w.from}
	if w.edge != nil {
		k.Size, k.Edge = w.edge.Size(), w.edge.Hashes()
	}
	b, err := json.Marshal(k)
	if err != nil {
		panic(err) // none of its members can fail
	}
	return append(b, '\n')
}

// ErrWatch says that some bytes are not the watch of this ledger and handle.
var ErrWatch = errors.New("not a watch of this ledger with this handle")

// Parse is the inverse of Marshal.
func Parse(b []byte, trust *verifier.Trust, handle events.Hash) (*Watch, error) {
	var k kept
	if json.Unmarshal(b, &k) != nil || k.Genesis != trust.Genesis || k.First != events.EntryLabel(handle, 0) {
		return nil, ErrWatch
	}
	w := &Watch{genesis: k.Genesis, first: k.First, next: k.Next, from: k.Size}
	if k.Edge != nil {
		edge, ok := tiles.NewEdge(k.Size, k.Edge)
		if !ok {
			return nil, ErrWatch
		}
		w.edge = edge
	}
	return w, nil
}

// Size is how many leaves were looked at.
func (w *Watch) Size() uint64 {
	if w.edge != nil {
		return w.edge.Size()
	}
	return w.from
}

// Next is the number of the entry that is waited for.
func (w *Watch) Next() uint64 { return w.next }

// Look reads what a checkpoint has beyond the last look, and returns the entries
// under the handle. The checkpoint's signature must have been checked. An
// *audit.Fault says that the log is at fault; after any error the watch is as it
// was.
func (w *Watch) Look(ctx context.Context, source tiles.Source, c verifier.Checkpoint, handle events.Hash, progress func(done, total uint64)) ([]Entry, error) {
	edge, err := w.begin(ctx, source, c)
	if err != nil {
		return nil, err
	}
	s := &search{handle: handle, next: w.next, edge: edge}
	s.expect()
	for entry, err := range tiles.Leaves(ctx, source, edge.Size(), c.Size) {
		if err != nil {
			return nil, unread(edge.Size(), err)
		}
		if err := s.take(entry); err != nil {
			return nil, err
		}
		if progress != nil && edge.Size()%tiles.Width == 0 {
			progress(edge.Size(), c.Size)
		}
	}
	if edge.Root() != c.Root {
		return nil, fault(c.Size, "the leaves do not have the checkpoint's root")
	}
	if s.skipped != nil {
		return nil, s.skipped
	}
	w.edge, w.next = edge, s.next
	return s.found, nil
}

// begin returns the edge from which the checkpoint has to grow.
func (w *Watch) begin(ctx context.Context, source tiles.Source, c verifier.Checkpoint) (*tiles.Edge, error) {
	switch size := w.Size(); {
	case c.Size < size:
		return nil, fmt.Errorf("the log shows %d leaves and %d were seen before: this is an older copy, or the log was rolled back; name the newest, and if it is, tell an auditor", c.Size, size)
	case w.edge != nil:
		edge, _ := tiles.NewEdge(size, w.edge.Hashes())
		return edge, nil
	}
	tree := &tiles.Tree{Source: source, Size: c.Size, Root: c.Root}
	edge, err := tree.EdgeAt(ctx, w.from)
	if errors.Is(err, tiles.ErrRefuted) {
		return nil, fault(w.from, "the tiles are not those of the checkpoint")
	} else if err != nil {
		return nil, unread(w.from, err)
	}
	return edge, nil
}

// search compares labels, leaf by leaf.
type search struct {
	handle  events.Hash
	next    uint64
	edge    *tiles.Edge
	coming  map[events.Hash]uint64 // labels of the next entries, by their number
	found   []Entry
	skipped error
}

func (s *search) expect() {
	s.coming = map[events.Hash]uint64{}
	for i := range uint64(skippedAhead) {
		s.coming[events.EntryLabel(s.handle, s.next+i)] = s.next + i
	}
}

func (s *search) take(entry []byte) error {
	at := s.edge.Size()
	leaf, err := events.ParseLeaf(entry)
	if err != nil {
		return fault(at, "the leaf is malformed")
	}
	s.edge.Append(events.LeafHash(entry))
	for _, slot := range leaf.Slots {
		switch number, mine := s.coming[slot.Label]; {
		case !mine:
		case number != s.next:
			if s.skipped == nil {
				s.skipped = fault(at, "it has the label of your entry %d, and entry %d was not made before it", number+1, s.next+1)
			}
		default:
			s.found = append(s.found, Entry{number, at, leaf.TimeMS})
			s.next++
			s.expect()
		}
	}
	return nil
}

const nextReport = "ask for a report; if it does not agree, tell an auditor"

func fault(index uint64, rule string, args ...any) error {
	return &audit.Fault{Index: index, Rule: fmt.Sprintf(rule, args...), Next: nextReport}
}

func unread(index uint64, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, tiles.ErrBundle) || errors.Is(err, tiles.ErrTooLarge) {
		return fault(index, "the leaves from there on are missing or malformed (%v)", err)
	}
	return err
}
