package projections_test

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	_ "modernc.org/sqlite"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/pubsub"
	"github.com/sharetrail/sharetrail/events/pubsub/pubsubtest"
	"github.com/sharetrail/sharetrail/internal/leaktest"
	"github.com/sharetrail/sharetrail/projections"
)

const (
	stream  = "sharetrail-test"
	subject = "alice@example.org"
	// childDatabase names the read model for a copy of this test binary that is
	// going to be killed.
	childDatabase = "SHARETRAIL_TEST_KILLED_CHILD"
)

// tally is a projection which shows every mistake: its sum changes with an event
// lost or applied twice, its chain with the order.
type tally struct {
	name string
	db   *sql.DB
	// Faults; nil for none. They may be changed only while nothing runs.
	before func(ctx context.Context, page []events.Recorded) error // in the transaction, its rows written
	after  func(next uint64) error                                 // committed, not yet answered
}

func openTally(t *testing.T, name, path string) *tally {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), `
		CREATE TABLE IF NOT EXISTS tally (id INTEGER PRIMARY KEY CHECK (id = 1), next INTEGER, sum INTEGER, chain INTEGER);
		INSERT INTO tally VALUES (1, 0, 0, 0) ON CONFLICT DO NOTHING`); err != nil {
		t.Fatal(err)
	}
	return &tally{name: name, db: db}
}

func (p *tally) Name() string { return p.name }

func (p *tally) Position(ctx context.Context) (next uint64, err error) {
	err = p.db.QueryRowContext(ctx, "SELECT next FROM tally").Scan(&next)
	return next, err
}

func (p *tally) Apply(ctx context.Context, page []events.Recorded) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	defer tx.Rollback()
	var now state
	if err := tx.QueryRowContext(ctx, "SELECT next, sum, chain FROM tally").Scan(&now.next, &now.sum, &now.chain); err != nil {
		return fmt.Errorf("reading the position: %w", err)
	}
	was := now.next
	if page[0].Revision > was {
		return fmt.Errorf("checking the page: revision %d where %d was due", page[0].Revision, was)
	}
	for _, e := range page {
		now.add(e)
	}
	if _, err := tx.ExecContext(ctx, "UPDATE tally SET next = ?, sum = ?, chain = ? WHERE next = ?", now.next, now.sum, now.chain, was); err != nil {
		return fmt.Errorf("writing rows: %w", err)
	}
	if p.before != nil {
		if err := p.before(ctx, page); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	if p.after != nil {
		return p.after(now.next)
	}
	return nil
}

type state struct {
	next       uint64
	sum, chain int64
}

func (s *state) add(e events.Recorded) {
	if e.Revision < s.next {
		return
	}
	value := int64(binary.BigEndian.Uint64(e.Data))
	s.next, s.sum, s.chain = e.Revision+1, s.sum+value, s.chain*31+value
}

// check demands that p contains the whole log, once and in order.
func (p *tally) check(t *testing.T, log *pubsubtest.Log) {
	t.Helper()
	var want, got state
	next := log.Append(stream)
	for page := range log.Pages(t.Context(), stream, 0, 1000) {
		for _, e := range page {
			want.add(e)
		}
		if want.next == next {
			break
		}
	}
	if err := p.db.QueryRow("SELECT next, sum, chain FROM tally").Scan(&got.next, &got.sum, &got.chain); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%s contains %+v, want %+v", p.name, got, want)
	}
}

// fill appends n events, the same ones in every process.
func fill(log *pubsubtest.Log, n int) {
	for range n {
		value := log.Append(stream)*7919%1000 + 1
		log.Append(stream, events.Proposed{Type: "Counted", Data: append(binary.BigEndian.AppendUint64(nil, value), subject...)})
	}
}

// ragged is a log whose pages end where chance wants.
type ragged struct {
	*pubsubtest.Log
	rng *rand.Rand
}

