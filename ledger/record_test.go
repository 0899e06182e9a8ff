package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

func TestFirstShare(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.Check(t)
	a := l.MustRecord(t, ledgertest.Share("one", "ada", "grace"))
	if a.Repeat || a.Index == 0 || a.Index > 2 {
		t.Errorf("the first share is %+v", a)
	}
	if index, found := l.Find(a.ID); !found || index != a.Index {
		t.Errorf("the share %v is found at %d, %v", a.ID, index, found)
	}
	l.Check(t)
	l.Reopen(t, ledgertest.Config{})
	l.Check(t)
}

func TestManySubjects(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	for _, n := range []int{1, 2, 3, 100, 511} {
		key := fmt.Sprint("subjects-", n)
		l.MustRecord(t, ledgertest.Share(key, ledgertest.People("p", n)...)) // the smaller n are enrolled already
		l.MaxReports = 6
		l.Check(t)
	}
	l.MustRecord(t, ledgertest.Share("all new", ledgertest.People("q", 511)...))
	long := ledgertest.Share("long", ledgertest.People("q", 511)...)
	for i := range long.Record.(*decide.RecordDisclosure).Subjects {
		long.Record.(*decide.RecordDisclosure).Subjects[i].Description = strings.Repeat("x", 2000)
	}
	if a := l.MustRecord(t, long); a.Continuations == 0 { // one event would be larger than an append
		t.Errorf("a share larger than one append: %+v", a)
	}
	l.Check(t)
}

func wantField(t *testing.T, l *ledgertest.Ledger, cmd ledger.Command, field string) {
	t.Helper()
	var refused *events.FieldError
	if _, err := l.TryRecord(t, cmd); !errors.As(err, &refused) || refused.Field != field || refused.Rule == "" || refused.Next == "" {
		t.Errorf("recording answered %v, which is no refusal of %s", err, field)
	}
}

