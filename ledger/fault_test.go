package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
)

// soon is the tick of ledgers that must try again by themselves.
const soon = 5 * time.Millisecond

// signCheckpoint signs with the ledger's own key.
func signCheckpoint(t *testing.T, p *ledgertest.Parts, size uint64, root events.Hash) []byte {
	t.Helper()
	secrets, err := p.Keys.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := verifier.Checkpoint{Origin: ledgertest.Origin, Size: size, Root: root}.Format()
	signed, err := note.Sign(&note.Note{Text: text}, secrets.Log)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func forgeCheckpoint(t *testing.T, l *ledgertest.Ledger, size uint64, root events.Hash) {
	t.Helper()
	signed := signCheckpoint(t, l.Parts, size, root)
	data, err := json.Marshal(map[string]any{"checkpoint": string(signed), "edge": []events.Hash{}})
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, l, checkpoints, events.Proposed{ID: events.ID(uuid.New()), Type: "CheckpointPublished", Data: data})
}

func appendTo(t *testing.T, l *ledgertest.Ledger, stream string, e events.Proposed) {
	t.Helper()
	head, err := l.Store.Head(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Store.Append(t.Context(), stream, head, e); err != nil {
		t.Fatal(err)
	}
}

func TestForeignEvent(t *testing.T) {
	core, logs := observer.New(zapcore.ErrorLevel)
	l := ledgertest.New(t, ledgertest.Config{Tick: soon, Logger: zap.New(core)})
	l.MustRecord(t, ledgertest.Share("before", "ada"))
	l.Check(t)
	last, _, err := l.Store.Last(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range []events.Proposed{
		{ID: events.ID(uuid.New()), Type: "Stranger", Data: []byte("hello")},
		{ID: events.ID(uuid.New()), Type: events.TypeDisclosureRecorded, Data: []byte{}, Metadata: make([]byte, 32)},
		{ID: last.ID, Type: last.Type, Data: last.Data, Metadata: last.Metadata}, // ours, replayed
	} {
		appendTo(t, l, stream, e)
		l.Foreign++
		head, err := l.Store.Head(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		// No command comes: the ledger notices and publishes by itself.
		if _, err := l.WaitPublished(t.Context(), uint64(head)); err != nil {
			t.Fatal(err)
		}
		l.Check(t)
		if n := logs.FilterMessage("foreign event in the ledger's stream").Len(); n != l.Foreign {
			t.Errorf("%d alarms for %d foreign events", n, l.Foreign)
		}
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("after-", i), "ada", "grace"))
		l.Check(t)
	}
	l.Reopen(t, ledgertest.Config{})
	l.Check(t)
}

func TestForeignGenesis(t *testing.T) {
	parts, err := ledgertest.OpenParts(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer parts.Close()
	stranger := events.Proposed{ID: events.ID(uuid.New()), Type: "Stranger"}
	if _, err := parts.Store.Append(t.Context(), stream, events.NoStream, stranger); err != nil {
		t.Fatal(err)
	}
	if _, err := parts.OpenLedger(t.Context(), ledgertest.Config{}); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("a stream that somebody else began was opened: %v", err)
	}
}

// TestOtherWriter lets another instance append a share just before ours does.
func TestOtherWriter(t *testing.T) {
	gate := newFaults()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap})
	l.Check(t)
	other := second(t, l)
	for i := range 5 {
		theirs := ledgertest.Share(fmt.Sprint("theirs-", i), "ada", fmt.Sprint("new-", i))
		ours := ledgertest.Share(fmt.Sprint("ours-", i), "ada", fmt.Sprint("new-", i))
		if i == 4 {
			ours = theirs // sent to both, in the same place: one of them stands
		}
		gate.next(stream, fault{do: func() { recordAt(t, l, other, theirs) }})
		if i < 4 {
			l.MustRecord(t, ours)
		} else if _, err := l.TryRecord(t, ours); err != nil && !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("a share sent to both: %v", err)
		}
	}
	// The stream decides; a writer that was told that its own bytes stand there
	// stops before it says anything of the index.
	if err := l.Running.Stop(); err != nil && !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("the ledger ended with %v", err)
	}
	if err := other.Stop(); err != nil && !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("the other ledger ended with %v", err)
	}
	l.CheckStored(t)
	l.Close(t)
	l.Open(t, ledgertest.Config{})
	l.Check(t)
}

