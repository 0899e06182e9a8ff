package api

import (
	"context"
	"net/http"

	"github.com/sharetrail/sharetrail/internal/actor"
)

// ActorRequest asks for a new actor.
type ActorRequest struct {
	Name string     `json:"name" doc:"1 to 64 lower-case letters, digits and inner hyphens, dots or underscores; never given to anybody else"`
	Role actor.Role `json:"role" doc:"admin, counsel, recorder, reader, auditor or keyholder"`
}

// NewActor answers with the token of a new actor.
type NewActor struct {
	Name  string     `json:"name"`
	Role  actor.Role `json:"role"`
	Token string     `json:"token" doc:"shown this once; the ledger keeps its SHA-256"`
	Waits bool       `json:"waits,omitempty" doc:"the actor may do nothing but claim its token until somebody else confirms it"`
}

// ClaimRequest asks for a token that nobody else has seen.
type ClaimRequest struct{}

// ClaimedToken answers with the token that nobody else has seen.
type ClaimedToken struct {
	Name  string `json:"name"`
	Token string `json:"token" doc:"shown this once; the ledger keeps its SHA-256"`
}

// ActorName names an actor.
type ActorName struct {
	Name string `json:"name"`
}

// ActorList lists the actors in order of their names.
type ActorList struct {
	Actors []actor.Listed `json:"actors"`
}

type actorInput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

// secretOutput is an answer with a token.
type secretOutput[B any] struct {
	CacheControl string `header:"Cache-Control"`
	Body         B
}

// oneOfTwo returns who asks for something that takes two, and with whom they are no
// two people, or why they cannot be one of them.
func (s *server) oneOfTwo(ctx context.Context) (name string, kin []string, err error) {
	who, _ := actor.FromContext(ctx) // authorize knew it
	if err := who.OneOfTwo(); err != nil {
		return "", nil, err
	}
	kin, err = s.Actors.Kin(ctx, who)
	return who.Name, kin, err
}

func (s *server) addActor(ctx context.Context, in *actorInput) (*secretOutput[NewActor], error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	var body ActorRequest
	if p := s.shape(in.RawBody, s.actor, &body); p != nil {
		return nil, p
	}
	by, _ := actor.FromContext(ctx) // authorize knew it
	made, err := s.Actors.Add(ctx, body.Name, body.Role, by)
	if err != nil {
		return nil, s.problem(err)
	}
	return &secretOutput[NewActor]{"no-store", NewActor{body.Name, body.Role, made.Token, made.Waits}}, nil
}

func (s *server) claimToken(ctx context.Context, in *actorInput) (*secretOutput[ClaimedToken], error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	if p := s.shape(in.RawBody, s.claim, new(ClaimRequest)); p != nil {
		return nil, p
	}
	who, _ := actor.FromContext(ctx) // authorize knew it
	token, err := s.Actors.Claim(ctx, who)
	if err != nil {
		return nil, s.problem(err)
	}
	return &secretOutput[ClaimedToken]{"no-store", ClaimedToken{who.Name, token}}, nil
}

func (s *server) confirmActor(ctx context.Context, in *actorInput) (*struct{}, error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	var body ActorName
	if p := s.shape(in.RawBody, s.name, &body); p != nil {
		return nil, p
	}
	by, _ := actor.FromContext(ctx) // authorize knew it
	if err := s.Actors.Confirm(ctx, body.Name, by); err != nil {
		return nil, s.problem(err)
	}
	return nil, nil
}

func (s *server) listActors(ctx context.Context, _ *struct{}) (*struct{ Body ActorList }, error) {
	all, err := s.Actors.List(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body ActorList }{ActorList{append([]actor.Listed{}, all...)}}, nil
}

func (s *server) revokeActor(ctx context.Context, in *actorInput) (*struct{}, error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	var body ActorName
	if p := s.shape(in.RawBody, s.name, &body); p != nil {
		return nil, p
	}
	if err := s.Actors.Revoke(ctx, body.Name); err != nil {
		return nil, s.problem(err)
	}
	return nil, nil
}

// AddActor adds an actor; the answer has its token.
func (c *Client) AddActor(ctx context.Context, name string, role actor.Role) (NewActor, error) {
	var a NewActor
	err := c.call(ctx, http.MethodPost, "/v1/actors", nil, ActorRequest{name, role}, &a)
	return a, err
}

// Actors lists all actors.
func (c *Client) Actors(ctx context.Context) ([]actor.Listed, error) {
	var l ActorList
	err := c.call(ctx, http.MethodGet, "/v1/actors", nil, nil, &l)
	return l.Actors, err
}

// ClaimToken trades the client's token for one that nobody else has seen.
func (c *Client) ClaimToken(ctx context.Context) (ClaimedToken, error) {
	var t ClaimedToken
	err := c.call(ctx, http.MethodPost, "/v1/actors:claim", nil, ClaimRequest{}, &t)
	return t, err
}

// ConfirmActor lets in an actor who waits.
func (c *Client) ConfirmActor(ctx context.Context, name string) error {
	var nothing []byte
	return c.call(ctx, http.MethodPost, "/v1/actors:confirm", nil, ActorName{name}, &nothing)
}

// RevokeActor revokes an actor's token.
func (c *Client) RevokeActor(ctx context.Context, name string) error {
	var nothing []byte
	return c.call(ctx, http.MethodPost, "/v1/actors:revoke", nil, ActorName{name}, &nothing)
}
