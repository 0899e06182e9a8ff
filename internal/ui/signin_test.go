package ui_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/actor/actortest"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/internal/ui"
)

// site is the pages with actors and an address book, and no ledger: nothing here
// gets as far as one.
type site struct {
	*httptest.Server
	actors *actor.Store
	now    time.Time
	book   *api.AddressBook
}

func open(t *testing.T, secure bool) *site {
	t.Helper()
	s := &site{now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return s.now }
	dir := t.TempDir()
	var err error
	if s.actors, err = actor.Open(t.Context(), filepath.Join(dir, "actors.db"), clock); err != nil {
		t.Fatal(err)
	}
	s.book = &api.AddressBook{Path: filepath.Join(dir, "recipients.json")}
	handler := ui.Handler(ui.Config{
		API: api.Handler(api.Config{Actors: s.actors, Book: s.book}), Actors: s.actors, Logger: zap.NewNop(), Now: clock, Secure: secure,
	})
	if secure {
		s.Server = httptest.NewTLSServer(handler)
	} else {
		s.Server = httptest.NewServer(handler)
	}
	t.Cleanup(func() {
		s.Server.Close()
		if err := s.actors.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) add(t *testing.T, name string, r actor.Role) (token string) {
	t.Helper()
	return actortest.Add(t, s.actors, name, r)
}

// browser keeps cookies, and follows no redirect by itself.
type browser struct {
	t    *testing.T
	base string
	http http.Client
}

func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, s.URL, http.Client{
		Jar: jar, Transport: s.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (b *browser) do(req *http.Request, err error) (*http.Response, string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(body)
}

func (b *browser) get(path string) (*http.Response, string) {
	b.t.Helper()
	return b.do(http.NewRequestWithContext(b.t.Context(), "GET", b.base+path, nil))
}

func (b *browser) post(path string, form url.Values, header ...string) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "POST", b.base+path, strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for ; len(header) > 0; header = header[2:] {
			req.Header.Set(header[0], header[1])
		}
	}
	return b.do(req, err)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)"(?: id="[^"]*")? value="([^"]*)">`)

// hidden are the hidden fields of the page's form.
func hidden(page string) url.Values {
	all := url.Values{}
	if i := strings.Index(page, "<main"); i >= 0 {
		page = page[i:]
	}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		all.Add(m[1], html.UnescapeString(m[2]))
	}
	return all
}

func (b *browser) signIn(token string) {
	b.t.Helper()
	_, page := b.get("/sign-in")
	form := hidden(page)
	form.Set("token", token)
	if resp, page := b.post("/sign-in", form); resp.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("%s\n%s", resp.Status, page)
	}
}

