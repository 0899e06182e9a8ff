package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/google/uuid"
)

// expected is where a write demands its stream to stand: a revision, or one
// of the three words below.
type expected int64

const (
	noStream     expected = -1
	anyRevision  expected = -2
	streamExists expected = -4
)

// outcome is the answer to a write that was decided: where the stream stands
// now, or what stood in its way. A repeat answers what the original answered.
type outcome struct {
	conflict bool
	gone     bool  // the stream is deleted
	head     int64 // last revision of the append; for a conflict, of the stream
	position int64 // of the last event of the write, 0 without any
}

// verdict is what comparing an append with the stream says.
type verdict int

const (
	write verdict = iota
	repeated
	conflict
	gone
)

// transaction is one write to the file: the streams as they stand inside it.
type transaction struct {
	*journal
	tx                             *sql.Tx
	addStream, addEvent, addEvents *sql.Stmt
	places                         map[*stream]*place
	last                           int64
	added                          []event
}

// place is where a stream stands inside a transaction.
type place struct {
	name string
	state
}

// commit makes the proposals in one transaction, in their order, and then
// moves the heads. On error nothing of it may be acknowledged.
func (j *journal) commit(ctx context.Context, proposals []*proposal) ([]answer, error) {
	if j.broken != nil {
		return nil, j.broken
	}
	tx, err := j.file.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("beginning to write: %w", err)
	}
	defer tx.Rollback()
	t := &transaction{
		journal: j, tx: tx, places: make(map[*stream]*place), last: j.last,
		addStream: tx.StmtContext(ctx, j.file.addStream), addEvent: tx.StmtContext(ctx, j.file.addEvent),
		addEvents: tx.StmtContext(ctx, j.file.addEvents),
	}
	answers := make([]answer, len(proposals))
	for i, p := range proposals {
		if err := p.ctx.Err(); err != nil {
			answers[i].err = err // nobody waits for it
			continue
		}
		if answers[i].outcome, err = t.decide(ctx, p); err != nil {
			return nil, err
		}
	}
	if t.last > j.last {
		if err := tx.Commit(); err != nil {
			return nil, fmt.Errorf("committing: %w", err)
		}
	}
	j.last = t.last
	j.tail.add(t.added)
	j.heads.move(t.places, t.last)
	return answers, nil
}

// place returns where a stream stands inside the transaction. The stream that
// a metastream describes is looked up with it, before anything is written: what
// heads learns from a transaction must be from before its first change.
func (t *transaction) place(ctx context.Context, name string) (*place, error) {
	if isMetastream(name) {
		if _, err := t.place(ctx, describedStream(name)); err != nil {
			return nil, err
		}
	}
	s, err := t.heads.get(ctx, t.tx, name)
	if err != nil {
		return nil, err
	}
	at := t.places[s]
	if at == nil {
		at = &place{name: name, state: t.heads.mark(s).state}
		t.places[s] = at
	}
	return at, nil
}

func (t *transaction) decide(ctx context.Context, p *proposal) (outcome, error) {
	at, err := t.place(ctx, p.stream)
	if err != nil {
		return outcome{}, err
	}
	if at.tombstone {
		return outcome{gone: true}, nil
	}
	switch p.work {
	case deleting, tombstoning:
		return t.remove(ctx, p, at)
	}
	v, last, err := t.judge(ctx, p, at)
	if err != nil {
		return outcome{}, err
	}
	switch {
	case v == conflict:
		return outcome{conflict: true, head: at.head}, nil
	case v == gone:
		return outcome{gone: true}, nil
	case len(p.events) == 0:
		return outcome{head: at.head}, nil
	case v == repeated:
		return outcome{head: last.revision, position: last.position}, nil
	}
	return t.write(ctx, p, at)
}

// judge follows the rules of the real server. Only event ids are compared,
// never their content, and an append at the head is written even if its ids
// stand further back in the stream: the id of an event is not unique.
func (t *transaction) judge(ctx context.Context, p *proposal, at *place) (v verdict, last recentPlace, err error) {
	deleted := at.limits.deleted()
	switch head := expected(at.head); {
	case p.expected == streamExists && deleted:
		return gone, last, nil
	case p.expected == streamExists && head < 0 && !at.described, p.expected > head:
		return conflict, last, nil
	case len(p.events) == 0:
		return write, last, nil
	case p.expected == anyRevision, p.expected == streamExists:
		last, v = t.recent.repeat(at.id, p.events)
		return v, last, nil
	case p.expected == noStream && deleted:
		return write, last, nil // to its readers there is no stream
	case p.expected < head:
		last, v, err = t.repeat(ctx, at.id, int64(p.expected)+1, p.events)
		return v, last, err
	}
	return write, last, nil
}