// second runs another instance on the same stream, log and keystore, as after a
// lease that two believe to hold.
func second(t *testing.T, l *ledgertest.Ledger) *ledgertest.Running {
	t.Helper()
	opened, err := l.Parts.OpenLedger(t.Context(), ledgertest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	running := ledgertest.Run(t.Context(), opened)
	t.Cleanup(func() { running.Stop() })
	return running
}

func recordAt(t *testing.T, l *ledgertest.Ledger, other *ledgertest.Running, cmd ledger.Command) {
	t.Helper()
	a, err := other.Record(t.Context(), cmd)
	if err == nil {
		err = l.Model.Accepted(cmd, a.Index)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestTwoInstances lets two instances race, also with the same keys, while both
// publish. Whatever becomes of them, the ledger does not fork.
func TestTwoInstances(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{Tick: soon})
	l.Check(t)
	other := second(t, l)
	var g errgroup.Group
	for i, to := range []*ledgertest.Running{l.Running, other, l.Running, other} {
		g.Go(func() error {
			for n := range 20 {
				key := fmt.Sprintf("%d-%d", i, n)
				if n%5 == 0 {
					key = fmt.Sprintf("both-%d", n) // a client that tries both
				}
				cmd := ledgertest.Share(key, "ada", fmt.Sprintf("p%d", n))
				a, err := to.Record(t.Context(), cmd)
				if errors.Is(err, ledger.ErrCorrupt) || errors.Is(err, ledger.ErrStopped) {
					return nil
				}
				if err == nil {
					err = l.Model.Accepted(cmd, a.Index)
				}
				if err != nil {
					return err
				}
				if n%4 == 0 {
					_, err := to.WaitPublished(t.Context(), a.Index)
					if errors.Is(err, ledger.ErrStopped) {
						return nil
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	for name, r := range map[string]*ledgertest.Running{"first": l.Running, "second": other} {
		if err := r.Stop(); err != nil {
			t.Logf("the %s ended with: %v", name, err)
			if !errors.Is(err, ledger.ErrCorrupt) {
				t.Error(err)
			}
		}
	}
	l.Close(t)
	l.Open(t, ledgertest.Config{})
	for i := range 4 { // shares whose instance stopped before it answered
		for n := range 20 {
			key := fmt.Sprintf("%d-%d", i, n)
			if n%5 == 0 {
				key = fmt.Sprintf("both-%d", n)
			}
			l.MustRecord(t, ledgertest.Share(key, "ada", fmt.Sprintf("p%d", n)))
		}
	}
	l.Check(t)
}

// liar is a real log that gives another answer to Root while told to.
type liar struct {
	ledger.Log
	lie atomic.Pointer[func(uint64, [32]byte) (uint64, [32]byte)]
}

func (l *liar) Root(ctx context.Context) (uint64, [32]byte, error) {
	size, root, err := l.Log.Root(ctx)
	if lie := l.lie.Load(); lie != nil {
		size, root = (*lie)(size, root)
	}
	return size, root, err
}

func TestLyingLog(t *testing.T) {
	for name, lie := range map[string]func(uint64, [32]byte) (uint64, [32]byte){
		"another root":   func(n uint64, r [32]byte) (uint64, [32]byte) { r[5] ^= 1; return n, r },
		"a smaller size": func(n uint64, r [32]byte) (uint64, [32]byte) { return n - 1, r },
		"nothing":        func(uint64, [32]byte) (uint64, [32]byte) { return 0, [32]byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			log := new(liar)
			cfg := ledgertest.Config{Log: func(l ledger.Log) ledger.Log { log.Log = l; return log }}
			l := ledgertest.New(t, cfg)
			l.MustRecord(t, ledgertest.Share("before", "ada"))
			l.Check(t)
			before := l.Published().Size
			log.lie.Store(&lie)
			// The sequencer may meet the share and stop the ledger before the
			// writer has its answer: then the share is stored, and nobody was told.
			after := ledgertest.Share("after", "ada")
			_, told := l.TryRecord(t, after)
			if told != nil && !errors.Is(told, ledger.ErrStopped) {
				t.Fatal(told)
			}
			if err := l.Wait(); !errors.Is(err, ledger.ErrCorrupt) {
				t.Fatalf("the ledger ended with %v", err)
			}
			if now := l.Published().Size; now != before {
				t.Errorf("size %d was published after the lie", now)
			}
			if told == nil {
				l.CheckStored(t)
			}
			l.Close(t)
			log.lie.Store(nil)
			l.Open(t, ledgertest.Config{})
			l.MustRecord(t, after)
			l.Check(t)
		})
	}
}

// TestUnsignedState crashes between the state leaf and its signature.
func TestUnsignedState(t *testing.T) {
	gate := newFaults()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap})
	l.Check(t)
	a := l.MustRecord(t, ledgertest.Share("one", "ada"))
	gate.holdNext(checkpoints) // never released: the ledger is stopped there
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { l.WaitPublished(ctx, a.Index); return nil })
	<-gate.held
	cancel()
	g.Wait()
	accepted := l.Status().Accepted
	l.Reopen(t, ledgertest.Config{})
	if p := l.Publish(t); p.Size != accepted || l.Status().Accepted != accepted {
		t.Errorf("%d leaves were accepted, the next start published %d of %d", accepted, p.Size, l.Status().Accepted)
	}
	l.Check(t)
}

// TestCheckpointAppendFails answers appends of checkpoints with errors, before
// and after they were done, while more is recorded.
func TestCheckpointAppendFails(t *testing.T) {
	gate := newFaults()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap, Tick: soon})
	l.Check(t)
	for i, f := range []fault{{before: errDisk}, {after: errDisk}, {before: context.DeadlineExceeded}, {after: context.DeadlineExceeded}} {
		// More is accepted while the append is under way, so that the next
		// publication has another size.
		f.do = func() { l.MustRecord(t, ledgertest.Share(fmt.Sprint("meanwhile-", i), "ada")) }
		gate.next(checkpoints, f, fault{before: errDisk})
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("share-", i), "ada", fmt.Sprint("new-", i)))
		l.Check(t)
	}
	if gate.pending(checkpoints) > 0 {
		t.Error("not every fault happened")
	}
	// The last append was done although its answer got lost, then a restart.
	gate.next(checkpoints, fault{after: errDisk})
	l.MustRecord(t, ledgertest.Share("last", "ada"))
	l.Reopen(t, ledgertest.Config{})
	l.Check(t)
}

