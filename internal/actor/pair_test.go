package actor_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
)

// company is a store and the tokens of those in it.
type company struct {
	*actor.Store
	t      *testing.T
	tokens map[string]string
}

func newCompany(t *testing.T) *company {
	c := &company{open(t, filepath.Join(t.TempDir(), "actors.db"), &clock{time.Unix(0, 0)}), t, map[string]string{}}
	t.Cleanup(func() { c.Close() })
	return c
}

func (c *company) is(name string) actor.Actor {
	c.t.Helper()
	if name == actor.Operator.Name {
		return actor.Operator
	}
	a, err := c.Authenticate(c.t.Context(), c.tokens[name])
	if err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
	return a
}

func (c *company) add(name string, r actor.Role, by string) actor.Actor {
	c.t.Helper()
	made, err := c.Add(c.t.Context(), name, r, c.is(by))
	if err != nil {
		c.t.Fatal(err)
	}
	c.tokens[name] = made.Token
	a := c.is(name)
	if a.Waits != made.Waits || a.Claimed {
		c.t.Errorf("%+v was answered with %+v", a, made)
	}
	return a
}

func (c *company) claim(name string) {
	c.t.Helper()
	token, err := c.Claim(c.t.Context(), c.is(name))
	if err != nil {
		c.t.Fatal(err)
	}
	c.tokens[name] = token
}

// confirm has somebody confirm; field is that of the refusal.
func (c *company) confirm(name, by, field string) {
	c.t.Helper()
	err := c.Confirm(c.t.Context(), name, c.is(by))
	var refused *events.FieldError
	switch {
	case field == "" && err != nil:
		c.t.Errorf("%s confirms %s: %v", by, name, err)
	case field != "" && (!errors.As(err, &refused) || refused.Field != field):
		c.t.Errorf("%s confirms %s: %v, want a refusal of %s", by, name, err, field)
	}
	if waits := c.is(name).Waits; waits != (field != "") {
		c.t.Errorf("%s confirms %s: waits is %v", by, name, waits)
	}
}

// TestClaim: a token that was claimed ends the one that others saw and whatever was
// begun with it; it can be done once.
func TestClaim(t *testing.T) {
	c := newCompany(t)
	before := c.add("counsel-1", actor.Counsel, "operator")
	shown := c.tokens["counsel-1"]
	if before.OneOfTwo() == nil {
		t.Error("whose token was shown is one of two")
	}
	c.claim("counsel-1")
	after := c.is("counsel-1")
	if !after.Claimed || after.OneOfTwo() != nil || c.Active(t.Context(), after) != nil {
		t.Errorf("%+v", after)
	}
	if _, err := c.Authenticate(t.Context(), shown); !errors.Is(err, actor.ErrToken) {
		t.Errorf("the token that was shown: %v", err)
	}
	if err := c.Active(t.Context(), before); !errors.Is(err, actor.ErrToken) {
		t.Errorf("who came in with it: %v", err)
	}
	var refused *events.FieldError
	for _, again := range []actor.Actor{before, after, actor.Operator, {Name: "nobody", Role: actor.Admin}} {
		if token, err := c.Claim(t.Context(), again); !errors.As(err, &refused) || token != "" {
			t.Errorf("%+v claims: %v", again, err)
		}
	}
	if got := c.is("counsel-1"); got != after {
		t.Errorf("%+v", got)
	}
	if err := c.Revoke(t.Context(), "counsel-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Claim(t.Context(), before); !errors.As(err, &refused) {
		t.Errorf("a revoked one claims: %v", err)
	}
}

