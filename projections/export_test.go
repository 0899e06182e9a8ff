package projections

import "github.com/sharetrail/sharetrail/internal/keystore"

// WrapFor hides in an entry what only the subject's key opens, as rows do.
func (e *Entry) WrapFor(p *keystore.Party) { e.wrap(p) }
