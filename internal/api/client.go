package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"

	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/projections"

	"github.com/sharetrail/sharetrail/verifier"
)

// Reachable reports whether a server answers on a data directory's socket.
func Reachable(ctx context.Context, dataDir string) bool {
	conn, err := dial(ctx, dataDir)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Client speaks /v1 to the server of a data directory.
type Client struct{ http http.Client }

// NewClient returns a client of the server that runs on a data directory.
func NewClient(dataDir string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, dataDir) },
	}}}
}

// Close closes idle connections. The client can still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ProblemError is an error the server answered.
type ProblemError struct{ Problem }

// Record records a share. wait is "accepted" or "published".
func (c *Client) Record(ctx context.Context, key, wait string, share Record) (Position, error) {
	var p Position
	err := c.call(ctx, http.MethodPost, "/v1/disclosures?wait="+wait, map[string]string{"Idempotency-Key": key}, share, &p)
	return p, err
}

// RecordJSON records a share that is JSON already.
func (c *Client) RecordJSON(ctx context.Context, key, wait string, share json.RawMessage) (Position, error) {
	var p Position
	path := "/v1/disclosures?wait=" + url.QueryEscape(wait)
	err := c.call(ctx, http.MethodPost, path, map[string]string{"Idempotency-Key": key}, share, &p)
	return p, err
}

// Post records what an operation under path takes, such as
// /v1/disclosures/ID/amendments. wait is "accepted" or "published".
func (c *Client) Post(ctx context.Context, path, key, wait string, body any) (Position, error) {
	var p Position
	err := c.call(ctx, http.MethodPost, path+"?wait="+url.QueryEscape(wait), map[string]string{"Idempotency-Key": key}, body, &p)
	return p, err
}

// RecordPeople records a share with any number of people: body is the share without
// them, on one line of JSON, and a line for each of them. wait is "accepted" or
// "published".
func (c *Client) RecordPeople(ctx context.Context, key, wait string, body io.Reader) (Position, error) {
	var p Position
	header := map[string]string{"Idempotency-Key": key, "Content-Type": "application/jsonl"}
	err := c.send(ctx, http.MethodPost, "/v1/disclosures:people?wait="+url.QueryEscape(wait), header, body, &p)
	return p, err
}

// Disclosure tells how far a recorded share is.
func (c *Client) Disclosure(ctx context.Context, id string) (Position, error) {
	var p Position
	err := c.call(ctx, http.MethodGet, "/v1/disclosures/"+url.PathEscape(id), nil, nil, &p)
	return p, err
}

// Batch records many shares, or only checks them. Its results are those of the
// lines, in order. wait is "accepted" or "published".
func (c *Client) Batch(ctx context.Context, lines []RawLine, wait string, dryRun bool) ([]RowResult, error) {
	var body bytes.Buffer
	for _, line := range lines {
		b, err := json.Marshal(line)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		body.Write(append(b, '\n'))
	}
	var answer BatchAnswer
	path := fmt.Sprintf("/v1/disclosures:batch?wait=%s&dry_run=%t", wait, dryRun)
	err := c.send(ctx, http.MethodPost, path, map[string]string{"Content-Type": "application/jsonl"}, &body, &answer)
	if err == nil && len(answer.Results) != len(lines) {
		err = fmt.Errorf("reading the answer: %d results for %d rows", len(answer.Results), len(lines))
	}
	return answer.Results, err
}

// RawLine is a [BatchLine] whose share is JSON already.
type RawLine struct {
	Key   string          `json:"key"`
	Share json.RawMessage `json:"share"`
}

// Receipt fetches the proof that a share is in the log, once it is published.
func (c *Client) Receipt(ctx context.Context, id string) ([]byte, error) {
	return c.get(ctx, "/v1/disclosures/"+url.PathEscape(id)+"/receipt")
}

// PutRecipients adds entries to the address book, or replaces them.
func (c *Client) PutRecipients(ctx context.Context, entries []BookEntry) (BookAnswer, error) {
	var a BookAnswer
	err := c.call(ctx, http.MethodPost, "/v1/address-book:batch", nil, BookRequest{entries}, &a)
	return a, err
}

// Recipients returns a page of the address book.
func (c *Client) Recipients(ctx context.Context, after string, limit int) (BookPage, error) {
	var p BookPage
	err := c.call(ctx, http.MethodGet, fmt.Sprintf("/v1/address-book?after=%s&limit=%d", url.QueryEscape(after), limit), nil, nil, &p)
	return p, err
}

