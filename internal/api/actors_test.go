package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// staff are actors over the socket, each with a token.
type staff struct {
	*served
	t *testing.T
}

// add has somebody add an actor, and returns who holds the token that was shown.
func (s *staff) add(name string, r actor.Role, by *api.Client) (*api.Client, api.NewActor) {
	s.t.Helper()
	made, err := by.AddActor(s.t.Context(), name, r)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.As(made.Token), made
}

// claim trades somebody's token.
func (s *staff) claim(c *api.Client) *api.Client {
	s.t.Helper()
	claimed, err := c.ClaimToken(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return s.As(claimed.Token)
}

// refused wants a refusal that says so.
func (s *staff) refused(err error, status int, says string) {
	s.t.Helper()
	if p := (*api.ProblemError)(nil); !errors.As(err, &p) || p.Status != status || !strings.Contains(p.Detail, says) {
		s.t.Errorf("got %v, want status %d and %q", err, status, says)
	}
}

const (
	notClaimed = "still has the token that was shown to whoever added it"
	notTwo     = "it takes two who did not"
	notIn      = "before somebody confirms you"
)

// TestOneAdminCannotErase: whoever adds actors is not two people with them: not with
// the tokens they were shown, not with actors whom nobody else knows, and not with
// whom they added themselves.
func TestOneAdminCannotErase(t *testing.T) {
	s := &staff{serve(t), t}
	ctx := t.Context()
	owner := s.Client
	if _, err := s.Record(ctx, "share", "accepted", share(person)); err != nil {
		t.Fatal(err)
	}
	ask := func(c *api.Client, key string) (string, error) {
		p, err := c.Post(ctx, "/v1/closures", key, "accepted", api.ClosureRequest{
			Subject: decide.Subject{ID: person}, Action: "rotate", Ground: "copy_left", At: time.Now().UTC().Format(time.RFC3339),
		})
		return "/v1/closures/" + p.ID.String() + "/confirmations", err
	}
	confirm := func(c *api.Client, path, key string) error {
		_, err := c.Post(ctx, path, key, "accepted", api.Confirmation{})
		return err
	}

	counsel, made := s.add("counsel-1", actor.Counsel, owner)
	if made.Waits {
		t.Fatal("the first waits")
	}
	_, err := ask(counsel, "shown")
	s.refused(err, http.StatusUnprocessableEntity, notClaimed)
	owners, err := ask(owner, "owner's")
	if err != nil {
		t.Fatal(err)
	}
	s.refused(confirm(counsel, owners, "shown 2"), http.StatusUnprocessableEntity, notClaimed)
	shown := counsel
	counsel = s.claim(counsel)
	if _, err := shown.Actors(ctx); err == nil {
		t.Error("the token that was shown still works")
	}
	if _, err := counsel.ClaimToken(ctx); err == nil {
		t.Error("a token was claimed twice")
	}
	s.refused(confirm(counsel, owners, "kin"), http.StatusUnprocessableEntity, notTwo)

	// An admin for the owner, confirmed; and people of the admin's own.
	admin, made := s.add("admin-1", actor.Admin, owner)
	if !made.Waits {
		t.Error("the second does not wait")
	}
	_, err = admin.Status(ctx)
	s.refused(err, http.StatusForbidden, notIn)
	_, err = ask(admin, "waits")
	s.refused(err, http.StatusForbidden, notIn)
	s.refused(counsel.ConfirmActor(ctx, "admin-1"), http.StatusUnprocessableEntity, "names an actor whose token whoever added it has seen")
	admin = s.claim(admin)
	s.refused(admin.ConfirmActor(ctx, "admin-1"), http.StatusForbidden, notIn)
	s.refused(owner.ConfirmActor(ctx, "admin-1"), http.StatusUnprocessableEntity, "adds actors and confirms none")
	s.refused(counsel.ConfirmActor(ctx, "nobody"), http.StatusNotFound, "no actor has this name")
	if err := counsel.ConfirmActor(ctx, "admin-1"); err != nil {
		t.Fatal(err)
	}
	s.refused(confirm(admin, owners, "owner twice"), http.StatusUnprocessableEntity, notTwo)
	fake, _ := s.add("fake-1", actor.Counsel, admin)
	fake = s.claim(fake)
	s.refused(admin.ConfirmActor(ctx, "fake-1"), http.StatusUnprocessableEntity, "added the one to be confirmed")
	_, err = ask(fake, "fake")
	s.refused(err, http.StatusForbidden, notIn)
	if err := counsel.ConfirmActor(ctx, "fake-1"); err != nil { // somebody was deceived
		t.Fatal(err)
	}
	fakes, err := ask(fake, "fake's")
	if err != nil {
		t.Fatal(err)
	}
	s.refused(confirm(admin, fakes, "whom they added"), http.StatusUnprocessableEntity, notTwo)

	// Two people whom the owner added are two.
	own, err := ask(counsel, "counsel's")
	if err != nil {
		t.Fatal(err)
	}
	s.refused(confirm(counsel, own, "own"), http.StatusUnprocessableEntity, "of your own")
	if err := confirm(admin, own, "two"); err != nil {
		t.Error(err)
	}
	all, err := counsel.Actors(ctx)
	if err != nil || len(all) != 3 || all[0].AddedBy != "operator" || all[0].ConfirmedBy != "counsel-1" || all[2].AddedBy != "admin-1" {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestOneAdminIsNoKeyholder: nobody is let in as a keyholder without a keyholder's
// word, and what takes two of them takes two.
func TestOneAdminIsNoKeyholder(t *testing.T) {
	s := &staff{serve(t), t}
	ctx := t.Context()
	if _, err := s.Record(ctx, "share", "accepted", share(person)); err != nil {
		t.Fatal(err)
	}
	one, made := s.add("keyholder-1", actor.Keyholder, s.Client)
	if made.Waits {
		t.Fatal("the first waits")
	}
	admin, _ := s.add("admin-1", actor.Admin, s.Client)
	admin = s.claim(admin)
	if _, err := one.PlaceHold(ctx, ledger.HoldRequest{Matter: "M-1", Ground: "litigation", Reason: "claim", Subjects: []string{person}}); err != nil {
		t.Fatal(err)
	}
	_, err := one.ProposeRelease(ctx, "M-1", "settled")
	s.refused(err, http.StatusUnprocessableEntity, notClaimed)
	_, err = one.Post(ctx, "/v1/seals/"+events.ID{1}.String()+"/proposals", "propose", "accepted", api.LiftingProposal{Reason: "x"})
	s.refused(err, http.StatusUnprocessableEntity, notClaimed)
	_, err = one.Post(ctx, "/v1/seals/"+events.ID{1}.String()+"/liftings", "lift", "accepted", api.Lifting{})
	s.refused(err, http.StatusUnprocessableEntity, notClaimed)
	one = s.claim(one)
	if err := one.ConfirmActor(ctx, "admin-1"); err != nil {
		t.Fatal(err)
	}
	two, made := s.add("keyholder-2", actor.Keyholder, admin)
	two = s.claim(two)
	if _, err := two.Holds(ctx); !made.Waits || err == nil {
		t.Errorf("whom an admin added sees the holds: %+v", made)
	}
	s.refused(admin.ConfirmActor(ctx, "keyholder-2"), http.StatusUnprocessableEntity, "added the one")
	counsel, _ := s.add("counsel-1", actor.Counsel, s.Client)
	counsel = s.claim(counsel)
	if err := admin.ConfirmActor(ctx, "counsel-1"); err != nil {
		t.Fatal(err)
	}
	s.refused(counsel.ConfirmActor(ctx, "keyholder-2"), http.StatusUnprocessableEntity, "only a keyholder confirms a keyholder")
	if err := one.ConfirmActor(ctx, "keyholder-2"); err != nil {
		t.Fatal(err)
	}
	if _, err := one.ProposeRelease(ctx, "M-1", "settled"); err != nil {
		t.Fatal(err)
	}
	if v, err := two.ReleaseHold(ctx, "M-1"); err != nil || v.State != "released" {
		t.Errorf("%+v, %v", v, err)
	}
}
