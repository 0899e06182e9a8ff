package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/verifier"
)

// The bodies of what can be asked about seals.
type (
	// SealRequest records something under seal.
	SealRequest struct {
		Order    events.SealOrder  `json:"order" doc:"what obliges to seal"`
		Period   events.SealPeriod `json:"period,omitzero" doc:"how long it binds; may be left out of an oral suspension, which lapses after 30 days"`
		Reason   string            `json:"reason,omitempty"`
		Type     string            `json:"type,omitempty" default:"DisclosureRecorded" doc:"type of the record"`
		Record   map[string]any    `json:"record" doc:"the record as it would be without a seal: the groups of its type as members"`
		Subjects []decide.Subject  `json:"subjects,omitempty" doc:"whom it concerns"`
	}
	// SupplementRequest records something more under a seal.
	SupplementRequest struct {
		Reason   string           `json:"reason,omitempty"`
		Type     string           `json:"type" doc:"type of the record, such as DisclosureAcknowledged"`
		Record   map[string]any   `json:"record" doc:"the record as it would be without a seal"`
		Subjects []decide.Subject `json:"subjects,omitempty" doc:"whom it concerns"`
	}
	// ExtensionRequest records that an order was renewed.
	ExtensionRequest struct {
		Order struct {
			events.SealOrder
			Authority string `json:"authority,omitempty" doc:"may be left out: it is the seal's"`
		} `json:"order"`
		Period events.SealPeriod `json:"period"`
		Reason string            `json:"reason,omitempty"`
	}
	// SealReview records that somebody looked whether a seal is still needed.
	SealReview struct {
		Reason string `json:"reason" doc:"what was found"`
		Next   string `json:"next,omitempty" doc:"RFC 3339 time in UTC of the next review"`
	}
	// LiftingProposal asks for a seal to be lifted.
	LiftingProposal struct {
		Reason string `json:"reason" doc:"why it is not needed any more"`
	}
	// Lifting confirms a proposal.
	Lifting struct {
		Reason string `json:"reason,omitempty"`
	}
	// SealList lists seals.
	SealList struct {
		Seals []ledger.SealView `json:"seals"`
	}
	// RegisterRequest asks for the register of an authority.
	RegisterRequest struct {
		Authority       string `json:"authority" doc:"namespace:local, one of the ledger's rules"`
		Closed          bool   `json:"closed,omitempty" doc:"for a regulator: how many steps there are and when each was recorded, proven complete, and none of them opened"`
		SinceCheckpoint string `json:"since_checkpoint,omitempty" doc:"a signed checkpoint that somebody kept; the register proves that nothing of it was changed"`
	}
)

// sealOperation is what can be recorded about seals. Its command is told who asks.
type sealOperation[B any] struct {
	id, path, summary, description string

	command func(who string, id events.ID, body *B) (decide.Command, error)
}

func (s *server) registerSeals(api huma.API) {
	sealed(s, api, sealOperation[SealRequest]{"seal-record", "/v1/seals", "Record under seal",
		"The record stands in the log at once, as a leaf like any other. Nobody whom it concerns, and nobody else without the role, can tell that it is there.",
		func(_ string, _ events.ID, b *SealRequest) (decide.Command, error) {
			if b.Type == "" {
				b.Type = events.TypeDisclosureRecorded
			}
			record, err := decide.RecordFrom(b.Type, b.Record)
			return &decide.SealRecord{Order: b.Order, Period: b.Period, Reason: b.Reason, Record: record, Subjects: b.Subjects}, err
		}})
	sealed(s, api, sealOperation[SupplementRequest]{"supplement-seal", "/v1/seals/{id}/supplements", "Record more under a seal",
		"What became of the record, or another one under the same order. It comes to light with the record.",
		func(_ string, id events.ID, b *SupplementRequest) (decide.Command, error) {
			record, err := decide.RecordFrom(b.Type, b.Record)
			return &decide.SupplementSeal{ID: id, Reason: b.Reason, Record: record, Subjects: b.Subjects}, err
		}})
	sealed(s, api, sealOperation[ExtensionRequest]{"extend-seal", "/v1/seals/{id}/extensions", "Extend a seal", "The order was renewed. A lifting that was proposed is not any more.",
		func(_ string, id events.ID, b *ExtensionRequest) (decide.Command, error) {
			order := b.Order.SealOrder
			order.Authority = b.Order.Authority
			return &decide.ExtendSeal{ID: id, Order: order, Period: b.Period, Reason: b.Reason}, nil
		}})
	sealed(s, api, sealOperation[SealReview]{"review-seal", "/v1/seals/{id}/reviews", "Review a seal", "Somebody looked whether it is still needed.",
		func(who string, id events.ID, b *SealReview) (decide.Command, error) {
			return &decide.ReviewSeal{ID: id, By: who, Reason: b.Reason, Next: b.Next}, nil
		}})
	sealed(s, api, sealOperation[LiftingProposal]{"propose-lifting", "/v1/seals/{id}/proposals", "Propose to lift a seal", "The first of two people.",
		func(_ string, id events.ID, b *LiftingProposal) (decide.Command, error) {
			return &decide.ProposeLift{ID: id, Reason: b.Reason}, nil
		}})
	sealed(s, api, sealOperation[Lifting]{"lift-seal", "/v1/seals/{id}/liftings", "Lift a seal",
		"The second of two people. From now on the record stands in the sequences of those it concerns, and says when it was sealed.",
		func(_ string, id events.ID, b *Lifting) (decide.Command, error) {
			return &decide.LiftSeal{ID: id, Reason: b.Reason}, nil
		}})
	huma.Register(api, huma.Operation{
		OperationID: "list-seals", Method: http.MethodGet, Path: "/v1/seals", Tags: []string{"seals"},
		Summary: "List seals", Description: "All of them in the order in which they began, or those in one state: ripe are those whose period is over.",
		Errors: []int{422, 500, 503},
	}, s.listSeals)
	s.registerSealRegister(api)
}

