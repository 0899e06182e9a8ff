package pubsub

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// maxDoubts is how many appends of unknown outcome are remembered for a topic.
const maxDoubts = 1024

// lane appends to the end of one stream. An append always names a revision,
// because only then does the store recognise a repeat exactly: with "any" it goes
// by a cache of recent ids.
type lane struct {
	users int           // guarded by Publisher.mu
	turn  chan struct{} // holds a token while somebody appends

	// Of who has the turn:
	head   events.Expected // where the stream is believed to end
	known  bool            // whether head means anything
	doubts map[batchKey]events.Expected
}

// batchKey stands for the ids of one Publish, in order.
type batchKey [sha256.Size]byte

func keyOf(evs []events.Proposed) (key batchKey) {
	h := sha256.New()
	for _, e := range evs {
		h.Write(e.ID[:])
	}
	h.Sum(key[:0])
	return key
}

// losing is the pause after lost races: somebody else writes to the same stream.
var losing = Exponential(time.Millisecond, 100*time.Millisecond)

// append writes evs once, at the end of the stream.
func (l *lane) append(ctx context.Context, store Appender, stream string, evs []events.Proposed) error {
	key := keyOf(evs)
	if at, ok := l.doubts[key]; ok {
		// The same events were sent before and nobody knows whether they arrived.
		// The identical append finds out; a conflict says that they did not.
		if err := l.try(ctx, store, stream, at, key, evs); !errors.Is(err, events.ErrConflict) {
			return err
		}
	}
	for lost := 1; ; lost++ {
		if !l.known {
			head, err := store.Head(ctx, stream)
			if err != nil {
				return err
			}
			l.head, l.known = head, true
		}
		err := l.try(ctx, store, stream, l.head, key, evs)
		if !errors.Is(err, events.ErrConflict) {
			return err
		}
		if !wait(ctx, losing(lost)) {
			return fmt.Errorf("%w (the last attempt: %w)", ctx.Err(), err)
		}
	}
}

// try appends behind one revision and notes what is known then.
func (l *lane) try(ctx context.Context, store Appender, stream string, at events.Expected, key batchKey, evs []events.Proposed) error {
	last, err := store.Append(ctx, stream, at, evs...)
	switch {
	case err == nil:
		delete(l.doubts, key)
		l.head, l.known = events.Expected(last), true
	case errors.Is(err, events.ErrConflict):
		delete(l.doubts, key)
		l.known = false
	default:
		l.known = false
		for old := range l.doubts {
			if len(l.doubts) < maxDoubts {
				break
			}
			delete(l.doubts, old)
		}
		l.doubts[key] = at
	}
	return err
}
