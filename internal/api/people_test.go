package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/internal/api"
)

// shareLine is a share without its people, on one line.
func shareLine(t *testing.T) string {
	t.Helper()
	return text(t, share("email:ada@example.com").DisclosureRecorded)
}

// people are n lines, each somebody.
func people(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"id\":\"account:p%d\",\"description\":\"row %d\"}\n", i, i)
	}
	return b.String()
}

// TestPeople records a share with more people than one event holds, again, and under
// the same key with others; and asks where it is.
func TestPeople(t *testing.T) {
	s := serve(t)
	const path = "/v1/disclosures:people"
	body := shareLine(t) + "\n" + people(700)
	p, err := s.RecordPeople(t.Context(), "raw", "published", strings.NewReader(body))
	if err != nil || p.Repeat || p.Parts == nil || *p.Parts != (api.Parts{Recorded: 11, Of: 11}) || p.State == "accepted" {
		t.Fatalf("%+v, %v", p, err)
	}
	// The same as one document, people in another order: it is the same share.
	again, err := s.RecordPeople(t.Context(), "raw", "accepted", strings.NewReader(strings.TrimSuffix(body, "\n")))
	if err != nil || !again.Repeat || again.ID != p.ID || again.Index != p.Index || *again.Parts != *p.Parts {
		t.Errorf("%+v, %v", again, err)
	}
	if resp, _, _ := s.do(t, http.MethodGet, "/v1/disclosures/"+p.ID.String(), "", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("asking where it is gives %s", resp.Status)
	}
	if where, err := s.Disclosure(t.Context(), p.ID.String()); err != nil || where.Index != p.Index || *where.Parts != *p.Parts {
		t.Errorf("%+v, %v", where, err)
	}
	if v := s.report(t, "account:p699"); len(v.Entries) != 1 || v.Entries[0].ID != p.ID || v.Entries[0].Private.Description != "row 699" {
		t.Errorf("%+v", v.Entries)
	}
	if status, err := s.Status(t.Context()); err != nil || len(status.Open) != 0 {
		t.Errorf("%+v, %v", status.Open, err)
	}
	before := s.ledger.Status().Accepted
	for name, c := range map[string]struct {
		contentType, body string
		status            int
		says              string
	}{
		"another list":       {"application/jsonl", shareLine(t) + "\n" + people(701), http.StatusConflict, ""},
		"nothing":            {"application/jsonl", "", http.StatusBadRequest, "is empty"},
		"a share alone":      {"application/jsonl", shareLine(t), http.StatusUnprocessableEntity, "subjects"},
		"people in it":       {"application/jsonl", text(t, share("email:ada@example.com")) + "\n" + people(2), http.StatusUnprocessableEntity, "line 1: "},
		"no person":          {"application/jsonl", shareLine(t) + "\n{\"name\":\"x\"}\n", http.StatusUnprocessableEntity, "line 2: "},
		"no JSON":            {"application/jsonl", shareLine(t) + "\n" + people(3) + "account:x\n", http.StatusBadRequest, "line 5: "},
		"an empty line":      {"application/jsonl", shareLine(t) + "\n\n" + people(3), http.StatusBadRequest, "line 2: "},
		"somebody twice":     {"application/jsonl", shareLine(t) + "\n" + people(3) + people(1), http.StatusUnprocessableEntity, "subjects[3].id"},
		"a line without end": {"application/jsonl", shareLine(t) + "\n{\"id\":\"" + strings.Repeat("x", 2<<20), http.StatusRequestEntityTooLarge, "line 2"},
		"another kind":       {"application/json", body, http.StatusUnsupportedMediaType, ""},
	} {
		resp, _, problem := s.do(t, http.MethodPost, path, c.contentType, c.body)
		if resp.StatusCode != c.status || !strings.Contains(problem.Detail, c.says) {
			t.Errorf("%s: %s, %s", name, resp.Status, problem.Detail)
		}
	}
	if after := s.ledger.Status().Accepted; after != before {
		t.Errorf("%d events came of what was refused", after-before)
	}
}
