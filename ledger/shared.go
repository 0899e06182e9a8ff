package ledger

import (
	"github.com/sharetrail/sharetrail/events"
)

// shared is the state of a running ledger to goroutines other than the writer.
type shared struct{ l *Ledger }

// Identities implements decide.State.
func (s *shared) Identities() []events.IdentityRule { return s.book().Identities }

// Enrolled implements decide.State.
func (s *shared) Enrolled(role events.Role, id events.Identity) bool {
	s.l.mu.RLock()
	defer s.l.mu.RUnlock()
	return s.l.state.Enrolled(role, id)
}

// Known implements decide.State.
func (s *shared) Known(id events.ID) bool {
	_, known := s.l.Find(id)
	return known
}

// Primary implements decide.State.
func (s *shared) Primary(role events.Role, id events.Identity) events.Identity {
	s.l.mu.RLock()
	defer s.l.mu.RUnlock()
	return s.l.state.Primary(role, id)
}

// Names implements decide.State.
func (s *shared) Names(role events.Role, id events.Identity) int {
	s.l.mu.RLock()
	defer s.l.mu.RUnlock()
	return s.l.state.Names(role, id)
}

func (s *shared) book() *events.Rules {
	s.l.mu.RLock()
	defer s.l.mu.RUnlock()
	return s.l.state.rules
}
