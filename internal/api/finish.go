package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sharetrail/sharetrail/events"
)

// CloseRequest ends the ledger for good.
type CloseRequest struct {
	Origin    string `json:"origin" doc:"the origin of the ledger that is to end, so that it is no other"`
	Successor string `json:"successor,omitempty" doc:"the origin of the ledger that continues it; without one, reports end here"`
}

// Closed answers that the ledger ended.
type Closed struct {
	Origin    string `json:"origin"`
	Successor string `json:"successor,omitempty"`
	Size      uint64 `json:"size" doc:"leaves of the ledger, all there will be"`
}

type closeInput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

func (s *server) registerFinish(api huma.API) {
	op := huma.Operation{
		OperationID: "close-ledger", Method: http.MethodPost, Path: "/v1/ledger:close", Tags: []string{"ledger"},
		Summary: "End the ledger for good",
		Description: "The last leaf says so and names the successor, which begins with the checkpoint over it. Nothing can be recorded afterwards; " +
			"reports go on. Closing again with the same successor changes nothing.",
		MaxBodyBytes: 1 << 16, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true,
		Errors: []int{400, 408, 413, 415, 422, 500, 503, 507},
	}
	huma.Register(api, op, s.closeLedger)
	s.ending = takes[CloseRequest](api, api.OpenAPI().Paths[op.Path].Post, "application/json")
}

func (s *server) closeLedger(ctx context.Context, in *closeInput) (*struct{ Body Closed }, error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	var body CloseRequest
	if p := s.shape(in.RawBody, s.ending, &body); p != nil {
		return nil, p
	}
	if body.Origin != s.Ledger.Origin() {
		return nil, s.problem(&events.FieldError{Field: "origin", Rule: "is not this ledger's: it is " + s.Ledger.Origin(), Next: "make sure that it is the ledger you mean to end"})
	}
	published, err := s.Ledger.Finish(ctx, body.Successor)
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body Closed }{Closed{body.Origin, body.Successor, published.Size}}, nil
}

// CloseLedger ends the ledger for good.
func (c *Client) CloseLedger(ctx context.Context, req CloseRequest) (Closed, error) {
	var out Closed
	err := c.call(ctx, http.MethodPost, "/v1/ledger:close", nil, req, &out)
	return out, err
}
