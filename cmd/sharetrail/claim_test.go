package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
)

// TestClaimedTokenIsKept: a token that is shown once is not thrown away where it
// cannot stand in the place of the old one.
func TestClaimedTokenIsKept(t *testing.T) {
	c := api.InProcess(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"name":"counsel-1","token":"sharetrail_new"}`)
	}), actor.Operator)
	dir := t.TempDir()
	path := filepath.Join(dir, "token") // nothing takes the place of a directory
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	err := claim(t.Context(), c, path)
	kept, _ := filepath.Glob(filepath.Join(dir, ".token-*"))
	if err == nil || len(kept) != 1 || !strings.Contains(err.Error(), kept[0]) {
		t.Fatalf("%v; there are %q", err, kept)
	}
	if b, err := os.ReadFile(kept[0]); err != nil || string(b) != "sharetrail_new\n" {
		t.Errorf("%q, %v", b, err)
	}
}
