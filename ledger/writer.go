package ledger

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// Bounds of one append: the event store refuses more than 1 MiB.
const (
	maxBatchCommands = 256
	maxBatchBytes    = 900_000
)

// ErrKeyReused says that an idempotency key came again with other content.
var ErrKeyReused = errors.New("this idempotency key was used for something else")

// ErrTooLarge says that one command alone exceeds what the event store takes.
var ErrTooLarge = errors.New("it does not fit into one append")

// Command is a request to record something, with the key that makes repeating
// it harmless.
type Command struct {
	Recorder string // who records; opaque, 1 to 255 bytes
	Key      string // chosen by the recorder, once for each command; 1 to 255 bytes
	Record   decide.Command
}

// Accepted answers a command: what it asked for is durable in the stream.
type Accepted struct {
	ID     events.ID
	Index  uint64 // revision in the stream and leaf in the log
	Repeat bool   // the key was known, with the same content
	// Also are the other events that the command asked for, in the order of the
	// stream: the fresh record of a reattribution, for one.
	Also []Place
	// Continuations is how many events carry those people who did not fit into the
	// first one.
	Continuations uint64
	Last          uint64 // leaf of the last of them
}

// Place says where an event stands.
type Place struct {
	ID    events.ID
	Index uint64
}

// Record appends what a command asks for. When it returns nil, that is accepted.
// Any other outcome may or may not have been stored; repeating the command with
// the same key is safe and tells.
func (l *Ledger) Record(ctx context.Context, cmd Command) (Accepted, error) {
	if err := cmd.check(); err != nil {
		return Accepted{}, err
	}
	select {
	case <-l.stopped:
		return Accepted{}, ErrStopped
	default:
	}
	for {
		a, err := l.record(ctx, &cmd)
		if !errors.Is(err, errTargetMoved) {
			return a, err
		}
	}
}

// record is one attempt of Record. errTargetMoved asks for another.
func (l *Ledger) record(ctx context.Context, cmd *Command) (Accepted, error) {
	// What is recorded never changes, so a repeated command need not wait for the
	// writer: a whole import that is run again does not hold up the others.
	on := l.closings()
	if first, planned, known, err := l.first(ctx, cmd); err != nil {
		return Accepted{}, err
	} else if known {
		err := l.complete(ctx, cmd, &first, planned, on)
		return first, err
	}
	if err := l.beforeAlias(ctx, cmd); err != nil {
		return Accepted{}, err
	}
	if err := l.block(); err != nil {
		return Accepted{}, err
	}
	l.mu.RLock()
	err := l.state.finished()
	l.mu.RUnlock()
	if err != nil {
		return Accepted{}, err
	}
	target, err := l.targetOf(ctx, cmd, math.MaxUint64)
	if err == errUnfinished && l.awaitOpen(ctx, cmd) {
		return Accepted{}, errTargetMoved
	}
	if err != nil {
		return Accepted{}, err
	}
	req := &request{cmd: cmd, target: target, on: on, reply: make(chan reply, 1)}
	if manyPeople(cmd.Record, target) {
		if req.decided, err = l.decide(&shared{l}, cmd, target, l.now()); err != nil {
			return Accepted{}, err
		}
	}
	// Noted before the header is there, so that nobody takes it for one left open.
	defer l.completes(cmd, req.decided)()
	r := l.submit(ctx, req)
	if r.err != nil {
		return Accepted{}, r.err
	}
	err = l.complete(ctx, cmd, &r.accepted, r.decided, r.on)
	return r.accepted, err
}

func (cmd *Command) check() error {
	if n := len(cmd.Recorder); n == 0 || n > 255 {
		return &events.FieldError{Field: "recorder", Rule: "must have 1 to 255 bytes", Next: "name who records"}
	}
	if n := len(cmd.Key); n == 0 || n > 255 {
		return &events.FieldError{Field: "Idempotency-Key", Rule: "must have 1 to 255 bytes", Next: "send a key of your own, one for each thing you record"}
	}
	return nil
}

