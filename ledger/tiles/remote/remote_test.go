package remote_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/ledger/tiles/remote"
)

func TestAddresses(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://sharetrail.example.com/log": true, "http://127.0.0.1:8080/log/": true, "http://localhost/log": true,
		"http://sharetrail.example.com/log": false, "ftp://example.com": false, "sharetrail.example.com/log": false,
		"https://": false, "https://a@example.com/": false, "https://example.com/?x": false,
	} {
		if _, err := remote.New(remote.Config{URL: url, Token: "secret"}); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := remote.New(remote.Config{URL: "http://sharetrail.example.com/log"}); err != nil {
		t.Errorf("without a token: %v", err)
	}
}

// TestServers: what servers may answer, and where a token does not go.
func TestServers(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a request went elsewhere, with the token %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/log/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1001)) })
	mux.HandleFunc("/log/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write(make([]byte, 50))
	})
	mux.HandleFunc("/log/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })
	mux.HandleFunc("/log/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("/log/good", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.Header.Get("Authorization"))) })
	server := httptest.NewServer(mux)
	defer server.Close()
	src, err := remote.New(remote.Config{URL: server.URL + "/log", Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := src.Read(t.Context(), "good", 1000); err != nil || string(b) != "Bearer secret" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := src.Read(t.Context(), "large", 1000); !errors.Is(err, tiles.ErrTooLarge) {
		t.Errorf("a file that is too large: %v", err)
	}
	if _, err := src.Read(t.Context(), "missing", 1000); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	for path, want := range map[string]string{"cut": "EOF", "away": "redirects", "broken": "502"} {
		if _, err := src.Read(t.Context(), path, 1000); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