// TestForgedCheckpoint: another root than ours stands in the checkpoint stream.
func TestForgedCheckpoint(t *testing.T) {
	gate := newFaults()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap, Tick: soon})
	l.Check(t)
	a := l.MustRecord(t, ledgertest.Share("one", "ada"))
	gate.next(checkpoints, fault{do: func() { forgeCheckpoint(t, l, l.Status().Accepted, events.Hash{1}) }})
	l.WaitPublished(t.Context(), a.Index) // asks for it, in vain
	if err := l.Wait(); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("the ledger ended with %v", err)
	}
	if l.Published().Size > a.Index {
		t.Error("something was published")
	}
}

// TestAppendFails answers appends of shares with errors: the caller is told, the
// ledger goes on, and the same key records the share once.
func TestAppendFails(t *testing.T) {
	gate := newFaults()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap})
	l.Check(t)
	for i, f := range []fault{{before: errDisk}, {after: errDisk}} {
		for n := range 4 {
			cmd := ledgertest.Share(fmt.Sprintf("%d-%d", i, n), "ada", fmt.Sprintf("p-%d-%d", i, n))
			gate.next(stream, f)
			if _, err := l.TryRecord(t, cmd); !errors.Is(err, errDisk) {
				t.Errorf("an append that failed was answered with %v", err)
			}
			if a := l.MustRecord(t, cmd); a.Repeat != (f.after != nil) {
				t.Errorf("the second try gave %+v", a)
			}
			l.Check(t)
		}
	}
}