// appendState appends a state leaf and returns its index.
func (l *Ledger) appendState(ctx context.Context) (uint64, error) {
	r := l.submit(ctx, &request{reply: make(chan reply, 1)})
	return r.accepted.Index, r.err
}

// inWriter has the writer do something when the state is that of the stream, and
// before it decides anything else.
func (l *Ledger) inWriter(ctx context.Context, do func(context.Context) error) error {
	return l.submit(ctx, &request{aside: do, reply: make(chan reply, 1)}).err
}

func (l *Ledger) submit(ctx context.Context, req *request) reply {
	select {
	case l.queue <- req:
	case <-l.stopped:
		return reply{err: ErrStopped}
	case <-ctx.Done():
		return reply{err: context.Cause(ctx)}
	}
	select {
	case r := <-req.reply:
		return r
	case <-l.stopped:
		return req.answerOr(ErrStopped)
	case <-ctx.Done():
		return req.answerOr(context.Cause(ctx))
	}
}

// write is the writer goroutine: it takes what waits, decides, and appends one
// batch, until ctx ends or a fault is fatal.
func (l *Ledger) write(ctx context.Context) error {
	var waiting []*request
	for {
		if len(waiting) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-l.behind:
				if err := l.follow(ctx); err != nil {
					return err
				}
				continue
			case req := <-l.queue:
				waiting = append(waiting, req)
			}
		}
		for more := true; more && len(waiting) < maxBatchCommands; {
			select {
			case req := <-l.queue:
				waiting = append(waiting, req)
			default:
				more = false
			}
		}
		var err error
		if waiting, err = l.writeBatch(ctx, waiting); err != nil {
			return err
		}
	}
}

// follow takes in what others appended, a foreign event for one, without waiting
// for the next command.
func (l *Ledger) follow(ctx context.Context) error {
	if behind, _ := l.lagging(); !behind {
		return nil
	}
	err := l.catchUp(ctx)
	if errors.Is(err, ErrCorrupt) {
		return err
	}
	if err != nil && ctx.Err() == nil {
		l.log.Warn("catching up was put off", zap.Error(err))
	}
	return nil
}

// writeBatch appends one batch and answers its requests; what did not fit stays
// waiting. Only an error of the kind nothing can mend is returned.
func (l *Ledger) writeBatch(ctx context.Context, waiting []*request) ([]*request, error) {
	if l.stale || slices.ContainsFunc(waiting, l.looks) {
		if err := l.catchUp(ctx); err != nil {
			return nil, l.giveUp(ctx, waiting, err)
		}
	}
	if err := l.destroyDoomed(ctx); err != nil {
		return nil, l.giveUp(ctx, waiting, err)
	}
	b, rest := l.plan(ctx, waiting)
	if len(b.requests) == 0 && !b.due {
		return rest, nil
	}
	if err := l.prepare(ctx, b); err != nil {
		return nil, l.giveUp(ctx, append(b.requests, rest...), err)
	}
	appending, done := outlast(ctx, stopGrace)
	last, err := l.store.Append(appending, l.stream, events.Expected(b.first)-1, b.proposed...)
	done()
	switch {
	case errors.Is(err, events.ErrConflict):
		// Somebody else wrote. What they wrote is folded, and the whole batch is
		// decided again against it.
		l.log.Warn("another writer appended first; deciding again", zapIndex(b.first))
		l.stale = true
		return append(b.requests, rest...), nil
	case err != nil:
		// The outcome is unknown: the stream is read before the next decision.
		l.stale = true
		asked := b.requests
		if b.due { // nobody asked for it, and everybody waits for it
			asked, rest = rest, nil
		}
		answerAll(asked, reply{err: stoppedOr(ctx, fmt.Errorf("appending to the stream: %w", err))})
		return rest, nil
	case last != b.first+uint64(len(b.proposed))-1:
		err := fmt.Errorf("appending at %d: the store answers revision %d: %w", b.first, last, ErrCorrupt)
		return nil, l.giveUp(ctx, append(b.requests, rest...), err)
	}
	if err := l.foldBatch(ctx, b); err != nil {
		return nil, l.giveUp(ctx, append(b.requests, rest...), err)
	}
	if err := l.destroyDoomed(ctx); err != nil {
		return nil, l.giveUp(ctx, append(b.requests, rest...), err)
	}
	b.accept()
	return rest, nil
}

