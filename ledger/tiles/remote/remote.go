// Package remote reads a log's tiles from a server.
package remote

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sharetrail/sharetrail/ledger/tiles"
)

// Timeout is how long one file may take. A bundle of leaves has 16 MiB at most.
const Timeout = time.Minute

// Config says where a log is.
type Config struct {
	URL    string       // of the log's root, http or https; "checkpoint" stands under it
	Token  string       // sent as a bearer token; empty means none
	Client *http.Client // nil means one with a timeout
}

// Source reads a log over HTTP.
type Source struct {
	base   string
	token  string
	client *http.Client
}

var _ tiles.Source = (*Source)(nil)

// New returns the source of a URL. A token is only sent where nobody else can read
// it: over TLS, or within this machine.
func New(c Config) (*Source, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not the address of a log; write it like https://sharetrail.example.com/log", c.URL)
	}
	if host := u.Hostname(); c.Token != "" && u.Scheme == "http" && host != "localhost" && host != "::1" && !strings.HasPrefix(host, "127.") {
		return nil, fmt.Errorf("a token would cross the network in clear to %s; use https", u.Host)
	}
	s := &Source{base: strings.TrimSuffix(c.URL, "/") + "/", token: c.Token, client: c.Client}
	if s.client == nil {
		s.client = &http.Client{Timeout: Timeout, CheckRedirect: sameHost}
	}
	return s, nil
}

// sameHost follows redirects within one host: a token is for nobody else.
func sameHost(r *http.Request, via []*http.Request) error {
	if len(via) >= 5 || r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
		return fmt.Errorf("%s redirects to %s; name that address if you trust it", via[0].URL.Host, r.URL.Host)
	}
	return nil
}

// Read implements tiles.Source.
func (s *Source) Read(ctx context.Context, path string, max int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return tiles.ReadAll(resp.Body, path, max)
	case http.StatusNotFound:
		io.Copy(io.Discard, io.LimitReader(resp.Body, 4096)) // so that the connection can be used again
		return nil, fmt.Errorf("reading %s: %w", path, fs.ErrNotExist)
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("reading %s: the server answers %s; name a file with a token of the role auditor (--token-file)", path, resp.Status)
	}
	return nil, fmt.Errorf("reading %s: the server answers %s", path, resp.Status)
}