// sealed registers an operation about seals. Whether a path has an id decides
// whether it is about one that there is.
func sealed[B any](s *server, api huma.API, op sealOperation[B]) {
	described := operation[B]{id: op.id, path: op.path, tag: "seals", summary: op.summary, description: op.description}
	var schema *huma.Schema
	do := func(ctx context.Context, id events.ID, in *CommandInput) (*positionOutput, error) {
		if p := mediaType(in.ContentType, "application/json"); p != nil {
			return nil, p
		}
		body := new(B)
		if p := s.shape(in.RawBody, schema, body); p != nil {
			return nil, p
		}
		who, _ := actor.FromContext(ctx) // authorize knew it
		cmd, err := op.command(who.Name, id, body)
		if of, ok := cmd.(decide.TakesTwo); ok && err == nil {
			var kin []string
			_, kin, err = s.oneOfTwo(ctx)
			of.As(who.Name, kin)
		}
		if err != nil {
			return nil, s.problem(err)
		}
		out, err := s.accept(ctx, in, cmd)
		if err == nil {
			out.Location = "/v1/seals"
		}
		return out, err
	}
	if op.path == "/v1/seals" {
		huma.Register(api, described.describe(), func(ctx context.Context, in *CommandInput) (*positionOutput, error) {
			return do(ctx, events.ID{}, in)
		})
	} else {
		huma.Register(api, described.describe(), func(ctx context.Context, in *commandAboutInput) (*positionOutput, error) {
			return do(ctx, in.ID, &in.CommandInput)
		})
	}
	schema = described.takes(api)
}

func (s *server) listSeals(ctx context.Context, in *struct {
	State string `query:"state" enum:"active,review,ripe,proposed,lifted,lapsed" doc:"only those in this state"`
}) (*struct{ Body SealList }, error) {
	all, err := s.Ledger.Seals(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	list := SealList{Seals: []ledger.SealView{}}
	for _, v := range all {
		if in.State == "" || v.State == in.State {
			list.Seals = append(list.Seals, v)
		}
	}
	return &struct{ Body SealList }{list}, nil
}

func (s *server) registerSealRegister(api huma.API) {
	op := huma.Operation{
		OperationID: "write-seal-register", Method: http.MethodPost, Path: "/v1/seals:report", Tags: []string{"seals"},
		Summary: "Write a seal register", Description: "The register of an authority, opened, with the proof that it is complete. The answer is the file.",
		MaxBodyBytes: 1 << 16, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true, Errors: []int{400, 408, 413, 415, 422, 500, 503},
	}
	var schema *huma.Schema
	huma.Register(api, op, func(ctx context.Context, in *queryInput) (*fileOutput, error) {
		var body RegisterRequest
		if p := s.asked(in, schema, &body); p != nil {
			return nil, p
		}
		return s.sealRegister(ctx, &body)
	})
	schema = takes[RegisterRequest](api, api.OpenAPI().Paths[op.Path].Post, "application/json")
}

// nothingShown is a filter that shows no entry of a register: none is of this type.
var nothingShown = &verifier.Filter{Version: verifier.FilterVersion, Types: []string{events.TypeEnrolled}}

func (s *server) sealRegister(ctx context.Context, asked *RegisterRequest) (*fileOutput, error) {
	id, err := s.Ledger.ParseIdentity(asked.Authority)
	if err != nil {
		return nil, s.problem(err)
	}
	q := verifier.Query{Role: events.RoleAuthority, IDs: []events.Identity{id}, Since: asked.SinceCheckpoint}
	if asked.Closed {
		q.Filter = nothingShown
	}
	if !slices.Contains(s.Ledger.Authorities(), id.String()) {
		return nil, s.problem(&events.FieldError{Field: "authority", Rule: "is no authority of this ledger's rules", Next: "name one of those that it was made with"})
	}
	if status := s.Ledger.Status(); status.Accepted > 0 {
		if _, err := s.Ledger.WaitPublished(ctx, status.Accepted-1); err != nil {
			return nil, s.problem(err)
		}
	}
	report, err := s.Reports.WriteRegister(ctx, q)
	if err != nil {
		return nil, s.problem(err)
	}
	return &fileOutput{"application/octet-stream", report.File}, nil
}
