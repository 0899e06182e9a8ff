package embedded

import "sync"

// tailBytes is about how much of the newest events stays in memory.
const tailBytes = 8 << 20

// tail holds the newest durable events, of all streams. Those who follow a stream
// closely, several of them at once, are served from it; the file would give each
// of them the same bytes.
type tail struct {
	mu     sync.Mutex
	events []event // guarded by mu; in the order of their positions, without a gap
	size   int     // guarded by mu
}

// add takes the events of a transaction once they are durable.
func (t *tail) add(events []event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, events...)
	for i := range events {
		t.size += events[i].size()
	}
	drop := 0
	for ; t.size > tailBytes; drop++ {
		t.size -= t.events[drop].size()
		t.events[drop] = event{} // append may keep the array
	}
	t.events = t.events[drop:]
}

// page is [file.page] while the event first of the stream is in memory, else it
// returns none. What it returns must not be changed.
func (t *tail) page(stream string, first, last, limit int64) (page []event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := -1
	for i := len(t.events) - 1; i >= 0; i-- {
		if e := &t.events[i]; e.stream == stream && e.revision <= first {
			if e.revision == first {
				from = i
			}
			break
		}
	}
	if from < 0 {
		return nil
	}
	for i := from; i < len(t.events) && int64(len(page)) < min(limit, pageEvents); i++ {
		if e := &t.events[i]; e.stream == stream && e.revision <= last {
			page = append(page, *e)
		}
	}
	return page
}
