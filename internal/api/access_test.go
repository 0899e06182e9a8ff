package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/actor/actortest"
	"github.com/sharetrail/sharetrail/internal/api"
)

// documented are the operations of the OpenAPI document, as id -> method and path.
func documented(t *testing.T) map[string][2]string {
	t.Helper()
	raw, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string][2]string{}
	for path, operations := range doc.Paths {
		for method, op := range operations {
			all[op.OperationID] = [2]string{strings.ToUpper(method), path}
		}
	}
	return all
}

// TestAccessTable: every operation has its roles, in the table, in the OpenAPI
// document and in docs/roles.md.
func TestAccessTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/roles.md")
	if err != nil {
		t.Fatal(err)
	}
	operations := documented(t)
	for id, op := range operations {
		roles := api.Access[id]
		if len(roles) == 0 {
			t.Errorf("%s has no entry in the table of roles", id)
		}
		row := fmt.Sprintf("| `%s %s` |", op[0], op[1])
		for _, r := range actor.Roles() {
			if api.Allowed(r, id) {
				row += " yes"
			}
			row += " |"
		}
		if !slices.Contains(strings.Split(string(page), "\n"), row) {
			t.Errorf("docs/roles.md lacks the line\n%s", row)
		}
	}
	for id := range api.Access {
		if _, ok := operations[id]; !ok {
			t.Errorf("the table of roles has %s, which is no operation", id)
		}
	}
}

// network is the ledger of a test as the network sees it, with a token for each
// role.
type network struct {
	*httptest.Server
	tokens map[actor.Role]string
}

func (s *served) network(t *testing.T) *network {
	t.Helper()
	n := &network{httptest.NewServer(api.Bearer(s.handler, s.actors, zap.NewNop())), map[actor.Role]string{}}
	t.Cleanup(n.Close)
	for _, r := range actor.Roles() {
		n.tokens[r] = actortest.Add(t, s.actors, "the-"+string(r), r)
	}
	return n
}

// do sends a request and decodes a problem, if it is one.
func (n *network) do(t *testing.T, authorization, method, path, key, body string) (*http.Response, []byte, api.Problem) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, n.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := n.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p api.Problem
	if resp.StatusCode >= 400 {
		if err := json.Unmarshal(b, &p); err != nil || p.Status != resp.StatusCode || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %s is no problem document: %v", method, path, b, err)
		}
	}
	return resp, b, p
}

// TestAccess tries every operation as every role, and as nobody.
func TestAccess(t *testing.T) {
	s := serve(t)
	n := s.network(t)
	for id, op := range documented(t) {
		path := strings.ReplaceAll(op[1], "{id}", "canary")
		for _, r := range actor.Roles() {
			resp, _, p := n.do(t, "Bearer "+n.tokens[r], op[0], path, "key", "")
			refused := resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden
			if refused == api.Allowed(r, id) {
				t.Errorf("%s as %s: %s", id, r, resp.Status)
			}
			if refused && (resp.StatusCode != http.StatusForbidden || !strings.Contains(p.Detail, "the role "+string(r)+" may not do this ("+id+"); ask an admin")) {
				t.Errorf("%s as %s: %+v", id, r, p)
			}
		}
		public := api.Allowed("nobody", id)
		for name, header := range map[string]string{
			"no token": "", "a forged one": "Bearer " + n.tokens[actor.Admin][:53] + "x", "a name": "Bearer the-admin", "basic": "Basic " + n.tokens[actor.Admin],
		} {
			resp, _, p := n.do(t, header, op[0], path, "key", "")
			if want := public && header == ""; (resp.StatusCode == http.StatusOK) != want {
				t.Errorf("%s with %s: %s", id, name, resp.Status)
			} else if !want && (resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer ") ||
				!strings.Contains(p.Detail, "; ") || !strings.Contains(p.Detail, "admin")) {
				t.Errorf("%s with %s: %s %+v", id, name, resp.Status, p)
			}
		}
	}
	if got := s.ledger.Status().Accepted; got > 2 {
		t.Errorf("something was stored: %d events", got)
	}
}