func (r ragged) Pages(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error] {
	return func(yield func([]events.Recorded, error) bool) {
		for page, err := range r.Log.Pages(ctx, stream, from, max) {
			for len(page) > 0 {
				n := 1 + r.rng.IntN(len(page))
				if !yield(page[:n], err) {
					return
				}
				page = page[n:]
			}
		}
	}
}

func none(int) time.Duration { return 0 }

// start runs ps and returns the Runner and what ends it, waiting for its end.
func start(t *testing.T, cfg projections.Config, ps ...projections.Projection) (*projections.Runner, func() error) {
	t.Helper()
	cfg.Stream = stream
	runner, err := projections.NewRunner(cfg, ps...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	return runner, func() error {
		cancel()
		return <-ended
	}
}

func mustStop(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

// output keeps log lines. The Router's goroutines may still write when Run is over.
type output struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(line)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

var errBusy = fmt.Errorf("database is locked: %w", driver.ErrBadConn)

// TestExactlyOnce mixes random page boundaries, transient and lasting errors,
// panics, commits with a lost answer, and restarts.
func TestExactlyOnce(t *testing.T) {
	leaktest.None(t)
	const total = 2400
	rng := rand.New(rand.NewPCG(3, 4))
	log := pubsubtest.NewLog()
	fill(log, total)
	var out output
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zap.DebugLevel))
	p := openTally(t, "tally", filepath.Join(t.TempDir(), "views.db"))
	p.before = func(_ context.Context, page []events.Recorded) error {
		switch rng.IntN(16) {
		case 0:
			return errBusy
		case 1:
			return errors.New("no such column")
		case 2:
			panic(page[0])
		case 3:
			panic(errors.New(string(page[0].Data)))
		}
		return nil
	}
	p.after = func(uint64) error {
		if rng.IntN(12) == 0 {
			return errors.New("connection lost during commit")
		}
		return nil
	}
	restarts := 0
	for next := uint64(0); next < total; restarts++ {
		runner, stop := start(t, projections.Config{Source: ragged{log, rng}, PageSize: 60, Backoff: none, Logger: logger}, p)
		next = min(next+uint64(total/8), total)
		if err := runner.WaitFor(t.Context(), next-1); err != nil {
			t.Fatal(err)
		}
		mustStop(t, stop)
	}
	p.check(t, log)
	if restarts < 4 {
		t.Errorf("%d restarts, want more", restarts)
	}
	if !strings.Contains(out.String(), "panic with a events.Recorded") || strings.Contains(out.String(), subject[:5]) {
		t.Errorf("the log must show panics and no events:\n%.2000s", out.String())
	}
}

const killedTotal, killedPage = 6000, 20

// TestKilledChild is no test of its own: it is what TestKill kills.
func TestKilledChild(t *testing.T) {
	path := os.Getenv(childDatabase)
	if path == "" {
		t.Skip("runs in a process made by TestKill")
	}
	log := pubsubtest.NewLog()
	fill(log, killedTotal)
	p := openTally(t, "tally", path)
	p.after = func(next uint64) error {
		fmt.Println("committed", next)
		_, err := os.Stdin.Read(make([]byte, 1)) // a byte allows one more page, the end all of them
		if err == io.EOF {
			return nil
		}
		return err
	}
	runner, stop := start(t, projections.Config{Source: log, PageSize: killedPage}, p)
	if err := runner.WaitFor(t.Context(), killedTotal-1); err != nil {
		t.Fatal(err)
	}
	mustStop(t, stop)
}

func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "views.db")
	rng := rand.New(rand.NewPCG(5, 6))
	for range 4 {
		// At most 4*54 of the 300 pages are committed before the last run.
		if err := runChild(t, path, 10+rng.IntN(40)); err == nil {
			t.Fatal("the child ended before it was killed")
		}
	}
	if err := runChild(t, path, -1); err != nil {
		t.Fatalf("running the last child: %v", err)
	}
	log := pubsubtest.NewLog()
	fill(log, killedTotal)
	openTally(t, "tally", path).check(t, log)
}

