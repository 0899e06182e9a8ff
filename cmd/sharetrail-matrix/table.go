package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is one attack.
type row struct {
	attack string
	by     string // who must notice it
	tests  []test
}

// test names a test function of a package, or one of its subtests.
type test struct {
	pkg  string // relative to the module, such as verifier
	name string // as go test prints it
}

func (t test) function() string {
	name, _, _ := strings.Cut(t.name, "/")
	return name
}

var (
	heading = regexp.MustCompile(`^\| *attack *\|`)
	quoted  = regexp.MustCompile("`([^`]+)`")
	named   = regexp.MustCompile(`^([a-z][a-z0-9/-]*) ((?:Test|Fuzz)[A-Za-z0-9_]*(?:/.+)?)$`)
)

// parseRows reads the table of attacks: the first one whose first column is called
// attack. Its columns are the attack, who notices it, how, and the tests.
func parseRows(doc string) (rows []row, err error) {
	lines := strings.Split(doc, "\n")
	start := slices.IndexFunc(lines, heading.MatchString)
	if start < 0 {
		return nil, errors.New("it has no table of attacks")
	}
	for _, line := range lines[min(start+2, len(lines)):] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "| "), "|")
		if len(cells) != 4 {
			return nil, fmt.Errorf("a row has %d columns, 4 are wanted: %s", len(cells), line)
		}
		r := row{attack: strings.TrimSpace(cells[0]), by: strings.TrimSpace(cells[1])}
		for _, q := range quoted.FindAllStringSubmatch(cells[3], -1) {
			m := named.FindStringSubmatch(q[1])
			if m == nil {
				return nil, fmt.Errorf("%q: %q is no package and test", r.attack, q[1])
			}
			r.tests = append(r.tests, test{m[1], strings.ReplaceAll(m[2], " ", "_")})
		}
		if r.attack == "" || r.by == "" || len(r.tests) == 0 {
			return nil, fmt.Errorf("%q names nobody who notices it, or no test", r.attack)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// chosen returns the rows whose attack contains a text.
func chosen(rows []row, text string) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !strings.Contains(r.attack, text) })
}

// printTable prints each row with its outcome and reports whether all hold. A test
// that was skipped, or that does not exist, holds nothing.
func printTable(w io.Writer, rows []row, results results, verbose bool) (held bool) {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "ATTACK\tNOTICED BY\tTESTS\tOUTCOME")
	failed, count := 0, 0
	var output strings.Builder
	for _, r := range rows {
		outcome := "holds"
		for _, t := range r.tests {
			count++
			if got := results.of(t); got != passed && outcome == "holds" {
				outcome = fmt.Sprintf("%s: %s %s", strings.ToUpper(string(got)), t.pkg, t.name)
				fmt.Fprint(&output, results.output[test{t.pkg, t.function()}])
			}
		}
		if outcome != "holds" {
			failed++
		}
		fmt.Fprintf(out, "%s\t%s\t%d\t%s\n", r.attack, r.by, len(r.tests), outcome)
	}
	out.Flush()
	if verbose {
		fmt.Fprint(w, output.String())
	}
	fmt.Fprintf(w, "%d attacks, %d tests: ", len(rows), count)
	if failed > 0 {
		fmt.Fprintf(w, "%d NOT SHOWN TO BE NOTICED\n", failed)
		return false
	}
	fmt.Fprintln(w, "each is noticed by whom it must be")
	return true
}
