package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/sharetrail/sharetrail/verifier"
)

// Client asks one cosigner.
type Client struct {
	URL  string       // the submission prefix, under which it also shows checkpoints
	HTTP *http.Client // nil means one that follows no redirects
}

// direct follows no redirects: an address in a policy is an administrator's choice, and
// one that a cosigner names is not.
var direct = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// ErrConflict says that a cosigner refuses a checkpoint as one that does not
// continue what it signed last: 422, or 409 without a size, which some witnesses
// answer when they have signed another root at the same size. If the proof sent was
// right, somebody has seen another history.
var ErrConflict = errors.New("the cosigner has seen another history")

// ErrNone says that a cosigner has signed no checkpoint of a log yet.
var ErrNone = errors.New("the cosigner has no checkpoint of this log yet")

// SizeError says which size a cosigner signed last: ask with a proof from there.
type SizeError struct{ Size uint64 }

// Error implements error.
func (e *SizeError) Error() string {
	return fmt.Sprintf("the cosigner signed size %d last", e.Size)
}

// CheckURL demands an address that a client can use.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("not an http or https address without a query")
	}
	return nil
}

// AddCheckpoint asks for a cosignature and returns the signature lines of the
// answer, unchecked. ErrConflict and [*SizeError] are refusals that say why; any
// other error may pass.
func (c *Client) AddCheckpoint(ctx context.Context, r *Request) (lines string, err error) {
	status, contentType, body, err := c.do(ctx, http.MethodPost, "/add-checkpoint", r.Format())
	if err != nil {
		return "", fmt.Errorf("asking for a cosignature: %w", err)
	}
	switch {
	case status == http.StatusOK:
		return body, nil
	case status == http.StatusConflict && contentType == sizeType:
		size, err := parseSize(strings.TrimSuffix(body, "\n"))
		if err != nil {
			return "", errors.New("asking for a cosignature: 409 with a size that is none")
		}
		return "", &SizeError{size}
	case status == http.StatusConflict, status == http.StatusUnprocessableEntity:
		return "", fmt.Errorf("asking for a cosignature: %w (status %d: %s)", ErrConflict, status, said(body))
	case status == http.StatusNotFound:
		return "", errors.New("asking for a cosignature: 404: it does not know this ledger; send its operator the trust file")
	case status == http.StatusForbidden:
		return "", errors.New("asking for a cosignature: 403: it knows another key of this ledger; send its operator the trust file")
	}
	return "", fmt.Errorf("asking for a cosignature: status %d: %s", status, said(body))
}

// Checkpoint fetches what the cosigner signed last of a log: a note, unchecked.
// ErrNone says that there is none.
func (c *Client) Checkpoint(ctx context.Context, origin string) (string, error) {
	status, _, body, err := c.do(ctx, http.MethodGet, "/"+originHash(origin)+"/checkpoint", nil)
	switch {
	case err != nil:
		return "", fmt.Errorf("fetching what was cosigned last: %w", err)
	case status == http.StatusNotFound:
		return "", ErrNone
	case status != http.StatusOK:
		return "", fmt.Errorf("fetching what was cosigned last: status %d: %s", status, said(body))
	}
	return body, nil
}

func (c *Client) do(ctx context.Context, method, path string, body []byte) (status int, contentType, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", "", err
	}
	if body != nil {
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	client := c.HTTP
	if client == nil {
		client = direct
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(b) > maxBody {
		err = errors.New("an answer of more than 16 KiB")
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b), err
}

// said is the start of what a stranger answered, in one printable line.
func said(body string) string {
	const most = 200
	if len(body) > most {
		body = body[:most]
	}
	return verifier.Plain(strings.TrimSpace(body))
}
