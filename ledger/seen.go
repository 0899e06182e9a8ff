package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
)

// The event store compares event ids only. A writer whose command was recorded
// by another instance in the same place is told that its own append succeeded,
// while other bytes stand there: other slots, other openings. So the writer
// notes a digest of each event it appended and the sequencer one of each event
// it met; whoever comes second compares. A state leaf is appended only when
// everything before it was compared, because a false one could never be taken
// back.

// maxUnmet is how many digests may wait for the sequencer before the writer
// reads its events back itself.
const maxUnmet = 1 << 16

func digest(data, metadata []byte) [32]byte {
	h := sha256.New()
	h.Write(metadata) // 32 bytes in every event of ours
	h.Write(data)
	return [32]byte(h.Sum(nil))
}

func errNotAsWritten(revision uint64) error {
	return fmt.Errorf("event %d is not the one this writer appended: %w", revision, ErrCorrupt)
}

// compare settles one event whose digest the other side noted, and reports
// whether it had. The caller holds mu.
func (l *Ledger) compare(revision uint64, d [32]byte) (settled bool, err error) {
	other, ok := l.seen[revision]
	if !ok {
		return false, nil
	}
	delete(l.seen, revision)
	if other != d {
		return true, errNotAsWritten(revision)
	}
	return true, nil
}

// meet is the sequencer's side. An event that the writer does not know, because
// its append has not been answered yet or somebody else wrote it, is noted, and
// the writer told to look.
func (l *Ledger) meet(e events.Recorded) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.met = e.Revision + 1
	d := digest(e.Data, e.Metadata)
	settled, err := l.compare(e.Revision, d)
	if settled || e.Revision < l.state.next { // the writer read it back, or caught up with it
		return err
	}
	l.seen[e.Revision] = d
	select {
	case l.behind <- struct{}{}:
	default:
	}
	return nil
}

// wrote is the writer's side, for an event whose append was acknowledged. The
// caller holds mu.
func (l *Ledger) wrote(e events.Recorded) error {
	d := digest(e.Data, e.Metadata)
	settled, err := l.compare(e.Revision, d)
	if !settled && e.Revision >= l.met {
		l.seen[e.Revision] = d
	}
	return err
}

// confirm reads back what the writer appended and the sequencer has not met.
func (l *Ledger) confirm(ctx context.Context) error {
	l.mu.RLock()
	from, unmet := l.met, len(l.seen)
	l.mu.RUnlock()
	if unmet == 0 || from >= l.state.next {
		return nil
	}
	at := from
	for e, err := range l.store.Read(ctx, l.stream, from, l.state.next-from) {
		if err != nil {
			return fmt.Errorf("reading back what was appended: %w", err)
		}
		l.mu.Lock()
		_, err = l.compare(e.Revision, digest(e.Data, e.Metadata))
		l.mu.Unlock()
		if err != nil {
			return err
		}
		at++
	}
	if at != l.state.next {
		return fmt.Errorf("reading back what was appended: the stream ends at %d: %w", at, ErrCorrupt)
	}
	return nil
}

// lagging reports whether the stream holds more than the writer knows, and
// whether too much of what it knows was not compared yet.
func (l *Ledger) lagging() (behind, unmet bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.met > l.state.next, len(l.seen) > maxUnmet
}
