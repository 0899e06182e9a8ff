package verifier

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

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

// CheckReport checks a report file about the party the reader names, against
// what the reader pinned. With a nil trust it uses the file's own and says in
// the verdict that nobody vouches for it.
func CheckReport(b []byte, role events.Role, id string, pinned *Trust) (*Verdict, error) {
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
	c := &checker{versions: map[uint64]uint64{}, newest: map[uint64]*events.DisclosureRecorded{}, report: report, trust: own, verdict: &Verdict{Pinned: pinned != nil}}
	if pinned != nil {
		c.trust = pinned
	} else if err := checkSignature(signed, doc, own); err != nil {
		return nil, err
	}
	c.verdict.Origin, c.verdict.Statement = c.trust.Origin, report.Statement
	for _, step := range []func() error{
		c.checkFile,
		func() error { return c.checkReader(role, id) },
		c.checkCheckpoint, c.checkGenesis, c.checkState,
		c.checkEnrolments, c.checkEntries, c.checkAbsences,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	c.verdict.conclude()
	return c.verdict, nil
}

// checker carries one check of a report from step to step.
type checker struct {
	report     *Report
	trust      *Trust
	verdict    *Verdict
	id         events.Identity
	role       events.Role
	checkpoint Checkpoint
	rules      *events.Rules
	state      *events.State

	// Times of leaf 0 and of the state: everything shown is dated between.
	genesisTime, stateTime uint64

	// The open generation, if enrolled.
	enrolled     bool
	handle       events.Hash
	enrolledAt   uint64
	enrolledTime uint64

	// Of the entries so far: their leaves, and how often and to what each was amended,
	// by index.
	leafHashes []events.Hash
	versions   map[uint64]uint64
	newest     map[uint64]*events.DisclosureRecorded // the newest version of an amended one
}

// maxTimeMS is the last millisecond of the year 9999, beyond which no date can
// be shown.
const maxTimeMS = 253_402_300_799_999

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
	if c.report.Origin != c.trust.Origin {
		return refute(name, "it is about another ledger")
	}
	if c.verdict.Pinned {
		c.pass(name, "signed by %s", c.trust.Origin)
	} else {
		c.pass(name, "signed by the key that the file itself brings")
	}
	return nil
}

// CheckPerson is the check that most often fails by the reader's own mistake.
const CheckPerson = "person"

func (c *checker) checkReader(role events.Role, id string) error {
	const name = CheckPerson
	rules, err := events.ParseRules([]byte(c.report.Rules))
	if err != nil {
		return ErrReport
	}
	c.rules, c.role = rules, role
	if c.id, err = events.ParseIdentity(rules.Identities, id); err != nil {
		return err
	}
	if c.report.ID != c.id.String() {
		return refute(name, "check the identifier you typed: this file names another")
	}
	if c.report.Role != role.String() {
		return refute(name, "check the role you asked for: this file is about another")
	}
	if controller, err := events.ParseIdentity(rules.Identities, "org:"+c.trust.Origin); role == events.RoleController && (err != nil || c.id != controller) {
		return refute(name, "the controller of this ledger is org:%s: nobody else has a register of that role", Plain(c.trust.Origin))
	}
	c.verdict.Role, c.verdict.ID = role, c.id.String()
	c.pass(name, "the report is about %s", Plain(c.id.String()))
	return nil
}

func (c *checker) checkCheckpoint() error {
	const name = "checkpoint"
	cp, err := OpenCheckpoint([]byte(c.report.Checkpoint), c.trust.Origin, c.trust.Log)
	if err != nil {
		return refute(name, "not signed by the pinned log key, or malformed")
	}
	c.checkpoint = cp
	c.verdict.Size = cp.Size
	c.pass(name, "signed by the ledger: %d leaves", cp.Size)
	return nil
}

// leaf checks inclusion under the checkpoint and returns the parsed leaf.
func (c *checker) leaf(name string, p Proven) (*events.Leaf, error) {
	if p.Index >= c.checkpoint.Size {
		return nil, refute(name, "leaf %d is beyond the checkpoint", p.Index)
	}
	proof := make(tlog.RecordProof, len(p.Inclusion))
	for i, h := range p.Inclusion {
		proof[i] = tlog.Hash(h)
	}
	leafHash := events.LeafHash(p.Leaf)
	if err := tlog.CheckRecord(proof, int64(c.checkpoint.Size), tlog.Hash(c.checkpoint.Root),
		int64(p.Index), tlog.Hash(leafHash)); err != nil {
		return nil, refute(name, "leaf %d is not in the log under this checkpoint", p.Index)
	}
	l, err := events.ParseLeaf(p.Leaf)
	if err != nil {
		return nil, refute(name, "leaf %d is malformed", p.Index)
	}
	return l, nil
}

func (c *checker) stateLeaf(name string, p Proven) (*events.State, uint64, error) {
	l, err := c.leaf(name, p)
	if err != nil {
		return nil, 0, err
	}
	if l.Kind != events.KindState {
		return nil, 0, refute(name, "leaf %d is not a state leaf", p.Index)
	}
	s, err := events.ParseState(l.Ext)
	if err != nil || s.Covered != p.Index {
		return nil, 0, refute(name, "state leaf %d does not cover what is before it", p.Index)
	}
	if l.TimeMS > maxTimeMS {
		return nil, 0, refute(name, "state leaf %d is dated after the year 9999", p.Index)
	}
	if s.VRFKey != c.trust.VRF {
		return nil, 0, refute(name, "state leaf %d names another VRF key than the pinned one", p.Index)
	}
	if s.RulesHash != events.RulesHash([]byte(c.report.Rules)) {
		return nil, 0, refute(name, "state leaf %d names other rules than the report's", p.Index)
	}
	return s, l.TimeMS, nil
}

func (c *checker) checkGenesis() error {
	const name = "genesis"
	s, at, err := c.stateLeaf(name, c.report.Genesis)
	if err != nil {
		return err
	}
	if c.report.Genesis.Index != 0 || events.LeafHash(c.report.Genesis.Leaf) != c.trust.Genesis {
		return refute(name, "leaf 0 is not the pinned one")
	}
	if s.MapRoot != EmptyIndexRoot() || s.MapEntries != 0 {
		return refute(name, "the ledger did not begin with an empty index")
	}
	c.genesisTime = at
	if c.verdict.Pinned {
		c.pass(name, "the ledger begins with the pinned leaf")
	} else {
		c.pass(name, "the ledger begins with the leaf that the file itself names")
	}
	return nil
}

func (c *checker) checkState() error {
	const name = "state"
	if c.report.State.Index != c.checkpoint.Size-1 {
		return refute(name, "the last leaf under the checkpoint is not the state shown")
	}
	s, at, err := c.stateLeaf(name, c.report.State)
	if err != nil {
		return err
	}
	if s.Final {
		return refute(name, "the ledger is closed; this version cannot follow it to its successor")
	}
	if at < c.genesisTime {
		return refute(name, "it is dated before the ledger began")
	}
	c.state, c.stateTime = s, at
	c.verdict.StateTimeMS = at
	c.pass(name, "the last leaf, %d, holds the ledger's index of everything before it", s.Covered)
	return nil
}
