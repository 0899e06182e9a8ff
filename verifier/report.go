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

// reportHeader is the first line of a report. v0 lacks aliases, closed
// generations, targets, filters, probes, witnesses and auditors; its verdict
// says so.
const reportHeader = "sharetrail/v0/report"

const reportSeparator = "===\n"

// Bounds on the file that is read. With nothing pinned anybody may have made it.
const (
	MaxReportSize   = 64 << 20 // some ten thousand entries
	MaxUnpinnedSize = 8 << 20
)

// maxEmbedded bounds the rules document and the trust file in a report.
const maxEmbedded = 64 << 10

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

// Query asks for everything the ledger holds about one party.
type Query struct {
	Role events.Role
	ID   events.Identity
}

// Report is the signed JSON document of a report file.
type Report struct {
	Trust string `json:"trust"` // canonical trust file; must equal what the reader pinned
	Evidence
	Statement Statement `json:"statement"`
}

// Statement is what the operator says beside the proofs. Nothing proves it.
type Statement struct {
	GeneratedAt string `json:"generated_at"`
	Notice      string `json:"notice"`
}

// Evidence is everything about one party under one checkpoint.
type Evidence struct {
	Origin     string      `json:"origin"`
	Stream     string      `json:"stream"`
	Role       string      `json:"role"`
	ID         string      `json:"id"` // namespace:local
	Checkpoint string      `json:"checkpoint"`
	Rules      string      `json:"rules"`
	Genesis    Proven      `json:"genesis"`
	State      Proven      `json:"state"`
	Enrolments []Enrolment `json:"enrolments"`
	Entries    []Entry     `json:"entries"`
	Absences   []Absence   `json:"absences"`
}

// Proven is a leaf with its inclusion under the checkpoint.
type Proven struct {
	Index     uint64        `json:"index"`
	Leaf      []byte        `json:"leaf"`
	Inclusion []events.Hash `json:"inclusion"`
}

// Opening opens one slot and the event around it.
type Opening struct {
	Slot    uint16      `json:"slot"`
	Opening events.Hash `json:"opening"`
	Content []byte      `json:"content"`
	EventID events.ID   `json:"event_id"`
	Type    string      `json:"type"`
}

// Enrolment proves that a party's generation began. The seed opens the event,
// and that it carries no facts; it opens no slot.
type Enrolment struct {
	Generation uint64 `json:"generation"`
	VRF        []byte `json:"vrf"`
	Proven
	Opening
	Seed   events.Hash `json:"seed"`
	Member MemberProof `json:"member"`
}

// Entry is one wholly disclosed entry: the seed opens every field, and the
// index leads from the party's label to it and to no other.
type Entry struct {
	Number uint64 `json:"number"`
	Proven
	Opening
	Seed   events.Hash `json:"seed"`
	Fields []byte      `json:"fields"`
	Member MemberProof `json:"member"`
}

// Absence proves that a label is not in the index.
type Absence struct {
	Label  string       `json:"label"`  // enrol, close or entry
	Number uint64       `json:"number"` // generation, or counter of an entry
	VRF    []byte       `json:"vrf,omitempty"`
	Proof  AbsenceProof `json:"proof"`
}

// The kinds of label whose absence a report proves.
const (
	LabelEnrol = "enrol"
	LabelClose = "close"
	LabelEntry = "entry"
)

// NeededAbsences lists the absences that follow from what a report shows, in
// order and without their proofs. Whoever was never enrolled has neither E(0),
// C(0), E(1) nor E(2); whoever is enrolled has neither C(0), E(1), E(2) nor an
// entry after the last one shown.
func NeededAbsences(enrolled bool, entries int) []Absence {
	needed := []Absence{{Label: LabelClose, Number: 0}, {Label: LabelEnrol, Number: 1}, {Label: LabelEnrol, Number: 2}}
	if enrolled {
		return append(needed, Absence{Label: LabelEntry, Number: uint64(entries)})
	}
	return append([]Absence{{Label: LabelEnrol, Number: 0}}, needed...)
}

// words names what is absent, counted from 1 as people count.
func (a Absence) words() string {
	switch a.Label {
	case LabelEnrol:
		return fmt.Sprintf("beginning %d of the sequence", a.Number+1)
	case LabelClose:
		return fmt.Sprintf("end %d of the sequence", a.Number+1)
	}
	return fmt.Sprintf("entry %d", a.Number+1)
}

// VRFInput is what gives the label of an absent enrolment or close.
func (a Absence) VRFInput(origin string, role events.Role, id events.Identity) []byte {
	ctx := events.EnrolContext
	if a.Label == LabelClose {
		ctx = events.CloseContext
	}
	return events.VRFInput(ctx, origin, role, id, a.Number)
}

// FormatReport writes the report file: a note signed by the report key over the
// digest of the document, a separator, the document.
func FormatReport(r *Report, key note.Signer) ([]byte, error) {
	doc, err := events.MarshalJSON(r)
	if err != nil {
		return nil, fmt.Errorf("encoding the report: %w", err)
	}
	signed, err := note.Sign(&note.Note{Text: reportText(r.Origin, doc)}, key)
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
	if !bounded(doc) || events.UnmarshalJSON(doc, r) != nil || len(r.Rules) > maxEmbedded || len(r.Trust) > maxEmbedded {
		return nil, nil, ErrReport
	}
	own, err := ParseTrust([]byte(r.Trust))
	if err != nil || string(own.Canonical()) != r.Trust {
		return nil, nil, ErrReport
	}
	return r, own, nil
}
