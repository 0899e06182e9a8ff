package embedded

import "github.com/google/uuid"

// recentIDs is how many event ids are remembered for appends without a
// revision. The real server remembers 8 MiB of them; both forget at a restart.
const recentIDs = 32768

// recent remembers the last event ids, so that an append under Any or
// StreamExists which comes twice in short order is written once. It is a help,
// not a promise: an append that must be exact names a revision. It belongs to
// the writer goroutine.
type recent struct {
	at    map[recentKey]recentPlace
	order []recentEntry // ring
	next  int
}

type recentEntry struct {
	key      recentKey
	position int64
}

type recentKey struct {
	stream int64
	id     uuid.UUID
}

type recentPlace struct{ revision, position int64 }

func newRecent(size int) *recent {
	return &recent{at: make(map[recentKey]recentPlace), order: make([]recentEntry, size)}
}

func (r *recent) add(stream int64, e *event) {
	// The same id may stand in the ring twice: the older entry must not take
	// the newer place with it.
	if old := r.order[r.next]; r.at[old.key].position == old.position {
		delete(r.at, old.key)
	}
	key := recentKey{stream, e.id}
	r.order[r.next] = recentEntry{key, e.position}
	r.at[key] = recentPlace{e.revision, e.position}
	r.next = (r.next + 1) % len(r.order)
}

// repeat compares an append with what is remembered: no event known, all known
// in a row (then last is where the original ended), or some.
func (r *recent) repeat(stream int64, evs []event) (last recentPlace, v verdict) {
	first, known := r.at[recentKey{stream, evs[0].id}]
	if !known {
		return recentPlace{}, write
	}
	last = first
	for i := range evs[1:] {
		at, known := r.at[recentKey{stream, evs[i+1].id}]
		if !known || at.revision != last.revision+1 {
			return recentPlace{}, conflict
		}
		last = at
	}
	return last, repeated
}
