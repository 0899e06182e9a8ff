package api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrNoFile says that there is no report of that name.
var ErrNoFile = errors.New("no such report")

// Files keeps written reports in a directory that only its owner can read,
// under random names.
type Files struct{ Dir string }

const idBytes = 16

// Put stores a report and returns its name.
func (f *Files) Put(b []byte) (string, error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return "", fmt.Errorf("storing a report: %w", err)
	}
	raw := make([]byte, idBytes)
	rand.Read(raw)
	id := hex.EncodeToString(raw)
	tmp, err := os.CreateTemp(f.Dir, "new-*")
	if err != nil {
		return "", fmt.Errorf("storing a report: %w", err)
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), f.path(id))
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("storing a report: %w", err), os.Remove(tmp.Name()))
	}
	return id, nil
}

// Get reads a report.
func (f *Files) Get(id string) ([]byte, error) {
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != idBytes || hex.EncodeToString(raw) != id {
		return nil, ErrNoFile
	}
	b, err := os.ReadFile(f.path(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoFile
	}
	return b, err
}

func (f *Files) path(id string) string { return filepath.Join(f.Dir, id+".sharetrail") }
