package ui

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
)

// How long a session lasts without a request, and at all.
const (
	idleTime    = 30 * time.Minute
	sessionTime = 10 * time.Hour
)

// Bounds of what is kept for who signed in.
const (
	maxSessions = 1000
	maxOwn      = 50 // of one actor, who so cannot end those of others
	maxReports  = 100
)

// session is one browser of an actor, until it signs out, goes quiet, or the
// process ends.
type session struct {
	actor         actor.Actor
	csrf          string
	began, active time.Time

	mu        sync.Mutex
	statement string            // the statement of the newest share, for the next form; guarded by mu
	subjects  map[string][]byte // whom a written report is about, by its id, under a key that only the cookie gives; guarded by mu
	order     []string          // ids of subjects, the oldest first; guarded by mu
}

// subjectKey is the key of whom reports are about. Of the cookie a session has the
// hash only: between two requests nothing here can be opened, so that a person who is
// erased meanwhile is in no session either.
func subjectKey(cookie string) cipher.AEAD {
	key := sha256.Sum256([]byte("sharetrail/ui/subject\x00" + cookie))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right size
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // the block has the right size
	}
	return aead
}

func (s *session) keepReport(cookie, id, subject string) {
	kept := subjectKey(cookie).Seal(nil, nil, []byte(subject), []byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == maxReports {
		delete(s.subjects, s.order[0])
		s.order = s.order[1:]
	}
	s.subjects[id], s.order = kept, append(s.order, id)
}

func (s *session) subjectOf(cookie, id string) (subject string, known bool) {
	s.mu.Lock()
	kept := s.subjects[id]
	s.mu.Unlock()
	opened, err := subjectKey(cookie).Open(nil, nil, kept, []byte(id))
	return string(opened), err == nil
}

func (s *session) keepStatement(statement string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statement = statement
}

func (s *session) lastStatement() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.statement
}

// sessions are all sessions, by the hash of what the cookie holds: looking one
// up takes no time that depends on a right one.
type sessions struct {
	now func() time.Time

	mu  sync.Mutex
	all map[[sha256.Size]byte]*session // guarded by mu
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[[sha256.Size]byte]*session{}}
}

func random() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// begin makes a session and returns what its cookie holds.
func (s *sessions) begin(a actor.Actor) (cookie string) {
	cookie, now := random(), s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	s.dropOldest(maxOwn, func(one *session) bool { return one.actor == a })
	s.dropOldest(maxSessions, func(*session) bool { return true })
	s.all[sha256.Sum256([]byte(cookie))] = &session{actor: a, csrf: random(), began: now, active: now, subjects: map[string][]byte{}}
	return cookie
}

// sweep drops what has expired. mu is held.
func (s *sessions) sweep(now time.Time) {
	for k, one := range s.all {
		if now.Sub(one.active) > idleTime || now.Sub(one.began) > sessionTime {
			delete(s.all, k)
		}
	}
}

// dropOldest makes room for one more of the chosen sessions: if there are as many
// as there may be, it ends the one that has been quiet for longest. mu is held.
func (s *sessions) dropOldest(most int, choose func(*session) bool) {
	var oldest [sha256.Size]byte
	var found *session
	n := 0
	for k, one := range s.all {
		if !choose(one) {
			continue
		}
		if n++; found == nil || one.active.Before(found.active) {
			oldest, found = k, one
		}
	}
	if n >= most {
		delete(s.all, oldest)
	}
}

// find returns the session of a cookie, which has just been active, or nil.
func (s *sessions) find(cookie string) *session {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	one := s.all[sha256.Sum256([]byte(cookie))]
	if one != nil {
		one.active = now
	}
	return one
}

func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(cookie)))
}

// cookieName has the prefix that makes browsers demand TLS, this host and no
// other path, where there is TLS.
func (s *site) cookieName(name string) string {
	if s.Secure {
		return "__Host-" + name
	}
	return name
}

const sessionCookie, signInCookie = "sharetrail", "sharetrail-sign-in"

func (s *site) setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteStrictMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func (s *site) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// sessionOf returns the session of a request, or nil. An actor who was revoked
// has none.
func (s *site) sessionOf(r *http.Request) (*session, error) {
	cookie := s.cookie(r, sessionCookie)
	if cookie == "" {
		return nil, nil
	}
	one := s.sessions.find(cookie)
	if one == nil {
		return nil, nil
	}
	err := s.Actors.Active(r.Context(), one.actor)
	if err != nil {
		s.sessions.end(cookie)
	}
	return one, err
}

// sameSite reports whether a form was sent from one of these pages: browsers say
// so, and the form has the token that only such a page shows.
func sameSite(r *http.Request, token string) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return (site == "" || site == "same-origin") && hmac.Equal([]byte(token), []byte(r.PostFormValue("csrf")))
}

// visit is one request of somebody who is signed in.
type visit struct {
	*session
	w http.ResponseWriter
	r *http.Request
	v *api.Client // /v1, for this actor
}

// signedIn serves who is signed in. Others get the page to sign in, which brings
// back a form that was sent.
func (s *site) signedIn(serve func(*visit)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			s.refuseForm(w, err)
			return
		}
		one, err := s.sessionOf(r)
		switch {
		case one == nil || err != nil:
			s.resume(w, r)
		case r.Method == http.MethodPost && !sameSite(r, one.csrf):
			s.say(w, one, http.StatusForbidden, "That form was not ours", "It was sent from another site, or from before you signed in. Nothing was done. Open the page again and repeat it.")
		default:
			serve(&visit{one, w, r, api.InProcess(s.API, one.actor)})
		}
	})
}
