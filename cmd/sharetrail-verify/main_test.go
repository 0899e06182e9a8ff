package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sharetrail/sharetrail/verifier"
)

// clock is the reader's, after the golden reports were made.
var clock = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sharetrail-verify": func() {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, clock))
	}})
}

// golden are the committed reports, good and bad.
const golden = "../../verifier/testdata/report"

// TestScripts runs the command as people do, on the committed reports.
func TestScripts(t *testing.T) {
	reports, err := filepath.Abs(golden)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("REPORTS", reports)
			return os.CopyFS(filepath.Join(env.WorkDir, "r"), os.DirFS(reports))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs sharetrail-verify and demands an exit code: exits CODE ARGS...
// Neither stream may then draw on the terminal.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARGS...")
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$WORK", ts.Getenv("WORK"))
	}
	err := ts.Exec("sharetrail-verify", args[1:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	for _, out := range []string{ts.ReadFile("stdout"), ts.ReadFile("stderr")} {
		if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			ts.Fatalf("it draws on the terminal: %q", out)
		}
	}
	if got != args[0] {
		ts.Fatalf("exit %s, want %s\n%s%s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// TestGoldenExits: the exit code follows from the verdict on every committed
// report, and nothing but a verified one says so.
func TestGoldenExits(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden, "*.sharetrail"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		want, err := os.ReadFile(strings.TrimSuffix(file, ".sharetrail") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		code := verified
		switch {
		case bytes.Contains(want, []byte(`"refuted"`)):
			code = refuted
		case bytes.Contains(want, []byte(`"error"`)):
			code = unusable
		}
		var who struct {
			Role, ID, Previous string
			Others             []string
		}
		if err := json.Unmarshal(want, &who); err != nil {
			t.Fatal(err)
		}
		trust := filepath.Join(golden, "trust.json")
		if own := strings.TrimSuffix(file, ".sharetrail") + ".trust.json"; exists(own) {
			trust = own
		}
		args := []string{"report", "--trust", trust, "--role", who.Role}
		for _, id := range append([]string{who.ID}, who.Others...) {
			args = append(args, "--id", id)
		}
		if who.Previous != "" {
			kept := filepath.Join(t.TempDir(), "kept")
			if err := os.WriteFile(kept, []byte(who.Previous), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--previous", kept)
		}
		var stdout, stderr bytes.Buffer
		got := run(append(args, file), &stdout, &stderr, clock)
		if got != code || (code == verified) != strings.HasPrefix(stdout.String(), "VERIFIED") ||
			(code == refuted) != strings.HasPrefix(stdout.String(), "REFUTED") || (code == unusable) == (stderr.Len() == 0) {
			t.Errorf("%s: exit %d, want %d\n%s%s", filepath.Base(file), got, code, &stdout, &stderr)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestHugeFiles: a file that never ends is not read to its end.
func TestHugeFiles(t *testing.T) {
	huge := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, verifier.MaxReportSize+1); err != nil { // sparse: takes no room
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"report", "--id", "email:ada@example.com", huge},
		{"report", "--id", "email:ada@example.com", "--trust", huge, "x.sharetrail"},
		{"fingerprint", huge},
	} {
		var stdout, stderr bytes.Buffer
		if got := run(args, &stdout, &stderr, clock); got != unusable || !strings.Contains(stderr.String(), "the most this program reads") {
			t.Errorf("%v: exit %d\n%s%s", args, got, &stdout, &stderr)
		}
	}
}

// TestHelp: each command has help, which is no mistake.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"report", "--help"}, {"audit", "-h"}, {"watch", "--trust", "t", "--help"}} {
		var stdout, stderr bytes.Buffer
		if code := run(args, &stdout, &stderr, time.Now()); code != verified || stdout.String() != usage || stderr.Len() > 0 {
			t.Errorf("%v: exit %d, %s", args, code, &stderr)
		}
	}
}
