// Package ui is what a browser sees of a ledger: a page to record a share, and a
// page with the report about a person.
//
// The pages are a client of /v1 like any other: each request becomes a call of
// the interface's own handler, for the actor who signed in, under the same table
// of roles. There is no second way into the ledger.
//
// They work without scripts. Who is concerned stands in request bodies and in
// the session only: not in URLs, titles, logs or what a browser keeps.
package ui

import (
	"crypto/rand"
	"embed"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
)

//go:embed assets
var assets embed.FS

// maxForm is how large a form may be: as large as a share.
const maxForm = 1 << 20

// Config says what the pages stand on.
type Config struct {
	API    http.Handler // api.Handler
	Actors *actor.Store
	Logger *zap.Logger
	Now    func() time.Time
	// Secure says that browsers come over TLS, so cookies are for TLS only.
	Secure bool
}

// site holds what all pages share.
type site struct {
	Config
	sessions *sessions
	secret   [32]byte // keys the tokens of forms, for as long as this process runs
}

// Handler returns what the network listener serves: the pages, and /v1 for
// programs beside them.
func Handler(cfg Config) http.Handler {
	s := &site{Config: cfg, sessions: newSessions(cfg.Now)}
	rand.Read(s.secret[:])
	mux := http.NewServeMux()
	programs := api.Bearer(cfg.API, cfg.Actors, cfg.Logger)
	for _, path := range []string{"/v1/", "/.well-known/sharetrail/", api.LogPath + "/", api.MetricsPath, "/openapi.json", "/openapi.yaml"} {
		mux.Handle(path, programs)
	}
	mux.Handle("GET /assets/{file}", http.FileServerFS(assets))
	mux.HandleFunc("GET /sign-in", s.showSignIn)
	mux.HandleFunc("POST /sign-in", s.signIn)
	mux.HandleFunc("POST /sign-out", s.signOut)
	mux.Handle("GET /{$}", s.signedIn(s.home))
	mux.Handle("GET /record", s.signedIn(s.newRecord))
	mux.Handle("POST /record", s.signedIn(s.record))
	mux.Handle("GET /recorded/{id}", s.signedIn(s.recorded))
	mux.Handle("GET /recorded/{id}/receipt", s.signedIn(s.receipt))
	mux.Handle("GET /report", s.signedIn(s.askReport))
	mux.Handle("POST /report", s.signedIn(s.writeReport))
	mux.Handle("GET /report/{id}", s.signedIn(s.report))
	mux.Handle("GET /report/{id}/file", s.signedIn(s.reportFile))
	mux.Handle("/", s.signedIn(s.missing))
	return headers(api.Drained(mux), cfg.Secure)
}

// headers tells browsers to keep nothing, leak nothing and run nothing foreign.
func headers(h http.Handler, secure bool) http.Handler {
	const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := w.Header().Set
		set("Content-Security-Policy", policy)
		set("X-Content-Type-Options", "nosniff")
		set("X-Frame-Options", "DENY")
		set("Referrer-Policy", "no-referrer")
		set("Cross-Origin-Opener-Policy", "same-origin")
		set("Cross-Origin-Resource-Policy", "same-origin")
		set("Cache-Control", "no-store")
		if secure {
			set("Strict-Transport-Security", "max-age=31536000")
		}
		h.ServeHTTP(w, r)
	})
}
