package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
)

// Bounds of one batch.
const (
	maxBatchBytes = 8 << 20
	maxBatchRows  = 1000
	maxRowBytes   = 1 << 20

	// rowsAtOnce is how many rows wait for the writer together: it appends what
	// waits by one commit.
	rowsAtOnce = 256
)

// BatchLine is one line of a batch.
type BatchLine struct {
	Key   string `json:"key" doc:"idempotency key of the row, 1 to 255 bytes"`
	Share Record `json:"share"`
}

// BatchAnswer answers a batch, row by row in the order of its lines.
type BatchAnswer struct {
	Results []RowResult `json:"results"`
}

// RowResult answers one row: either its position or its problem. A row of a dry
// run that would be recorded has neither.
type RowResult struct {
	Row      int       `json:"row" doc:"number of the line, from 1"`
	Status   int       `json:"status" doc:"201 recorded, 200 known already or fit to be recorded, else the problem's"`
	Position *Position `json:"position,omitempty"`
	Problem  *Problem  `json:"problem,omitempty"`

	last uint64 // leaf of the row's last event
}

type batchInput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Wait        string `query:"wait" enum:"accepted,published" default:"accepted" doc:"what to wait for"`
	DryRun      bool   `query:"dry_run" doc:"check everything, store nothing"`
	RawBody     []byte `contentType:"application/jsonl"`
}

func (s *server) batch(ctx context.Context, in *batchInput) (*struct{ Body BatchAnswer }, error) {
	if p := mediaType(in.ContentType, "application/jsonl", "application/x-ndjson"); p != nil {
		return nil, p
	}
	lines := bytes.Split(bytes.TrimSuffix(in.RawBody, []byte("\n")), []byte("\n"))
	if len(lines) > maxBatchRows {
		return nil, newProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("a batch has at most %d lines; send the others in another one", maxBatchRows))
	}
	results := make([]RowResult, len(lines))
	var rows errgroup.Group
	rows.SetLimit(rowsAtOnce)
	for i, line := range lines {
		rows.Go(func() error {
			results[i] = s.row(ctx, line, in.DryRun)
			results[i].Row = i + 1
			return nil
		})
	}
	rows.Wait() // no row returns an error: its result holds it
	if err := s.settle(ctx, results, in.Wait == "published" && !in.DryRun); err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body BatchAnswer }{BatchAnswer{results}}, nil
}

// row decides on one line.
func (s *server) row(ctx context.Context, line []byte, dryRun bool) RowResult {
	refused := func(p *Problem) RowResult { return RowResult{Status: p.Status, Problem: p} }
	if len(line) > maxRowBytes {
		return refused(newProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("a row has at most %d bytes; shorten it", maxRowBytes)))
	}
	key, share, p := splitLine(line)
	if p != nil {
		return refused(p)
	}
	var body Record
	if p := s.shape(share, s.share, &body); p != nil {
		return refused(p)
	}
	do := s.Ledger.Record
	if dryRun {
		do = s.Ledger.Check
	}
	accepted, err := do(ctx, command(ctx, key, body.command()))
	switch {
	case err != nil:
		return refused(s.problem(err))
	case dryRun && !accepted.Repeat:
		return RowResult{Status: http.StatusOK}
	}
	done := RowResult{Status: http.StatusCreated, last: max(accepted.Index, accepted.Last),
		Position: &Position{ID: accepted.ID, Index: accepted.Index, Repeat: accepted.Repeat}}
	if accepted.Repeat {
		done.Status = http.StatusOK
	}
	if n := accepted.Continuations; n > 0 {
		done.Position.Parts = &Parts{Recorded: n, Of: n}
	}
	return done
}

// splitLine takes the key off a line, so that what is wrong with the share is
// named as it is when the share is recorded alone.
func splitLine(line []byte) (key string, share json.RawMessage, p *Problem) {
	if err := CheckJSON(line); err != nil {
		fe := FieldProblem(*err.(*events.FieldError))
		return "", nil, newProblem(http.StatusBadRequest, "", fe)
	}
	var parts struct {
		Key   *string         `json:"key"`
		Share json.RawMessage `json:"share"`
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&parts); err != nil || parts.Key == nil || parts.Share == nil {
		return "", nil, newProblem(http.StatusUnprocessableEntity, "",
			FieldProblem{"body", `must be {"key": ..., "share": ...} and nothing else`, "send one such document a line"})
	}
	return *parts.Key, parts.Share, nil
}

// settle waits for the newest share if asked to, and says how far each is.
func (s *server) settle(ctx context.Context, results []RowResult, wait bool) error {
	last, any := uint64(0), false
	for _, r := range results {
		if r.Position != nil {
			last, any = max(last, r.last), true
		}
	}
	if wait && any {
		if _, err := s.Ledger.WaitPublished(ctx, last); err != nil {
			return err
		}
	}
	for _, r := range results {
		if r.Position != nil {
			r.Position.State = s.position(r.Position.ID, r.last).State
		}
	}
	return nil
}
