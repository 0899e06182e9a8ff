package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// outcome is what became of a test.
type outcome string

const (
	passed  outcome = "pass"
	missing outcome = "missing" // no such test ran
)

type results struct {
	outcomes map[test]outcome
	output   map[test]string // of each function
}

// of returns what became of a test; one that no run mentions is missing.
func (r results) of(t test) outcome {
	if o, ok := r.outcomes[t]; ok {
		return o
	}
	return missing
}

// runTests runs the functions that the rows name, each package once.
func runTests(ctx context.Context, rows []row) (results, error) {
	functions := map[string]map[string]bool{}
	for _, r := range rows {
		for _, t := range r.tests {
			if functions[t.pkg] == nil {
				functions[t.pkg] = map[string]bool{}
			}
			functions[t.pkg][t.function()] = true
		}
	}
	all := results{map[test]outcome{}, map[test]string{}}
	for _, pkg := range slices.Sorted(maps.Keys(functions)) {
		names := slices.Sorted(maps.Keys(functions[pkg]))
		cmd := exec.CommandContext(ctx, "go", "test", "-json", "-run", "^("+strings.Join(names, "|")+")$", "./"+pkg)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return results{}, fmt.Errorf("running the tests of %s: %w", pkg, err)
		}
		if n := all.read(pkg, out); n == 0 {
			return results{}, fmt.Errorf("running the tests of %s: none ran: %s", pkg, errs.String())
		}
	}
	return all, ctx.Err()
}

// read takes what go test -json printed of a package.
func (r results) read(pkg string, out []byte) (tests int) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, len(out)+1)
	for lines.Scan() {
		var event struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Test == "" {
			continue
		}
		t := test{pkg, event.Test}
		switch event.Action {
		case "pass", "fail", "skip":
			r.outcomes[t] = outcome(event.Action)
			tests++
		case "output":
			r.output[test{pkg, t.function()}] += event.Output
		}
	}
	return tests
}
