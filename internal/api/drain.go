package api

import (
	"io"
	"net/http"
)

// maxDrain is how much of a refused body is read and thrown away.
const maxDrain = 64 << 20

// Drained reads what is left of a request's body before its refusal is written.
// A server that stops reading breaks the connection of a caller who is still
// writing, and the caller never learns why.
func Drained(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &drainedBody{ReadCloser: r.Body}
		in := *r
		in.Body = body
		h.ServeHTTP(&drainedWriter{w, body}, &in)
	})
}

type drainedBody struct {
	io.ReadCloser
	drained bool
}

func (b *drainedBody) drain() {
	if !b.drained {
		b.drained = true
		io.CopyN(io.Discard, b.ReadCloser, maxDrain) // a caller who has gone needs no answer
	}
}

// Close implements io.Closer.
func (b *drainedBody) Close() error {
	b.drain()
	return b.ReadCloser.Close()
}

type drainedWriter struct {
	http.ResponseWriter
	body *drainedBody
}

// WriteHeader implements http.ResponseWriter.
func (w *drainedWriter) WriteHeader(status int) {
	if status >= 400 {
		w.body.drain()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *drainedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
