package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sharetrail/sharetrail/verifier"
)

// lastName is the file with the last checkpoint that was found whole. Unlike the
// index it is durable before anybody is told, and so before it is cosigned: a crash
// that loses the end of the index loses no knowledge of the log's history.
const lastName = "last"

func readLast(dir, origin string) (verifier.Checkpoint, error) {
	b, err := os.ReadFile(filepath.Join(dir, lastName))
	if errors.Is(err, os.ErrNotExist) {
		return verifier.Checkpoint{}, nil
	}
	if err != nil {
		return verifier.Checkpoint{}, err
	}
	c, err := verifier.ParseCheckpoint(string(b))
	if err != nil || c.Origin != origin {
		return verifier.Checkpoint{}, fmt.Errorf("%s is no checkpoint of %s; if this directory is another ledger's, name another one (--state)", lastName, origin)
	}
	return c, nil
}

// writeLast replaces it in one step.
func writeLast(dir string, c verifier.Checkpoint) error {
	path := filepath.Join(dir, lastName)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keeping the checkpoint: %w", err)
	}
	_, err = f.WriteString(c.Format())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("keeping the checkpoint: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// lockDir makes this process the only one in a directory, which is made if it is
// missing.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("another audit works there; name another directory (--state): %w", err), f.Close())
	}
	return f, nil
}