// write appends, and brings a deleted stream back: its revisions go on, its old
// events stay hidden. Writing the metadata of a deleted stream brings it back
// too.
func (t *transaction) write(ctx context.Context, p *proposal, at *place) (outcome, error) {
	if at.limits.deleted() {
		if err := t.truncate(ctx, at.name, at.head+1); err != nil {
			return outcome{}, err
		}
	}
	var before limits
	var described *place
	if isMetastream(at.name) {
		var err error
		if described, err = t.place(ctx, describedStream(at.name)); err != nil {
			return outcome{}, err
		}
		before = described.limits
	}
	if err := t.add(ctx, at, p.events); err != nil {
		return outcome{}, err
	}
	o := outcome{head: at.head, position: t.last}
	if described != nil && before.deleted() && described.head >= 0 && isObject(p.events[len(p.events)-1].data) {
		return o, t.truncate(ctx, described.name, described.head+1)
	}
	return o, nil
}

// repeat compares an append behind the head with the events that stand there.
// Anything less than the same ids in the same places is a conflict.
func (t *transaction) repeat(ctx context.Context, stream, from int64, evs []event) (last recentPlace, v verdict, err error) {
	rows, err := t.tx.QueryContext(ctx, `SELECT id, revision, position FROM events
		WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ?`, stream, from, len(evs))
	if err != nil {
		return last, conflict, fmt.Errorf("looking for a repeat: %w", err)
	}
	defer rows.Close()
	matched := 0
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id, &last.revision, &last.position); err != nil {
			return last, conflict, fmt.Errorf("looking for a repeat: %w", err)
		}
		if uuid.UUID(id) != evs[matched].id {
			return last, conflict, nil
		}
		matched++
	}
	if err := rows.Err(); err != nil {
		return last, conflict, fmt.Errorf("looking for a repeat: %w", err)
	}
	if matched < len(evs) {
		return last, conflict, nil
	}
	return last, repeated, nil
}

// add inserts events behind the head of a stream.
func (t *transaction) add(ctx context.Context, at *place, evs []event) error {
	if at.head > math.MaxInt64-1-int64(len(evs)) {
		return fmt.Errorf("appending to %s: no revision is left", at.name)
	}
	if at.id == 0 {
		if err := t.addStream.QueryRowContext(ctx, at.name).Scan(&at.id); err != nil {
			return fmt.Errorf("adding stream %s: %w", at.name, err)
		}
	}
	if err := t.insert(ctx, at, evs); err != nil {
		return err
	}
	if isMetastream(at.name) {
		described, err := t.place(ctx, describedStream(at.name))
		if err != nil {
			return err
		}
		described.described, described.limits = true, parseLimits(evs[len(evs)-1].data)
		if isMetastream(described.name) {
			described.limits = metastreamLimits
		}
	}
	return nil
}

// insert gives events their places and writes their rows, many by one statement.
func (t *transaction) insert(ctx context.Context, at *place, evs []event) error {
	created := t.now().UnixNano() / 100
	for rest := evs; len(rest) > 0; {
		n, stmt := 1, t.addEvent
		if len(rest) >= manyEvents {
			n, stmt = manyEvents, t.addEvents
		}
		args := make([]any, 0, n*eventColumns)
		for i := range rest[:n] {
			e := &rest[i]
			e.position, e.revision, e.created = t.last+1, at.head+1, created
			args = append(args, e.position, at.id, e.revision, e.id[:], e.kind, storedType(e.contentType), e.created, e.data, e.metadata)
			e.stream = at.name
			t.recent.add(at.id, e)
			t.last, at.head = e.position, e.revision
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return fmt.Errorf("appending to %s up to %d: %w", at.name, at.head, err)
		}
		t.added = append(t.added, rest[:n]...)
		rest = rest[n:]
	}
	return nil
}