// runChild runs the projection in another process and kills it after so many
// commits, with no chance to clean up and up to five pages further on; after -1
// commits is never.
func runChild(t *testing.T, path string, commits int) error {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledChild$")
	child.Env = append(os.Environ(), childDatabase+"="+path)
	stdin, stdinErr := child.StdinPipe()
	stdout, stdoutErr := child.StdoutPipe()
	if err := errors.Join(stdinErr, stdoutErr, child.Start()); err != nil {
		t.Fatal(err)
	}
	if commits < 0 {
		stdin.Close()
	} else if _, err := stdin.Write(make([]byte, commits+5)); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		said = append(said, lines.Text())
		if len(said) == commits {
			child.Process.Kill()
		}
	}
	if err := child.Wait(); err != nil {
		return fmt.Errorf("running a child that said %q: %w", said[max(0, len(said)-20):], err)
	}
	return nil
}

// TestDrainUnderLoad ends a Runner again and again while events arrive and pages
// are in flight: they commit, their contexts live, and after Run nothing is running.
func TestDrainUnderLoad(t *testing.T) {
	leaktest.None(t)
	log, dir := pubsubtest.NewLog(), t.TempDir()
	ctx, quiet := context.WithCancel(t.Context())
	filled := make(chan struct{})
	go func() {
		defer close(filled)
		for ctx.Err() == nil && log.Append(stream) < 200_000 {
			fill(log, 10)
		}
	}()
	var running, cut atomic.Int64
	var ps []projections.Projection
	for i := range 3 {
		p := openTally(t, fmt.Sprint("tally", i), filepath.Join(dir, fmt.Sprint(i)))
		p.before = func(ctx context.Context, _ []events.Recorded) error {
			running.Add(1)
			if ctx.Err() != nil {
				cut.Add(1)
			}
			return nil
		}
		p.after = func(uint64) error { running.Add(-1); return nil }
		ps = append(ps, p)
	}
	for round := range uint64(6) {
		runner, stop := start(t, projections.Config{Source: log, PageSize: 16}, ps...)
		if err := runner.WaitFor(t.Context(), round*100+50); err != nil {
			t.Fatal(err)
		}
		mustStop(t, stop)
		if running.Load() != 0 || cut.Load() != 0 {
			t.Fatalf("after Run %d pages are running, %d were cancelled", running.Load(), cut.Load())
		}
	}
	quiet()
	<-filled
	runner, stop := start(t, projections.Config{Source: log, PageSize: 5000}, ps...)
	if err := runner.WaitFor(t.Context(), log.Append(stream)-1); err != nil {
		t.Fatal(err)
	}
	mustStop(t, stop)
	for _, p := range ps {
		p.(*tally).check(t, log)
	}
}

func TestPageInFlightCommits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 20)
		p := openTally(t, "tally", filepath.Join(dir, "views.db"))
		begun, release := make(chan context.Context, 10), make(chan struct{})
		p.before = func(ctx context.Context, _ []events.Recorded) error {
			begun <- ctx
			<-release
			return nil
		}
		runner, stop := start(t, projections.Config{Source: log, PageSize: 10}, p)
		ctx := <-begun
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		synctest.Wait()
		if len(stopped) != 0 || ctx.Err() != nil {
			t.Fatalf("Run must wait for the page in flight and leave its context alone: %v", ctx.Err())
		}
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("Apply has no deadline")
		}
		close(release)
		if err := <-stopped; err != nil {
			t.Errorf("stopping: %v", err)
		}
		if next, err := p.Position(t.Context()); next != 10 || err != nil {
			t.Errorf("position is %d, %v; want 10: the page in flight and no other", next, err)
		}
		if err := runner.WaitFor(t.Context(), 9); err != nil {
			t.Errorf("waiting for what was committed: %v", err)
		}
		if err := runner.WaitFor(t.Context(), 10); !errors.Is(err, projections.ErrStopped) {
			t.Errorf("waiting for more after the end: got %v, want ErrStopped", err)
		}
		if err := runner.Run(t.Context()); err == nil {
			t.Error("a second Run must be refused")
		}
		p.db.Close()
	})
}

