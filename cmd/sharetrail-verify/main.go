// Command sharetrail-verify checks report files with no network. It links only
// what an auditor has to read: verifier, events, and their few dependencies.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

const usage = `Usage:
    sharetrail-verify report --trust FILE --id NAMESPACE:ID [--role ROLE] REPORT
    sharetrail-verify receipt --trust FILE RECEIPT
    sharetrail-verify fingerprint FILE

Checks a report about a person against the keys you pinned (--trust) and the
identifier you type (--id). Nothing in the report can replace either. A receipt
is the proof that one share is in the log; it names nobody.

    --trust FILE  the ledger's trust file; compare its fingerprint with the one
                  on the ledger's letter
    --id ID       who the report is about, such as email:ada@example.com
    --role ROLE   subject (default), recipient or controller

Exit status: 0 verified, 1 refuted, 2 unusable or nothing pinned.

Example:
    sharetrail-verify report --trust trust.json --id email:ada@example.com ada.sharetrail
`

// Exit codes.
const (
	verified = 0
	refuted  = 1
	unusable = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, time.Now())) }

// run runs a command; now is the reader's own clock.
func run(args []string, stdout, stderr io.Writer, now time.Time) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return unusable
	}
	switch args[0] {
	case "report":
		return report(args[1:], stdout, stderr, now)
	case "receipt":
		return receipt(args[1:], stdout, stderr)
	case "fingerprint":
		return fingerprint(args[1:], stdout, stderr)
	case "help", "-h", "--help", "-help":
		fmt.Fprint(stdout, usage)
		return verified
	}
	return fail(stderr, fmt.Errorf("%q is not a command; run sharetrail-verify help", args[0]))
}

func fail(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, "sharetrail-verify: error:", err)
	return unusable
}

func report(args []string, stdout, stderr io.Writer, now time.Time) int {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	trustFile := flags.String("trust", "", "")
	id := flags.String("id", "", "")
	roleName := flags.String("role", events.RoleSubject.String(), "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return verified
	case err != nil:
		return fail(stderr, fmt.Errorf("%w; run sharetrail-verify help", err))
	}
	role, ok := events.ParseRole(*roleName)
	switch {
	case !ok || role == events.RoleAuthority: // reserved: nobody seals yet
		return fail(stderr, fmt.Errorf("--role: %q is not a role; use subject, recipient or controller", *roleName))
	case flags.NArg() != 1:
		return fail(stderr, fmt.Errorf("one report file must be named, after the flags, not %d; run sharetrail-verify help", flags.NArg()))
	case *id == "":
		return fail(stderr, errors.New("--id: is required; say who the report is about, such as email:ada@example.com"))
	}
	var trust *verifier.Trust
	if *trustFile != "" {
		var err error
		if trust, err = readTrust(*trustFile); err != nil {
			return fail(stderr, fmt.Errorf("--trust: %w", err))
		}
	}
	b, err := readFile(flags.Arg(0), verifier.MaxReportSize)
	if err != nil {
		return fail(stderr, err)
	}
	verdict, err := verifier.CheckReport(b, role, *id, trust)
	return answer(stdout, stderr, flags.Arg(0), verdict, err, now)
}

// answer prints what a check found and returns the exit code.
func answer(stdout, stderr io.Writer, file string, verdict *verifier.Verdict, err error, now time.Time) int {
	var no *verifier.RefutedError
	var field *events.FieldError
	switch {
	case errors.As(err, &no):
		fmt.Fprintln(stdout, no)
		if no.Check == verifier.CheckPerson {
			fmt.Fprintln(stdout, "If what you typed is right:")
		}
		fmt.Fprintln(stdout, "Do not rely on this file. Get it again; if that is refused too, tell the ledger's operator and an auditor.")
		return refuted
	case errors.As(err, &field):
		return fail(stderr, fmt.Errorf("--id: %s; %s", verifier.Plain(field.Rule), verifier.Plain(field.Next)))
	case errors.Is(err, verifier.ErrReport):
		return fail(stderr, fmt.Errorf("%s: %w: it is no report, or was cut or changed on its way; get the file again", file, err))
	case err != nil:
		return fail(stderr, fmt.Errorf("%s: %w", file, err))
	}
	render(stdout, verdict, now)
	if !verdict.Pinned {
		return unusable
	}
	return verified
}

func fingerprint(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 {
		return fail(stderr, errors.New("one trust file must be named; run sharetrail-verify help"))
	}
	trust, err := readTrust(args[0])
	if err != nil {
		return fail(stderr, err)
	}
	fmt.Fprintln(stdout, trust.Fingerprint())
	return verified
}

func readTrust(path string) (*verifier.Trust, error) {
	const maxSize = 1 << 20
	b, err := readFile(path, maxSize)
	if err != nil {
		return nil, err
	}
	trust, err := verifier.ParseTrust(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w, or one of a newer version; get it from the ledger again and compare its fingerprint with the letter", path, err)
	}
	return trust, nil
}

// readFile reads a file of at most max bytes, whatever it is: what is checked
// here comes from strangers.
func readFile(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(b)) > max {
		err = fmt.Errorf("%s: larger than %d bytes, the most this program reads; check that it is the right file", path, max)
	}
	return b, err
}
