package ledger

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
)

// TestEventIDs compares the table with a map, also where ids collide in all bytes
// that choose their place, and where one comes twice.
func TestEventIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids, want := new(eventIDs), map[events.ID]uint64{}
		draw := func() (id events.ID) {
			copy(id[:], rapid.SliceOfN(rapid.SampledFrom([]byte{0, 7, 255}), 5, 5).Draw(t, "place"))
			id[15] = byte(rapid.IntRange(1, 9).Draw(t, "rest"))
			return id
		}
		index := uint64(0)
		for range rapid.IntRange(0, 300).Draw(t, "n") {
			index += uint64(rapid.SampledFrom([]int{1, 1, 1, 2, 5000}).Draw(t, "foreign between"))
			id := draw()
			ids.put(id, index)
			want[id] = index
		}
		for range 50 {
			id := draw()
			at, found := ids.get(id)
			if w, there := want[id]; found != there || at != w {
				t.Fatalf("%x is at %d, %v; want %d, %v", id, at, found, w, there)
			}
		}
		for id, w := range want {
			if at, found := ids.get(id); !found || at != w {
				t.Fatalf("%x is at %d, %v; want %d", id, at, found, w)
			}
		}
	})
}
