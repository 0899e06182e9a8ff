package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ours are the files and directories of a data directory beside those that cures
// names. What else lies there is not ours.
var ours = []string{"wrap.key", settingsName, publicationName, "recipients.json", "reports", "lock", "format", "run"}

// checkModes refuses a data directory of which other users can read anything: it
// holds keys, identities and whole shares, and perhaps a password of the event store.
// A copy or a restored backup easily has wider modes than the original.
func checkModes(dir string) error {
	wide, count := "", 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == "." {
			return err
		}
		first, _, _ := strings.Cut(filepath.ToSlash(name), "/")
		first = strings.TrimSuffix(strings.TrimSuffix(first, "-wal"), "-shm")
		if cures[first] == "" && !slices.Contains(ours, first) {
			return nil
		}
		info, err := os.Stat(path) // of what a link leads to
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a link to nothing
		} else if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSocket == 0 && info.Mode().Perm()&0o077 != 0 {
			if count++; count == 1 {
				wide = fmt.Sprintf("%s (mode %04o)", path, info.Mode().Perm())
			}
		}
		if name == tilesName && info.IsDir() { // many files without secrets; the directory closes them
			return fs.SkipDir
		}
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("looking at the modes of the data directory: %w", err)
	case count == 0:
		return nil
	case count > 1:
		wide += fmt.Sprintf(" and %d more", count-1)
	}
	return fmt.Errorf("other users can open %s, which is for its owner alone: run chmod -R go= %s, and think about who may have", wide, dir)
}
