package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sharetrail/sharetrail/events"
)

// settings is what a data directory says about its ledger: the file ledger.json.
type settings struct {
	ID         string `json:"id"`     // the stream is sharetrail-ID
	Origin     string `json:"origin"` // the ledger's name in checkpoints and reports
	EventStore string `json:"eventstore,omitempty"`
	Trillian   string `json:"trillian,omitempty"`
	Views      string `json:"views,omitempty"` // URL of a PostgreSQL; may hold a password
	// Predecessor is the ledger that this one continues, if any.
	Predecessor *predecessor `json:"predecessor,omitempty"`
}

const settingsName = "ledger.json"

// publicationName is the file that says who must have signed what is published.
const publicationName = "publication.json"

func noLedger(dir string) error {
	return fmt.Errorf("%s holds no ledger; make one with: sharetrail init --data %s --id NAME --origin HOST/NAME", dir, dir)
}

func readSettings(dir string) (settings, error) {
	var s settings
	b, err := os.ReadFile(filepath.Join(dir, settingsName))
	if errors.Is(err, os.ErrNotExist) {
		return s, noLedger(dir)
	}
	if err != nil {
		return s, fmt.Errorf("reading the ledger's settings: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, fmt.Errorf("reading %s: %w; restore it, or correct it", filepath.Join(dir, settingsName), err)
	}
	return s, s.check()
}

// write puts the settings in place in one step.
func (s settings) write(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	path := filepath.Join(dir, settingsName)
	if err == nil {
		err = os.WriteFile(path+".new", append(b, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("writing the ledger's settings: %w", err)
	}
	return nil
}

var (
	validID     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	validOrigin = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[A-Za-z0-9._~-]+)+$`)
)

// check demands names that can stand in streams, checkpoints and file names
// for as long as there are readers of reports.
func (s settings) check() error {
	switch {
	case !validID.MatchString(s.ID) || strings.HasSuffix(s.ID, "-checkpoints"):
		return &events.FieldError{Field: "--id", Rule: "must have 1 to 40 lower-case letters, digits and inner hyphens",
			Next: "name the ledger such as acme-2026"}
	case len(s.Origin) > 200 || !validOrigin.MatchString(s.Origin):
		return &events.FieldError{Field: "--origin", Rule: "must be a host name of yours and a path, without a scheme, up to 200 characters",
			Next: "name it such as sharetrail.example.com/acme-2026"}
	}
	return nil
}
