package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sharetrail/sharetrail/projections"
)

// Views says which versions of the read model there are, and how the one in use is.
type Views struct {
	Versions []int        `json:"versions"`
	InUse    int          `json:"in_use"`
	Next     uint64       `json:"next" doc:"the next revision wanted"`
	Lag      uint64       `json:"lag" doc:"events accepted and not yet in the rows"`
	Parked   []ParkedView `json:"parked" doc:"parties whose entries wait"`
}

// ParkedView is a party whose entries wait. Its number means nothing without the
// keystore.
type ParkedView struct {
	Party int64     `json:"party"`
	Index uint64    `json:"index" doc:"leaf of the first entry that waits"`
	Class string    `json:"class" doc:"what kind of failure it was"`
	Since time.Time `json:"since"`
}

func (s *server) registerViews(api huma.API) {
	const tag = "ledger"
	huma.Register(api, huma.Operation{
		OperationID: "list-views", Method: http.MethodGet, Path: "/v1/views", Tags: []string{tag},
		Summary: "Versions of the read model", Description: "Which there are, which is in use, how far it lags, and which parties wait.",
		Errors: []int{500},
	}, func(ctx context.Context, _ *struct{}) (*struct{ Body Views }, error) { return s.views(ctx) })
	rebuild := huma.Operation{
		OperationID: "rebuild-views", Method: http.MethodPost, Path: "/v1/views:rebuild", Tags: []string{tag},
		Summary:      "Build the read model anew",
		Description:  "Beside the version in use, which goes on to answer, and then in its place. Answers when it is done; what was built stays if the request ends early.",
		MaxBodyBytes: 1 << 10, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true, Errors: []int{400, 408, 409, 413, 415, 422, 500, 503},
	}
	var asked *huma.Schema
	huma.Register(api, rebuild, func(ctx context.Context, in *queryInput) (*struct{ Body Views }, error) {
		var which RebuildRequest
		if p := s.asked(in, asked, &which); p != nil {
			return nil, p
		}
		return s.rebuild(ctx, which)
	})
	asked = takes[RebuildRequest](api, api.OpenAPI().Paths[rebuild.Path].Post, "application/json")
	huma.Register(api, huma.Operation{
		OperationID: "retry-views", Method: http.MethodDelete, Path: "/v1/parked", Tags: []string{tag},
		Summary: "Apply what waits", Description: "Of all parties whose entries wait. Those that fail again stay parked.",
		DefaultStatus: http.StatusOK, Errors: []int{500, 503},
	}, func(ctx context.Context, _ *struct{}) (*struct{ Body Views }, error) {
		if _, err := s.Reports.Rows.Retry(ctx, s.Events, s.Ledger.Stream()); err != nil {
			return nil, s.viewProblem(err)
		}
		return s.views(ctx)
	})
	huma.Register(api, huma.Operation{
		OperationID: "drop-view", Method: http.MethodDelete, Path: "/v1/views/{version}", Tags: []string{tag},
		Summary: "Remove a version that is not in use", Description: "Its rows hold personal data: remove what is not needed.",
		DefaultStatus: http.StatusOK, Errors: []int{409, 422, 500},
	}, func(ctx context.Context, in *struct {
		Version int `path:"version" minimum:"1" doc:"its number"`
	}) (*struct{ Body Views }, error) {
		if err := s.Reports.Rows.Drop(ctx, in.Version); err != nil {
			return nil, s.viewProblem(err)
		}
		return s.views(ctx)
	})
}

// RebuildRequest says which version is to be built and put in place.
type RebuildRequest struct {
	Version int `json:"version,omitempty" minimum:"1" doc:"one there is; left out: the newest unfinished one, or a new one"`
}

func (s *server) rebuild(ctx context.Context, which RebuildRequest) (*struct{ Body Views }, error) {
	_, err := s.Reports.Rows.Rebuild(ctx, projections.Rebuild{
		Source: s.Events, Stream: s.Ledger.Stream(), Version: which.Version,
		Head: func(context.Context) (uint64, error) { return s.Ledger.Status().Accepted, nil },
	})
	if err != nil {
		return nil, s.viewProblem(err)
	}
	return s.views(ctx)
}

func (s *server) views(ctx context.Context) (*struct{ Body Views }, error) {
	all, inUse, err := s.Reports.Rows.Versions(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	next, err := s.Reports.Rows.Position(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	v := Views{Versions: all, InUse: inUse, Next: next, Parked: []ParkedView{}}
	if accepted := s.Ledger.Status().Accepted; accepted > next {
		v.Lag = accepted - next
	}
	for _, p := range s.Reports.Rows.Parked() {
		v.Parked = append(v.Parked, ParkedView{int64(p.Party), p.Index, p.Class, p.Since})
	}
	return &struct{ Body Views }{v}, nil
}

// viewProblem says what only changing views can meet.
func (s *server) viewProblem(err error) *Problem {
	switch {
	case errors.Is(err, projections.ErrInUse):
		return newProblem(http.StatusConflict, projections.ErrInUse.Error()+": see GET /v1/views")
	case errors.Is(err, projections.ErrParked):
		return newProblem(http.StatusConflict, fmt.Sprintf("the new version has parked parties, as the old one may have: %v", projections.ErrParked))
	}
	return s.problem(err)
}