// TestSession: signing in, going quiet, signing out, being revoked.
func TestSession(t *testing.T) {
	s := open(t, false)
	token := s.add(t, "counsel-1", actor.Counsel)
	b := s.browser(t)
	for _, path := range []string{"/", "/record", "/report", "/recorded/x", "/report/x", "/report/x/file", "/nothing"} {
		if resp, page := b.get(path); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(page, `name="token"`) {
			t.Errorf("%s from nobody: %s", path, resp.Status)
		}
	}
	b.signIn(token)
	if resp, page := b.get("/record"); resp.StatusCode != 200 || !strings.Contains(page, "counsel-1") || strings.Contains(page, token) {
		t.Errorf("%s\n%s", resp.Status, page)
	}
	s.now = s.now.Add(29 * time.Minute)
	if resp, _ := b.get("/record"); resp.StatusCode != 200 {
		t.Errorf("after 29 minutes: %s", resp.Status)
	}
	s.now = s.now.Add(31 * time.Minute)
	if resp, _ := b.get("/record"); resp.StatusCode != 401 {
		t.Errorf("after 31 quiet minutes: %s", resp.Status)
	}
	b.signIn(token)
	for range 21 {
		s.now = s.now.Add(29 * time.Minute)
		b.get("/record")
	}
	if resp, _ := b.get("/record"); resp.StatusCode != 401 {
		t.Errorf("after ten hours: %s", resp.Status)
	}
	b.signIn(token)
	_, page := b.get("/record")
	csrf := hidden(page).Get("csrf")
	old := b.http.Jar.Cookies(mustURL(t, s.URL))
	if resp, _ := b.post("/sign-out", url.Values{"csrf": {csrf}}); resp.StatusCode != 303 {
		t.Error(resp.Status)
	}
	b.http.Jar.SetCookies(mustURL(t, s.URL), old)
	if resp, _ := b.get("/record"); resp.StatusCode != 401 {
		t.Errorf("after signing out: %s", resp.Status)
	}
	b.signIn(token)
	if err := s.actors.Revoke(t.Context(), "counsel-1"); err != nil {
		t.Fatal(err)
	}
	if resp, _ := b.get("/record"); resp.StatusCode != 401 {
		t.Errorf("revoked: %s", resp.Status)
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestForeignForms: a form from elsewhere does nothing, nor one with another
// session's token, nor a wrong token for signing in.
func TestForeignForms(t *testing.T) {
	s := open(t, false)
	token := s.add(t, "counsel-1", actor.Counsel)
	b, other := s.browser(t), s.browser(t)
	_, page := b.get("/sign-in")
	form := hidden(page)
	form.Set("token", token[:len(token)-1])
	if resp, page := b.post("/sign-in", form); resp.StatusCode != 401 || !strings.Contains(page, "That token does not work") || strings.Contains(page, token[11:40]) {
		t.Errorf("a wrong token: %s", resp.Status)
	}
	form.Set("token", token)
	if resp, _ := other.post("/sign-in", form); resp.StatusCode != 403 {
		t.Errorf("signing somebody else in: %s", resp.Status)
	}
	b.signIn(token)
	other.signIn(token)
	_, page = other.get("/record")
	theirs := hidden(page).Get("csrf")
	_, page = b.get("/record")
	ours := hidden(page).Get("csrf")
	for name, c := range map[string]struct {
		csrf, site string
		status     int
	}{
		"another session's": {theirs, "same-origin", 403}, "none": {"", "", 403}, "another site": {ours, "cross-site", 403},
		"another origin": {ours, "same-site", 403}, "ours": {ours, "same-origin", 200}, "an old browser's": {ours, "", 200},
	} {
		header := []string{"X-Test", "1"}
		if c.site != "" {
			header = []string{"Sec-Fetch-Site", c.site}
		}
		if resp, page := b.post("/record", url.Values{"csrf": {c.csrf}, "step": {"change"}}, header...); resp.StatusCode != c.status {
			t.Errorf("%s: %s\n%s", name, resp.Status, page)
		}
	}
}

// TestNothingTypedIsLost: whose session ended while they typed signs in and has
// the form again, recorded by nobody.
func TestNothingTypedIsLost(t *testing.T) {
	s := open(t, false)
	token := s.add(t, "recorder-1", actor.Recorder)
	b := s.browser(t)
	b.signIn(token)
	_, page := b.get("/record")
	typed := hidden(page)
	key := typed.Get("key")
	typed["reasons"] = []string{"consent", "research"}
	typed.Set("subjects", "ada@example.com\r\n\"<grace>\"@example.com")
	typed.Set("step", "record")
	s.now = s.now.Add(time.Hour)
	resp, page := b.post("/record", typed)
	if resp.StatusCode != 401 || !strings.Contains(page, "What you typed is kept") {
		t.Fatalf("%s\n%s", resp.Status, page)
	}
	waiting := hidden(page)
	waiting.Set("token", "wrong")
	if resp, page = b.post("/sign-in", waiting); resp.StatusCode != 401 {
		t.Fatal(resp.Status)
	}
	waiting = hidden(page)
	waiting.Set("token", token)
	resp, page = b.post("/sign-in", waiting)
	if resp.StatusCode != 200 || hidden(page).Get("key") != key || strings.Count(page, " checked>") != 2 ||
		!strings.Contains(page, "&#34;&lt;grace&gt;&#34;@example.com</textarea>") {
		t.Errorf("%s\n%s", resp.Status, page)
	}
}

// TestHeaders: what every answer says to browsers, and cookies under TLS.
func TestHeaders(t *testing.T) {
	s := open(t, true)
	token := s.add(t, "reader-1", actor.Reader)
	b := s.browser(t)
	for _, path := range []string{"/", "/assets/style.css", "/assets/app.js", "/v1/status", "/nothing", "/openapi.json"} {
		resp, _ := b.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Strict-Transport-Security": "max-age=",
		} {
			if got := resp.Header.Get(name); !strings.Contains(got, want) || strings.Contains(got, "unsafe") {
				t.Errorf("%s: %s: %q", path, name, got)
			}
		}
	}
	_, page := b.get("/sign-in")
	form := hidden(page)
	form.Set("token", token)
	resp, _ := b.post("/sign-in", form)
	cookie := resp.Header.Values("Set-Cookie")[0]
	for _, want := range []string{"__Host-sharetrail=", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %s lacks %s", cookie, want)
		}
	}
	for _, path := range []string{"/sign-in", "/record", "/report"} {
		if _, page := b.get(path); strings.Contains(page, "<script>") || strings.Contains(page, " style=") || strings.Contains(page, " onclick=") {
			t.Errorf("%s has script or style in line", path)
		}
	}
}

// TestRoles: nobody is shown or served a page their role may not use, and the
// refusal names the role that may.
func TestRoles(t *testing.T) {
	s := open(t, false)
	for role, may := range map[actor.Role][2]bool{
		actor.Admin: {true, true}, actor.Counsel: {true, true}, actor.Recorder: {true, false}, actor.Reader: {false, true}, actor.Auditor: {false, false},
	} {
		b := s.browser(t)
		b.signIn(s.add(t, "one-"+string(role), role))
		for i, path := range []string{"/record", "/report"} {
			resp, page := b.get(path)
			linked := strings.Contains(page, `<a href="`+path+`"`)
			want := http.StatusForbidden
			if may[i] {
				want = http.StatusOK
			}
			if resp.StatusCode != want || linked != may[i] {
				t.Errorf("%s as %s: %s, linked: %t", path, role, resp.Status, linked)
			}
			if !may[i] && (!strings.Contains(page, "The role "+string(role)+" may not do this") || !strings.Contains(page, "Ask an admin for a token whose role is")) {
				t.Errorf("%s as %s:\n%s", path, role, page)
			}
		}
	}
}

// TestLargeForm: who sends too much is told so.
func TestLargeForm(t *testing.T) {
	s := open(t, false)
	b := s.browser(t)
	b.signIn(s.add(t, "counsel-1", actor.Counsel))
	large := url.Values{"description": {strings.Repeat("x", 12<<20)}}
	for _, path := range []string{"/record", "/report", "/sign-in"} {
		if resp, page := b.post(path, large); resp.StatusCode != 413 || !strings.Contains(page, "Nothing was recorded") {
			t.Errorf("%s: %s\n%s", path, resp.Status, page)
		}
	}
}
