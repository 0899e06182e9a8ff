package ui_test

import (
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/internal/actor"
)

// TestWaits: who waits to be confirmed cannot sign in, and reads why; what was begun
// with a token ends when it is claimed.
func TestWaits(t *testing.T) {
	s := open(t, false)
	first, err := s.actors.Add(t.Context(), "counsel-1", actor.Counsel, actor.Operator)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.actors.Add(t.Context(), "counsel-2", actor.Counsel, actor.Operator)
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser(t)
	_, page := b.get("/sign-in")
	form := hidden(page)
	form.Set("token", second.Token)
	if resp, page := b.post("/sign-in", form); resp.StatusCode != 403 || !strings.Contains(page, "Nobody has confirmed you yet") || strings.Contains(page, second.Token) {
		t.Errorf("%s\n%s", resp.Status, page)
	}
	if resp, _ := b.get("/record"); resp.StatusCode != 401 {
		t.Errorf("who waits: %s", resp.Status)
	}
	b.signIn(first.Token)
	if resp, _ := b.get("/record"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	token, err := s.actors.Claim(t.Context(), actor.Actor{Name: "counsel-1", Role: actor.Counsel})
	if err != nil {
		t.Fatal(err)
	}
	if resp, _ := b.get("/record"); resp.StatusCode != 401 {
		t.Errorf("with the token that was claimed since: %s", resp.Status)
	}
	b.signIn(token)
}
