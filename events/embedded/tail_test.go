package embedded

import (
	"fmt"
	"testing"
)

// TestTail: whatever was pushed out, a page is either the stream's events from the
// one asked for, or none.
func TestTail(t *testing.T) {
	var held tail
	const each = tailBytes / 100
	revisions := map[string]int64{}
	for position := range int64(250) {
		stream := fmt.Sprint("s", position%3)
		held.add([]event{{position: position + 1, revision: revisions[stream], stream: stream, data: make([]byte, each)}})
		revisions[stream]++
		if held.size > tailBytes || len(held.events) > 100 {
			t.Fatalf("it holds %d events of %d bytes", len(held.events), held.size)
		}
	}
	for stream, next := range revisions {
		oldest := next
		for first := next - 1; first >= 0; first-- {
			page := held.page(stream, first, next-1, 5)
			if len(page) == 0 {
				break
			}
			oldest = first
			if want := min(5, next-first); int64(len(page)) != want {
				t.Fatalf("%s from %d: %d events instead of %d", stream, first, len(page), want)
			}
			for i, e := range page {
				if e.stream != stream || e.revision != first+int64(i) {
					t.Fatalf("%s from %d: event %d is %s@%d", stream, first, i, e.stream, e.revision)
				}
			}
		}
		if held := next - oldest; held < 30 || held > 35 {
			t.Errorf("%d of %s are in memory", held, stream)
		}
		for _, first := range []int64{0, next} {
			if page := held.page(stream, first, next, 5); len(page) != 0 {
				t.Errorf("%s from %d: %d events", stream, first, len(page))
			}
		}
		if page := held.page(stream, next-3, next-2, 5); len(page) != 2 {
			t.Errorf("%s up to the last but one: %d events", stream, len(page))
		}
	}
}
