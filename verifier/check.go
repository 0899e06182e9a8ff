package verifier

import (
	"fmt"

	"github.com/sharetrail/sharetrail/events"
)

// RefutedError says that a check failed: the file does not prove what it
// claims. Everything else a check returns means the file cannot be used.
type RefutedError struct {
	Check string // what was checked
	Found string // what is wrong
}

// Error implements error.
func (e *RefutedError) Error() string { return "REFUTED: " + e.Check + ": " + e.Found }

// Asked is what the reader of a report brings beside the file and what he pinned.
// Nothing of it is taken from the file.
type Asked struct {
	Role events.Role
	IDs  []string // who the report is about: every name of theirs that the reader knows
	// Previous is an earlier checkpoint that the reader kept, a signed note; the
	// report must extend it. Empty means none.
	Previous string
}

// About asks for the report about one party.
func About(role events.Role, ids ...string) Asked { return Asked{Role: role, IDs: ids} }

// CheckReport checks a report file about the party the reader names, against
// what the reader pinned. With a nil trust it uses the file's own and says in
// the verdict that nobody vouches for it.
func CheckReport(b []byte, asked Asked, pinned *Trust) (*Verdict, error) {
	if len(b) > MaxReportSize {
		return nil, ErrTooLarge
	}
	if pinned == nil && len(b) > MaxUnpinnedSize {
		return nil, ErrTooLargeUnpinned
	}
	signed, doc, err := splitReport(b)
	if err != nil {
		return nil, err
	}
	if pinned != nil {
		// Before anything is read of the document: what was altered is refuted,
		// not called malformed.
		if err := checkSignature(signed, doc, pinned); err != nil {
			return nil, err
		}
	}
	report, own, err := parseReport(doc)
	if err != nil {
		return nil, err
	}
	c := &checker{report: report, asked: asked, trust: own, verdict: &Verdict{Pinned: pinned != nil, Role: asked.Role}}
	if pinned != nil {
		c.trust = pinned
	} else if err := checkSignature(signed, doc, own); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	c.verdict.conclude()
	return c.verdict, nil
}

// checker carries one check of a report from step to step.
type checker struct {
	report  *Report
	asked   Asked
	trust   *Trust
	verdict *Verdict
	parts   []*part
}

func (c *checker) check() error {
	last := &c.report.Parts[len(c.report.Parts)-1]
	c.verdict.Origin, c.verdict.Statement, c.verdict.Copy, c.verdict.IDs = c.trust.Origin, c.report.Statement, last.Copy, last.IDs
	if err := c.checkFile(); err != nil {
		return err
	}
	c.verdict.Witnessed, c.verdict.Audited = true, true // until a ledger of the chain has neither
	for i, trust := range c.trust.Ledgers() {
		p := newPart(c, &c.report.Parts[i], trust)
		c.parts = append(c.parts, p)
		if err := p.check(); err != nil {
			return err
		}
	}
	if err := c.checkChain(); err != nil {
		return err
	}
	return c.checkPrevious()
}

func refute(check, format string, args ...any) error {
	return &RefutedError{Check: check, Found: fmt.Sprintf(format, args...)}
}

func (c *checker) pass(name, format string, args ...any) {
	c.verdict.Checks = append(c.verdict.Checks, Check{Name: name, Detail: fmt.Sprintf(format, args...)})
}

const checkedSignature = "report signature"

func checkSignature(signed, doc []byte, trust *Trust) error {
	text, err := openNote(signed, trust.Report)
	if err != nil {
		return refute(checkedSignature, "not signed by the pinned report key: another ledger's report, or changed")
	}
	if text != reportText(trust.Origin, doc) {
		return refute(checkedSignature, "the signed digest is not the document's: the file was cut or changed")
	}
	return nil
}

func (c *checker) checkFile() error {
	const name = checkedSignature
	if c.report.Trust != string(c.trust.Canonical()) {
		return refute(name, "the file names other keys than the pinned trust file")
	}
	ledgers := c.trust.Ledgers()
	if len(c.report.Parts) != len(ledgers) {
		return refute(name, "it has parts of %d ledgers and the pinned trust file names %d", len(c.report.Parts), len(ledgers))
	}
	for i, trust := range ledgers {
		if c.report.Parts[i].Origin != trust.Origin {
			return refute(name, "it is about another ledger")
		}
	}
	if c.verdict.Pinned {
		c.pass(name, "signed by %s", c.trust.Origin)
	} else {
		c.pass(name, "signed by the key that the file itself brings")
	}
	return nil
}
