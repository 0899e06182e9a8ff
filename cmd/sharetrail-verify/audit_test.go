package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// onShow is a ledger whose tiles are in a directory and on a server, with its trust
// file and a cosigner's key.
type onShow struct {
	*ledgertest.Ledger
	url, trust, key string
	cosigner        *verifier.Cosigner
}

func show(t *testing.T) *onShow {
	t.Helper()
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("first", "ada"))
	l.Publish(t)
	files := http.FileServer(http.Dir(l.TilesDir()))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s := &onShow{Ledger: l, url: server.URL, trust: filepath.Join(t.TempDir(), "trust.json"), key: filepath.Join(t.TempDir(), "key")}
	if err := os.WriteFile(s.trust, l.Trust().Marshal(), 0o600); err != nil {
		t.Fatal(err)
	}
	vkey, _, code := verify(t, "keygen", "--name", "auditor.example/1", "--key", s.key)
	if code != verified {
		t.Fatal("no key was made")
	}
	var err error
	if s.cosigner, err = verifier.ParseCosigner(strings.TrimSpace(vkey)); err != nil {
		t.Fatal(err)
	}
	return s
}

func verify(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, &out, &errs, clock)
	return out.String(), errs.String(), code
}

// TestAudit runs the verb over a directory and a server, and on faults.
func TestAudit(t *testing.T) {
	s := show(t)
	state, token := t.TempDir(), filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr, code := verify(t, "audit", "--trust", s.trust, "--state", state, s.TilesDir())
	if code != verified || !strings.HasPrefix(out, "WHOLE: ") || !strings.Contains(out, "Not checked") {
		t.Fatalf("exit %d: %s%s", code, out, stderr)
	}
	s.MustRecord(t, ledgertest.Share("second", "ada"))
	s.Publish(t)
	file := filepath.Join(t.TempDir(), "cosigned")
	out, stderr, code = verify(t, "audit", "--trust", s.trust, "--state", state, "--token-file", token, "--key", s.key, "--output", file, s.url)
	if code != verified || !strings.Contains(out, fmt.Sprintf("WHOLE: %d leaves", s.Status().Published)) {
		t.Fatalf("exit %d: %s%s", code, out, stderr)
	}
	cosigned, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, at, err := s.cosigner.Take(string(cosigned), signaturesOf(string(cosigned))); err != nil || !at.Equal(clock) {
		t.Errorf("the cosignature is of %v: %v", at, err)
	}
	if out, _, code := verify(t, "audit", "--trust", s.trust, "--state", state, "--json", "--key", s.key, s.TilesDir()); code != verified {
		t.Errorf("exit %d: %s", code, out)
	} else {
		var said struct {
			Leaves, New uint64
			Cosigned    string
		}
		if err := json.Unmarshal([]byte(out), &said); err != nil || said.Leaves != s.Status().Published || said.New != 0 || said.Cosigned != string(cosigned) {
			t.Errorf("%s: %v", out, err)
		}
	}
	for name, c := range map[string]struct {
		args []string
		says string
		code int
	}{
		"no token":       {[]string{"--state", t.TempDir(), s.url}, "--token-file", unusable},
		"no log":         {[]string{"--state", t.TempDir(), t.TempDir()}, "no checkpoint", unusable},
		"no directory":   {[]string{"--state", t.TempDir(), "nowhere"}, "neither a directory", unusable},
		"no state":       {[]string{s.TilesDir()}, "--state", unusable},
		"no key":         {[]string{"--state", state, "--listen", "127.0.0.1:0", s.TilesDir()}, "--key", unusable},
		"two logs":       {[]string{"--state", state, s.TilesDir(), s.TilesDir()}, "one log", unusable},
		"a wrong key":    {[]string{"--state", state, "--key", s.trust, s.TilesDir()}, "keygen", unusable},
		"a token beside": {[]string{"--state", state, "--token-file", token, s.TilesDir()}, "--token-file", unusable},
	} {
		out, stderr, code := verify(t, append([]string{"audit", "--trust", s.trust}, c.args...)...)
		if code != c.code || !strings.Contains(out+stderr, c.says) {
			t.Errorf("%s: exit %d: %s%s", name, code, out, stderr)
		}
	}
	edited := filepath.Join(s.TilesDir(), "tile", "0", "000.p", fmt.Sprint(s.Status().Published))
	b, err := os.ReadFile(edited)
	if err != nil {
		t.Fatal(err)
	}
	b[40] ^= 1
	if err := os.WriteFile(edited, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, code = verify(t, "audit", "--trust", s.trust, "--state", t.TempDir(), s.TilesDir())
	if code != refuted || !strings.HasPrefix(out, "FAULT at leaf 1: ") || !strings.Contains(out, "What to do: ") {
		t.Errorf("a changed tile: exit %d: %s", code, out)
	}
}

// signaturesOf are the signature lines of a note.
func signaturesOf(note string) string { return note[strings.Index(note, "\n\n")+2:] }

// TestAuditListens: an audit that listens cosigns what is whole, and nothing else.
func TestAuditListens(t *testing.T) {
	s := show(t)
	a, err := openAudit(auditFlags{where: s.TilesDir(), trust: s.trust, state: t.TempDir(), key: s.key, listen: "127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.auditor.Close()
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- a.serve(ctx, write, io.Discard) }()
	var key, address string
	if _, err := fmt.Fscanf(read, "%s\nServing %s\n", &key, &address); err != nil {
		t.Fatal(err)
	}
	client := &witness.Client{URL: address}
	note := s.Published().Note
	lines, err := client.AddCheckpoint(t.Context(), &witness.Request{Checkpoint: note})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.cosigner.Take(note, lines); err != nil {
		t.Errorf("the answer: %v", err)
	}
	if a.auditor.Size() != s.Status().Published {
		t.Errorf("%d leaves were audited", a.auditor.Size())
	}
	stop()
	if err := <-served; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestWatch follows a person's entries with the handle, from the beginning and on.
func TestWatch(t *testing.T) {
	s := show(t)
	handle := s.handleOf(t, "ada")
	state, file := filepath.Join(t.TempDir(), "watch"), filepath.Join(t.TempDir(), "handle")
	if err := os.WriteFile(file, []byte(handle.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	watch := func(want ...string) {
		t.Helper()
		out, stderr, code := verify(t, "watch", "--trust", s.trust, "--handle-file", file, "--state", state, s.TilesDir())
		if code != verified || stderr != "" {
			t.Errorf("exit %d: %s", code, stderr)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("it does not say %q: %s", w, out)
			}
		}
	}
	watch("NEW: your entry 1 is leaf")
	watch("Nothing new of yours in 0 new leaves")
	s.MustRecord(t, ledgertest.Share("others", "grace"))
	s.Publish(t)
	watch("Nothing new of yours in")
	s.MustRecord(t, ledgertest.Share("again", "ada", "grace"))
	s.MustRecord(t, ledgertest.Share("and again", "ada"))
	s.Publish(t)
	watch("NEW: your entry 2 is leaf", "NEW: your entry 3 is leaf", "ask the ledger's operator for a report")
	if b, err := os.ReadFile(state); err != nil || strings.Contains(string(b), handle.String()) {
		t.Errorf("the state holds the handle: %v", err)
	}
	other := filepath.Join(t.TempDir(), "handle")
	if err := os.WriteFile(other, []byte(s.handleOf(t, "grace").String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][]string{
		"not a watch":   {"--handle-file", other, "--state", state, s.TilesDir()},
		"must hold":     {"--handle-file", s.trust, s.TilesDir()},
		"--report":      {s.TilesDir()},
		"--id":          {"--report", file, s.TilesDir()},
		"at least 1s":   {"--handle-file", file, "--every", "1ms", s.TilesDir()},
		"one log":       {"--handle-file", file},
		"no checkpoint": {"--handle-file", file, t.TempDir()},
	} {
		if _, stderr, code := verify(t, append([]string{"watch", "--trust", s.trust}, c...)...); code != unusable || !strings.Contains(stderr, name) {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
}

// handleOf is what a person's report holds.
func (s *onShow) handleOf(t *testing.T, name string) events.Hash {
	t.Helper()
	for p, err := range s.Keys.Parties(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Identity.String() == ledgertest.Email(name) {
			return p.Handle
		}
	}
	t.Fatalf("%s has no sequence", name)
	return events.Hash{}
}
