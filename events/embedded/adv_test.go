package embedded

import (
	"sync"
	"testing"
)

// TestTailUnderWriters: whoever pages through a stream at the edge of the tail, while
// others append and the tail drops its oldest, gets a page that begins where it asked
// and has no gap.
func TestTailUnderWriters(t *testing.T) {
	var l tail
	var wg sync.WaitGroup
	data := make([]byte, 64<<10)
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for i := range int64(4000) {
			stream := "a"
			if i%3 == 0 {
				stream = "b"
			}
			rev := i / 3
			if stream == "a" {
				rev = i - i/3 - 1
			}
			l.add([]event{{stream: stream, revision: rev, position: i + 1, data: data}})
		}
	})
	for range 3 {
		wg.Go(func() {
			next := int64(0)
			for {
				select {
				case <-done:
					return
				default:
				}
				page := l.page("a", next, next+50, 20)
				if len(page) == 0 {
					next += 7
					if next > 2600 {
						next = 0
					}
					continue
				}
				for i := range page {
					if page[i].revision != next || page[i].stream != "a" || len(page[i].data) == 0 {
						t.Errorf("asked for %d, got %s %d", next, page[i].stream, page[i].revision)
						return
					}
					next++
				}
			}
		})
	}
	wg.Wait()
	if l.size > tailBytes {
		t.Errorf("%d bytes are kept", l.size)
	}
}
