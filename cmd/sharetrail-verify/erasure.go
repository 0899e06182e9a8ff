package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// erasure checks the receipt that somebody got who was erased.
func erasure(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("erasure", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	trustFile := flags.String("trust", "", "")
	subject := flags.String("subject", "", "")
	files, err := parse(flags, args)
	if err != nil || len(files) != 1 || *trustFile == "" || *subject == "" {
		return fail(stderr, errors.New("a trust file, who was erased (--subject) and one receipt must be named; run sharetrail-verify help"))
	}
	trust, b, err := readProof(*trustFile, files[0])
	if err != nil {
		return fail(stderr, err)
	}
	verdict, err := verifier.CheckErasure(b, events.RoleSubject, *subject, trust)
	if typed := (*events.FieldError)(nil); errors.As(err, &typed) {
		return fail(stderr, fmt.Errorf("--subject: %s; %s", typed.Rule, typed.Next))
	}
	if err != nil {
		fmt.Fprintf(stdout, "REFUTED: %v\nIt does not show that %s was erased. Check that the identity is spelt as it was, and get the file again;\nif that is refused too, tell the ledger's operator and an auditor.\n", err, verifier.Plain(*subject))
		return refuted
	}
	fmt.Fprintf(stdout, "VERIFIED: the ledger %s has bound itself to the erasure of %s.\nleaf %d, dated %s by the ledger's clock, under its checkpoint of %d leaves\n",
		trust.Origin, verifier.Plain(verdict.Identity), verdict.Index, verdict.Time.Format(time.DateOnly), verdict.Size)
	if verdict.Assumed {
		fmt.Fprintln(stdout, "The receipt does not show how its ledger spells identities; the usual rules were taken. Ask for a new receipt if it has others.")
	}
	fmt.Fprintln(stdout, "It does not prove that no copy of the keys was kept: no file can. Reports made before still verify.")
	return verified
}
