package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"html"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/verifier"
)

// visitor is a person's browser: it keeps cookies and follows redirects, and
// remembers where it was.
type visitor struct {
	t    *testing.T
	base string
	been []string
	http.Client
}

func (p *process) visitor(t *testing.T, role actor.Role, roots *x509.CertPool) *visitor {
	t.Helper()
	made, err := p.client.AddActor(t.Context(), strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")), role)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, base: strings.TrimSuffix(p.url, "/")}
	v.Client = http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true},
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			v.been = append(v.been, r.URL.String())
			return nil
		}}
	_, page := v.get("/sign-in")
	form := hidden(page)
	form.Set("token", made.Token)
	if at, page := v.post("/sign-in", form); at != "/" {
		t.Fatalf("signing in led to %s:\n%s", at, page)
	}
	return v
}

// get and post return where the visitor is in the end, and the page there.
func (v *visitor) get(path string) (at, page string) {
	v.t.Helper()
	return v.read(v.Client.Get(v.base + path))
}

func (v *visitor) post(path string, form url.Values) (at, page string) {
	v.t.Helper()
	return v.read(v.Client.PostForm(v.base+path, form))
}

func (v *visitor) read(resp *http.Response, err error) (at, page string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	v.been = append(v.been, resp.Request.URL.String())
	if title := regexp.MustCompile(`<title>[^<]*`).FindString(string(b)); title != "" {
		v.been = append(v.been, title)
	}
	return resp.Request.URL.Path, string(b)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)"(?: id="[^"]*")? value="([^"]*)">`)

// hidden are the hidden fields of the page's own form.
func hidden(page string) url.Values {
	all := url.Values{}
	if i := strings.Index(page, "<main"); i >= 0 {
		page = page[i:]
	}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		all.Add(m[1], html.UnescapeString(m[2]))
	}
	return all
}

// wants fails the test if the page does not say something.
func (v *visitor) wants(page string, words ...string) {
	v.t.Helper()
	plain := html.UnescapeString(page)
	for _, w := range words {
		if !strings.Contains(plain, w) {
			v.t.Errorf("the page does not say %q:\n%s", w, plain)
		}
	}
}

