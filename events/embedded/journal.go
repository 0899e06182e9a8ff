package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sharetrail/sharetrail/internal/sqlite"
)

const (
	maxGroup      = 256     // appends in one transaction
	maxGroupBytes = 8 << 20 // about; the last append of a group may pass it
	maxQueue      = 1024    // appends that wait
)

var (
	errBusy   = errors.New("the event store cannot write now")
	errFull   = errors.New("the disk of the event store is full")
	errBroken = errors.New("the event store writes no more until it is opened again")
)

// journal is the log without its wire: the file, the heads and the one
// goroutine that writes. An append is acknowledged only after its transaction
// has been synced to disk; a failed transaction acknowledges none of its group.
type journal struct {
	file  *file
	heads *heads
	tail  tail
	log   *zap.Logger
	now   func() time.Time
	queue chan *proposal
	done  chan struct{} // closed when the writer has ended

	// owned by the writer goroutine
	recent *recent
	last   int64 // position of the last durable event
	broken error
}

// proposal is one append or deletion on its way through the writer.
type proposal struct {
	ctx      context.Context // the caller's; a proposal whose caller has left is dropped
	work     work
	stream   string
	expected expected
	events   []event
	size     int
	reply    chan answer // holds one
}

type answer struct {
	outcome outcome
	err     error
}

func openJournal(ctx context.Context, f *file, log *zap.Logger, now func() time.Time) (*journal, error) {
	j := &journal{
		file: f, heads: newHeads(f), log: log, now: now,
		queue: make(chan *proposal, maxQueue), done: make(chan struct{}),
		recent: newRecent(recentIDs),
	}
	if err := f.db.Write.QueryRowContext(ctx, `SELECT coalesce(max(position), 0) FROM events`).Scan(&j.last); err != nil {
		return nil, fmt.Errorf("reading the last position: %w", err)
	}
	j.heads.last = j.last
	go j.run(context.WithoutCancel(ctx))
	return j, nil
}

// submit hands a proposal to the writer and waits for the answer. When ctx
// ends first, the events may or may not become durable.
func (j *journal) submit(ctx context.Context, p *proposal) (outcome, error) {
	p.ctx, p.reply = ctx, make(chan answer, 1)
	select {
	case j.queue <- p:
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
	select {
	case a := <-p.reply:
		return a.outcome, a.err
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
}

// close waits until everything queued is written. Nobody may append any more.
func (j *journal) close() error {
	close(j.queue)
	<-j.done
	return nil
}

func (j *journal) run(ctx context.Context) {
	defer close(j.done)
	for first := range j.queue {
		group := j.gather(first)
		answers, err := j.commit(ctx, group)
		if err != nil {
			err = j.failed(ctx, err)
		}
		for i, p := range group {
			if err != nil {
				p.reply <- answer{err: err}
				continue
			}
			p.reply <- answers[i]
		}
	}
}

// gather takes what is queued already: one sync serves them all.
func (j *journal) gather(first *proposal) []*proposal {
	group, size := []*proposal{first}, first.size
	for len(group) < maxGroup && size < maxGroupBytes {
		select {
		case p, open := <-j.queue:
			if !open {
				return group
			}
			group, size = append(group, p), size+p.size
		default:
			return group
		}
	}
	return group
}

// failed turns the failure of a transaction into what its callers are told,
// and forgets what memory may have learnt from it. After anything but a full
// or busy disk the state of the file is not known (a failed sync may be
// reported once and never again), so nothing more is written.
func (j *journal) failed(ctx context.Context, err error) error {
	j.recent = newRecent(recentIDs)
	// A COMMIT that was refused can leave the transaction open; usually there
	// is none any more and this answers an error without meaning.
	_, _ = j.file.db.Write.ExecContext(ctx, "ROLLBACK")
	if j.broken != nil {
		return err
	}
	if sqlite.IsFull(err) {
		j.log.Warn("append refused: no space is left", zap.Error(err))
		return fmt.Errorf("%w: %w", errFull, err)
	}
	var cause *driver.Error
	if errors.As(err, &cause) {
		switch cause.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			j.log.Warn("append refused", zap.Error(err))
			return fmt.Errorf("%w: %w", errBusy, err)
		}
	}
	j.log.Error("event store stopped writing", zap.Error(err))
	j.broken = fmt.Errorf("%w: %w", errBroken, err)
	return j.broken
}
