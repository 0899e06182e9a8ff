package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/projections"
)

// DisclosureQuery asks for the shares of a person or a recipient. It is a body,
// because identifiers stand in no URL.
type DisclosureQuery struct {
	Subject    string             `json:"subject,omitempty" doc:"a person, namespace:local"`
	Recipient  string             `json:"recipient,omitempty" doc:"or a recipient"`
	After      projections.Cursor `json:"after,omitzero" doc:"next of the page before; left out for the first"`
	Limit      int                `json:"limit,omitempty" minimum:"1" maximum:"1000" default:"100" doc:"how many at most"`
	AsRecorded bool               `json:"as_recorded,omitempty" doc:"the records alone, with nothing that became of them"`
}

// ConsentQuery asks for the choices of a person.
type ConsentQuery struct {
	Subject string     `json:"subject" doc:"namespace:local"`
	InForce *time.Time `json:"in_force,omitempty" doc:"only those in force at this time"`
}

type (
	queryInput struct {
		ContentType string `header:"Content-Type" hidden:"true"`
		RawBody     []byte `contentType:"application/json"`
	}
	documentsInput struct {
		Kind    string    `query:"kind" enum:"statement,taxonomy,profile" doc:"only this kind"`
		Version string    `query:"version" doc:"only the version of this name"`
		InForce time.Time `query:"in_force" doc:"only those in force at this time"`
	}
	registerInput struct {
		After    string `query:"after" doc:"id of the last recipient of the page before"`
		Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"how many at most"`
		Country  string `query:"country" doc:"only those last described in this country"`
		Category string `query:"category" doc:"only those last described in this category"`
	}
)

func (s *server) registerQueries(api huma.API) {
	body := func(id, path, tag, summary, description string) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: http.MethodPost, Path: path, Tags: []string{tag}, Summary: summary, Description: description,
			MaxBodyBytes: 1 << 16, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true, Errors: []int{400, 408, 413, 415, 422, 500, 503},
		}
	}
	disclosures := body("query-disclosures", "/v1/disclosures:query", "shares", "List shares",
		"What the read model has about a person or a recipient, with what became of each, page by page as of one state. Nothing here is proven: reports are.")
	var asked *huma.Schema
	huma.Register(api, disclosures, func(ctx context.Context, in *queryInput) (*struct{ Body projections.Listing }, error) {
		var q DisclosureQuery
		if p := s.asked(in, asked, &q); p != nil {
			return nil, p
		}
		return s.listing(ctx, &q)
	})
	asked = takes[DisclosureQuery](api, api.OpenAPI().Paths[disclosures.Path].Post, "application/json")

	consents := body("query-consents", "/v1/consents:query", "consents", "List choices", "What a person agreed or objected to, and what ended it.")
	var chosen *huma.Schema
	huma.Register(api, consents, func(ctx context.Context, in *queryInput) (*struct{ Body projections.Consents }, error) {
		var q ConsentQuery
		if p := s.asked(in, chosen, &q); p != nil {
			return nil, p
		}
		return s.consents(ctx, &q)
	})
	chosen = takes[ConsentQuery](api, api.OpenAPI().Paths[consents.Path].Post, "application/json")

	huma.Register(api, huma.Operation{
		OperationID: "list-documents", Method: http.MethodGet, Path: "/v1/documents", Tags: []string{"documents"},
		Summary: "List what the controller published", Description: "Statements, taxonomies and profiles, all or those in force at a time.",
		Errors: []int{422, 500, 503},
	}, s.documents)
	huma.Register(api, huma.Operation{
		OperationID: "list-register", Method: http.MethodGet, Path: "/v1/recipients", Tags: []string{"recipients"},
		Summary: "List the register of recipients", Description: "Who received data, how often, and what recipients were last described as.",
		Errors: []int{422, 500, 503},
	}, s.register)
}

// settled waits, for a while, until the read model has everything accepted so far,
// so that whoever has recorded something finds it. The answer says how far it is.
func (s *server) settled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if status := s.Ledger.Status(); status.Accepted > 0 {
		if err := s.Runner.WaitFor(ctx, status.Accepted-1, projections.Name); err != nil {
			s.Logger.Debug("a query is answered from an older state", zap.Error(err))
		}
	}
}

const settleTimeout = 5 * time.Second

// asked decodes the body of a query.
func (s *server) asked(in *queryInput, schema *huma.Schema, v any) *Problem {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return p
	}
	return s.shape(in.RawBody, schema, v)
}

func (s *server) listing(ctx context.Context, q *DisclosureQuery) (*struct{ Body projections.Listing }, error) {
	about, err := (&ReportRequest{Subject: q.Subject, Recipient: q.Recipient}).query(s.Ledger)
	if err != nil {
		return nil, s.problem(err)
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	s.settled(ctx)
	page, err := s.Reports.Rows.List(ctx, about.Role, about.IDs[0], projections.ListQuery{From: q.After, Limit: q.Limit, AsRecorded: q.AsRecorded})
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body projections.Listing }{*page}, nil
}

func (s *server) consents(ctx context.Context, q *ConsentQuery) (*struct{ Body projections.Consents }, error) {
	id, err := s.Ledger.ParseIdentity(q.Subject)
	if err != nil {
		return nil, s.problem(err)
	}
	var query projections.ConsentQuery
	if q.InForce != nil {
		query.InForce = *q.InForce
	}
	s.settled(ctx)
	all, err := s.Reports.Rows.Consents(ctx, id, query)
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body projections.Consents }{*all}, nil
}

func (s *server) documents(ctx context.Context, in *documentsInput) (*struct{ Body projections.Documents }, error) {
	controller, err := decide.Controller(s.Ledger.IdentityRules(), s.Ledger.Origin())
	if err != nil {
		return nil, s.problem(err)
	}
	s.settled(ctx)
	all, err := s.Reports.Rows.Documents(ctx, controller, projections.DocumentQuery{
		Kind: projections.DocumentKind(in.Kind), Version: in.Version, InForce: in.InForce,
	})
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body projections.Documents }{*all}, nil
}

func (s *server) register(ctx context.Context, in *registerInput) (*struct{ Body projections.Register }, error) {
	s.settled(ctx)
	page, err := s.Reports.Rows.Recipients(ctx, projections.RecipientQuery{After: in.After, Limit: in.Limit, Country: in.Country, Category: in.Category})
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body projections.Register }{*page}, nil
}