// Recipient looks up an entry of the address book.
func (c *Client) Recipient(ctx context.Context, id string) (BookEntry, error) {
	var e BookEntry
	err := c.call(ctx, http.MethodGet, "/v1/address-book/"+url.PathEscape(id), nil, nil, &e)
	return e, err
}

// WriteReport has the report about a person written, once everything accepted so
// far is published.
func (c *Client) WriteReport(ctx context.Context, subject string) (WrittenReport, error) {
	return c.WriteReportAbout(ctx, ReportRequest{Subject: subject})
}

// WriteReportAbout is WriteReport about a person, a recipient or the controller.
func (c *Client) WriteReportAbout(ctx context.Context, about ReportRequest) (WrittenReport, error) {
	var r WrittenReport
	err := c.call(ctx, http.MethodPost, "/v1/reports?wait=published", nil, about, &r)
	return r, err
}

// Report fetches a written report.
func (c *Client) Report(ctx context.Context, id string) ([]byte, error) {
	return c.get(ctx, "/v1/reports/"+url.PathEscape(id))
}

// Trust fetches the trust file.
func (c *Client) Trust(ctx context.Context) ([]byte, error) {
	return c.get(ctx, "/.well-known/sharetrail/trust")
}

// Checkpoint fetches the newest checkpoint.
func (c *Client) Checkpoint(ctx context.Context) ([]byte, error) { return c.get(ctx, "/v1/checkpoint") }

// Status tells how far everything is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.call(ctx, http.MethodGet, "/v1/status", nil, nil, &s)
	return s, err
}

func (c *Client) get(ctx context.Context, path string) ([]byte, error) {
	var b []byte
	err := c.call(ctx, http.MethodGet, path, nil, nil, &b)
	return b, err
}

// call sends a request and decodes the answer: into out as JSON, or as it is if
// out is a *[]byte.
func (c *Client) call(ctx context.Context, method, path string, header map[string]string, in, out any) error {
	if in == nil {
		return c.send(ctx, method, path, header, nil, out)
	}
	b, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding the request: %w", err)
	}
	with := map[string]string{"Content-Type": "application/json"}
	maps.Copy(with, header)
	return c.send(ctx, method, path, with, bytes.NewReader(b), out)
}

func (c *Client) send(ctx context.Context, method, path string, header map[string]string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://sharetrail"+path, body)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking the server: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if resp.StatusCode >= 300 {
		problem := new(ProblemError)
		if json.Unmarshal(b, &problem.Problem) != nil || problem.Detail == "" {
			return fmt.Errorf("the server answers %s", resp.Status)
		}
		return problem
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = b
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// Disclosures lists the shares of a person or a recipient, page by page.
func (c *Client) Disclosures(ctx context.Context, q DisclosureQuery) (projections.Listing, error) {
	var l projections.Listing
	err := c.call(ctx, http.MethodPost, "/v1/disclosures:query", nil, q, &l)
	return l, err
}

// Consents lists the choices of a person.
func (c *Client) Consents(ctx context.Context, q ConsentQuery) (projections.Consents, error) {
	var all projections.Consents
	err := c.call(ctx, http.MethodPost, "/v1/consents:query", nil, q, &all)
	return all, err
}

// Documents lists what the controller published; inForce, a time, may be empty.
func (c *Client) Documents(ctx context.Context, kind, inForce string) (projections.Documents, error) {
	query := url.Values{}
	for name, value := range map[string]string{"kind": kind, "in_force": inForce} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var all projections.Documents
	err := c.call(ctx, http.MethodGet, "/v1/documents?"+query.Encode(), nil, nil, &all)
	return all, err
}

// Register lists who received data, page by page.
func (c *Client) Register(ctx context.Context, after string, limit int) (projections.Register, error) {
	var page projections.Register
	err := c.call(ctx, http.MethodGet, fmt.Sprintf("/v1/recipients?after=%s&limit=%d", url.QueryEscape(after), limit), nil, nil, &page)
	return page, err
}

// Policy fetches the publication policy.
func (c *Client) Policy(ctx context.Context) (ledger.Publication, error) {
	var p ledger.Publication
	err := c.call(ctx, http.MethodGet, "/v1/policy", nil, nil, &p)
	return p, err
}

// SetPolicy changes the publication policy, and answers with it as it is kept.
func (c *Client) SetPolicy(ctx context.Context, p ledger.Publication) (ledger.Publication, error) {
	var kept ledger.Publication
	err := c.call(ctx, http.MethodPost, "/v1/policy", nil, p, &kept)
	return kept, err
}

// Views tells which versions of the read model there are.
func (c *Client) Views(ctx context.Context) (Views, error) {
	var v Views
	err := c.call(ctx, http.MethodGet, "/v1/views", nil, nil, &v)
	return v, err
}

// RebuildViews builds the read model anew, in a new version.
func (c *Client) RebuildViews(ctx context.Context) (Views, error) {
	var v Views
	err := c.call(ctx, http.MethodPost, "/v1/views:rebuild", nil, RebuildRequest{}, &v)
	return v, err
}

// RetryViews applies what waits.
func (c *Client) RetryViews(ctx context.Context) (Views, error) {
	var v Views
	err := c.call(ctx, http.MethodDelete, "/v1/parked", nil, nil, &v)
	return v, err
}

// DropView removes a version that is not in use.
func (c *Client) DropView(ctx context.Context, version int) (Views, error) {
	var v Views
	err := c.call(ctx, http.MethodDelete, fmt.Sprintf("/v1/views/%d", version), nil, nil, &v)
	return v, err
}

// As returns a client that sends an actor's token with each request.
func (c *Client) As(token string) *Client {
	return &Client{http.Client{Transport: withToken{c.http.Transport, token}}}
}

type withToken struct {
	http.RoundTripper
	token string
}

// RoundTrip implements http.RoundTripper.
func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.token)
	return t.RoundTripper.RoundTrip(r)
}

