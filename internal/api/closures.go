package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/verifier"
)

type (
	// ClosureRequest asks for a person's erasure, or for another key.
	ClosureRequest struct {
		Subject decide.Subject `json:"subject" doc:"the person; a description is told to them alone"`
		Action  string         `json:"action" enum:"erase,rotate"`
		Ground  string         `json:"ground" doc:"why: a value of closure.ground"`
		At      string         `json:"at" doc:"RFC 3339 time in UTC"`
	}
	// Confirmation does what a request asks for.
	Confirmation struct{}
	// Refusal ends a request.
	Refusal struct {
		Reason string `json:"reason" doc:"why, in words that say nothing of a person"`
		At     string `json:"at" doc:"RFC 3339 time in UTC"`
	}
	// AliasRequest makes an identity another name of a person.
	AliasRequest struct {
		Subject string `json:"subject" doc:"the primary identity, namespace:local"`
		Alias   string `json:"alias" doc:"another identity of the same person, which has no entries yet"`
	}
	// Closures are the requests that nobody has confirmed or declined.
	Closures struct {
		Closures []ledger.PendingClosure `json:"closures"`
	}
	// ErasureQuery names who was erased.
	ErasureQuery struct {
		Subject string `json:"subject" doc:"namespace:local"`
	}
)

// registerClosures registers what ends a person's generation. It takes two actors:
// one asks, another confirms.
func (s *server) registerClosures(api huma.API) {
	const tag = "people"
	anew(s, api, operation[ClosureRequest]{id: "request-closure", path: "/v1/closures", tag: tag, summary: "Ask for an erasure, or for another key",
		description: "Nothing happens before another actor confirms it, which is possible for 30 days. It stands in the person's own sequence.",
		command: func(_ *server, _ events.ID, b *ClosureRequest) decide.Command {
			return &decide.RequestClosure{Subject: b.Subject, Action: b.Action, Ground: b.Ground, At: b.At}
		}})
	about(s, api, operation[Confirmation]{id: "confirm-closure", path: "/v1/closures/{id}/confirmations", tag: tag, summary: "Confirm a request",
		description: "Appends the end of the person's generation. An erasure then destroys the keys and handles of the person, everywhere in the keystore, before it answers; " +
			"a rotation begins the next generation in the same step. Whoever asked cannot confirm.",
		command: func(_ *server, id events.ID, _ *Confirmation) decide.Command {
			return &decide.ConfirmClosure{ID: id}
		}})
	about(s, api, operation[Refusal]{id: "decline-closure", path: "/v1/closures/{id}/refusals", tag: tag, summary: "Decline a request, or take it back",
		description: "Ends the request. The person can read why.",
		command: func(_ *server, id events.ID, b *Refusal) decide.Command {
			return &decide.DeclineClosure{ID: id, Reason: b.Reason, At: b.At}
		}})
	anew(s, api, operation[AliasRequest]{id: "add-alias", path: "/v1/aliases", tag: tag, summary: "Make an identity another name of a person",
		description: "What is recorded under either goes to the one sequence of the primary identity, and a report by either shows it. It ends when the person is erased.",
		command: func(_ *server, _ events.ID, b *AliasRequest) decide.Command {
			return &decide.AddAlias{Subject: b.Subject, Alias: b.Alias}
		}})
	huma.Register(api, huma.Operation{
		OperationID: "list-closures", Method: http.MethodGet, Path: "/v1/closures", Tags: []string{tag},
		Summary: "List the requests that wait", Description: "Those that nobody has confirmed or declined, expired ones among them.",
		Errors: []int{422, 500, 503},
	}, s.closures)
	receipt := huma.Operation{
		OperationID: "get-erasure-receipt", Method: http.MethodPost, Path: "/v1/erasures:receipt", Tags: []string{tag},
		Summary: "Prove that somebody was erased",
		Description: "A file that the person keeps: whoever knows the identity can check with it, offline, that the log has the end of their generation. " +
			"It is made from the log alone. Waits until the erasure is published.",
		MaxBodyBytes: 1 << 16, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true, Errors: []int{400, 404, 408, 413, 415, 422, 500, 503},
	}
	var schema *huma.Schema
	huma.Register(api, receipt, func(ctx context.Context, in *queryInput) (*struct{ Body *verifier.Erasure }, error) {
		var q ErasureQuery
		if p := s.asked(in, schema, &q); p != nil {
			return nil, p
		}
		return s.erasureReceipt(ctx, &q)
	})
	schema = takes[ErasureQuery](api, api.OpenAPI().Paths[receipt.Path].Post, "application/json")
}

func (s *server) closures(ctx context.Context, _ *struct{}) (*struct{ Body Closures }, error) {
	all, err := s.Ledger.PendingClosures(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body Closures }{Closures{all}}, nil
}

func (s *server) erasureReceipt(ctx context.Context, q *ErasureQuery) (*struct{ Body *verifier.Erasure }, error) {
	id, err := s.Ledger.ParseIdentity(q.Subject)
	if err != nil {
		return nil, s.problem(err)
	}
	e, err := s.Ledger.ErasureReceipt(ctx, events.RoleSubject, id)
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body *verifier.Erasure }{e}, nil
}