// TestOneAdminIsNotTwo: an admin, and the owner of the data directory, can add whom
// they like, and cannot make two people of themselves once there is somebody else.
func TestOneAdminIsNotTwo(t *testing.T) {
	c := newCompany(t)
	if a := c.add("till", actor.Recorder, "operator"); a.Waits {
		t.Error("a recorder waits")
	}
	if a := c.add("counsel-1", actor.Counsel, "operator"); a.Waits {
		t.Error("the first waits, and there is nobody who could confirm")
	}
	if a := c.add("admin-1", actor.Admin, "operator"); !a.Waits {
		t.Error("the second is let in unconfirmed")
	}
	c.confirm("admin-1", "counsel-1", "actor") // whose token others have seen
	c.claim("counsel-1")
	c.confirm("admin-1", "counsel-1", "name") // the same of the other
	c.claim("admin-1")
	c.claim("till")
	c.confirm("admin-1", "operator", "actor")
	c.confirm("admin-1", "admin-1", "actor")
	c.confirm("admin-1", "till", "actor")
	if err := c.Active(t.Context(), c.is("admin-1")); !errors.Is(err, actor.ErrToken) {
		t.Errorf("who waits is active: %v", err)
	}
	c.confirm("admin-1", "counsel-1", "")
	c.confirm("admin-1", "operator", "") // so it is already
	c.confirm("till", "admin-1", "")     // who never waits

	// The admin's own people wait for somebody else, whoever they are.
	for _, r := range []actor.Role{actor.Admin, actor.Counsel, actor.Keyholder} {
		name := "fake-" + string(r)
		if a := c.add(name, r, "admin-1"); !a.Waits {
			t.Errorf("%s does not wait", name)
		}
		c.claim(name)
		c.confirm(name, "admin-1", "actor")
		c.confirm(name, "operator", "actor")
	}
	// Without anybody else an admin's wait still; the owner begins anew.
	c.confirm("fake-keyholder", "counsel-1", "") // the first keyholder: counsel will do
	c.add("keyholder-2", actor.Keyholder, "operator")
	c.claim("keyholder-2")
	c.confirm("keyholder-2", "counsel-1", "actor")
	c.confirm("keyholder-2", "fake-keyholder", "")
	for _, name := range []string{"counsel-1", "fake-keyholder", "keyholder-2"} {
		if err := c.Revoke(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Confirm(t.Context(), "counsel-1", c.is("admin-1")); !errors.Is(err, actor.ErrNoActor) {
		t.Errorf("confirming a revoked one: %v", err)
	}
	if a := c.add("counsel-9", actor.Counsel, "admin-1"); !a.Waits {
		t.Error("an admin who has revoked all others has another one")
	}
	if a := c.add("counsel-8", actor.Counsel, "operator"); !a.Waits {
		t.Error("there is an admin, and the owner has another one unconfirmed")
	}
	if err := c.Revoke(t.Context(), "admin-1"); err != nil {
		t.Fatal(err)
	}
	if a := c.add("counsel-7", actor.Counsel, "operator"); a.Waits {
		t.Error("nobody is left, and the owner cannot begin anew")
	}

	for name, want := range map[string][]string{
		"till": {"operator"}, "admin-1": {"counsel-9", "fake-admin", "fake-counsel", "fake-keyholder", "operator"}, "fake-admin": {"admin-1", "operator"}, "nobody": nil,
		"operator": {"admin-1", "counsel-1", "counsel-7", "counsel-8", "counsel-9", "fake-admin", "fake-counsel", "fake-keyholder", "keyholder-2", "till"},
	} {
		got, err := c.Kin(t.Context(), actor.Actor{Name: name})
		slices.Sort(got)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("kin of %s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	all, err := c.List(t.Context())
	at := slices.IndexFunc(all, func(l actor.Listed) bool { return l.Name == "admin-1" })
	if err != nil || at < 0 || all[at].AddedBy != "operator" || all[at].ConfirmedBy != "counsel-1" || !all[at].Claimed || all[at].Waits {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestOneLieIsNotTwo: who was confirmed once in good faith does not make others of the
// one who added them into people.
func TestOneLieIsNotTwo(t *testing.T) {
	c := newCompany(t)
	for _, name := range []string{"admin-1", "counsel-1"} {
		c.add(name, actor.Admin, "operator")
		c.claim(name)
	}
	c.confirm("counsel-1", "admin-1", "")
	c.add("fake-1", actor.Admin, "admin-1")
	c.claim("fake-1")
	c.confirm("fake-1", "counsel-1", "") // it was said to be somebody's

	c.add("fake-2", actor.Keyholder, "admin-1")
	c.claim("fake-2")
	c.confirm("fake-2", "fake-1", "actor") // whom the same admin added
	c.add("fake-3", actor.Counsel, "fake-1")
	c.claim("fake-3")
	c.confirm("fake-3", "admin-1", "actor") // who added the one who added them
	c.confirm("fake-3", "counsel-1", "")
	kin, err := c.Kin(t.Context(), c.is("admin-1"))
	if err != nil || !slices.Contains(kin, "fake-3") {
		t.Errorf("kin of admin-1: %v, %v", kin, err)
	}
	kin, err = c.Kin(t.Context(), c.is("fake-3"))
	if err != nil || !slices.Contains(kin, "admin-1") || !slices.Contains(kin, "fake-1") || slices.Contains(kin, "counsel-1") {
		t.Errorf("kin of fake-3: %v, %v", kin, err)
	}
	// Whom the owner of the data directory added, anybody else whom they added confirms.
	c.add("counsel-2", actor.Counsel, "operator")
	c.claim("counsel-2")
	c.confirm("counsel-2", "counsel-1", "")
}

// TestOlderFile: who was there before it was kept who added them is let in still, can
// claim their token, and is somebody who confirms.
func TestOlderFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "actors.db")
	// What the first format was made with.
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	const token = "sharetrail_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE actors (name TEXT PRIMARY KEY NOT NULL, role TEXT NOT NULL,
		token BLOB NOT NULL UNIQUE CHECK (length(token) = 32), created TEXT NOT NULL, revoked TEXT, used TEXT) STRICT, WITHOUT ROWID;
		PRAGMA user_version = 1; PRAGMA application_id = 0x53546163;
		INSERT INTO actors VALUES ('seals', 'keyholder', unhex(?), '2026-11-22', NULL, NULL)`, actor.HashOf(token)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	c := &company{open(t, path, &clock{time.Unix(0, 0)}), t, map[string]string{"seals": token}}
	defer c.Close()
	if a := c.is("seals"); a.Waits || a.Claimed {
		t.Errorf("%+v", a)
	}
	if kin, err := c.Kin(t.Context(), c.is("seals")); err != nil || len(kin) > 0 {
		t.Errorf("%v, %v", kin, err)
	}
	c.claim("seals")
	if a := c.add("seals-2", actor.Keyholder, "operator"); !a.Waits {
		t.Error("the second keyholder does not wait")
	}
	c.claim("seals-2")
	c.confirm("seals-2", "seals", "")
	if all, err := c.List(t.Context()); err != nil || len(all) != 2 || all[0].AddedBy != "" {
		t.Errorf("%+v, %v", all, err)
	}

	// It has the columns of a new file.
	var columns []string
	for _, path := range []string{path, newPath(t)} {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		var all string
		err = db.QueryRowContext(t.Context(), `SELECT group_concat(name || ' ' || type || ' ' || "notnull" || ' ' || coalesce(dflt_value, ''), ', ') FROM pragma_table_info('actors')`).Scan(&all)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		columns = append(columns, all)
	}
	if columns[0] != columns[1] || !strings.Contains(columns[0], "added_by") {
		t.Errorf("%q", columns)
	}
}

// newPath is that of a new file.
func newPath(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "actors.db")
	if err := open(t, path, &clock{time.Unix(0, 0)}).Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