// TestClockAhead steps the clock forward, by less and by more than the ledger takes
// from a clock that nobody vouches for.
func TestClockAhead(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 5, 1, 12, 0, 30, 0, time.UTC).UnixMilli())
	core, logs := observer.New(zapcore.ErrorLevel)
	cfg := ledgertest.Config{Now: func() time.Time { return time.UnixMilli(now.Load()) }, Logger: zap.New(core)}
	l := ledgertest.New(t, cfg)
	l.Check(t)
	share := func(key string) ledger.Command { return ledgertest.Share(key, "ada") }
	step := func(days int64) { now.Add(days * 24 * time.Hour.Milliseconds()) }
	step(365)
	l.MustRecord(t, share("a year of silence"))
	l.Check(t)
	accepted := l.Status().Accepted
	step(367)
	if a, err := l.TryRecord(t, share("refused")); !errors.Is(err, ledger.ErrClock) {
		t.Errorf("with a clock 367 days ahead: %+v, %v", a, err)
	}
	if now := l.Status().Accepted; now != accepted {
		t.Errorf("%d leaves before, %d after", accepted, now)
	}
	if logs.FilterMessageSnippet("the clock is more than 366 days ahead").Len() == 0 {
		t.Error("the log does not say why")
	}
	step(-367)
	l.MustRecord(t, share("refused")) // the clock was set right
	l.Check(t)
	step(1000)
	cfg.AcceptClock = true
	l.Reopen(t, cfg)
	l.MustRecord(t, share("vouched for"))
	l.Check(t)
	cfg.AcceptClock = false
	l.Reopen(t, cfg)
	l.MustRecord(t, share("once is enough"))
	l.Check(t)
}

// TestClock steps the clock back; leaf times do not follow, and the log warns.
func TestClock(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 5, 1, 12, 0, 30, 0, time.UTC).UnixMilli())
	core, logs := observer.New(zapcore.WarnLevel)
	cfg := ledgertest.Config{Now: func() time.Time { return time.UnixMilli(now.Load()) }, Logger: zap.New(core)}
	l := ledgertest.New(t, cfg)
	for i, step := range []time.Duration{0, 2 * time.Minute, -3 * time.Hour, time.Second, -1000 * 24 * time.Hour, 1300 * 24 * time.Hour} {
		now.Add(step.Milliseconds())
		cmd := ledgertest.Share(fmt.Sprint("share-", i), "ada")
		cmd.Record.(*decide.RecordDisclosure).Disclosure.Occurred.At = time.UnixMilli(now.Load()).UTC().Format(time.RFC3339)
		before := l.Published()
		l.MustRecord(t, cmd)
		l.RepeatAll(t) // some of it lies in the future of a clock stepped back
		l.Check(t)
		if p := l.Published(); before != nil && (p.Size <= before.Size || p.TimeMS < before.TimeMS) {
			t.Errorf("%+v was published after %+v", p, before)
		}
		warned := logs.FilterMessageSnippet("the clock is behind the last leaf's time").Len() > 0
		if behind := step < -time.Hour || i == 3; warned != behind { // the fourth is still hours behind
			t.Errorf("step %d of %v: warned %t, behind %t", i, step, warned, behind)
		}
		logs.TakeAll()
		l.Reopen(t, cfg)
	}
}
