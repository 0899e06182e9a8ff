package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestModes: a file that other users can read is refused, whichever it is, with the
// command that mends it.
func TestModes(t *testing.T) {
	t.Parallel()
	dir := newLedger(t)
	must(t, recordArgs(dir, person)...)
	p := startServe(t, dir)
	p.report(person) // a report of its own, and the files that SQLite keeps beside an open one
	if err := p.signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var seen []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v by itself", path, info.Mode())
		}
		if err := os.Chmod(path, info.Mode().Perm()|0o040); err != nil {
			return err
		}
		for _, verb := range []string{"status", "fsck"} {
			if _, stderr, code := sharetrail(t, verb, "--data", dir); code != exitUsage ||
				!strings.Contains(stderr, "other users can open "+path) || !strings.Contains(stderr, "run chmod -R go= "+dir) {
				t.Errorf("%s, %s: exit %d: %s", path, verb, code, stderr)
			}
		}
		seen = append(seen, e.Name())
		if err := os.Chmod(path, info.Mode()); err != nil || e.Name() != "tiles" {
			return err
		}
		return fs.SkipDir // the log's files have no secrets, and nobody gets into their directory
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"events.db", "keys.db", "holds.db", "wrap.key", "log.db", "state.db", "tiles", "ledger.json", "views", "catalog.db", "reports"} {
		if !strings.Contains(strings.Join(seen, " "), name) {
			t.Errorf("%s was not tried: %v", name, seen)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "trust.json"), nil, 0o644); err != nil { // not ours, and public
		t.Fatal(err)
	}
	must(t, "fsck", "--data", dir)
}
