package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/internal/actor"
)

// Handler demands that somebody says for whom a request is. These are the doors
// that do, each knowing it in its own way.

// Owner lets the owner of the data directory in: it is for the socket, which
// nobody else can open. Whoever sends a token is its actor, there too: the owner is
// an admin, who may not do everything.
func Owner(h http.Handler, actors *actor.Store, log *zap.Logger) http.Handler {
	bearer := Bearer(h, actors, log)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			bearer.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r.WithContext(actor.NewContext(r.Context(), actor.Operator)))
	})
}

// Bearer lets in who sends a token. Without one a request goes through as
// nobody's, and gets what is anyone's.
func Bearer(h http.Handler, actors *actor.Store, log *zap.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		if header == "" {
			h.ServeHTTP(w, r)
			return
		}
		scheme, token, _ := strings.Cut(header, " ")
		a, err := actors.Authenticate(r.Context(), token)
		switch {
		case !strings.EqualFold(scheme, "Bearer"), errors.Is(err, actor.ErrToken):
			w.Header().Set("WWW-Authenticate", challenge+`, error="invalid_token"`)
			writeProblem(w, newProblem(http.StatusUnauthorized, tokenWrong))
		case err != nil:
			log.Error("authentication failed", zap.Error(err))
			writeProblem(w, newProblem(http.StatusServiceUnavailable, "the token could not be looked up; the ledger's log says why. Repeat the request later"))
		default:
			h.ServeHTTP(w, r.WithContext(actor.NewContext(r.Context(), a)))
		}
	})
}

// InProcess returns a client for an actor that was let in already. It calls the
// handler itself: same requests, same answers, no connection.
func InProcess(h http.Handler, a actor.Actor) *Client {
	return &Client{http.Client{Transport: inProcess{h, a}}}
}

type inProcess struct {
	handler http.Handler
	actor   actor.Actor
}

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(actor.NewContext(r.Context(), p.actor))
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	p.handler.ServeHTTP(w, in)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Header: w.header, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(w.body.Len()), Body: io.NopCloser(&w.body),
	}, nil
}

// answer keeps what a handler answers.
type answer struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *answer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *answer) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

// Write implements http.ResponseWriter.
func (w *answer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
