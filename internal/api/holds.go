package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/ledger"
)

type (
	// HoldList lists holds.
	HoldList struct {
		Holds []ledger.HoldView `json:"holds"`
	}
	// HoldContent is a hold and what is kept under it.
	HoldContent struct {
		ledger.HoldView
		Entries []ledger.HeldEntry `json:"entries" doc:"of those who were erased since; of all others the ledger has them"`
	}
	// ReleaseProposal asks for a hold to be released.
	ReleaseProposal struct {
		Reason string `json:"reason" doc:"why it is not needed any more, in words that name nobody"`
	}
	// Release confirms a proposal.
	Release struct{}
)

type (
	matterInput struct {
		Matter string `path:"matter" doc:"reference of the matter"`
	}
	aboutHoldInput struct {
		Matter      string `path:"matter" doc:"reference of the matter"`
		ContentType string `header:"Content-Type" hidden:"true"`
		RawBody     []byte `contentType:"application/json"`
	}
	holdOutput struct{ Body ledger.HoldView }
)

// registerHolds registers what keyholders can ask about legal holds. None of it is
// recorded in the log.
func (s *server) registerHolds(api huma.API) {
	const again = " Asking again for what is so already changes nothing."
	place := holdOperation("place-hold", "/v1/holds", "Put people under a hold",
		"What is recorded about them outlives their erasure, which goes on as ever, until two keyholders release the hold. Naming a matter that has a hold adds people to it."+again)
	var placing *huma.Schema
	huma.Register(api, place, func(ctx context.Context, in *queryInput) (*holdOutput, error) {
		var body ledger.HoldRequest
		if p := s.asked(in, placing, &body); p != nil {
			return nil, p
		}
		return s.held(s.Ledger.PlaceHold(ctx, nameIn(ctx), body))
	})
	placing = takes[ledger.HoldRequest](api, api.OpenAPI().Paths[place.Path].Post, "application/json")

	propose := holdOperation("propose-release", "/v1/holds/{matter}/proposals", "Propose to release a hold", "The first of two keyholders.")
	var proposing *huma.Schema
	huma.Register(api, propose, func(ctx context.Context, in *aboutHoldInput) (*holdOutput, error) {
		var body ReleaseProposal
		if p := s.asked(&queryInput{in.ContentType, in.RawBody}, proposing, &body); p != nil {
			return nil, p
		}
		name, _, err := s.oneOfTwo(ctx)
		if err != nil {
			return nil, s.problem(err)
		}
		return s.held(s.Ledger.ProposeHoldRelease(ctx, name, in.Matter, body.Reason))
	})
	proposing = takes[ReleaseProposal](api, api.OpenAPI().Paths[propose.Path].Post, "application/json")

	release := holdOperation("release-hold", "/v1/holds/{matter}/releases", "Release a hold",
		"The second of two keyholders. What was kept, and whom the hold was about, is destroyed before it answers.")
	var releasing *huma.Schema
	huma.Register(api, release, func(ctx context.Context, in *aboutHoldInput) (*holdOutput, error) {
		var body Release
		if p := s.asked(&queryInput{in.ContentType, in.RawBody}, releasing, &body); p != nil {
			return nil, p
		}
		name, kin, err := s.oneOfTwo(ctx)
		if err != nil {
			return nil, s.problem(err)
		}
		return s.held(s.Ledger.ReleaseHold(ctx, name, kin, in.Matter))
	})
	releasing = takes[Release](api, api.OpenAPI().Paths[release.Path].Post, "application/json")

	huma.Register(api, huma.Operation{
		OperationID: "list-holds", Method: http.MethodGet, Path: "/v1/holds", Tags: []string{"holds"},
		Summary: "List holds", Description: "In the order in which they were placed, the released ones too.", Errors: []int{500, 503},
	}, s.listHolds)
	huma.Register(api, huma.Operation{
		OperationID: "show-hold", Method: http.MethodGet, Path: "/v1/holds/{matter}", Tags: []string{"holds"},
		Summary: "Show what is kept under a hold", Description: "The entries of those who were erased since it was placed, each checked against its leaf.", Errors: []int{404, 500, 503},
	}, s.showHold)
}

func holdOperation(id, path, summary, description string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: http.MethodPost, Path: path, Tags: []string{"holds"}, Summary: summary, Description: description,
		MaxBodyBytes: 1 << 20, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true, Errors: []int{400, 404, 408, 413, 415, 422, 500, 503, 507},
	}
}

// nameIn is the name of who asks, whom authorize knew.
func nameIn(ctx context.Context) string {
	who, _ := actor.FromContext(ctx)
	return who.Name
}

func (s *server) held(v ledger.HoldView, err error) (*holdOutput, error) {
	if err != nil {
		return nil, s.problem(err)
	}
	return &holdOutput{v}, nil
}

func (s *server) listHolds(ctx context.Context, _ *struct{}) (*struct{ Body HoldList }, error) {
	all, err := s.Ledger.Holds(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body HoldList }{HoldList{all}}, nil
}

func (s *server) showHold(ctx context.Context, in *matterInput) (*struct{ Body HoldContent }, error) {
	v, entries, err := s.Ledger.HeldEntries(ctx, in.Matter)
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body HoldContent }{HoldContent{v, entries}}, nil
}
