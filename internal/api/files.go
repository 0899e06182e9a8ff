package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/projections"
)

// ErrNoFile says that there is no report of that name.
var ErrNoFile = errors.New("no such report")

// Files keeps written reports in a directory that only its owner can read, under
// random names, each encrypted under the key of whom it is about: erasing a person
// shreds the reports about them, wherever they were copied.
type Files struct {
	Dir  string
	Keys ReportKeys
}

// ReportKeys wraps reports under the key of whom they are about.
type ReportKeys interface {
	WrapReport(ctx context.Context, role events.Role, ids []events.Identity, plain, place []byte) ([]byte, error)
	// UnwrapReport returns projections.ErrShredded once that key is gone.
	UnwrapReport(ctx context.Context, wrapped, place []byte) ([]byte, error)
}

const (
	idBytes = 16
	suffix  = ".sharetrail"
)

// Put stores a report about somebody and returns its name.
func (f *Files) Put(ctx context.Context, role events.Role, about []events.Identity, b []byte) (string, error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return "", fmt.Errorf("storing a report: %w", err)
	}
	raw := make([]byte, idBytes)
	rand.Read(raw)
	id := hex.EncodeToString(raw)
	wrapped, err := f.Keys.WrapReport(ctx, role, about, b, raw)
	if err != nil {
		return "", fmt.Errorf("storing a report: %w", err)
	}
	tmp, err := os.CreateTemp(f.Dir, "new-*")
	if err != nil {
		return "", fmt.Errorf("storing a report: %w", err)
	}
	_, err = tmp.Write(wrapped)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), f.path(id))
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("storing a report: %w", err), os.Remove(tmp.Name()))
	}
	return id, nil
}

// Get reads a report. One that is shredded is not there, and is removed.
func (f *Files) Get(ctx context.Context, id string) ([]byte, error) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != idBytes || hex.EncodeToString(raw) != id {
		return nil, ErrNoFile
	}
	wrapped, err := os.ReadFile(f.path(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoFile
	}
	if err != nil {
		return nil, err
	}
	b, err := f.Keys.UnwrapReport(ctx, wrapped, raw)
	if errors.Is(err, projections.ErrShredded) {
		return nil, errors.Join(ErrNoFile, os.Remove(f.path(id)))
	}
	return b, err
}

// Sweep removes the reports that nobody can read any more, at a start and after an
// erasure.
func (f *Files) Sweep(ctx context.Context) error {
	all, err := os.ReadDir(f.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range all {
		if id, report := strings.CutSuffix(e.Name(), suffix); report && err == nil {
			if _, err = f.Get(ctx, id); errors.Is(err, ErrNoFile) {
				err = nil
			}
		}
	}
	if err != nil {
		return fmt.Errorf("looking for reports about erased people: %w", err)
	}
	return nil
}

func (f *Files) path(id string) string { return filepath.Join(f.Dir, id+suffix) }
