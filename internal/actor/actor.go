// Package actor knows who may speak to a ledger over the network: names, each
// with one role and one token.
//
// A token is 32 random bytes and is shown once; its SHA-256 is all that is kept,
// so a copy of the file lets nobody in. What a role may do is not decided here
// but in one table of internal/api. A name is never given to somebody else: it
// scopes the idempotency keys of what its actor recorded.
//
// Some operations take two people. So that one who adds actors cannot be both, an
// actor trades the token that was shown to who added them for one of their own
// ([Store.Claim]); whoever may be one of two waits until somebody else confirms them
// ([Store.Confirm]); and no two are a pair of whom one added the other, or who did ([Store.Kin]).
package actor

import (
	"context"
	"slices"
	"strings"

	"github.com/sharetrail/sharetrail/events"
)

// Role is what somebody does with a ledger, and so what they may do.
type Role string

// The roles.
const (
	Admin    Role = "admin"    // everything, and alone: who the actors are
	Counsel  Role = "counsel"  // the legal or privacy team: records, reports, keeps the address book
	Recorder Role = "recorder" // records shares, by hand or by a program
	Reader   Role = "reader"   // writes and reads reports about people: answers their requests
	Auditor  Role = "auditor"  // checks what holds no personal data
	// Keyholder keeps what is under seal, and alone knows that there is anything.
	Keyholder Role = "keyholder"
)

// Roles are all roles, the most powerful first.
func Roles() []Role { return []Role{Admin, Counsel, Recorder, Reader, Auditor, Keyholder} }

// Decides reports whether a role takes part in what takes two people.
func (r Role) Decides() bool { return r == Admin || r == Counsel || r == Keyholder }

// Actor is somebody whose token was right, or the owner of the data directory.
type Actor struct {
	Name    string
	Role    Role
	Claimed bool // nobody else has seen their token
	Waits   bool // until somebody confirms them: they may do nothing but claim their token
}

// Operator is who owns the data directory: whoever reaches its socket.
var Operator = Actor{Name: "operator", Role: Admin, Claimed: true}

// Listed is what an actor is listed as. Days are in UTC.
type Listed struct {
	Name     string `json:"name"`
	Role     Role   `json:"role"`
	Created  string `json:"created" doc:"day"`
	Revoked  string `json:"revoked,omitempty" doc:"day; the token is refused since"`
	LastUsed string `json:"last_used,omitempty" doc:"day on which the token was last used; of keyholders it is not kept"`

	AddedBy     string `json:"added_by,omitempty" doc:"operator is the owner of the data directory; missing of actors who were added before it was kept"`
	Claimed     bool   `json:"claimed,omitempty" doc:"the token is not the one that was shown to who added them"`
	Waits       bool   `json:"waits,omitempty" doc:"until somebody confirms them, they may do nothing but claim their token"`
	ConfirmedBy string `json:"confirmed_by,omitempty"`
}

type contextKey struct{}

// NewContext returns a context whose work is done for an actor.
func NewContext(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, contextKey{}, a)
}

// FromContext returns for whom work is done, if anybody is known.
func FromContext(ctx context.Context) (a Actor, known bool) {
	a, known = ctx.Value(contextKey{}).(Actor)
	return a, known
}

const maxName = 64

func checkName(name string) error {
	inner := func(r rune) bool { return r == '-' || r == '.' || r == '_' }
	outer := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }
	other := func(r rune) bool { return !inner(r) && !outer(r) }
	switch {
	case name == "" || len(name) > maxName || strings.IndexFunc(name, other) >= 0 ||
		inner(rune(name[0])) || inner(rune(name[len(name)-1])):
		return &events.FieldError{Field: "name", Rule: "must have 1 to 64 lower-case letters, digits and inner hyphens, dots or underscores",
			Next: "name the actor such as payroll-import or counsel-2"}
	case name == Operator.Name:
		return &events.FieldError{Field: "name", Rule: "is the name of the data directory's owner", Next: "choose another"}
	}
	return nil
}

func checkRole(r Role) error {
	if slices.Contains(Roles(), r) {
		return nil
	}
	var names []string
	for _, r := range Roles() {
		names = append(names, string(r))
	}
	return &events.FieldError{Field: "role", Rule: "is not one of the roles", Next: "use one of " + strings.Join(names, ", ")}
}