func TestFailingPageHaltsItsProjectionOnly(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 100)
		bad, good := openTally(t, "bad", filepath.Join(dir, "bad.db")), openTally(t, "good", filepath.Join(dir, "good.db"))
		var broken atomic.Bool
		broken.Store(true)
		var tries []time.Time
		bad.before = func(_ context.Context, page []events.Recorded) error {
			if page[0].Revision <= 42 && 42 <= page[len(page)-1].Revision && broken.Load() {
				tries = append(tries, time.Now())
				return errors.New("no such column")
			}
			return nil
		}
		runner, stop := start(t, projections.Config{
			Source: log, PageSize: 10, Backoff: func(int) time.Duration { return time.Minute },
		}, bad, good)

		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		err := runner.WaitFor(ctx, 99)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, projections.ErrHalted) {
			t.Errorf("waiting for a halted projection: got %v, want DeadlineExceeded and ErrHalted", err)
		}
		status := runner.Status()
		if status[0].Next != 40 || !errors.Is(status[0].Err, projections.ErrHalted) || status[1].Next != 100 || status[1].Err != nil {
			t.Errorf("status is %+v, want bad to halt at 40 and good to be at 100", status)
		}
		if len(tries) != 3 || tries[2].Sub(tries[0]) != 2*time.Minute || !status[0].At.Equal(tries[2]) {
			t.Errorf("the page was tried at %v, want once a minute; status shows %v", tries, status[0].At)
		}

		broken.Store(false)
		if err := runner.WaitFor(t.Context(), 99); err != nil {
			t.Fatal(err)
		}
		if status := runner.Status()[0]; status.Err != nil || status.Next != 100 {
			t.Errorf("status after recovery is %+v", status)
		}
		mustStop(t, stop)
		bad.check(t, log)
		good.check(t, log)
		bad.db.Close()
		good.db.Close()
	})
}

func TestTransientErrorsAreRetriedWithoutNack(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 5)
		p := openTally(t, "tally", filepath.Join(dir, "views.db"))
		failures := 3
		p.before = func(ctx context.Context, _ []events.Recorded) error {
			switch failures--; failures {
			case 2:
				return errBusy
			case 1:
				<-ctx.Done() // the next attempt must get a context of its own
				return ctx.Err()
			}
			return ctx.Err()
		}
		runner, stop := start(t, projections.Config{
			Source: log, PageTimeout: time.Minute,
			Backoff: func(int) time.Duration { t.Error("the page was nacked"); return 0 },
		}, p)
		if err := runner.WaitFor(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		mustStop(t, stop)
		p.check(t, log)
		p.db.Close()
	})
}

// refusing is a source that cannot be read until it is open.
type refusing struct {
	*pubsubtest.Log
	open *atomic.Bool
}

var errGap = errors.New("revision 3 is missing")

func (r refusing) Pages(ctx context.Context, stream string, from uint64, max int) iter.Seq2[[]events.Recorded, error] {
	if r.open.Load() {
		return r.Log.Pages(ctx, stream, from, max)
	}
	return func(yield func([]events.Recorded, error) bool) { yield(nil, errGap) }
}

func TestStatusShowsWhatTheSourceRefuses(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		source := refusing{pubsubtest.NewLog(), new(atomic.Bool)}
		fill(source.Log, 5)
		p := openTally(t, "tally", filepath.Join(dir, "views.db"))
		runner, stop := start(t, projections.Config{Source: source}, p)
		synctest.Wait()
		if err := runner.Status()[0].Err; !errors.Is(err, errGap) {
			t.Errorf("status shows %v, want %v", err, errGap)
		}
		source.open.Store(true)
		if err := runner.WaitFor(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		if err := runner.Status()[0].Err; err != nil {
			t.Errorf("status shows %v after recovery", err)
		}
		mustStop(t, stop)
		p.db.Close()
	})
}

