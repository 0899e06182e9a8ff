package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// receipt checks a c2sp.org/tlog-proof: that one leaf is in the pinned log.
func receipt(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("receipt", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	trustFile := flags.String("trust", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 || *trustFile == "" {
		return fail(stderr, errors.New("a trust file and one receipt must be named; run sharetrail-verify help"))
	}
	trust, err := readTrust(*trustFile)
	if err != nil {
		return fail(stderr, fmt.Errorf("--trust: %w", err))
	}
	const maxSize = 1 << 20
	b, err := readFile(flags.Arg(0), maxSize)
	if err != nil {
		return fail(stderr, err)
	}
	proof, checkpoint, err := verifier.CheckProof(b, trust)
	if err != nil {
		fmt.Fprintf(stdout, "REFUTED: %v\nDo not rely on this file. Get it again; if that is refused too, tell the ledger's operator and an auditor.\n", err)
		return refuted
	}
	fmt.Fprintf(stdout, "VERIFIED: leaf %d is in the ledger %s, under its checkpoint of %d leaves.\nleaf hash %s\n",
		proof.Index, checkpoint.Origin, checkpoint.Size, events.LeafHash(proof.Leaf))
	fmt.Fprintln(stdout, "It does not say what was shared, or about whom.")
	return verified
}