// TestActors: names and what is wrong with them, over the interface, and a
// revoked token.
func TestActors(t *testing.T) {
	s := serve(t)
	n := s.network(t)
	for name, c := range map[string]struct {
		body, field string
		status      int
	}{
		"taken":        {`{"name":"the-auditor","role":"admin"}`, "name", 409},
		"the owner":    {`{"name":"operator","role":"admin"}`, "name", 422},
		"no role":      {`{"name":"ada","role":"king"}`, "role", 422},
		"role missing": {`{"name":"ada"}`, "role", 422},
		"twice":        {`{"name":"ada","name":"ada","role":"admin"}`, "name", 400},
	} {
		_, answer, p := n.do(t, "Bearer "+n.tokens[actor.Admin], "POST", "/v1/actors", "", c.body)
		if p.Status != c.status || !hasField(p, c.field) {
			t.Errorf("%s: %s", name, answer)
		}
	}
	resp, _, p := n.do(t, "Bearer "+n.tokens[actor.Admin], "POST", "/v1/actors:revoke", "", `{"name":"nobody"}`)
	if resp.StatusCode != 404 || !strings.Contains(p.Detail, "GET /v1/actors") {
		t.Errorf("%s: %+v", resp.Status, p)
	}
	if err := s.RevokeActor(t.Context(), "the-auditor"); err != nil {
		t.Fatal(err)
	}
	if resp, _, _ := n.do(t, "Bearer "+n.tokens[actor.Auditor], "GET", "/v1/status", "", ""); resp.StatusCode != 401 {
		t.Errorf("revoked: %s", resp.Status)
	}
	all, err := s.Actors(t.Context())
	if err != nil || len(all) != len(actor.Roles()) || all[1].Name != "the-auditor" || all[1].Revoked == "" {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestKeysAreEachActorsOwn: two actors may choose the same idempotency key.
func TestKeysAreEachActorsOwn(t *testing.T) {
	s := serve(t)
	n := s.network(t)
	var first api.Position
	for i, c := range []struct {
		role    actor.Role
		subject string
		status  int
	}{
		{actor.Recorder, person, 201}, {actor.Counsel, "email:other@example.com", 201},
		{actor.Recorder, person, 201}, {actor.Recorder, "email:other@example.com", 409},
	} {
		resp, answer, _ := n.do(t, "Bearer "+n.tokens[c.role], "POST", "/v1/disclosures", "key", text(t, share(c.subject)))
		if resp.StatusCode != c.status {
			t.Fatalf("%d: %s: %s", i, resp.Status, answer)
		}
		var p api.Position
		if err := json.Unmarshal(answer, &p); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = p
		}
		if p.Repeat != (i == 2) || i == 2 && p.ID != first.ID || i == 1 && p.ID == first.ID {
			t.Errorf("%d: %+v", i, p)
		}
	}
	// The owner's own keys are apart from both, and the calls may be in process.
	here := api.InProcess(s.handler, actor.Actor{Name: "the-recorder", Role: actor.Recorder})
	if p, err := here.Record(t.Context(), "key", "accepted", share(person)); err != nil || p.ID != first.ID || !p.Repeat {
		t.Errorf("in process: %+v, %v", p, err)
	}
	if p, err := s.Record(t.Context(), "key", "accepted", share(person)); err != nil || p.Repeat {
		t.Errorf("the owner: %+v, %v", p, err)
	}
	_, err := here.WriteReport(t.Context(), person)
	if p, ok := err.(*api.ProblemError); !ok || p.Status != http.StatusForbidden {
		t.Errorf("in process: %v", err)
	}
}

// endless is a body whose length nobody announces.
type endless struct{ io.Reader }

// TestTooLarge: a caller who sends too much reads why, although they are still
// writing when it is decided.
func TestTooLarge(t *testing.T) {
	s := serve(t)
	n := s.network(t)
	large := strings.Repeat("x", 6<<20)
	for _, path := range []string{"/v1/disclosures", "/v1/reports", "/v1/actors", "/v1/disclosures:batch?dry_run=true"} {
		for name, body := range map[string]io.Reader{"announced": strings.NewReader(large + large), "chunked": endless{strings.NewReader(large + large)}} {
			req, err := http.NewRequestWithContext(t.Context(), "POST", n.URL+path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Idempotency-Key", "large")
			req.Header.Set("Authorization", "Bearer "+n.tokens[actor.Admin])
			resp, err := n.Client().Do(req)
			if err != nil {
				t.Errorf("%s, %s: %v", path, name, err)
				continue
			}
			var p api.Problem
			err = json.NewDecoder(resp.Body).Decode(&p)
			resp.Body.Close()
			if err != nil || resp.StatusCode != 413 || p.Status != 413 || !strings.Contains(p.Detail, "send less at once") {
				t.Errorf("%s, %s: %s %+v, %v", path, name, resp.Status, p, err)
			}
		}
	}
	large += large
	resp, answer, _ := n.do(t, "", "POST", "/v1/disclosures", "large", large)
	if resp.StatusCode != 401 {
		t.Errorf("from nobody: %s %s", resp.Status, answer)
	}
	if got := s.ledger.Status().Accepted; got > 2 {
		t.Errorf("something was stored: %d events", got)
	}
}
