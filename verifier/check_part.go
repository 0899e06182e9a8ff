package verifier

import (
	"cmp"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
)

// part is the check of one ledger of the chain.
type part struct {
	*checker
	e     *Evidence
	trust *Trust
	in    string // names the ledger in the names of checks, if it is not the last
	ids   []events.Identity

	checkpoint Checkpoint
	rules      *events.Rules // the newest version
	genesis    *events.State
	state      *events.State

	// Times of leaf 0 and of the state: everything shown is dated between.
	genesisTime, stateTime uint64

	names   []*named
	others  []otherName // under which entries were sealed
	targets map[targetKey]*target
}

func newPart(c *checker, e *Evidence, trust *Trust) *part {
	p := &part{checker: c, e: e, trust: trust, targets: map[targetKey]*target{}}
	if trust != c.trust {
		p.in = " of " + Plain(trust.Origin)
	}
	return p
}

func (p *part) last() bool { return p.trust == p.checker.trust }

func (p *part) check() error {
	for _, step := range []func() error{
		p.checkRules, p.checkReader, p.checkCheckpoint, p.checkGenesis, p.checkState, p.checkQuorum, p.checkEarlier,
		p.checkTargets, p.checkNames, p.checkFilter,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// checkRules reads every version of the rules document. Which is in force, leaf 0
// and the state say.
func (p *part) checkRules() error {
	var before *events.Rules
	for i, doc := range p.e.Rules {
		rules, err := events.ParseRules([]byte(doc))
		if err != nil {
			return ErrReport
		}
		if i > 0 && !rules.Extends(before, events.RulesHash([]byte(p.e.Rules[i-1]))) {
			return refute("rules"+p.in, "version %d does more than add to the one before", i+1)
		}
		if i == 0 && rules.Previous != nil {
			return refute("rules"+p.in, "the first version shown is not the first there is")
		}
		before = rules
	}
	p.rules = before
	return nil
}

// CheckPerson is the check that most often fails by the reader's own mistake.
const CheckPerson = "person"

func (p *part) checkReader() error {
	const name = CheckPerson
	if err := p.parseAsked(); err != nil {
		return err
	}
	var texts []string
	for _, id := range p.ids {
		texts = append(texts, id.String())
	}
	if !slices.Equal(p.e.IDs, texts) {
		return refute(name, "check the identifier you typed: this file names another")
	}
	if p.e.Role != p.asked.Role.String() {
		return refute(name, "check the role you asked for: this file is about another")
	}
	if last := p.report.Parts[len(p.report.Parts)-1]; p.e.Copy != last.Copy || p.e.Copy && p.e.Filter != nil {
		return refute(name, "it is a copy for third parties in one ledger of the chain alone, or one with a filter")
	}
	if p.last() {
		p.pass(name, "the report is about %s", plainList(texts))
	}
	return nil
}

// parseAsked brings what the reader typed into the ledger's spelling. In an older
// ledger of a chain a name that its rules have no room for cannot stand, and the
// controller went by that ledger's origin.
func (p *part) parseAsked() error {
	if len(p.asked.IDs) == 0 {
		return &events.FieldError{Field: "id", Rule: "is missing", Next: "say who the report is about, such as email:ada@example.com"}
	}
	controller, noController := events.ParseIdentity(p.rules.Identities, "org:"+p.trust.Origin)
	for _, text := range p.asked.IDs {
		id, err := events.ParseIdentity(p.rules.Identities, text)
		if p.asked.Role == events.RoleController && !p.last() {
			id, err = controller, noController
		}
		if err != nil && p.last() {
			return err
		}
		if err != nil {
			continue
		}
		if p.asked.Role == events.RoleAuthority && !slices.Contains(p.rules.Authorities, id.String()) {
			return refute(CheckPerson, "the rules of this ledger list no such authority: nobody else has a register of that role")
		}
		if p.asked.Role == events.RoleController && (noController != nil || id != controller) {
			return refute(CheckPerson, "the controller of this ledger is org:%s: nobody else has a register of that role", Plain(p.trust.Origin))
		}
		p.ids = append(p.ids, id)
	}
	slices.SortFunc(p.ids, func(a, b events.Identity) int { return cmp.Compare(a.String(), b.String()) })
	p.ids = slices.Compact(p.ids)
	return nil
}

func (p *part) checkCheckpoint() error {
	name := "checkpoint" + p.in
	cp, err := OpenCheckpoint([]byte(p.e.Checkpoint), p.trust.Origin, p.trust.Log)
	if err != nil {
		return refute(name, "not signed by the pinned log key, or malformed")
	}
	p.checkpoint = cp
	if p.last() {
		p.verdict.Size = cp.Size
	}
	p.pass(name, "signed by the ledger: %d leaves", cp.Size)
	return nil
}

// leaf checks inclusion under the checkpoint and returns the parsed leaf.
func (p *part) leaf(name string, shown Proven) (*events.Leaf, events.Hash, error) {
	if shown.Index >= p.checkpoint.Size {
		return nil, events.Hash{}, refute(name, "leaf %d is beyond the checkpoint", shown.Index)
	}
	leafHash := events.LeafHash(shown.Leaf)
	if err := tlog.CheckRecord(shown.Inclusion.tlog(), int64(p.checkpoint.Size), tlog.Hash(p.checkpoint.Root),
		int64(shown.Index), tlog.Hash(leafHash)); err != nil {
		return nil, leafHash, refute(name, "leaf %d is not in the log under this checkpoint", shown.Index)
	}
	l, err := events.ParseLeaf(shown.Leaf)
	if err != nil {
		return nil, leafHash, refute(name, "leaf %d is malformed", shown.Index)
	}
	return l, leafHash, nil
}

// slot checks a leaf that is to hold a party's slot.
func (p *part) slot(name string, shown Proven, slot uint16) (*events.Leaf, events.Hash, error) {
	l, leafHash, err := p.leaf(name, shown)
	if err != nil {
		return nil, leafHash, err
	}
	if l.Kind != events.KindEntry || int(slot) >= len(l.Slots) {
		return nil, leafHash, refute(name, "the leaf has no slot %d", slot)
	}
	if l.TimeMS < p.genesisTime || l.TimeMS > p.stateTime {
		return nil, leafHash, refute(name, "it is dated before the ledger began or after the state")
	}
	return l, leafHash, nil
}

func (p *part) member(name string, label events.Hash, index uint64, slot uint16, leafHash events.Hash, proof Path) error {
	value := IndexValue(index, slot, leafHash)
	if err := CheckMember(p.state.MapRoot, label, value, MemberProof{Siblings: proof}); err != nil {
		return refute(name, "the index does not lead to this leaf and slot")
	}
	return nil
}
