// Package actortest makes actors for tests.
package actortest

import (
	"testing"

	"github.com/sharetrail/sharetrail/internal/actor"
)

// Add adds an actor who is let in and has a token of their own: as after the owner of
// the data directory added them, they claimed it, and somebody else confirmed them.
func Add(t *testing.T, s *actor.Store, name string, r actor.Role) (token string) {
	t.Helper()
	made, err := s.Add(t.Context(), name, r, actor.Operator)
	if err != nil {
		t.Fatal(err)
	}
	token, err = s.Claim(t.Context(), actor.Actor{Name: name, Role: r})
	if err != nil {
		t.Fatal(err)
	}
	if made.Waits {
		if err := s.Confirm(t.Context(), name, actor.Actor{Name: "somebody-else", Role: actor.Keyholder, Claimed: true}); err != nil {
			t.Fatal(err)
		}
	}
	return token
}
