package api

import (
	"context"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/verifier"
)

// Status says how far everything is.
type Status struct {
	ledger.Status
	Projections []ProjectionStatus `json:"projections"`
	Open        []ledger.Spread    `json:"open,omitempty" doc:"records of which people are missing; unless they are being recorded just now, repeat the requests they come from"`
}

// ProjectionStatus says how far one read model is.
type ProjectionStatus struct {
	Name   string `json:"name"`
	Next   uint64 `json:"next" doc:"the next revision wanted"`
	Parked int    `json:"parked,omitempty" doc:"parties whose entries wait; no report about them is written"`
	Halted string `json:"halted,omitempty" doc:"why it stands still"`
}

func (s *server) status(ctx context.Context, _ *struct{}) (*struct{ Body Status }, error) {
	out := &struct{ Body Status }{Status{Status: s.Ledger.Status(), Projections: []ProjectionStatus{}}}
	for _, p := range s.Runner.Status() {
		st := ProjectionStatus{Name: p.Name, Next: p.Next, Parked: len(p.Parked)}
		if p.Err != nil {
			st.Halted = p.Err.Error()
		}
		out.Body.Projections = append(out.Body.Projections, st)
	}
	var err error
	if out.Body.Open, err = s.Ledger.Unfinished(ctx); err != nil {
		return nil, s.problem(err)
	}
	return out, nil
}

func (s *server) checkpoint(context.Context, *struct{}) (*fileOutput, error) {
	p := s.Ledger.Published()
	if p == nil {
		return nil, s.problem(ledger.ErrNotPublished)
	}
	return &fileOutput{"text/plain; charset=utf-8", []byte(p.Note)}, nil
}

func (s *server) trust(context.Context, *struct{}) (*fileOutput, error) {
	return &fileOutput{"application/json", s.Ledger.Trust().Marshal()}, nil
}

// receipt answers once the share is published.
func (s *server) receipt(ctx context.Context, in *idInput) (*fileOutput, error) {
	index, found := s.Ledger.Find(events.ID(in.ID))
	if !found {
		return nil, s.problem(ledger.ErrNoEvent)
	}
	if _, err := s.Ledger.WaitPublished(ctx, index); err != nil {
		return nil, s.problem(err)
	}
	proof, err := s.Ledger.Receipt(ctx, in.ID)
	if err != nil {
		return nil, s.problem(err)
	}
	return &fileOutput{"text/plain; charset=utf-8", verifier.FormatProof(proof)}, nil
}
