package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/internal/sqlite"
)

// cures say what to do about each file of a data directory that is not as it was
// written: two are sources of truth, the others follow from them.
var cures = map[string]string{
	"events.db":        "it is a source of truth: restore it from its backup, and keys.db of the same day with it",
	"keys.db":          "it is a source of truth: restore it and wrap.key from their backup",
	"holds.db":         "it is a source of truth: restore the newest copy of it",
	"log.db":           "stop, delete it and its -wal: the next start makes it again from the stream, with the same roots",
	"state.db":         "stop, delete it and its -wal: the next start folds it again from the stream",
	"index":            "stop, delete the directory index: the next start builds it again",
	"events-groups.db": "stop, delete it and its -wal: persistent subscriptions of other programs begin again, no event is lost",
	"actors.db":        "stop, delete it and its -wal, and add the actors anew, under other names: their tokens end",
	"tiles":            "stop, delete the directory tiles: the next start makes it again from the stream, with the same bytes",
	"views":            "stop, delete the directory views: the next start projects it again from the stream",
}

// cure returns what to do about a file, by its path in the data directory.
func cure(name string) string {
	first, _, _ := strings.Cut(filepath.ToSlash(name), "/")
	return cures[first]
}

// checkFiles looks into every SQLite file of a data directory that nobody has
// open, and names the first that is damaged.
func checkFiles(ctx context.Context, dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".db" {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || cure(name) == "" {
			return err
		}
		err = sqlite.Check(ctx, path)
		if errors.Is(err, sqlite.ErrDamaged) {
			return fmt.Errorf("%s: %w; %s", path, err, cure(name))
		}
		return err
	})
}

// explain adds to an error of opening or reading which file is damaged and what
// to do about it. The instance must be closed.
func explain(ctx context.Context, dir string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keystore.ErrCannotOpen):
		return fmt.Errorf("%w; %s was changed, or is not the one of this ledger: %s", err, filepath.Join(dir, "keys.db"), cures["keys.db"])
	case sqlite.IsFull(err):
		return fmt.Errorf("%w; free some space on the disk of %s and start again, nothing needs repair", err, dir)
	case !sqlite.IsDamaged(err):
		return err
	}
	if found := checkFiles(ctx, dir); found != nil {
		return found
	}
	return err
}
