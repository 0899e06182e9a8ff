package audit

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
)

// position is what an auditor must know of the leaves before a size to go on from
// there, beside the index.
type position struct {
	edge      *tiles.Edge
	timeMS    uint64
	prevState events.Hash
	rulesHash events.Hash
	rules     *events.Rules // nil before leaf 0, and until they are read again
	foreign   uint64
	states    uint64
	final     bool
}

// clone is a copy that does not grow with it.
func (p *position) clone() *position {
	c := *p
	c.edge, _ = tiles.NewEdge(p.edge.Size(), p.edge.Hashes())
	return &c
}

// kept is a position after a state leaf, as it is stored.
type kept struct {
	Genesis   events.Hash   `json:"genesis"`
	Size      uint64        `json:"size"`
	Edge      []events.Hash `json:"edge"`
	TimeMS    uint64        `json:"time_ms"`
	PrevState events.Hash   `json:"prev_state"`
	RulesHash events.Hash   `json:"rules_hash"`
	Foreign   uint64        `json:"foreign"`
	States    uint64        `json:"states"`
	Final     bool          `json:"final"`
}

var errKept = errors.New("the auditor's own state is damaged")

func (p *position) marshal(genesis events.Hash) []byte {
	b, err := json.Marshal(kept{genesis, p.edge.Size(), p.edge.Hashes(), p.timeMS, p.prevState, p.rulesHash, p.foreign, p.states, p.final})
	if err != nil {
		panic(err) // none of its members can fail
	}
	return b
}

// parsePosition is the inverse of marshal; nil gives the position before leaf 0.
func parsePosition(b []byte, genesis events.Hash) (*position, error) {
	if b == nil {
		return &position{edge: new(tiles.Edge)}, nil
	}
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, fmt.Errorf("%w: %w", errKept, err)
	}
	if k.Genesis != genesis {
		return nil, errors.New("it is the state of another ledger's audit; name another directory (--state)")
	}
	edge, ok := tiles.NewEdge(k.Size, k.Edge)
	if !ok {
		return nil, errKept
	}
	return &position{edge, k.TimeMS, k.PrevState, k.RulesHash, nil, k.Foreign, k.States, k.Final}, nil
}
