package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/internal/rows"
)

// Imported is what came of an import. Rows = Recorded + Known + Refused.
type Imported struct {
	File     string  `json:"file"`
	DryRun   bool    `json:"dry_run"`
	Rows     int     `json:"rows"`
	Recorded int     `json:"recorded"` // in a dry run: fit to be recorded
	Known    int     `json:"known"`    // recorded by an earlier run
	Refused  int     `json:"refused"`
	Rejects  string  `json:"rejects,omitempty"`
	Seconds  float64 `json:"seconds"`
}

// String is the summary.
func (r Imported) String() string {
	done := "recorded"
	if r.DryRun {
		done = "fit to be recorded"
	}
	s := fmt.Sprintf("%s: %d rows: %d %s, %d known already, %d refused", r.File, r.Rows, r.Recorded, done, r.Known, r.Refused)
	if r.Refused > 0 && r.Rejects != "" {
		s += " (see " + r.Rejects + ")"
	}
	if r.DryRun {
		return s + ". Nothing was stored."
	}
	return s + fmt.Sprintf(" in %.1fs.", r.Seconds)
}

// importer sends rows in batches and sorts the answers.
type importer struct {
	client       *api.Client
	digest       string // of the file
	batch        int
	wait         string
	dryRun       bool
	keys         map[string]int // keys of the file's key column, with their lines
	rejects      *rejects
	bar          *progressbar.ProgressBar
	result       Imported
	pending      []api.RawLine
	pendingLines []int
	pendingBytes int
}

// maxPending keeps a request well under what the server takes.
const maxPending = 4 << 20

// digestOf names a file by its content, and counts its lines for the bar.
func digestOf(f *os.File) (digest string, lines int64, err error) {
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		lines += int64(bytes.Count(buf[:n], []byte("\n")))
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", 0, fmt.Errorf("reading the file: %w", err)
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", 0, fmt.Errorf("reading the file: %w; it must be a file, not a pipe", err)
	}
	return hex.EncodeToString(h.Sum(nil)), lines, nil
}

func (im *importer) importAll(ctx context.Context, all iter.Seq2[rows.Row, error]) error {
	start := time.Now()
	defer func() { im.result.Seconds = time.Since(start).Seconds() }()
	for row, err := range all {
		if err != nil {
			return fmt.Errorf("importing: %w", err)
		}
		im.bar.Set(row.Line)
		if err := im.take(row); err != nil {
			return err
		}
		if len(im.pending) >= im.batch || im.pendingBytes > maxPending {
			if err := im.send(ctx); err != nil {
				return err
			}
		}
	}
	return im.send(ctx)
}

func (im *importer) take(row rows.Row) error {
	im.result.Rows++
	if row.Err != nil {
		return im.refuse(row.Line, *row.Err)
	}
	key := row.Key
	if key == "" {
		key = fmt.Sprintf("import:%s:%d", im.digest, row.Line)
	} else if first, twice := im.keys[key]; twice {
		return im.refuse(row.Line, events.FieldError{Field: "key", Rule: fmt.Sprintf("is the key of line %d too", first), Next: "give each row a key of its own"})
	} else {
		im.keys[key] = row.Line
	}
	im.pending = append(im.pending, api.RawLine{Key: key, Share: row.Share})
	im.pendingLines = append(im.pendingLines, row.Line)
	im.pendingBytes += len(row.Share)
	return nil
}

func (im *importer) refuse(line int, e events.FieldError) error {
	im.result.Refused++
	return im.rejects.add(line, e)
}

func (im *importer) send(ctx context.Context) error {
	if len(im.pending) == 0 {
		return nil
	}
	results, err := im.client.Batch(ctx, im.pending, im.wait, im.dryRun)
	if err != nil {
		return fmt.Errorf("importing lines %d to %d: %w", im.pendingLines[0], im.pendingLines[len(im.pendingLines)-1], err)
	}
	var failed error
	for i, r := range results {
		switch {
		case r.Problem == nil && r.Position != nil && r.Position.Repeat:
			im.result.Known++
		case r.Problem == nil:
			im.result.Recorded++
		case r.Status >= 500: // not the row's fault: it is not refused
			im.result.Rows--
			failed = fmt.Errorf("importing line %d: %w", im.pendingLines[i], r.Problem)
		default:
			if err := im.refuse(im.pendingLines[i], firstField(r.Problem)); err != nil {
				return err
			}
		}
	}
	im.pending, im.pendingLines, im.pendingBytes = im.pending[:0], im.pendingLines[:0], 0
	return failed
}

func firstField(p *api.Problem) events.FieldError {
	if len(p.Errors) > 0 {
		return events.FieldError(p.Errors[0])
	}
	return events.FieldError{Field: "row", Rule: p.Detail, Next: "correct the row"}
}