// TestPages is both pages over real HTTP, against a real ledger, without scripts.
func TestPages(t *testing.T) {
	p := serve(t, filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0")
	if _, err := p.client.PutRecipients(t.Context(), []api.BookEntry{
		{ID: "org:contoso-parcels", LegalName: "Contoso Parcels (sample)", Country: "DE", Category: "service_provider", Contact: "privacy@contoso.example"},
		{ID: "org:sample-ads", LegalName: "Sample Ads", Category: "advertising"},
	}); err != nil {
		t.Fatal(err)
	}
	var been []string
	t.Run("record", func(t *testing.T) { been = append(been, testRecordPage(t, p)...) })
	t.Run("report", func(t *testing.T) { been = append(been, testReportPage(t, p)...) })
	t.Run("wrong", func(t *testing.T) { been = append(been, testWrongFields(t, p)...) })
	t.Run("bearer", func(t *testing.T) { testBearer(t, p) })
	for _, url := range been {
		if strings.Contains(url, "canary") {
			t.Errorf("somebody's name is in the browser's history: %s", url)
		}
	}
	if err := p.signal(os.Interrupt); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if log := p.stderr.String(); strings.Contains(log, "canary") {
		t.Errorf("somebody's name is in the log:\n%s", log)
	}
}

// filled is a form as somebody fills it in.
func filled(page string) url.Values {
	form := hidden(page)
	form.Set("recipient", "Contoso Parcels (sample) · org:contoso-parcels")
	form["reasons"] = []string{"provide_product", "vendor_on_behalf"}
	form["data"] = []string{"name", "postal address"}
	form.Set("other_data", "size of parcel\r\n")
	form.Set("subjects", " canary.one@Example.com \r\nphone:+1 (202) 555-0100\r\n")
	form.Set("description", "canary: address for\r\nthe parcel")
	form.Set("date", "2026-03-04")
	form.Set("statement", "privacy-statement/2026-01")
	form.Set("evidence_sha256", strings.Repeat("AB", 32))
	form.Set("evidence_size", "1234")
	form.Set("evidence_type", "application/pdf")
	form.Set("step", "preview")
	return form
}

func testRecordPage(t *testing.T, p *process) []string {
	before := p.status().Accepted
	v := p.visitor(t, actor.Recorder, nil)
	_, page := v.get("/record")
	v.wants(page, `<option value="Contoso Parcels (sample) · org:contoso-parcels">`)
	at, page := v.post("/record", filled(page))
	v.wants(page, "Check before recording", "each of the 2 people", "Contoso Parcels (sample)", "to provide a product you asked for; a supplier works",
		"name, postal address, size of parcel", "4 March 2026", "email:canary.one@Example.com", "phone:+1 (202) 555-0100", "canary: address for the parcel",
		"application/pdf, 1234 bytes, SHA-256 abab", "privacy@contoso.example")
	if got := p.status().Accepted; at != "/record" || got != before {
		t.Fatalf("the preview at %s stored %d events", at, got-before)
	}

	// Back to the form, which is as it was.
	send := hidden(page)
	send.Set("step", "change")
	_, page = v.post("/record", send)
	v.wants(page, "canary.one@Example.com", `value="provide_product" checked`, `value="2026-03-04"`, "size of parcel", send.Get("key"))

	// Pressed twice, and loaded again.
	send.Set("step", "record")
	at, page = v.post("/record", send)
	v.wants(page, "The share is recorded", "Leaf in the log")
	stored := p.status().Accepted
	for range 2 {
		if again, _ := v.post("/record", send); again != at || !strings.HasPrefix(at, "/recorded/") {
			t.Errorf("sent again it led to %s, first to %s", again, at)
		}
		if again, page := v.get(at); again != at || !strings.Contains(page, "projected</strong></dd>") {
			t.Errorf("loaded again: %s", page)
		}
	}
	send.Set("step", "preview")
	if again, _ := v.post("/record", send); again != at {
		t.Errorf("a preview of what is recorded led to %s", again)
	}
	send.Set("description", "another canary")
	send.Set("step", "record")
	_, page = v.post("/record", send)
	v.wants(page, "This form", "It was recorded already, with other content", "another canary")
	if got := p.status().Accepted; got != stored {
		t.Errorf("what came again stored %d events", got-stored)
	}
	_, proof := v.get(at + "/receipt")
	if _, _, err := verifier.CheckProof([]byte(proof), p.trust()); err != nil {
		t.Errorf("the receipt: %v\n%s", err, proof)
	}
	_, page = v.get("/record")
	v.wants(page, `value="privacy-statement/2026-01"`) // of the share before
	got := p.report("email:canary.one@example.com").Entries
	if len(got) != 1 || got[0].Private.Description != "canary: address for\nthe parcel" || got[0].Private.Evidence[0].Size != 1234 {
		t.Errorf("the report has %+v", got)
	}
	_, page = v.get("/report")
	v.wants(page, "The role recorder may not do this (write-report)")
	return v.been
}

// trust is the ledger's trust file.
func (p *process) trust() *verifier.Trust {
	p.t.Helper()
	pins, err := p.client.Trust(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	trust, err := verifier.ParseTrust(pins)
	if err != nil {
		p.t.Fatal(err)
	}
	return trust
}

func testReportPage(t *testing.T, p *process) []string {
	v := p.visitor(t, actor.Reader, nil)
	_, page := v.get("/report")
	for typed, rule := range map[string]string{"": "Say whom the report is about", "canary": "Must be namespace:local", "canary:1": "not one of this ledger's"} {
		form := hidden(page)
		form.Set("subject", typed)
		at, page := v.post("/report", form)
		v.wants(page, rule, `aria-invalid="true"`, `value="`+typed+`"`)
		if at != "/report" {
			t.Errorf("%q led to %s", typed, at)
		}
	}
	form := hidden(page)
	form.Set("subject", " Canary.one@example.com")
	_, page = v.post("/report", form)
	form.Set("subject", demoSubject)
	v.wants(page, "Contoso Parcels (sample)", "a supplier works for the company and needed the data", "4 March 2026", "canary: address for the parcel")
	at, page := v.post("/report", form)
	v.wants(page, "Who has the data of", demoSubject, "11 recipients were given personal data, 11 times", "Lakeside Fitness (sample)", "you agreed to it",
		"VERIFIED, COMPLETE for everything", ": 11 entries about "+demoSubject, "This is the ledger’s own check", "sharetrail-verify report --trust trust.json --id "+demoSubject,
		"What is not proven", "that every real share was recorded", p.trust().Fingerprint())
	_, file := v.get(at + "/file")
	verdict, err := verifier.CheckReport([]byte(file), verifier.About(events.RoleSubject, demoSubject), p.trust())
	if err != nil || len(verdict.Entries) != 11 {
		t.Errorf("the file: %+v, %v", verdict, err)
	}
	form.Set("subject", "canary.nobody@example.com")
	_, page = v.post("/report", form)
	v.wants(page, "Nobody, as far as this ledger was told", "holds nothing about email:canary.nobody@example.com")
	// What was retracted does not count, and is still there to be read.
	retracted := p.record("page-retracted", share("email:canary.retracted@example.com", description))
	if _, err := p.client.Post(t.Context(), "/v1/disclosures/"+retracted.ID.String()+"/retractions", "page-retraction", "published",
		api.Retraction{Ground: "recorded_in_error", Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	form.Set("subject", "canary.retracted@example.com")
	_, page = v.post("/report", form)
	v.wants(page, "Nobody, as it is now known", "1 record was retracted", "Tailspin Support (sample)", "A record was retracted", "recorded in error",
		`about <a href="#entry-1">entry 1</a>`, `Retracted by <a href="#entry-2">entry 2</a>`, ": 2 entries")
	if _, page = v.get("/report/" + strings.Repeat("0", 32)); !strings.Contains(page, "Ask for this report again") {
		t.Errorf("a report of nobody's:\n%s", page)
	}
	_, page = v.get("/record")
	v.wants(page, "The role reader may not do this")
	return v.been
}

// testWrongFields: what is wrong is said beside its field, and everything typed
// is still there.
func testWrongFields(t *testing.T, p *process) []string {
	before := p.status().Accepted
	v := p.visitor(t, actor.Counsel, nil)
	_, empty := v.get("/record")
	_, page := v.post("/record", hidden(empty))
	v.wants(page, "please check 6 fields", `<a href="#recipient">`, `<a href="#reasons">`, `<a href="#date">`, `<a href="#data">`, `<a href="#subjects">`, `<a href="#statement">`)
	for name, c := range map[string]struct {
		change map[string]string
		field  string
		says   string
	}{
		"nobody of that name": {map[string]string{"recipient": "Contoso"}, "recipient", "nobody of this name"},
		"a person":            {map[string]string{"recipient": "email:canary@example.com"}, "recipient", "nobody of this name"},
		"a new recipient":     {map[string]string{"recipient": "org:canary"}, "recipient_name", "Write its legal name"},
		"no country known":    {map[string]string{"recipient": "org:sample-ads"}, "recipient_country", "in which country"},
		"another country":     {map[string]string{"recipient_country": "Ireland"}, "recipient_country", "two capital letters"},
		"an unknown reason":   {map[string]string{"reasons": "whim"}, "reasons", "not one of its values"},
		"no day":              {map[string]string{"date": "4 March"}, "date", "not a day"},
		"no such day":         {map[string]string{"date": "2026-02-30"}, "date", "not a day"},
		"in the future":       {map[string]string{"date": "2999-01-01"}, "date", "lies in the future"},
		"no time":             {map[string]string{"time": "noon"}, "time", "not a time"},
		"no such time":        {map[string]string{"time": "25:00"}, "date", "must be a time"},
		"no namespace":        {map[string]string{"subjects": "ada@example.com\r\n\r\ncanary"}, "subjects", "Line 2: Must be namespace:local"},
		"somebody twice":      {map[string]string{"subjects": "a@example.com\r\nA@example.com"}, "subjects", "Line 2: Names somebody twice"},
		"too long":            {map[string]string{"description": strings.Repeat("canary ", 400)}, "description", "at most 2000 bytes"},
		"a broken hash":       {map[string]string{"evidence_sha256": "canary"}, "evidence_sha256", "64 lower-case"},
		"no size":             {map[string]string{"evidence_size": "big"}, "evidence_size", "as a number"},
		"no media type":       {map[string]string{"evidence_type": "pdf"}, "evidence_type", "media type"},
		"data twice":          {map[string]string{"other_data": "name"}, "data", "twice"},
		"control characters":  {map[string]string{"statement": "a\x01b"}, "statement", "control characters"},
	} {
		form := filled(empty)
		for field, typed := range c.change {
			form.Set(field, typed)
		}
		for _, step := range []string{"preview", "record"} {
			form.Set("step", step)
			at, page := v.post("/record", form)
			says := strings.ToLower(html.UnescapeString(page))
			if at != "/record" || !strings.Contains(page, `<li><a href="#`+c.field+`">`) || !strings.Contains(says, strings.ToLower(c.says)) {
				t.Errorf("%s, %s: at %s, want %q beside %s:\n%s", name, step, at, c.says, c.field, page)
			}
			for field, typed := range c.change {
				if field != "reasons" && !strings.Contains(html.UnescapeString(page), typed) {
					t.Errorf("%s: what was typed as %s is lost", name, field)
				}
			}
			v.wants(page, "postal address\" checked", `value="vendor_on_behalf"`, hidden(empty).Get("key"))
		}
	}
	if got := p.status().Accepted; got != before {
		t.Errorf("wrong forms stored %d events", got-before)
	}
	return v.been
}

// testBearer: programs use /v1 on the same address, with a token.
func testBearer(t *testing.T, p *process) {
	made, err := p.client.AddActor(t.Context(), "program", actor.Auditor)
	if err != nil {
		t.Fatal(err)
	}
	for header, status := range map[string]int{"": 401, "Bearer " + made.Token: 200, "Bearer x": 401} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", p.url+"v1/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", header)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%q: %s", header, resp.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestPagesOverTLS serves the pages with a certificate.
func TestPagesOverTLS(t *testing.T) {
	cert, key, roots := certificate(t)
	p := serve(t, filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(p.url, "https://127.0.0.1:") {
		t.Fatal(p.url)
	}
	v := p.visitor(t, actor.Counsel, roots)
	_, page := v.get("/")
	v.wants(page, "What would you like to do?", demoOrigin)
	if resp, err := http.Get("http" + strings.TrimPrefix(p.url, "https")); err == nil {
		if resp.StatusCode < 400 {
			t.Errorf("in clear: %s", resp.Status)
		}
		resp.Body.Close()
	}
	if err := p.signal(os.Interrupt); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// certificate makes a certificate for 127.0.0.1.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key, roots = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots.AppendCertsFromPEM(public)
	if err := errors.Join(os.WriteFile(cert, public, 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)); err != nil {
		t.Fatal(err)
	}
	return cert, key, roots
}

// browserProgram is the folder of the Node program that uses the pages.
const browserProgram = "../../docs/interop/browser"

// TestBrowser has Chromium use the pages as people do: with the keyboard alone,
// wrong input, a double click, a narrow screen; and looks for barriers.
func TestBrowser(t *testing.T) {
	for _, tool := range []string{"chromium", "node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("SHARETRAIL_REQUIRE_BACKENDS") == "1" {
				t.Fatalf("%s is required: %v", tool, err)
			}
			t.Skipf("no %s on this machine", tool)
		}
	}
	p := serve(t, filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0")
	made, err := p.client.AddActor(t.Context(), "counsel-1", actor.Counsel)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.client.PutRecipients(t.Context(), []api.BookEntry{
		{ID: "org:contoso-parcels", LegalName: "Contoso Parcels (sample)", Country: "DE", Category: "service_provider"},
	}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // the sources stay as they are
	if err := os.CopyFS(dir, os.DirFS(browserProgram)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"}, {"node", "pages.mjs", p.url}} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "TOKEN="+made.Token)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	// A double click, a reload and a back button later there is one entry.
	if got := p.report("email:canary.browser@example.com").Entries; len(got) != 1 || got[0].Private.Description != "canary of the browser" {
		t.Errorf("the report has %+v", got)
	}
	if err := p.signal(os.Interrupt); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if log := p.stderr.String(); strings.Contains(log, "canary") {
		t.Errorf("somebody's name is in the log:\n%s", log)
	}
}
