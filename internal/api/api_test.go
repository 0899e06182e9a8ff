package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/internal/leaktest"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/projections"
	viewstore "github.com/sharetrail/sharetrail/projections/sqlite"
	"github.com/sharetrail/sharetrail/verifier"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// served is a real ledger behind its socket.
type served struct {
	*api.Client
	ledger  *ledgertest.Ledger
	http    *http.Client
	handler http.Handler
	actors  *actor.Store
}

func serve(t *testing.T) *served { return serveAs(t, ledgertest.Config{}) }

// serveAs serves a ledger that differs from the usual one.
func serveAs(t *testing.T, c ledgertest.Config) *served {
	t.Helper()
	l := ledgertest.New(t, c)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	secrets, err := l.Keys.Secrets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	store, err := viewstore.Open(ctx, filepath.Join(l.Dir, "views"), l.Origin())
	if err != nil {
		t.Fatal(err)
	}
	views, err := projections.OpenReadModel(ctx, store, l.Keys)
	if err != nil {
		t.Fatal(err)
	}
	views.ReadHeaders(l.Store, l.Stream())
	runner, err := projections.NewRunner(projections.Config{Source: l.Store, Stream: l.Stream()}, views)
	if err != nil {
		t.Fatal(err)
	}
	actors, err := actor.Open(ctx, filepath.Join(l.Dir, "actors.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	handler := api.Handler(api.Config{
		Ledger: l.Ledger, Runner: runner, Events: l.Store, Files: &api.Files{Dir: filepath.Join(l.Dir, "reports"), Keys: views},
		Book: &api.AddressBook{Path: filepath.Join(l.Dir, "recipients.json")}, Actors: actors,
		Reports: &projections.Reports{
			Prover: l.Ledger, Rows: views, Runner: runner, Trust: l.Trust, Key: secrets.Report, Now: time.Now,
		},
	})
	server := &http.Server{Handler: api.Owner(handler, actors, zap.NewNop())}
	listener, err := api.Listen(ctx, l.Dir)
	if err != nil {
		t.Fatal(err)
	}
	running, serving := make(chan error, 1), make(chan error, 1)
	go func() { running <- runner.Run(ctx) }()
	go func() { serving <- server.Serve(listener) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(l.Dir, "api.sock"))
	}}}
	s := &served{api.NewClient(l.Dir), l, client, handler, actors}
	t.Cleanup(func() {
		s.Client.Close()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-serving; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if err := errors.Join(<-running, views.Close(), store.Close(), actors.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// do sends any request and decodes a problem, if it is one.
func (s *served) do(t *testing.T, method, path, contentType, body string) (*http.Response, []byte, api.Problem) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://sharetrail"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Idempotency-Key", "raw")
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p api.Problem
	if resp.StatusCode >= 300 {
		if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
			t.Errorf("%s %s: %s as %s: %s", method, path, resp.Status, ct, b)
		}
		if err := json.Unmarshal(b, &p); err != nil || p.Status != resp.StatusCode || p.Detail == "" || p.Title == "" {
			t.Errorf("%s %s: %s is no whole problem: %v", method, path, b, err)
		}
	}
	return resp, b, p
}

const person = "email:canary.person@example.com"

func share(subject string) api.Record {
	return api.Record{
		DisclosureRecorded: events.DisclosureRecorded{
			Occurred: events.Occurred{At: "2026-01-02T00:00:00Z", Precision: "day"},
			Reasons:  []events.Reason{events.VendorOnBehalf},
			Recipient: events.Recipient{ID: "org:tailspin-support", LegalName: "Tailspin Support (sample)",
				Country: "IN", Category: "processor"},
			Data:       events.SharedData{Categories: []string{"name"}},
			Promise:    events.Promise{Statement: "privacy-statement/2026-01"},
			Provenance: events.Provenance{Grade: "native"},
		},
		Subjects: []decide.Subject{{ID: subject, Private: events.Private{Description: "canary"}}},
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestProblems: everything that is no answer is a problem document.
func TestProblems(t *testing.T) {
	s := serve(t)
	honest := text(t, share(person))
	replaced := func(old, new string) string { return strings.Replace(honest, old, new, 1) }
	const jsonType = "application/json"
	for name, c := range map[string]struct {
		method, path, contentType, body string
		status                          int
		field                           string
	}{
		"nothing there":      {"GET", "/v2/status", "", "", 404, ""},
		"the root":           {"GET", "/", "", "", 404, ""},
		"another method":     {"DELETE", "/v1/disclosures", "", "", 405, ""},
		"no id":              {"GET", "/v1/disclosures/canary", "", "", 422, "id"},
		"unknown id":         {"GET", "/v1/disclosures/" + events.ID{1}.String(), "", "", 404, ""},
		"unknown receipt":    {"GET", "/v1/disclosures/" + events.ID{1}.String() + "/receipt", "", "", 404, ""},
		"unknown report":     {"GET", "/v1/reports/canary", "", "", 404, ""},
		"unknown recipient":  {"GET", "/v1/address-book/org:nobody", "", "", 404, ""},
		"limit":              {"GET", "/v1/address-book?limit=0", "", "", 422, "limit"},
		"a form":             {"POST", "/v1/disclosures", "application/x-www-form-urlencoded", "a=b", 415, "Content-Type"},
		"no type":            {"POST", "/v1/disclosures", "", honest, 415, "Content-Type"},
		"no body":            {"POST", "/v1/disclosures", jsonType, "", 400, ""},
		"another wait":       {"POST", "/v1/disclosures?wait=ever", jsonType, honest, 422, "wait"},
		"a misspelt wait":    {"POST", "/v1/disclosures?wiat=published", jsonType, honest, 422, "wiat"},
		"no JSON":            {"POST", "/v1/disclosures", jsonType, "canary", 400, "body"},
		"two documents":      {"POST", "/v1/disclosures", jsonType, honest + honest, 400, "body"},
		"no UTF-8":           {"POST", "/v1/disclosures", jsonType, replaced("canary.person", "canary\xff"), 400, "body"},
		"twice":              {"POST", "/v1/disclosures", jsonType, replaced(`"reasons"`, `"reasons":[],"reasons"`), 400, "reasons"},
		"twice, deep":        {"POST", "/v1/disclosures", jsonType, replaced(`"country"`, `"country":"DE","country"`), 400, "recipient.country"},
		"twice, escaped":     {"POST", "/v1/disclosures", jsonType, replaced(`"reasons"`, `"re\u0061sons":[],"reasons"`), 400, "reasons"},
		"nested":             {"POST", "/v1/disclosures", jsonType, replaced(`["name"]`, strings.Repeat("[", 40)+strings.Repeat("]", 40)), 400, "data.categories[0][0][0][0][0][0][0][0][0][0][0][0][0][0]"},
		"unknown":            {"POST", "/v1/disclosures", jsonType, replaced(`"country"`, `"colour":"x","country"`), 422, "recipient.colour"},
		"another case":       {"POST", "/v1/disclosures", jsonType, replaced(`"reasons"`, `"Reasons"`), 422, "Reasons"},
		"missing":            {"POST", "/v1/disclosures", jsonType, replaced(`"country":"IN",`, ``), 422, "recipient.country"},
		"another kind":       {"POST", "/v1/disclosures", jsonType, replaced(`["name"]`, `"name"`), 422, "data.categories"},
		"null":               {"POST", "/v1/disclosures", jsonType, "null", 422, "body"},
		"wrong enumeration":  {"POST", "/v1/disclosures", jsonType, replaced(`"processor"`, `"friend"`), 422, "recipient.category"},
		"in the future":      {"POST", "/v1/disclosures", jsonType, replaced(`2026-01-02`, `2999-01-02`), 422, "occurred.at"},
		"too long":           {"POST", "/v1/disclosures", jsonType, replaced(`"canary"`, `"`+strings.Repeat("x", 3000)+`"`), 422, "subjects.description"},
		"no identity":        {"POST", "/v1/reports", jsonType, `{"subject":"canary"}`, 422, "id"},
		"report, twice":      {"POST", "/v1/reports", jsonType, `{"subject":"` + person + `","subject":"email:x@example.com"}`, 400, "subject"},
		"a person":           {"POST", "/v1/address-book:batch", jsonType, `{"entries":[{"id":"email:a@example.com","legal_name":"A"}]}`, 422, "entries[0].id"},
		"entry's country":    {"POST", "/v1/address-book:batch", jsonType, `{"entries":[{"id":"org:a","legal_name":"A","country":"Japan"}]}`, 422, "entries[0].country"},
		"batch as JSON":      {"POST", "/v1/disclosures:batch", jsonType, "{}", 415, "Content-Type"},
		"too many in batch":  {"POST", "/v1/disclosures:batch", "application/jsonl", strings.Repeat("{}\n", 1001), 413, ""},
		"too large a report": {"POST", "/v1/reports", jsonType, `{"subject":"` + strings.Repeat("x", 1<<16) + `"}`, 413, ""},
	} {
		resp, answer, p := s.do(t, c.method, c.path, c.contentType, c.body)
		if resp.StatusCode != c.status || c.field != "" && (len(p.Errors) == 0 || !hasField(p, c.field)) {
			t.Errorf("%s: %s, want %d about %q: %s", name, resp.Status, c.status, c.field, answer)
		}
		for _, e := range p.Errors {
			if e.Rule == "" || e.Next == "" {
				t.Errorf("%s: %+v is not whole", name, e)
			}
		}
		if c.status == 405 && resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow: %s", name, resp.Header.Get("Allow"))
		}
	}
	if got := s.ledger.Status(); got.Accepted > 2 {
		t.Errorf("something was stored: %+v", got)
	}
}

func hasField(p api.Problem, field string) bool {
	for _, e := range p.Errors {
		if e.Field == field {
			return true
		}
	}
	return false
}

// TestBatch: one bad row changes nothing for the others, and a batch that comes
// again stores nothing.
func TestBatch(t *testing.T) {
	s := serve(t)
	line := func(key string, r any) string { return text(t, map[string]any{"key": key, "share": r}) }
	future, unknown := share(person), share("canary:1")
	future.Occurred.At = "2999-01-01T00:00:00Z"
	other := share(person)
	other.Subjects[0].Description = "another"
	lines := []struct {
		text          string
		first, second int
		field         string
	}{
		{line("k1", share(person)), 201, 200, ""},
		{line("k2", share("email:other@example.com")), 201, 200, ""},
		{line("k3", future), 422, 422, "occurred.at"},
		{line("k4", unknown), 422, 422, "subjects[0].id"},
		{"canary", 400, 400, "body"},
		{"", 400, 400, "body"},
		{`{"key":"k5"}`, 422, 422, "body"},
		{`{"key":"k5","share":{},"more":1}`, 422, 422, "body"},
		{line("", share(person)), 422, 422, "Idempotency-Key"},
		{strings.Replace(line("k6", share(person)), `"reasons"`, `"reasons":[],"reasons"`, 1), 400, 400, "share.reasons"},
		{line("k7", share(person)), 201, 200, ""},
	}
	var body string
	for _, l := range lines {
		body += l.text + "\n"
	}
	run := func(query string) []api.RowResult {
		resp, b, _ := s.do(t, "POST", "/v1/disclosures:batch"+query, "application/x-ndjson", body)
		var answer api.BatchAnswer
		if err := json.Unmarshal(b, &answer); err != nil || resp.StatusCode != 200 || len(answer.Results) != len(lines) {
			t.Fatalf("%s: %d results, %v: %s", resp.Status, len(answer.Results), err, b)
		}
		return answer.Results
	}
	before := s.ledger.Status().Accepted
	for i, r := range run("?dry_run=true") {
		if l := lines[i]; r.Row != i+1 || (r.Problem == nil) != (l.field == "") || r.Position != nil {
			t.Errorf("dry run, %d: %+v", i, r)
		}
	}
	if got := s.ledger.Status().Accepted; got != before {
		t.Errorf("the dry run stored %d events", got-before)
	}
	first := run("?wait=published")
	for i, r := range first {
		l := lines[i]
		if r.Status != l.first || l.field != "" && (r.Problem == nil || !hasField(*r.Problem, l.field)) ||
			l.field == "" && (r.Position == nil || r.Position.State != "published" && r.Position.State != "projected") {
			t.Errorf("%d: %+v %+v, want %d about %q", i, r, r.Problem, l.first, l.field)
		}
	}
	stored := s.ledger.Publish(t).Size
	for i, r := range run("?dry_run=false") {
		if r.Status != lines[i].second || r.Position != nil && (!r.Position.Repeat || r.Position.ID != first[i].Position.ID) {
			t.Errorf("again, %d: %+v", i, r)
		}
	}
	if got := s.ledger.Status().Accepted; got != stored {
		t.Errorf("the second run stored %d events", got-stored)
	}
	results, err := s.Batch(t.Context(), []api.RawLine{{Key: "k1", Share: json.RawMessage(text(t, other))}}, "accepted", true)
	if err != nil || results[0].Status != 409 || !hasField(*results[0].Problem, "Idempotency-Key") {
		t.Errorf("another share under a known key: %+v, %v", results, err)
	}
	if v := s.report(t, person); len(v.Entries) != 2 {
		t.Errorf("%d entries", len(v.Entries))
	}
}

func (s *served) report(t *testing.T, subject string) *verifier.Verdict {
	t.Helper()
	written, err := s.WriteReport(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	file, err := s.Report(t.Context(), written.ID)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, subject), s.ledger.Trust())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestReceipt: a receipt proves its leaf, and no other.
func TestReceipt(t *testing.T) {
	s := serve(t)
	for i := range 5 {
		if _, err := s.Record(t.Context(), fmt.Sprint("k", i), "accepted", share(person)); err != nil {
			t.Fatal(err)
		}
	}
	p, err := s.Record(t.Context(), "k3", "accepted", share(person))
	if err != nil || !p.Repeat {
		t.Fatal(p, err)
	}
	file, err := s.Receipt(t.Context(), p.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	proof, checkpoint, err := verifier.CheckProof(file, s.ledger.Trust())
	if err != nil || proof.Index != p.Index || checkpoint.Origin != s.ledger.Origin() {
		t.Fatalf("%+v, %+v, %v", proof, checkpoint, err)
	}
	for i := range file {
		forged := bytes.Clone(file)
		forged[i] ^= 1
		if _, _, err := verifier.CheckProof(forged, s.ledger.Trust()); err == nil {
			t.Errorf("byte %d flipped: still proven", i)
		}
	}
	if bytes.Contains(file, []byte("canary")) {
		t.Error("the receipt names somebody")
	}
}

// TestAddressBook pages through it, and finds it again in the file.
func TestAddressBook(t *testing.T) {
	s := serve(t)
	var entries []api.BookEntry
	for i := range 25 {
		entries = append(entries, api.BookEntry{ID: fmt.Sprintf("org:Sample-%02d", i), LegalName: fmt.Sprint("Sample ", i)})
	}
	got, err := s.PutRecipients(t.Context(), entries)
	if err != nil || got != (api.BookAnswer{Added: 25}) {
		t.Fatal(got, err)
	}
	if got, err = s.PutRecipients(t.Context(), entries[:3]); err != nil || got != (api.BookAnswer{Replaced: 3}) {
		t.Fatal(got, err)
	}
	var seen []string
	for after, pages := "", 0; ; pages++ {
		page, err := s.Recipients(t.Context(), after, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			seen = append(seen, e.ID)
		}
		if after = page.Next; after == "" {
			if pages != 2 {
				t.Errorf("%d pages more", pages)
			}
			break
		}
	}
	if len(seen) != 25 || seen[0] != "org:sample-00" || seen[24] != "org:sample-24" {
		t.Errorf("listed %q", seen)
	}
	again := &api.AddressBook{Path: filepath.Join(s.ledger.Dir, "recipients.json")}
	if e, err := again.Get("org:sample-07"); err != nil || e.LegalName != "Sample 7" {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestLocations: what is created can be fetched where the answer says.
func TestLocations(t *testing.T) {
	s := serve(t)
	resp, _, _ := s.do(t, "POST", "/v1/disclosures?wait=published", "application/json; charset=utf-8", text(t, share(person)))
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status)
	}
	if again, _, _ := s.do(t, "GET", resp.Header.Get("Location"), "", ""); again.StatusCode != http.StatusOK {
		t.Errorf("the share: %s", again.Status)
	}
	resp, _, _ = s.do(t, "POST", "/v1/reports", "application/json", `{"subject":"`+person+`"}`)
	if again, file, _ := s.do(t, "GET", resp.Header.Get("Location"), "", ""); again.StatusCode != http.StatusOK || len(file) < 1000 {
		t.Errorf("the report: %s, %d bytes", again.Status, len(file))
	}
	resp, doc, _ := s.do(t, "GET", "/openapi.json", "", "")
	if resp.StatusCode != http.StatusOK || !bytes.Contains(doc, []byte(`"/v1/disclosures:batch"`)) {
		t.Errorf("openapi.json: %s", resp.Status)
	}
}
