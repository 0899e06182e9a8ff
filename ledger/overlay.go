package ledger

import "github.com/sharetrail/sharetrail/events"

// overlay is the writer's state plus the batch being built.
type overlay struct {
	*state
	b *batch
}

func (o overlay) Enrolled(role events.Role, id events.Identity) bool {
	_, fresh := o.b.fresh[partyKey{role, id}]
	return fresh || o.state.Enrolled(role, id)
}
