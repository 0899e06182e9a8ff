package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/projections/projectionstest"
)

// TestViewsElsewhere keeps the read models of two ledgers in one PostgreSQL: the
// same answers, and nothing of them in the data directories.
func TestViewsElsewhere(t *testing.T) {
	t.Parallel()
	database := projectionstest.Database(t)
	for _, name := range []string{"one", "two"} {
		dir := filepath.Join(t.TempDir(), "data")
		must(t, "init", "--data", dir, "--id", name, "--origin", "sharetrail.example/"+name, "--views", database)
		must(t, recordArgs(dir, person)...)
		if out := must(t, "views", "rebuild", "--data", dir); !strings.Contains(out, "version 2  in use") {
			t.Errorf("%s: rebuilding says %s", name, out)
		}
		must(t, "views", "drop", "1", "--data", dir)
		if out := must(t, "list", "--id", person, "--data", dir); strings.Count(out, "recorded\n") != 1 {
			t.Errorf("%s: it lists %s", name, out)
		}
		must(t, "report", "--id", person, "--data", dir, "-o", filepath.Join(t.TempDir(), "r"), "--verify")
		if _, err := os.Stat(filepath.Join(dir, "views")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: there is a directory of views: %v", name, err)
		}
		if out := must(t, "fsck", "--data", dir); !strings.Contains(out, "in PostgreSQL and was not compared") {
			t.Errorf("%s: fsck says %s", name, out)
		}
	}
}
