package verifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
)

// reportHeader is the first line of a report.
const reportHeader = "sharetrail/v1/report"

const reportSeparator = "===\n"

// Bounds on the file that is read. With nothing pinned anybody may have made it.
const (
	MaxReportSize   = 64 << 20 // some ten thousand entries
	MaxUnpinnedSize = 8 << 20
)

// Bounds on the texts in a report.
const (
	maxRules = 64 << 10 // each version of the rules document
	maxTrust = 1 << 20  // the trust file, with those of the ledgers before
)

// Errors of a file that cannot be checked, as against one that is refuted.
var (
	// ErrReport says that a file is not a report.
	ErrReport = errors.New("malformed report")
	// ErrTooLarge says that a file is larger than MaxReportSize.
	ErrTooLarge = errors.New("larger than 64 MiB, the most this program reads")
	// ErrTooLargeUnpinned says that a file is larger than MaxUnpinnedSize and
	// nothing was pinned.
	ErrTooLargeUnpinned = errors.New("larger than 8 MiB, the most this program reads when nothing is pinned; pin the ledger's trust file (--trust FILE)")
)

// FormatReport writes the report file: a note signed by the report key over the
// digest of the document, a separator, the document.
func FormatReport(r *Report, key note.Signer) ([]byte, error) {
	if len(r.Parts) == 0 {
		return nil, fmt.Errorf("encoding the report: %w: it has no part", ErrReport)
	}
	doc, err := events.MarshalJSON(r)
	if err != nil {
		return nil, fmt.Errorf("encoding the report: %w", err)
	}
	origin := r.Parts[len(r.Parts)-1].Origin
	signed, err := note.Sign(&note.Note{Text: reportText(origin, doc)}, key)
	if err != nil {
		return nil, fmt.Errorf("signing the report: %w", err)
	}
	return append(append(signed, reportSeparator...), doc...), nil
}

func reportText(origin string, doc []byte) string {
	digest := sha256.Sum256(doc)
	return reportHeader + "\n" + origin + "\n" + base64.StdEncoding.EncodeToString(digest[:]) + "\n"
}

// splitReport separates the signed note from the document.
func splitReport(b []byte) (signed, doc []byte, err error) {
	signed, doc, ok := bytes.Cut(b, []byte("\n"+reportSeparator))
	if !ok || !strings.HasPrefix(string(signed), reportHeader+"\n") {
		return nil, nil, ErrReport
	}
	return append(signed[:len(signed):len(signed)], '\n'), doc, nil
}

// parseReport reads the document, and the trust file it brings.
func parseReport(doc []byte) (*Report, *Trust, error) {
	r := new(Report)
	if events.UnmarshalJSON(doc, r) != nil || len(r.Trust) > maxTrust || len(r.Parts) == 0 {
		return nil, nil, ErrReport
	}
	for i := range r.Parts {
		if !r.Parts[i].wellFormed() {
			return nil, nil, ErrReport
		}
	}
	own, err := ParseTrust([]byte(r.Trust))
	if err != nil || string(own.Canonical()) != r.Trust {
		return nil, nil, ErrReport
	}
	return r, own, nil
}

// wellFormed reports whether lists are lists and texts are bounded: null is not
// the empty list.
func (e *Evidence) wellFormed() bool {
	ok := len(e.IDs) > 0 && len(e.Rules) > 0 && e.Names != nil && e.Targets != nil
	for _, doc := range e.Rules {
		ok = ok && len(doc) <= maxRules
	}
	for i := range e.Names {
		n := &e.Names[i]
		ok = ok && n.Generations != nil && n.Absences != nil
		for k := range n.Generations {
			ok = ok && n.Generations[k].Entries != nil && n.Generations[k].Absences != nil
		}
	}
	return ok
}