func TestNoNewAttemptWhileStopping(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		fill(log, 5)
		p := openTally(t, "tally", filepath.Join(dir, "views.db"))
		attempts := 0
		p.before = func(context.Context, []events.Recorded) error { attempts++; return errBusy }
		_, stop := start(t, projections.Config{Source: log}, p)
		synctest.Wait() // the retry sleeps
		mustStop(t, stop)
		if attempts != 1 {
			t.Errorf("%d attempts, want none after the first", attempts)
		}
		p.db.Close()
	})
}

// In a bubble, time passes only when all goroutines sleep: a WaitFor which polls
// would let it pass.
func TestWaitForWakesOnCommit(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log := pubsubtest.NewLog()
		a, b := openTally(t, "a", filepath.Join(dir, "a.db")), openTally(t, "b", filepath.Join(dir, "b.db"))
		gate := make(chan struct{})
		b.before = func(context.Context, []events.Recorded) error { <-gate; return nil }
		runner, stop := start(t, projections.Config{Source: log}, a, b)
		synctest.Wait()
		began, woken := time.Now(), make(chan error, 3)
		for range 3 {
			go func() { woken <- runner.WaitFor(t.Context(), 4) }()
		}
		fill(log, 5)
		synctest.Wait()
		if len(woken) != 0 {
			t.Fatal("WaitFor returned before all projections had committed")
		}
		close(gate)
		for range 3 {
			if err := <-woken; err != nil {
				t.Error(err)
			}
		}
		if passed := time.Since(began); passed != 0 {
			t.Errorf("WaitFor slept for %v", passed)
		}
		mustStop(t, stop)
		a.db.Close()
		b.db.Close()
	})
}

func TestEndBeforeBeginning(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := openTally(t, "tally", filepath.Join(dir, "views.db"))
		p.db.Close() // so that the position is unknown
		began := time.Now()
		runner, stop := start(t, projections.Config{Source: pubsubtest.NewLog()}, p)
		mustStop(t, stop)
		if passed := time.Since(began); passed != 0 {
			t.Errorf("ending took %v", passed)
		}
		if runner.Status()[0].Next != 0 {
			t.Errorf("status is %+v", runner.Status())
		}
	})
}

func TestNewRunnerRefuses(t *testing.T) {
	log := pubsubtest.NewLog()
	for name, make := range map[string]func() (*projections.Runner, error){
		"no source": func() (*projections.Runner, error) {
			return projections.NewRunner(projections.Config{Stream: stream}, &tally{name: "a"})
		},
		"no projection": func() (*projections.Runner, error) {
			return projections.NewRunner(projections.Config{Source: log, Stream: stream})
		},
		"the same twice": func() (*projections.Runner, error) {
			return projections.NewRunner(projections.Config{Source: log, Stream: stream}, &tally{name: "a"}, &tally{name: "a"})
		},
	} {
		if _, err := make(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

type coded int

func (c coded) Error() string { return fmt.Sprint("sqlite code ", int(c)) }
func (c coded) Code() int     { return int(c) }

type stated string

func (s stated) Error() string    { return "state " + string(s) }
func (s stated) SQLState() string { return string(s) }

func TestTransient(t *testing.T) {
	yes := []error{context.DeadlineExceeded, driver.ErrBadConn, coded(5), coded(517), coded(6), stated("40001"), stated("08006"), stated("57P01")}
	no := []error{context.Canceled, sql.ErrNoRows, coded(1), coded(19), coded(2067), stated("23505"), stated(""), pubsub.ErrClosed}
	for _, err := range slices.Concat(yes, no) {
		want := slices.Contains(yes, err)
		if got := projections.Transient(fmt.Errorf("committing: %w", err)); got != want {
			t.Errorf("Transient(%v) = %v", err, got)
		}
	}
}