// stopGrace is how long an append that is under way may go on when the ledger
// stops. Its outcome is known then, and whoever waits for it is told.
const stopGrace = time.Second

// outlast returns a context that ends a while after ctx, or when done is called.
func outlast(ctx context.Context, grace time.Duration) (longer context.Context, done func()) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var timer *time.Timer
	started := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer = time.AfterFunc(grace, cancel)
		close(started)
	})
	return longer, func() {
		if !stop() {
			<-started
			timer.Stop()
		}
		cancel()
	}
}

// giveUp answers requests with an error. It returns the error only if it is
// fatal; a disk that is full or a store that is away are not.
func (l *Ledger) giveUp(ctx context.Context, requests []*request, err error) error {
	answerAll(requests, reply{err: stoppedOr(ctx, err)})
	if errors.Is(err, ErrCorrupt) {
		return err
	}
	l.stale = true
	return nil
}

// stoppedOr hides from callers that work was cut short by the context of Run,
// which is not theirs.
func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("%w: %v", ErrStopped, err)
	}
	return err
}

// foldBatch takes our own events into the state. The sequencer later finds the
// same events in the stream, or stops.
func (l *Ledger) foldBatch(ctx context.Context, b *batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	// These are the very bytes the tree and the leaves were made with, on the state
	// as it still is. Events read back from the stream are not: they get a tree of
	// their own, and are parsed and authenticated.
	l.built = b.tree
	defer func() { l.built = nil }()
	for i, p := range b.proposed {
		e := events.Recorded{ID: p.ID, Type: p.Type, Data: p.Data, Metadata: p.Metadata, Stream: l.stream, Revision: b.first + uint64(i)}
		if err := l.foldLeaf(ctx, e, b.leaves[i], b.enrolment); err != nil {
			return err
		}
		if err := l.wrote(e); err != nil {
			return err
		}
	}
	return nil
}

// catchUp folds what is in the stream beyond the state.
func (l *Ledger) catchUp(ctx context.Context) error {
	l.stale = true
	for e, err := range l.store.Read(ctx, l.stream, l.state.next, 1<<62) {
		if err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		l.mu.Lock()
		if err = l.fold(ctx, e, l.keys.Enrolment); err == nil {
			delete(l.seen, e.Revision)
		}
		l.mu.Unlock()
		if err != nil {
			return err
		}
	}
	l.stale = false
	return nil
}

// eventID derives an event's id from the command's key, so that a repeated
// command is recognised, after a rebuild too.
func (l *Ledger) eventID(cmd *Command, ordinal uint16) events.ID {
	mac := hmac.New(sha256.New, l.secrets.Ledger[:])
	if realm := decide.RealmOf(cmd.Record); realm != decide.RealmOpen {
		mac.Write([]byte{0, byte(realm)}) // no recorder is empty, so nobody else's begins like this
	}
	for _, s := range []string{cmd.Recorder, cmd.Key} {
		mac.Write([]byte{byte(len(s))})
		mac.Write([]byte(s))
	}
	mac.Write(binary.BigEndian.AppendUint16(nil, ordinal))
	return events.ID(mac.Sum(nil)[:16])
}

func zapSize(n uint64) zap.Field { return zap.Uint64("size", n) }

func zapIndex(i uint64) zap.Field { return zap.Uint64("index", i) }
