package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// crashErasing makes the child of TestKilledErasing erase too.
const crashErasing = "SHARETRAIL_TEST_LEDGER_CRASH_ERASING"

// eraseUntilKilled is the child: it records people, gives some of them another key,
// and erases them, and prints a line for each who is erased.
func eraseUntilKilled(dir, round string) {
	ctx := context.Background()
	die := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	parts, err := ledgertest.OpenParts(ctx, dir, nil)
	if err != nil {
		die(err)
	}
	l, err := parts.OpenLedger(ctx, ledgertest.Config{Tick: 5 * time.Millisecond})
	if err != nil {
		die(err)
	}
	running := ledgertest.Run(ctx, l)
	for n := 0; ; n++ {
		name := fmt.Sprintf("e%s-%d", round, n)
		do := func(what string, cmd decide.Command) {
			if _, err := running.Record(ctx, ledger.Command{Recorder: "r", Key: name + what, Record: cmd}); err != nil {
				die(err)
			}
		}
		do("share", ledgertest.Share("share of "+name, name, "grace").Record)
		if n%3 == 0 {
			do("rotate", &decide.Close{Subject: ledgertest.Email(name), Reason: events.ReasonRotated})
		}
		do("erase", &decide.Close{Subject: ledgertest.Email(name), Reason: events.ReasonErased})
		fmt.Println(name)
	}
}

// TestKilledErasing kills a process that erases, at any moment. Whoever was told to
// be erased has no key when the file is read again, before any start could destroy
// it; and after a start nobody has one whom the log says to be erased.
func TestKilledErasing(t *testing.T) {
	rounds := 3
	if os.Getenv("SHARETRAIL_LONG") == "1" {
		rounds = 20
	}
	dir := t.TempDir()
	var erased []string
	for round := range rounds {
		erased = append(erased, killErasing(t, dir, fmt.Sprint(round), 1+rand.IntN(12))...)
		parts, err := ledgertest.OpenParts(t.Context(), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		gone := func(when string) {
			for _, name := range erased {
				all, err := parts.Keys.Generations(t.Context(), events.RoleSubject, events.Identity("email\x00"+name+"@example.com"))
				if err != nil || len(all) > 0 {
					t.Errorf("%s, who was erased, has %d keys %s: %v", name, len(all), when, err)
				}
			}
		}
		gone("before the start")
		opened, err := parts.OpenLedger(t.Context(), ledgertest.Config{})
		if err != nil {
			t.Fatal(err)
		}
		gone("after the start")
		running := ledgertest.Run(context.WithoutCancel(t.Context()), opened)
		secrets, err := parts.Keys.Secrets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := opened.WaitPublished(t.Context(), opened.Status().Accepted-1); err != nil {
			t.Fatal(err)
		}
		for i, name := range erased {
			if i >= len(erased)-3 { // the newest are the interesting ones
				v := ledgertest.Report(t, opened, secrets, events.RoleSubject, events.Identity("email\x00"+name+"@example.com"))
				if len(v.Entries) > 0 || !v.Enrolled {
					t.Errorf("the report about %s, who was erased: %+v", name, v)
				}
			}
		}
		if err := running.Stop(); err != nil {
			t.Fatal(err)
		}
		found, err := parts.Verify(t.Context())
		if err != nil || found.Undestroyed > 0 || found.Closed < uint64(len(erased)) {
			t.Errorf("%+v: %v", found, err)
		}
		if err := parts.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func killErasing(t *testing.T, dir, round string, lines int) (erased []string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir, crashErasing+"="+round, "TMPDIR="+t.TempDir())
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for scan := bufio.NewScanner(out); scan.Scan(); {
		if erased = append(erased, scan.Text()); len(erased) == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return erased
}
