package ledger

import (
	"encoding/binary"

	"github.com/sharetrail/sharetrail/events"
)

// eventIDs finds the leaf of an event by its id: the ids in the order of the
// stream, and tables of positions in it, at half the memory of a map. There are
// many tables, because one grows while everybody waits.
//
// Ids are spread evenly as they are: they are outputs of HMAC, or random.
type eventIDs struct {
	chunks []*[idChunk]events.ID // by leaf; zero where an event is not ours
	tables [256]idTable          // by the id's first byte
}

const idChunk = 1 << 12

// idTable is an open-addressing table of leaf indices plus one; 0 is free.
type idTable struct {
	slots []uint32 // a power of two of them
	used  int
}

func (t *eventIDs) id(index uint32) *events.ID { return &t.chunks[index/idChunk][index%idChunk] }

// slot returns the table of an id and where in it the id is, or would be.
func (t *eventIDs) slot(id events.ID) (table *idTable, at uint32) {
	table = &t.tables[id[0]]
	if len(table.slots) == 0 {
		return table, 0
	}
	mask := uint32(len(table.slots) - 1)
	for at = binary.BigEndian.Uint32(id[1:]) & mask; ; at = (at + 1) & mask {
		if s := table.slots[at]; s == 0 || *t.id(s - 1) == id {
			return table, at
		}
	}
}

// get returns the index of the event with an id.
func (t *eventIDs) get(id events.ID) (index uint64, found bool) {
	table, at := t.slot(id)
	if len(table.slots) == 0 || table.slots[at] == 0 {
		return 0, false
	}
	return uint64(table.slots[at] - 1), true
}

// put notes the event at an index, the highest so far. Of two with one id the last
// counts. A ledger ends at 100,000,000 leaves.
func (t *eventIDs) put(id events.ID, index uint64) {
	for uint64(len(t.chunks))*idChunk <= index {
		t.chunks = append(t.chunks, new([idChunk]events.ID))
	}
	*t.id(uint32(index)) = id
	table := &t.tables[id[0]]
	if 4*(table.used+1) > 3*len(table.slots) {
		t.grow(table)
	}
	table, at := t.slot(id)
	if table.slots[at] == 0 {
		table.used++
	}
	table.slots[at] = uint32(index) + 1
}

func (t *eventIDs) grow(table *idTable) {
	old := table.slots
	table.slots = make([]uint32, max(8, 2*len(old)))
	for _, s := range old {
		if s != 0 {
			_, at := t.slot(*t.id(s - 1))
			table.slots[at] = s
		}
	}
}
