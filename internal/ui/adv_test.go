package ui_test

import (
	"net/http"
	"testing"

	"github.com/sharetrail/sharetrail/internal/actor"
)

// TestReportPathsLeadNowhere: what stands for a report's id in an address is never a
// path of the interface behind the pages.
func TestReportPathsLeadNowhere(t *testing.T) {
	s := open(t, false)
	b := s.browser(t)
	b.signIn(s.add(t, "counsel-1", actor.Counsel))
	for _, id := range []string{"%2e%2e%2faddress-book", "..%2faddress-book", "%2e%2e%2f%2e%2e%2fopenapi.json", "x%3fy", "%00"} {
		if resp, page := b.get("/report/" + id + "/file"); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s\n%.200s", id, resp.Status, page)
		}
	}
}

// TestNobodySignsOthersOut: an actor who signs in over and over ends their own
// sessions, and nobody else's.
func TestNobodySignsOthersOut(t *testing.T) {
	s := open(t, false)
	b, other := s.browser(t), s.browser(t)
	b.signIn(s.add(t, "counsel-1", actor.Counsel))
	token := s.add(t, "auditor-1", actor.Auditor)
	for range 1001 {
		other.signIn(token)
		other.http.Jar = s.browser(t).http.Jar
	}
	if resp, _ := b.get("/record"); resp.StatusCode != http.StatusOK {
		t.Errorf("after 1001 sign-ins of somebody else: %s", resp.Status)
	}
}
