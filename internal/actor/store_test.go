package actor_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
)

// clock is set by hand.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func open(t *testing.T, path string, c *clock) *actor.Store {
	t.Helper()
	s, err := actor.Open(t.Context(), path, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// add has the owner of the data directory add an actor.
func add(ctx context.Context, s *actor.Store, name string, r actor.Role) (token string, err error) {
	made, err := s.Add(ctx, name, r, actor.Operator)
	return made.Token, err
}

// TestToken: the token lets its actor in, no other text does, and it ends with
// its revocation, also for whoever was let in before.
func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "actors.db")
	c := &clock{time.Date(2026, 11, 22, 23, 59, 0, 0, time.FixedZone("", -3600))}
	s := open(t, path, c)
	ctx := t.Context()
	token, err := add(ctx, s, "payroll-import", actor.Recorder)
	if err != nil || !strings.HasPrefix(token, "sharetrail_") || len(token) != len("sharetrail_")+43 {
		t.Fatal(token, err)
	}
	other, err := add(ctx, s, "counsel.2", actor.Counsel)
	if err != nil || other == token {
		t.Fatal(err)
	}
	want := actor.Actor{Name: "payroll-import", Role: actor.Recorder}
	if a, err := s.Authenticate(ctx, token); err != nil || a != want {
		t.Errorf("%+v, %v", a, err)
	}
	for i := range token {
		forged := []byte(token)
		forged[i] ^= 1
		if a, err := s.Authenticate(ctx, string(forged)); !errors.Is(err, actor.ErrToken) {
			t.Errorf("byte %d flipped: %+v, %v", i, a, err)
		}
	}
	for _, text := range []string{"", "sharetrail_", token + "A", token[:len(token)-1], " " + token, token + "\n", "payroll-import"} {
		if _, err := s.Authenticate(ctx, text); !errors.Is(err, actor.ErrToken) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	// Another day, another process.
	c.Time = c.AddDate(0, 0, 3)
	s = open(t, path, c)
	defer s.Close()
	if err := s.Active(ctx, want); err != nil {
		t.Error(err)
	}
	if err := s.Active(ctx, actor.Actor{Name: want.Name, Role: actor.Admin}); !errors.Is(err, actor.ErrToken) {
		t.Errorf("with another role: %v", err)
	}
	if _, err := s.Authenticate(ctx, other); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := s.Revoke(ctx, want.Name); err != nil {
			t.Error(err)
		}
		c.Time = c.AddDate(0, 0, 1)
	}
	if _, err := s.Authenticate(ctx, token); !errors.Is(err, actor.ErrToken) {
		t.Errorf("revoked: %v", err)
	}
	if err := s.Active(ctx, want); !errors.Is(err, actor.ErrToken) {
		t.Errorf("revoked: %v", err)
	}
	if err := s.Revoke(ctx, "nobody"); !errors.Is(err, actor.ErrNoActor) {
		t.Errorf("nobody: %v", err)
	}
	all, err := s.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]actor.Listed{
		{Name: "counsel.2", Role: actor.Counsel, Created: "2026-11-23", LastUsed: "2026-11-26", AddedBy: "operator"},
		{Name: "payroll-import", Role: actor.Recorder, Created: "2026-11-23", LastUsed: "2026-11-23", Revoked: "2026-11-26", AddedBy: "operator"},
	}, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, name := range []string{path, path + "-wal"} {
		if b, err := os.ReadFile(name); err != nil || bytes.Contains(b, []byte(token[11:])) {
			t.Errorf("%s holds the token, or cannot be read: %v", name, err)
		}
	}
}

// TestNames: a name is one of ours, and never two actors'.
func TestNames(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "actors.db"), &clock{time.Unix(0, 0)})
	defer s.Close()
	var field *events.FieldError
	for _, name := range []string{"", "Ada", "ada@example.com", "-a", "a.", "a b", "operator", strings.Repeat("a", 65), "ä"} {
		if _, err := add(t.Context(), s, name, actor.Reader); !errors.As(err, &field) || field.Field != "name" {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := add(t.Context(), s, "ada", "owner"); !errors.As(err, &field) || field.Field != "role" || !strings.Contains(field.Next, "admin, counsel, recorder, reader, auditor") {
		t.Error(err)
	}
	if _, err := add(t.Context(), s, strings.Repeat("a", 64), actor.Reader); err != nil {
		t.Error(err)
	}
	if _, err := add(t.Context(), s, "a", actor.Reader); err != nil {
		t.Error(err)
	}
	if err := s.Revoke(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := add(t.Context(), s, "a", actor.Reader); !errors.Is(err, actor.ErrTaken) {
		t.Errorf("a revoked actor's name: %v", err)
	}
}

// The day on which a keyholder was last there is not kept: every admin lists actors,
// and it would tell on which day something came under seal.
func TestKeyholdersLeaveNoDay(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "actors.db"), &clock{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)})
	defer s.Close()
	token, err := add(t.Context(), s, "seals", actor.Keyholder)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := s.Authenticate(t.Context(), token); err != nil || a.Role != actor.Keyholder {
		t.Fatalf("%+v, %v", a, err)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 1 || all[0].LastUsed != "" {
		t.Errorf("%+v, %v", all, err)
	}
}
