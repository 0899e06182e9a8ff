package api

import (
	"context"

	"github.com/sharetrail/sharetrail/ledger"
)

func (s *server) policy(context.Context, *struct{}) (*struct{ Body ledger.Publication }, error) {
	return &struct{ Body ledger.Publication }{s.Ledger.Publication()}, nil
}

type policyInput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

func (s *server) setPolicy(_ context.Context, in *policyInput) (*struct{ Body ledger.Publication }, error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	var body ledger.Publication
	if p := s.shape(in.RawBody, s.publication, &body); p != nil {
		return nil, p
	}
	if err := s.Ledger.SetPublication(body); err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body ledger.Publication }{s.Ledger.Publication()}, nil
}