// TestLongIdentities fills batches with the largest enrolments: what is planned
// must fit into an append whatever it holds.
func TestLongIdentities(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	var g errgroup.Group
	for i := range 6 {
		g.Go(func() error {
			people := ledgertest.People(fmt.Sprintf("n%d-%s", i, strings.Repeat("x", 850)), 60)
			_, err := l.TryRecord(t, ledgertest.Share(fmt.Sprint("long-", i), people...))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	l.MaxReports = 3
	l.Check(t)
}

func TestConcurrentRecorders(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	for round := range 3 {
		var g errgroup.Group
		for i := range 32 {
			g.Go(func() error {
				for k := range 4 {
					// Neighbours race to enrol the same people.
					people := ledgertest.People(fmt.Sprintf("r%d-%d", round, (i+k)/3), 1+k)
					if _, err := l.TryRecord(t, ledgertest.Share(fmt.Sprintf("%d-%d-%d", round, i, k), people...)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		l.Check(t)
	}
}

func TestRepeats(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	first := ledgertest.Share("key", "ada", "grace")
	again := func() {
		t.Helper()
		a := l.MustRecord(t, first)
		spelled := ledgertest.Share("key", "grace", "ada")
		spelled.Record.(*decide.RecordDisclosure).Subjects[1].ID = "email:ADA@Example.com"
		spelled.Record.(*decide.RecordDisclosure).Disclosure.Occurred.Precision = "instant"
		if b := l.MustRecord(t, spelled); !b.Repeat || b.Index != a.Index || b.ID != a.ID {
			t.Errorf("the share was recorded as %+v, spelled otherwise it is %+v", a, b)
		}
		other := ledgertest.Share("key", "ada")
		facts := ledgertest.Share("key", "ada", "grace")
		facts.Record.(*decide.RecordDisclosure).Disclosure.Data.Categories = []string{"shoe size"}
		private := ledgertest.Share("key", "ada", "grace")
		private.Record.(*decide.RecordDisclosure).Subjects[0].Description = "something else"
		stranger := ledgertest.Share("key", "ada", "stranger")
		for i, cmd := range []ledger.Command{other, facts, private, stranger} {
			if _, err := l.TryRecord(t, cmd); !errors.Is(err, ledger.ErrKeyReused) {
				t.Errorf("other content %d under the same key: %v", i, err)
			}
		}
		l.Check(t)
	}
	again()
	l.Reopen(t, ledgertest.Config{})
	again()
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	removeLog(t, l.Dir)
	l.Open(t, ledgertest.Config{})
	again()
}

func removeLog(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no log to remove: %v", err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRepeatsInOneBatch holds the writer up, so that all copies wait together.
func TestRepeatsInOneBatch(t *testing.T) {
	gate := newFaults()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap})
	l.Check(t)
	release := gate.holdNext(stream)
	var g errgroup.Group
	answers := make([]ledger.Accepted, 9)
	errs := make([]error, 9)
	record := func(i int, cmd ledger.Command) {
		g.Go(func() error { answers[i], errs[i] = l.Record(t.Context(), cmd); return nil })
	}
	record(0, ledgertest.Share("first", "ada"))
	<-gate.held
	for i := 1; i < 8; i++ {
		cmd := ledgertest.Share("twin", "ada", "grace")
		if i%2 == 0 {
			cmd.Record.(*decide.RecordDisclosure).Disclosure.Occurred.Precision = "instant"
		}
		record(i, cmd)
	}
	record(8, ledgertest.Share("twin", "ada", "eve"))
	close(release)
	g.Wait()
	if err := l.Model.Accepted(ledgertest.Share("first", "ada"), answers[0].Index); err != nil {
		t.Error(err)
	}
	// Who came first among the twins decides which content stands.
	stands, fails := ledgertest.Share("twin", "ada", "grace"), 1
	if errs[8] == nil {
		stands, fails = ledgertest.Share("twin", "ada", "eve"), 7
	}
	for i := 1; i < 9; i++ {
		if errs[i] == nil {
			if err := l.Model.Accepted(stands, answers[i].Index); err != nil {
				t.Error(err)
			}
		} else if fails--; !errors.Is(errs[i], ledger.ErrKeyReused) {
			t.Errorf("twin %d: %v", i, errs[i])
		}
	}
	if fails != 0 {
		t.Errorf("%d twins too few were refused", fails)
	}
	l.Check(t)
}

func TestBadKeys(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	for field, change := range map[string]func(*ledger.Command){
		"recorder":        func(c *ledger.Command) { c.Recorder = "" },
		"Idempotency-Key": func(c *ledger.Command) { c.Key = strings.Repeat("k", 256) },
		"subjects":        func(c *ledger.Command) { c.Record.(*decide.RecordDisclosure).Subjects = nil },
	} {
		cmd := ledgertest.Share("key", "ada")
		change(&cmd)
		wantField(t, l, cmd, field)
	}
	l.Check(t)
}

func TestCancelledWhileWaiting(t *testing.T) {
	gate := newFaults()
	l := ledgertest.New(t, ledgertest.Config{Store: gate.wrap})
	l.Check(t)
	release := gate.holdNext(stream)
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("the caller left")
	cmd := ledgertest.Share("left", "ada")
	done := make(chan error)
	go func() {
		_, err := l.Record(ctx, cmd)
		done <- err
	}()
	<-gate.held
	cancel(left)
	if err := <-done; !errors.Is(err, left) {
		t.Errorf("the caller that left got %v", err)
	}
	close(release)
	if a := l.MustRecord(t, cmd); !a.Repeat { // the append went on without the caller
		t.Errorf("the share was recorded again: %+v", a)
	}
	l.Check(t)
	waiting, cancel := context.WithCancelCause(t.Context())
	cancel(left)
	if _, err := l.WaitPublished(waiting, 1<<40); !errors.Is(err, left) {
		t.Errorf("waiting ended with %v", err)
	}
}

func TestStopped(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.Check(t)
	stopped := l.Running
	if err := stopped.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := stopped.Record(t.Context(), ledgertest.Share("late", "ada")); !errors.Is(err, ledger.ErrStopped) {
		t.Errorf("a stopped ledger answered %v", err)
	}
	if _, err := stopped.WaitPublished(t.Context(), 1<<40); !errors.Is(err, ledger.ErrStopped) {
		t.Errorf("a stopped ledger answered %v", err)
	}
}

// TestCommands runs random commands against the model.
func TestCommands(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		l := ledgertest.New(t, ledgertest.Config{Dir: dir})
		l.MaxReports = 3
		for step := range rapid.IntRange(1, 6).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"record", "record", "repeat", "restart", "publish"}).Draw(rt, "command") {
			case "record":
				recordSome(rt, t, l, step)
			case "repeat":
				if l.Model.Keys() > 0 {
					before := l.Model.Keys()
					l.RepeatAll(t)
					if l.Model.Keys() != before {
						rt.Fatal("repeating recorded something")
					}
				}
			case "restart":
				l.Reopen(t, ledgertest.Config{})
			case "publish":
				l.Publish(t)
			}
			l.Check(t)
		}
		if err := l.Close(t); err != nil {
			rt.Fatal(err)
		}
	})
}

func recordSome(rt *rapid.T, t *testing.T, l *ledgertest.Ledger, step int) {
	var g errgroup.Group
	for i := range rapid.IntRange(1, 8).Draw(rt, "shares") {
		people := rapid.SliceOfNDistinct(rapid.SampledFrom(ledgertest.People("p", 9)), 1, 5, rapid.ID).Draw(rt, "people")
		cmd := ledgertest.Share(fmt.Sprintf("%d-%d", step, i), people...)
		if rapid.Bool().Draw(rt, "recipient") {
			cmd.Record.(*decide.RecordDisclosure).Disclosure.Recipient.ID = "org:tailspin"
		}
		g.Go(func() error { _, err := l.TryRecord(t, cmd); return err })
	}
	if err := g.Wait(); err != nil {
		rt.Fatal(err)
	}
}
