// Command sharetrail-verify checks report files with no network. It links only
// what an auditor has to read: verifier, events, and their few dependencies.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

const usage = `Usage:
    sharetrail-verify report --trust FILE --id NAMESPACE:ID [--id ...] [--role ROLE]
                             [--previous FILE] REPORT
    sharetrail-verify receipt --trust FILE RECEIPT
    sharetrail-verify erasure --trust FILE --subject NAMESPACE:ID RECEIPT
    sharetrail-verify fingerprint FILE
    sharetrail-verify keygen --name NAME --key FILE
    sharetrail-verify witness --listen ADDR --key FILE --log TRUSTFILE --state DIR
    sharetrail-verify audit --trust FILE --state DIR [--key FILE] [--token-file FILE]
                            [--listen ADDR [--with-stdin] | --output FILE] [--json] URL|DIR
    sharetrail-verify watch --trust FILE (--report FILE --id ID | --handle-file FILE [--from N])
                            [--state FILE] [--every DUR] [--token-file FILE] [--json] URL|DIR

Checks a report about a person against the keys you pinned (--trust) and the
identifier you type (--id). Nothing in the report can replace either. A receipt
is the proof that one share is in the log; it names nobody.

    --trust FILE  the ledger's trust file; compare its fingerprint with the one
                  on the ledger's letter
    --id ID       who the report is about, such as email:ada@example.com; once for
                  each name that it was asked for by
    --role ROLE   subject (default), recipient, authority or controller
    --previous FILE  a report or checkpoint of this ledger that you kept: nothing
                  of it may have been changed since
    --max-age DUR refuse a report older than this, such as 48h; without it none is
                  too old

keygen makes the key of a witness and prints the line that ledgers and their
readers need of it. witness vouches, for the ledgers of the trust files, that they
only grow (c2sp.org/tlog-witness); it sees no personal data.

audit replays a ledger's whole log, which holds no personal data, from a directory
of tiles or the address of one (https://HOST/log): every leaf, every label, every
index root. It goes on where it ended before. With --key it cosigns what it found
whole: once, or with --listen whenever the ledger asks.

watch looks through the same log for entries of yours, and tells nobody whom it
looks for: it takes your handle, which is a secret, out of your newest report, or
out of a file (- for stdin). What an entry says it cannot tell: for that, ask for
a report. Only witness, audit and
watch use the network; what checks files cannot.

    --listen ADDR host:port to serve on, such as 127.0.0.1:8090
    --key FILE    the key that keygen made
    --log FILE    a ledger's trust file; once for each ledger
    --state DIR   what was signed or audited last; a witness that loses it may sign
                  two histories
    --with-stdin  stop also when standard input ends, as with the program that
                  started it
    --token-file FILE  a token of the role auditor, if the ledger wants one
    --from N      how many leaves to pass over at first
    --every DUR   look again after this time, such as 1h, until stopped
    --output FILE where the cosigned checkpoint is written; default stdout

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
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "--help" || a == "-help" }) {
		fmt.Fprint(stdout, usage)
		return verified
	}
	switch args[0] {
	case "report":
		return report(args[1:], stdout, stderr, now)
	case "receipt":
		return receipt(args[1:], stdout, stderr)
	case "keygen":
		return keygen(args[1:], stdout, stderr)
	case "witness":
		return runWitness(args[1:], stdout, stderr)
	case "audit":
		return runAudit(args[1:], stdout, stderr, now)
	case "watch":
		return runWatch(args[1:], stdout, stderr)
	case "erasure":
		return erasure(args[1:], stdout, stderr)
	case "fingerprint":
		return fingerprint(args[1:], stdout, stderr)
	case "help":
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
	var ids []string
	flags.Func("id", "", func(id string) error { ids = append(ids, id); return nil })
	maxAge := flags.Duration("max-age", 0, "")
	previousFile := flags.String("previous", "", "")
	roleName := flags.String("role", events.RoleSubject.String(), "")
	files, err := parse(flags, args)
	switch {
	case err != nil:
		return fail(stderr, fmt.Errorf("%w; run sharetrail-verify help", err))
	}
	role, ok := events.ParseRole(*roleName)
	switch {
	case !ok:
		return fail(stderr, fmt.Errorf("--role: %q is not a role; use subject, recipient, authority or controller", *roleName))
	case len(files) != 1:
		return fail(stderr, fmt.Errorf("one report file must be named, not %d; run sharetrail-verify help", len(files)))
	case *maxAge < 0:
		return fail(stderr, errors.New("--max-age: must not be negative; write it such as 48h"))
	case len(ids) == 0:
		return fail(stderr, errors.New("--id: is required; say who the report is about, such as email:ada@example.com"))
	}
	var trust *verifier.Trust
	if *trustFile != "" {
		var err error
		if trust, err = readTrust(*trustFile); err != nil {
			return fail(stderr, fmt.Errorf("--trust: %w", err))
		}
	}
	b, err := readFile(files[0], verifier.MaxReportSize)
	if err != nil {
		return fail(stderr, err)
	}
	asked := verifier.About(role, ids...)
	if *previousFile != "" {
		kept, err := readFile(*previousFile, verifier.MaxReportSize)
		if err != nil {
			return fail(stderr, fmt.Errorf("--previous: %w", err))
		}
		if asked.Previous, err = verifier.CheckpointIn(kept); err != nil {
			return fail(stderr, fmt.Errorf("--previous: %s: %w; name a report or a checkpoint of this ledger that you kept", *previousFile, err))
		}
	}
	verdict, err := verifier.CheckReport(b, asked, trust)
	if err == nil && *maxAge > 0 {
		err = verdict.CheckAge(now, *maxAge)
	}
	return answer(stdout, stderr, files[0], verdict, err, now)
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
