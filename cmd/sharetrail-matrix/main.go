// Command sharetrail-matrix runs the threat model: each row of the table in
// docs/threat-model.md names an attack, who must notice it, and the tests in which
// that is so. It runs those tests and prints the table with what came out.
//
//	go run ./cmd/sharetrail-matrix
//
// It is run in the module's root. The exit status is 0 if every row holds, 1 if one
// does not, 2 if the table cannot be read or the tests cannot be run.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	path := flag.String("table", "docs/threat-model.md", "the document with the table")
	only := flag.String("row", "", "run only rows whose attack contains this text")
	verbose := flag.Bool("v", false, "print what failing tests printed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	held, err := run(ctx, *path, *only, *verbose)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "sharetrail-matrix:", err)
		os.Exit(2)
	case !held:
		os.Exit(1)
	}
}

func run(ctx context.Context, path, only string, verbose bool) (held bool, err error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	rows, err := parseRows(string(doc))
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", path, err)
	}
	if rows = chosen(rows, only); len(rows) == 0 {
		return false, fmt.Errorf("no row of %s contains %q", path, only)
	}
	results, err := runTests(ctx, rows)
	if err != nil {
		return false, err
	}
	return printTable(os.Stdout, rows, results, verbose), nil
}