// Seals lists seals, all or those in one state.
func (c *Client) Seals(ctx context.Context, state string) (SealList, error) {
	query := ""
	if state != "" {
		query = "?state=" + url.QueryEscape(state)
	}
	var l SealList
	err := c.call(ctx, http.MethodGet, "/v1/seals"+query, nil, nil, &l)
	return l, err
}

// SealRegister writes the register of an authority and fetches it.
func (c *Client) SealRegister(ctx context.Context, asked RegisterRequest) ([]byte, error) {
	var b []byte
	err := c.call(ctx, http.MethodPost, "/v1/seals:report", nil, asked, &b)
	return b, err
}

// Closures lists the requests for erasures and rotations that wait.
func (c *Client) Closures(ctx context.Context) (Closures, error) {
	var l Closures
	err := c.call(ctx, http.MethodGet, "/v1/closures", nil, nil, &l)
	return l, err
}

// ErasureReceipt fetches the proof that somebody was erased.
func (c *Client) ErasureReceipt(ctx context.Context, subject string) ([]byte, error) {
	var e verifier.Erasure
	if err := c.call(ctx, http.MethodPost, "/v1/erasures:receipt", nil, ErasureQuery{subject}, &e); err != nil {
		return nil, err
	}
	return verifier.FormatErasure(&e)
}

// PlaceHold puts people under a hold.
func (c *Client) PlaceHold(ctx context.Context, r ledger.HoldRequest) (ledger.HoldView, error) {
	var v ledger.HoldView
	err := c.call(ctx, http.MethodPost, "/v1/holds", nil, r, &v)
	return v, err
}

// ProposeRelease asks for a hold to be released.
func (c *Client) ProposeRelease(ctx context.Context, matter, reason string) (ledger.HoldView, error) {
	var v ledger.HoldView
	err := c.call(ctx, http.MethodPost, "/v1/holds/"+url.PathEscape(matter)+"/proposals", nil, ReleaseProposal{reason}, &v)
	return v, err
}

// ReleaseHold confirms that a hold is to be released.
func (c *Client) ReleaseHold(ctx context.Context, matter string) (ledger.HoldView, error) {
	var v ledger.HoldView
	err := c.call(ctx, http.MethodPost, "/v1/holds/"+url.PathEscape(matter)+"/releases", nil, Release{}, &v)
	return v, err
}

// Holds lists holds.
func (c *Client) Holds(ctx context.Context) (HoldList, error) {
	var l HoldList
	err := c.call(ctx, http.MethodGet, "/v1/holds", nil, nil, &l)
	return l, err
}

// Hold returns a hold and what is kept under it. The events are as they came in JSON.
func (c *Client) Hold(ctx context.Context, matter string) (HoldContent, error) {
	var h HoldContent
	err := c.call(ctx, http.MethodGet, "/v1/holds/"+url.PathEscape(matter), nil, nil, &h)
	return h, err
}
