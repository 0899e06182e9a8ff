package ui_test

import (
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/internal/ui"
)

// TestSessionsNameNobody: whom a report is about can be read with the browser's cookie
// alone, which no session has.
func TestSessionsNameNobody(t *testing.T) {
	const person = "email:ada@example.com"
	kept, subjectOf := ui.KeepReport("cookie", "1", person)
	if strings.Contains(kept, "ada") || strings.Contains(kept, "cookie") || !strings.Contains(kept, "1") {
		t.Errorf("the session keeps %s", kept)
	}
	if got, known := subjectOf("cookie", "1"); got != person || !known {
		t.Errorf("%q, %v", got, known)
	}
	for _, c := range [][2]string{{"another", "1"}, {"", "1"}, {"cookie", "2"}, {"", ""}} {
		if got, known := subjectOf(c[0], c[1]); got != "" || known {
			t.Errorf("%q: %q", c, got)
		}
	}
}
