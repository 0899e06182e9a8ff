package api

import (
	"context"

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

type newActorOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         NewActor
}

func (s *server) addActor(ctx context.Context, in *actorInput) (*newActorOutput, error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	var body ActorRequest
	if p := s.shape(in.RawBody, s.actor, &body); p != nil {
		return nil, p
	}
	token, err := s.Actors.Add(ctx, body.Name, body.Role)
	if err != nil {
		return nil, s.problem(err)
	}
	return &newActorOutput{"no-store", NewActor{body.Name, body.Role, token}}, nil
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
