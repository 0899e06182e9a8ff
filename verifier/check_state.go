package verifier

import (
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
)

func (p *part) stateLeaf(name string, shown Proven, rules string) (*events.State, uint64, error) {
	l, _, err := p.leaf(name, shown)
	if err != nil {
		return nil, 0, err
	}
	if l.Kind != events.KindState {
		return nil, 0, refute(name, "leaf %d is not a state leaf", shown.Index)
	}
	s, err := events.ParseState(l.Ext)
	if err != nil || s.Covered != shown.Index {
		return nil, 0, refute(name, "state leaf %d does not cover what is before it", shown.Index)
	}
	if l.TimeMS > events.MaxTimeMS {
		return nil, 0, refute(name, "state leaf %d is dated after the year 9999", shown.Index)
	}
	if s.VRFKey != p.trust.VRF {
		return nil, 0, refute(name, "state leaf %d names another VRF key than the pinned one", shown.Index)
	}
	if s.RulesHash != events.RulesHash([]byte(rules)) {
		return nil, 0, refute(name, "state leaf %d names other rules than the report's", shown.Index)
	}
	return s, l.TimeMS, nil
}

func (p *part) checkGenesis() error {
	name := "genesis" + p.in
	s, at, err := p.stateLeaf(name, p.e.Genesis, p.e.Rules[0])
	if err != nil {
		return err
	}
	if p.e.Genesis.Index != 0 || events.LeafHash(p.e.Genesis.Leaf) != p.trust.Genesis {
		return refute(name, "leaf 0 is not the pinned one")
	}
	if s.MapRoot != EmptyIndexRoot() || s.MapEntries != 0 {
		return refute(name, "the ledger did not begin with an empty index")
	}
	if s.Final && p.checkpoint.Size > 1 {
		return refute(name, "leaves follow a final state")
	}
	p.genesis, p.genesisTime = s, at
	if p.verdict.Pinned {
		p.pass(name, "the ledger begins with the pinned leaf")
	} else {
		p.pass(name, "the ledger begins with the leaf that the file itself names")
	}
	return nil
}

func (p *part) checkState() error {
	name := "state" + p.in
	if p.e.State.Index != p.checkpoint.Size-1 {
		return refute(name, "the last leaf under the checkpoint is not the state shown")
	}
	s, at, err := p.stateLeaf(name, p.e.State, p.e.Rules[len(p.e.Rules)-1])
	if err != nil {
		return err
	}
	if at < p.genesisTime {
		return refute(name, "it is dated before the ledger began")
	}
	p.state, p.stateTime = s, at
	if p.last() {
		p.verdict.StateTimeMS = at
		if p.verdict.Closed = s.Final; s.Final {
			p.verdict.Successor = string(s.Successor)
		}
	}
	p.pass(name, "the last leaf, %d, holds the ledger's index of everything before it", s.Covered)
	return nil
}

// checkEarlier checks that the checkpoint extends the earlier one that is shown.
func (p *part) checkEarlier() error {
	if p.e.Earlier == nil {
		return nil
	}
	name := "earlier checkpoint" + p.in
	earlier, err := OpenCheckpoint([]byte(p.e.Earlier.Checkpoint), p.trust.Origin, p.trust.Log)
	if err != nil {
		return refute(name, "not signed by the pinned log key, or malformed")
	}
	if err := p.extends(earlier, p.e.Earlier.Proof); err != nil {
		return refute(name, "the ledger does not extend it: what was recorded then was changed, removed or reordered")
	}
	p.verdict.Extends = append(p.verdict.Extends, earlier)
	p.pass(name, "nothing of the first %d leaves was changed, removed or reordered since then", earlier.Size)
	return nil
}

func (p *part) extends(earlier Checkpoint, proof Path) error {
	if earlier.Size > p.checkpoint.Size || earlier.Size == 0 {
		return errPath
	}
	return tlog.CheckTree(tlog.TreeProof(proof.tlog()), int64(p.checkpoint.Size), tlog.Hash(p.checkpoint.Root),
		int64(earlier.Size), tlog.Hash(earlier.Root))
}

// checkChain checks that each ledger but the last ended by naming the next, and
// that each but the first began with the exact checkpoint the one before ended
// with.
func (c *checker) checkChain() error {
	const name = "chain"
	if len(c.parts[0].genesis.Predecessor) > 0 {
		return refute(name, "%s continues a ledger that the trust file does not name", Plain(c.parts[0].trust.Origin))
	}
	for i, next := range c.parts[1:] {
		before := c.parts[i]
		if !before.state.Final || string(before.state.Successor) != next.trust.Origin {
			return refute(name, "%s did not end by naming %s", Plain(before.trust.Origin), Plain(next.trust.Origin))
		}
		if string(next.genesis.Predecessor) != before.checkpoint.Format() {
			return refute(name, "%s does not begin with the checkpoint that %s ended with", Plain(next.trust.Origin), Plain(before.trust.Origin))
		}
		if next.genesisTime < before.stateTime {
			return refute(name, "%s begins before %s ended", Plain(next.trust.Origin), Plain(before.trust.Origin))
		}
	}
	if n := len(c.parts); n > 1 {
		c.verdict.Chain = n
		c.pass(name, "%d ledgers, each ended by naming the next, which began with its last checkpoint", n)
	}
	return nil
}

// checkPrevious demands that the checkpoint that the reader kept is one that the
// report extends.
func (c *checker) checkPrevious() error {
	const name = "previous checkpoint"
	if c.asked.Previous == "" {
		return nil
	}
	for _, p := range c.parts {
		kept, err := OpenCheckpoint([]byte(c.asked.Previous), p.trust.Origin, p.trust.Log)
		if err != nil {
			continue
		}
		if kept == p.checkpoint {
			c.pass(name, "the report is under the very checkpoint that you kept")
			return nil
		}
		for _, earlier := range c.verdict.Extends {
			if earlier == kept {
				c.pass(name, "the ledger extends the checkpoint of %d leaves that you kept", kept.Size)
				return nil
			}
		}
		return refute(name, "the file does not show that the ledger extends the one that you kept")
	}
	return refute(name, "what you kept is no checkpoint of this ledger's")
}
