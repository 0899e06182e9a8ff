package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/sqlite"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/verifier"
)

// Problem is how every error is told (RFC 9457). It repeats no values, so that
// what is personal in a request is in no log of its answers.
type Problem struct {
	Type   string         `json:"type" doc:"always about:blank: the status and the fields say what is wrong"`
	Title  string         `json:"title" doc:"the status in words"`
	Status int            `json:"status" doc:"the HTTP status"`
	Detail string         `json:"detail" doc:"what is wrong and what to do next"`
	Errors []FieldProblem `json:"errors,omitempty" doc:"the fields that are wrong"`
}

// FieldProblem says what is wrong with one field.
type FieldProblem struct {
	Field string `json:"field" doc:"path in the body, such as recipient.country, or the name of a header or parameter"`
	Rule  string `json:"rule" doc:"what the field must be"`
	Next  string `json:"next" doc:"what to do now"`
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func newProblem(status int, detail string, fields ...FieldProblem) *Problem {
	p := &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Errors: fields}
	if detail == "" {
		for _, f := range fields {
			p.Detail += "; " + f.Field + ": " + f.Rule + "; " + f.Next
		}
		p.Detail = strings.TrimPrefix(p.Detail, "; ")
	}
	return p
}

// The library has these two settings for a whole program. Its own errors become
// ours, and the name of a member is its exact spelling.
func init() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, detail string, errs ...error) huma.StatusError {
		var fields []FieldProblem
		for _, err := range errs {
			var said *huma.ErrorDetail
			if errors.As(err, &said) {
				fields = append(fields, fieldProblem(said))
			}
		}
		switch {
		case status == http.StatusRequestEntityTooLarge:
			detail += "; send less at once"
		case len(fields) > 0:
			detail = ""
		}
		return newProblem(status, detail, fields...)
	}
}

// fieldProblem says in our words what the schema's check found.
func fieldProblem(e *huma.ErrorDetail) FieldProblem {
	field := strings.TrimPrefix(e.Location, "body.")
	for _, kind := range []string{"query.", "header.", "path."} {
		field = strings.TrimPrefix(field, kind)
	}
	if name, found := strings.CutPrefix(e.Message, "expected required property "); found {
		name = strings.TrimSuffix(name, " to be present")
		if field != "body" && field != "" {
			name = field + "." + name
		}
		return FieldProblem{name, "is required", "add it"}
	}
	if e.Message == "unexpected property" {
		return FieldProblem{field, "unexpected property: there is no field of this name here", "correct its spelling or leave it out"}
	}
	if kind, found := strings.CutPrefix(e.Message, "expected "); found {
		return FieldProblem{field, "must be " + strings.TrimPrefix(kind, "value to be "), "send a value of that kind"}
	}
	return FieldProblem{field, e.Message, "correct it"}
}

// problem is the one place where errors become statuses.
func (s *server) problem(err error) *Problem {
	var field *events.FieldError
	var already *Problem
	var refuted *verifier.RefutedError
	switch {
	case errors.As(err, &already):
		return already
	case errors.As(err, &field):
		return newProblem(http.StatusUnprocessableEntity, "", FieldProblem(*field))
	case errors.Is(err, ledger.ErrKeyReused):
		return newProblem(http.StatusConflict, "",
			FieldProblem{"Idempotency-Key", ledger.ErrKeyReused.Error(), "use a new key for something new"})
	case errors.Is(err, ledger.ErrTooLarge):
		return newProblem(http.StatusRequestEntityTooLarge, ledger.ErrTooLarge.Error()+"; name fewer subjects or shorten the texts")
	case errors.Is(err, ledger.ErrNoEvent):
		return newProblem(http.StatusNotFound, "no share has this id; use the id that recording it answered")
	case errors.Is(err, ledger.ErrNotErased):
		return newProblem(http.StatusNotFound, ledger.ErrNotErased.Error()+"; check the identity, and GET /v1/closures for a request that waits")
	case errors.Is(err, ledger.ErrNoHold):
		return newProblem(http.StatusNotFound, ledger.ErrNoHold.Error()+"; see GET /v1/holds")
	case errors.Is(err, ErrNoFile):
		return newProblem(http.StatusNotFound, "no report has this id; write it with POST /v1/reports")
	case errors.Is(err, ErrNoRecipient):
		return newProblem(http.StatusNotFound, "the address book has no recipient of this id; see GET /v1/address-book")
	case errors.Is(err, actor.ErrTaken):
		return newProblem(http.StatusConflict, "",
			FieldProblem{"name", actor.ErrTaken.Error() + ", maybe by a revoked actor", "choose another; names are never given twice"})
	case errors.Is(err, actor.ErrNoActor):
		return newProblem(http.StatusNotFound, "no actor has this name; see GET /v1/actors")
	case errors.Is(err, ledger.ErrErasing):
		return newProblem(http.StatusServiceUnavailable, ledger.ErrErasing.Error())
	case errors.Is(err, ledger.ErrNotPublished):
		return newProblem(http.StatusServiceUnavailable, ledger.ErrNotPublished.Error())
	case errors.Is(err, ledger.ErrQuorum), errors.As(err, &refuted) && refuted.Check == verifier.CheckQuorum:
		return newProblem(http.StatusServiceUnavailable, unquorate(err))
	case errors.Is(err, projections.ErrParked):
		return newProblem(http.StatusServiceUnavailable, projections.ErrParked.Error())
	case errors.Is(err, ledger.ErrFinished):
		return newProblem(http.StatusConflict, err.Error())
	case errors.Is(err, ledger.ErrClock):
		return newProblem(http.StatusServiceUnavailable, err.Error()+": set the clock right; or, if it is right, start once with --accept-clock")
	case errors.Is(err, events.ErrNoSpace), sqlite.IsFull(err):
		s.Logger.Warn("refused: no space is left", zap.Error(err))
		return newProblem(http.StatusInsufficientStorage, "no space is left on the disk of the ledger: free some. Nothing needs repair; repeat the request with the same key then")
	case errors.Is(err, ledger.ErrStopped), errors.Is(err, projections.ErrStopped):
		return newProblem(http.StatusServiceUnavailable, "the ledger is stopping; nothing was lost, repeat the request with the same key later")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return newProblem(http.StatusServiceUnavailable, "the request ended before the answer; repeat it with the same key")
	}
	s.Logger.Error("request failed", zap.Error(err))
	return newProblem(http.StatusInternalServerError, "the ledger could not do this; its log says why. Repeating the request with the same key is safe")
}

// unquorate says what follows of an unmet quorum. Whoever waits for a publication,
// or for a report that its reader would refuse, can do nothing about it.
func unquorate(err error) string {
	return "witnesses or auditors have not signed the newest state: " + err.Error() +
		". Everything accepted is kept and is published once they have; repeat the request with the same key then. An admin finds in GET /v1/status who is missing"
}
