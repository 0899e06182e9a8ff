package api_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/ledger/tiles/remote"
	"github.com/sharetrail/sharetrail/verifier"
)

// TestTiles replays the log over the network as an auditor.
func TestTiles(t *testing.T) {
	s := serve(t)
	n := s.network(t)
	s.ledger.MustRecord(t, ledgertest.Share("a", "ada"))
	s.ledger.Publish(t)
	src, err := remote.New(remote.Config{URL: n.URL + api.LogPath + "/", Token: n.tokens[actor.Auditor]})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := tiles.ReadCheckpoint(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	trust := s.ledger.Trust()
	c, err := verifier.OpenCheckpoint(shown, trust.Origin, trust.Log)
	if err != nil || c.Size != s.ledger.Status().Published {
		t.Fatalf("%+v, %v", c, err)
	}
	entries, err := tiles.ReadEntries(t.Context(), src, 0, int(c.Size))
	if err != nil {
		t.Fatal(err)
	}
	under := &tiles.Tree{Source: src, Size: c.Size, Root: c.Root}
	for i, e := range entries {
		if h, err := under.LeafHash(t.Context(), uint64(i)); err != nil || h != events.LeafHash(e) {
			t.Errorf("leaf %d: %v", i, err)
		}
	}
	leaf, err := events.ParseLeaf(entries[0])
	if err != nil {
		t.Fatal(err)
	}
	said, err := events.ParseState(leaf.Ext)
	if err != nil {
		t.Fatal(err)
	}
	if doc, err := under.Rules(t.Context(), said.RulesHash); err != nil || !bytes.Contains(doc, []byte("grain_ms")) {
		t.Errorf("the rules: %s, %v", doc, err)
	}
	for _, path := range []string{"tile/0/001", "tile/0/0", "tile/entries/000.p/200", "rules/" + strings.Repeat("0", 64), "new/0", "../keys.db", "tile/../../keys.db"} {
		if b, err := src.Read(t.Context(), path, tiles.MaxFile); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %d bytes, %v", path, len(b), err)
		}
	}
	for _, token := range []string{"", n.tokens[actor.Reader], n.tokens[actor.Recorder]} {
		nobody, err := remote.New(remote.Config{URL: n.URL + api.LogPath, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nobody.Read(t.Context(), "checkpoint", tiles.MaxCheckpoint); err == nil || !strings.Contains(err.Error(), "--token-file") {
			t.Errorf("the checkpoint without the role: %v", err)
		}
	}
	resp, _, p := n.do(t, "Bearer "+n.tokens[actor.Auditor], http.MethodPost, "/log/checkpoint", "key", "{}")
	if resp.StatusCode != http.StatusMethodNotAllowed || p.Detail == "" {
		t.Errorf("writing the checkpoint: %s", resp.Status)
	}
}

// TestTilesForAll: the log of a ledger whose rules publish it is anybody's; nothing
// else is.
func TestTilesForAll(t *testing.T) {
	rules := events.DefaultRules()
	rules.Publication, rules.GrainMS = events.PublicationPublic, 60
	s := serveAs(t, ledgertest.Config{Rules: rules})
	n := s.network(t)
	s.ledger.Publish(t)
	for path, status := range map[string]int{
		"/log/checkpoint": 200, "/log/tile/0/000.p/1": 200, "/log/rules/" + strings.Repeat("0", 64): 404, "/v1/checkpoint": 401, "/v1/status": 401,
	} {
		resp, _, _ := n.do(t, "", http.MethodGet, path, "key", "")
		if resp.StatusCode != status {
			t.Errorf("%s: %s", path, resp.Status)
		}
		if cached := resp.Header.Get("Cache-Control") != ""; cached != (path == "/log/tile/0/000.p/1") {
			t.Errorf("%s is for caches: %v", path, cached)
		}
	}
}
