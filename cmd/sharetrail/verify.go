package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const verifierName = "sharetrail-verify"

// findVerifier says how to run sharetrail-verify: the one beside this program,
// the one on the PATH, or one built now from the module around the working
// directory.
func findVerifier(ctx context.Context) (command []string, cleanup func(), err error) {
	nothing := func() {}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), verifierName)
		if _, err := os.Stat(beside); err == nil {
			return []string{beside}, nothing, nil
		}
	}
	if path, err := exec.LookPath(verifierName); err == nil {
		return []string{path}, nothing, nil
	}
	dir, err := os.MkdirTemp("", "sharetrail-")
	if err != nil {
		return nil, nil, fmt.Errorf("building %s: %w", verifierName, err)
	}
	cleanup = func() { os.RemoveAll(dir) }
	bin := filepath.Join(dir, verifierName)
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/sharetrail/sharetrail/cmd/"+verifierName)
	if out, err := build.CombinedOutput(); err != nil {
		cleanup()
		return nil, nil, fmt.Errorf("no %s beside this program or on the PATH, and it cannot be built here; run the demo in the source directory or install it: %s",
			verifierName, strings.TrimSpace(string(out)+" "+err.Error()))
	}
	return []string{bin}, cleanup, nil
}

// runVerifier runs the verifier on a report and shows what it says, indented: the
// verdict and the first entry. The rest the reader gets by running it.
func (s *story) runVerifier(ctx context.Context, report, trust string) (code int, err error) {
	args := append(s.verify[1:], "report", "--trust", trust, "--id", demoSubject, report)
	out, err := exec.CommandContext(ctx, s.verify[0], args...).CombinedOutput()
	shown, rest, cut := strings.Cut(string(out), "\n2. ")
	for line := range strings.Lines(strings.TrimSpace(shown)) {
		fmt.Fprint(s.out, "   | "+line)
	}
	fmt.Fprintln(s.out)
	if cut {
		fmt.Fprintf(s.out, "   | ... and %d lines more\n", strings.Count(rest, "\n"))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("running %s: %w", verifierName, err)
	}
	return 0, nil
}
