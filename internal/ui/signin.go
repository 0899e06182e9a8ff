package ui

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
)

// signInPage asks for a token. What was typed into a form before the session
// ended waits in it.
type signInPage struct {
	page
	Wrong   bool
	Waits   bool // the token is right, and nobody has confirmed its actor yet
	Pending []pending
}

type pending struct{ Name, Value string }

// pendingPrefix marks the fields of a form that waits.
const pendingPrefix = "pending."

// formToken is the token of the form for signing in: bound to a cookie, because
// there is no session yet.
func (s *site) formToken(cookie string) string {
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write([]byte(cookie))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (s *site) askToken(w http.ResponseWriter, r *http.Request, status int, said signInPage) {
	cookie := s.cookie(r, signInCookie)
	if cookie == "" {
		cookie = random()
		s.setCookie(w, signInCookie, cookie)
	}
	said.page = page{Title: "Sign in", CSRF: s.formToken(cookie)}
	s.render(w, status, "signin", &said)
}

func (s *site) showSignIn(w http.ResponseWriter, r *http.Request) {
	if one, err := s.sessionOf(r); one != nil && err == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	s.askToken(w, r, http.StatusOK, signInPage{})
}

// resume asks who is not signed in to do so. A share that was typed is kept.
func (s *site) resume(w http.ResponseWriter, r *http.Request) {
	var waiting []pending
	if r.Method == http.MethodPost && r.URL.Path == "/record" {
		for name, values := range r.PostForm {
			for _, v := range values {
				waiting = append(waiting, pending{pendingPrefix + name, v})
			}
		}
	}
	s.askToken(w, r, http.StatusUnauthorized, signInPage{Pending: waiting})
}

func (s *site) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm+4096)
	if err := r.ParseForm(); err != nil {
		s.refuseForm(w, err)
		return
	}
	var waiting []pending
	for name, values := range r.PostForm {
		for _, v := range values {
			if strings.HasPrefix(name, pendingPrefix) {
				waiting = append(waiting, pending{name, v})
			}
		}
	}
	cookie := s.cookie(r, signInCookie)
	if cookie == "" || !sameSite(r, s.formToken(cookie)) {
		// The server was started anew, or cookies are off.
		s.askToken(w, r, http.StatusForbidden, signInPage{Pending: waiting})
		return
	}
	a, err := s.Actors.Authenticate(r.Context(), strings.TrimSpace(r.PostFormValue("token")))
	switch {
	case errors.Is(err, actor.ErrToken):
		s.askToken(w, r, http.StatusUnauthorized, signInPage{Wrong: true, Pending: waiting})
		return
	case err != nil:
		s.Logger.Error("signing in failed", zap.Error(err))
		s.say(w, nil, http.StatusServiceUnavailable, "Signing in failed", "The token could not be looked up; the ledger's log says why. Try again later.")
		return
	case a.Waits:
		s.askToken(w, r, http.StatusForbidden, signInPage{Waits: true, Pending: waiting})
		return
	}
	if old := s.cookie(r, sessionCookie); old != "" {
		s.sessions.end(old)
	}
	begun := s.sessions.begin(a)
	s.setCookie(w, sessionCookie, begun)
	s.setCookie(w, signInCookie, "")
	if len(waiting) == 0 {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	form := map[string][]string{}
	for _, p := range waiting {
		name := strings.TrimPrefix(p.Name, pendingPrefix)
		form[name] = append(form[name], p.Value)
	}
	one := s.sessions.find(begun)
	s.showRecord(&visit{one, w, r, api.InProcess(s.API, a)}, http.StatusOK, &recordForm{Values: form})
}

func (s *site) signOut(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if one, err := s.sessionOf(r); one != nil && err == nil && sameSite(r, one.csrf) {
		s.sessions.end(s.cookie(r, sessionCookie))
		s.setCookie(w, sessionCookie, "")
	}
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}
