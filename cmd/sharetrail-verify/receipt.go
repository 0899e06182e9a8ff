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

// receipt checks a c2sp.org/tlog-proof: that one leaf is in the pinned log.
func receipt(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("receipt", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	trustFile := flags.String("trust", "", "")
	files, err := parse(flags, args)
	if err != nil || len(files) != 1 || *trustFile == "" {
		return fail(stderr, errors.New("a trust file and one receipt must be named; run sharetrail-verify help"))
	}
	trust, b, err := readProof(*trustFile, files[0])
	if err != nil {
		return fail(stderr, err)
	}
	proof, checkpoint, err := verifier.CheckProof(b, trust)
	var no *verifier.RefutedError
	if errors.As(err, &no) {
		fmt.Fprintf(stdout, "%v\nDo not rely on this file. Get it again; the ledger may not have had it cosigned yet.\n", no)
		return refuted
	}
	if err != nil {
		fmt.Fprintf(stdout, "REFUTED: %v\nDo not rely on this file. Get it again; if that is refused too, tell the ledger's operator and an auditor.\n", err)
		return refuted
	}
	fmt.Fprintf(stdout, "VERIFIED: leaf %d is in the ledger %s, under its checkpoint of %d leaves.\nleaf hash %s\n",
		proof.Index, checkpoint.Origin, checkpoint.Size, events.LeafHash(proof.Leaf))
	if at, err := trust.Seen([]byte(proof.Checkpoint)); err == nil && at > 0 {
		fmt.Fprintf(stdout, "As many as the trust file demands had seen that checkpoint, and none newer, by %s.\n", time.Unix(int64(at), 0).UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	fmt.Fprintln(stdout, "It does not say what was shared, or about whom.")
	return verified
}

// readProof reads the proof of a leaf, and the trust file that it is checked against.
func readProof(trustFile, file string) (*verifier.Trust, []byte, error) {
	trust, err := readTrust(trustFile)
	if err != nil {
		return nil, nil, fmt.Errorf("--trust: %w", err)
	}
	const maxSize = 1 << 20
	b, err := readFile(file, maxSize)
	return trust, b, err
}
