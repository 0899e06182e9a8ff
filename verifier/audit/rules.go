package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
)

// parsed is a leaf on its way: what can be computed of it alone.
type parsed struct {
	leaf    *events.Leaf
	state   *events.State // of a state leaf
	hash    events.Hash
	entries []index.Entry
}

// parse computes what a leaf says, nil if it says nothing.
func parse(at uint64, entry []byte) *parsed {
	leaf, err := events.ParseLeaf(entry)
	if err != nil {
		return nil
	}
	p := &parsed{leaf: leaf, hash: events.LeafHash(entry)}
	if leaf.Kind == events.KindState {
		if p.state, err = events.ParseState(leaf.Ext); err != nil {
			return nil
		}
	}
	if len(leaf.Slots) > 0 {
		p.entries = make([]index.Entry, len(leaf.Slots))
		for k, slot := range leaf.Slots {
			p.entries[k] = index.Entry{Label: slot.Label, Value: verifier.IndexValue(at, uint16(k), p.hash)}
		}
	}
	return p
}

// take checks a leaf against those before it, but for the index, and makes it the
// last one.
func (r *replay) take(ctx context.Context, p *parsed) error {
	at := r.at.edge.Size()
	switch {
	case p == nil:
		return fault(at, "the leaf is malformed")
	case r.at.final:
		return fault(at, "it follows a final state, which ends a ledger")
	case at == 0 && p.hash != r.trust.Genesis:
		return fault(at, "its hash is not the genesis in the trust file: this is another ledger")
	case p.leaf.TimeMS < r.at.timeMS:
		return fault(at, "its time is before that of the leaf ahead of it")
	case p.leaf.Kind == events.KindForeign && p.leaf.TimeMS != r.at.timeMS:
		return fault(at, "it stands for an event that is not the ledger's, and has another time than the leaf ahead of it")
	case p.leaf.TimeMS > events.MaxTimeMS:
		return fault(at, "its time is beyond the year 9999")
	}
	if p.state != nil {
		if err := r.takeState(ctx, at, p); err != nil {
			return err
		}
	} else if at == 0 {
		return fault(at, "a ledger begins with a state leaf")
	}
	if p.leaf.Kind != events.KindForeign && p.leaf.TimeMS%r.at.rules.GrainMS != 0 {
		return fault(at, "its time is not a multiple of the ledger's grain of %d ms", r.at.rules.GrainMS)
	}
	if err := r.takeWindow(at, p); err != nil {
		return err
	}
	if p.leaf.Kind == events.KindForeign {
		r.at.foreign++
	}
	r.at.timeMS = p.leaf.TimeMS
	r.at.edge.Append(p.hash)
	return nil
}

// takeWindow checks how a leaf stands among those between two state leaves.
func (r *replay) takeWindow(at uint64, p *parsed) error {
	cover := r.at.rules.Cover
	switch p.leaf.Kind {
	case events.KindState:
		if at > 0 && r.behind.entries < cover {
			return fault(at, "%d entries stand before it, and the rules promise %d between two state leaves", r.behind.entries, cover)
		}
		r.behind = window{timeMS: p.leaf.TimeMS}
		return nil
	case events.KindEntry:
		if cover > 0 && p.leaf.TimeMS != r.behind.timeMS {
			return fault(at, "its time is not that of the state leaf before it, by which it can be told from covers")
		}
		r.behind.entries++
	}
	if r.behind.labels += len(p.entries); r.behind.labels > events.MaxUncovered {
		return fault(at, "it is label %d since the last state leaf, and a ledger writes another one after %d at the latest", r.behind.labels, events.MaxUncovered)
	}
	return nil
}

// takeState checks what a state leaf says, but for the index.
func (r *replay) takeState(ctx context.Context, at uint64, p *parsed) error {
	s := p.state
	switch {
	case s.Covered != at:
		return fault(at, "the state says that it covers %d leaves and stands at %d", s.Covered, at)
	case s.PrevState != r.at.prevState:
		return fault(at, "the state names another one before it than the log has")
	case s.VRFKey != r.trust.VRF:
		return fault(at, "the state has another VRF key than the trust file")
	}
	if r.at.rules == nil || s.RulesHash != r.at.rulesHash { // leaf 0 may name rules of hash zero
		rules, err := r.readRules(ctx, at, s.RulesHash)
		if err != nil {
			return err
		}
		r.at.rules, r.at.rulesHash = rules, s.RulesHash
	}
	r.at.prevState, r.at.final = p.hash, s.Final
	r.at.states++
	return nil
}

// readRules reads new rules. They must name those before, and only add to them.
func (r *replay) readRules(ctx context.Context, at uint64, hash events.Hash) (*events.Rules, error) {
	doc, err := r.source.Rules(ctx, hash)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Fault{at, "the rules of this state are not beside the tiles", nextAgain}
	case errors.Is(err, tiles.ErrRefuted):
		return nil, &Fault{at, "the document beside the tiles is not the rules of this state", nextAgain}
	case err != nil:
		return nil, fmt.Errorf("reading the rules of state leaf %d: %w", at, err)
	}
	rules, err := events.ParseRules(doc)
	if err != nil {
		return nil, &Fault{at, "its rules are not some that this program knows", "get the newest sharetrail-verify; if it says the same, " + nextEvidence}
	}
	if r.at.rules != nil && !rules.Extends(r.at.rules, r.at.rulesHash) {
		return nil, fault(at, "its rules do not only add to those before")
	}
	return rules, nil
}
