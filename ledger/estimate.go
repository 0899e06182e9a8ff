package ledger

import (
	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// estimate bounds the bytes of planned events from above.
func estimate(c choice) (n int) {
	for i, p := range c.decided {
		n += estimateOne(p, c.facts[i])
		if len(p.Parts) > 0 { // the first one comes with it
			n += estimateOne(p.Parts[0], events.FactsOf(p.Parts[0].Event))
		}
	}
	return n
}

func estimateOne(p decide.Planned, facts *events.Facts) int {
	part := 0
	for _, party := range p.Parties {
		part = max(part, events.PaddedSize(decide.ContentSize(party)))
	}
	return 1024 + events.PaddedSize(len(facts.Marshal())) + keystore.SlotBytes(len(p.Parties), part)
}
