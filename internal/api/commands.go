package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// The bodies of what can be recorded beside a share.
type (
	// Amendment asks to correct or supplement a record.
	Amendment struct {
		Kind    string         `json:"kind" enum:"correct,supplement"`
		Reason  string         `json:"reason" doc:"why, in words that say nothing of a person"`
		Changes map[string]any `json:"changes" doc:"JSON merge patch (RFC 7396) of the share in its newest version"`
	}
	// Retraction asks to withdraw a record, for everybody or for some.
	Retraction struct {
		Ground   string           `json:"ground" enum:"recorded_in_error,did_not_happen,duplicate,wrong_person"`
		Reason   string           `json:"reason,omitempty" doc:"in words that say nothing of a person"`
		Subjects []decide.Subject `json:"subjects,omitempty" doc:"whom it is withdrawn for; left out: everybody"`
	}
	// Reattribution asks to move a share to the person it concerns.
	Reattribution struct {
		From   string         `json:"from" doc:"whom the share never concerned, namespace:local"`
		To     decide.Subject `json:"to" doc:"whom it concerns"`
		Reason string         `json:"reason,omitempty" doc:"in words that say nothing of a person"`
	}
	// People are to be added to a share.
	People struct {
		Subjects []decide.Subject `json:"subjects"`
	}
	// DisputeRequest contests a record.
	DisputeRequest struct {
		events.Dispute
		Subject *decide.Subject `json:"subject,omitempty" doc:"who disputes, or about whom; what they say is told to them alone"`
	}
	// SeriesRequest opens a series of like shares.
	SeriesRequest struct {
		events.SeriesOpened
		Subjects []decide.Subject `json:"subjects" doc:"whom the series concerns"`
	}
	// PossibleRequest records that data may have been shared.
	PossibleRequest struct {
		events.PossibleRecorded
		Subjects []decide.Subject `json:"subjects" doc:"whom it may concern"`
	}
	// Consenting records a choice of a person.
	Consenting struct {
		Subject decide.Subject `json:"subject"`
		Choice  events.Choice  `json:"choice"`
		Scope   events.Scope   `json:"scope"`
	}
)

// operation is what can be recorded with a body of one kind.
type operation[B any] struct {
	id, path, tag, summary, description string

	command func(s *server, id events.ID, body *B) decide.Command
}

// registerCommands registers what can be recorded beside a share.
func (s *server) registerCommands(api huma.API) {
	about(s, api, operation[Amendment]{"amend-disclosure", "/v1/disclosures/{id}/amendments", "corrections", "Amend a record",
		"The record stays as it is; the amendment holds the share as it is now known to have been. Amendments of one record count from 1 without a gap.",
		func(_ *server, id events.ID, b *Amendment) decide.Command {
			changes, err := json.Marshal(b.Changes)
			if err != nil {
				panic(err) // it was decoded from JSON
			}
			return &decide.Amend{ID: id, Kind: b.Kind, Reason: b.Reason, Changes: changes}
		}})
	about(s, api, operation[Retraction]{"retract-disclosure", "/v1/disclosures/{id}/retractions", "corrections", "Retract a record",
		"Says that the record is not to be relied on, for everybody or for some of its subjects. The record and its proof stay.",
		func(_ *server, id events.ID, b *Retraction) decide.Command {
			return &decide.Retract{ID: id, Ground: b.Ground, Reason: b.Reason, Subjects: b.Subjects}
		}})
	about(s, api, operation[Reattribution]{"reattribute-disclosure", "/v1/disclosures/{id}/reattributions", "corrections", "Move a record to another person",
		"Retracts the record for the one and records it afresh for the other. Nothing that either of them sees leads to the other.",
		func(_ *server, id events.ID, b *Reattribution) decide.Command {
			return &decide.Reattribute{ID: id, From: b.From, To: b.To, Reason: b.Reason}
		}})
	about(s, api, operation[People]{"add-subjects", "/v1/disclosures/{id}/subjects", "corrections", "Add people to a share",
		"They get the share as it is now known, as a record of its own.",
		func(_ *server, id events.ID, b *People) decide.Command {
			return &decide.AddSubjects{ID: id, Subjects: b.Subjects}
		}})
	about(s, api, operation[DisputeRequest]{"dispute-disclosure", "/v1/disclosures/{id}/disputes", "corrections", "Dispute a record",
		"Records that a subject or the recipient contests it. What they say stands in their own slot.",
		func(_ *server, id events.ID, b *DisputeRequest) decide.Command {
			cmd := &decide.Dispute{ID: id, Dispute: b.Dispute}
			if b.Subject != nil {
				cmd.Subject = *b.Subject
			}
			return cmd
		}})
	about(s, api, operation[events.Resolution]{"resolve-dispute", "/v1/disputes/{id}/resolutions", "corrections", "Resolve a dispute", "Ends it, with the outcome and the reason.",
		func(_ *server, id events.ID, b *events.Resolution) decide.Command {
			return &decide.ResolveDispute{ID: id, Resolution: *b}
		}})
	about(s, api, operation[events.Acknowledgement]{"acknowledge-disclosure", "/v1/disclosures/{id}/acknowledgements", "recipients", "Record a recipient's answer",
		"That the data came, or what the recipient did with it since.",
		func(_ *server, id events.ID, b *events.Acknowledgement) decide.Command {
			return &decide.Acknowledge{ID: id, Acknowledgement: *b}
		}})
	about(s, api, operation[events.OnwardReported]{"report-onward", "/v1/disclosures/{id}/onward", "recipients", "Record an onward share",
		"The recipient of a share passed the data on. It stands in the register of whoever received it from them, too.",
		func(_ *server, id events.ID, b *events.OnwardReported) decide.Command {
			return &decide.ReportOnward{ID: id, Onward: *b}
		}})
	s.registerSeries(api)
	s.registerRecipients(api)
	s.registerDocuments(api)
	s.registerConsents(api)
}

func (s *server) registerSeries(api huma.API) {
	anew(s, api, operation[SeriesRequest]{"open-series", "/v1/series", "shares", "Open a series of shares",
		"Like shares with one recipient, told as one: first, how often, how many, last.",
		func(_ *server, _ events.ID, b *SeriesRequest) decide.Command {
			return &decide.OpenSeries{Series: b.SeriesOpened, Subjects: b.Subjects}
		}})
	about(s, api, operation[events.SeriesUpdated]{"update-series", "/v1/series/{id}/updates", "shares", "Say how far a series has come", "Counts its shares, from the first on.",
		func(_ *server, id events.ID, b *events.SeriesUpdated) decide.Command {
			return &decide.UpdateSeries{ID: id, Progress: b.Progress}
		}})
	about(s, api, operation[events.SeriesClosed]{"close-series", "/v1/series/{id}/closings", "shares", "Close a series", "Says that no more shares follow, and how many there were.",
		func(_ *server, id events.ID, b *events.SeriesClosed) decide.Command {
			return &decide.UpdateSeries{ID: id, Progress: b.Progress, Closing: &b.Closing}
		}})
	anew(s, api, operation[PossibleRequest]{"record-possible", "/v1/possible-disclosures", "shares", "Record a possible share",
		"Data of these people may have been shared for a study (45 CFR 164.528(b)(4)).",
		func(_ *server, _ events.ID, b *PossibleRequest) decide.Command {
			return &decide.RecordPossible{Possible: b.PossibleRecorded, Subjects: b.Subjects}
		}})
}

func (s *server) registerRecipients(api huma.API) {
	const tag = "recipients"
	anew(s, api, operation[events.RecipientRegistered]{"register-recipient", "/v1/recipients", tag, "Register a recipient", "Describes a recipient in its own register, with or without a share.",
		func(_ *server, _ events.ID, b *events.RecipientRegistered) decide.Command {
			return &decide.TellRecipient{Event: b}
		}})
	anew(s, api, operation[events.RecipientChanged]{"change-recipient", "/v1/recipients/changes", tag, "Describe a recipient anew", "Shares keep the description they were recorded with.",
		func(_ *server, _ events.ID, b *events.RecipientChanged) decide.Command {
			return &decide.TellRecipient{Event: b}
		}})
	anew(s, api, operation[events.RecipientsMerged]{"merge-recipients", "/v1/recipients/mergers", tag, "Record a merger", "One recipient has become part of another. Both keep their entries.",
		func(_ *server, _ events.ID, b *events.RecipientsMerged) decide.Command {
			return &decide.TellRecipient{Event: b}
		}})
	anew(s, api, operation[events.RelationshipChanged]{"change-relationship", "/v1/recipients/relationships", tag, "Record another relationship", "Such as an affiliate that was sold.",
		func(_ *server, _ events.ID, b *events.RelationshipChanged) decide.Command {
			return &decide.TellRecipient{Event: b}
		}})
	anew(s, api, operation[events.SubprocessorAdded]{"add-subprocessor", "/v1/recipients/subprocessors", tag, "Record a subprocessor", "One recipient engages another (GDPR 28(2)).",
		func(_ *server, _ events.ID, b *events.SubprocessorAdded) decide.Command {
			return &decide.TellRecipient{Event: b}
		}})
}

func (s *server) registerDocuments(api huma.API) {
	const tag, says = "documents", "By its digest. It stands in the controller's register, whose completeness can be proven."
	publish := func(s *server, e events.Validatable) decide.Command {
		return &decide.Publish{Event: e, Origin: s.Ledger.Origin()}
	}
	anew(s, api, operation[events.StatementPublished]{"publish-statement", "/v1/statements", tag, "Publish a version of the privacy statement", says,
		func(s *server, _ events.ID, b *events.StatementPublished) decide.Command { return publish(s, b) }})
	anew(s, api, operation[events.TaxonomyReleased]{"release-taxonomy", "/v1/taxonomies", tag, "Release a taxonomy", says,
		func(s *server, _ events.ID, b *events.TaxonomyReleased) decide.Command { return publish(s, b) }})
	anew(s, api, operation[events.ProfileReleased]{"release-profile", "/v1/profiles", tag, "Release a regime profile", says,
		func(s *server, _ events.ID, b *events.ProfileReleased) decide.Command { return publish(s, b) }})
}

func (s *server) registerConsents(api huma.API) {
	const tag = "consents"
	anew(s, api, operation[Consenting]{"give-consent", "/v1/consents", tag, "Record a consent", "An opt-in. It concerns the person alone: erasing the person erases it.",
		func(_ *server, _ events.ID, b *Consenting) decide.Command {
			return &decide.Choose{Event: &events.ConsentGiven{Choice: b.Choice, Scope: b.Scope}, Subject: b.Subject}
		}})
	anew(s, api, operation[Consenting]{"refuse-consent", "/v1/objections", tag, "Record an objection", "An opt-out.",
		func(_ *server, _ events.ID, b *Consenting) decide.Command {
			return &decide.Choose{Event: &events.ConsentRefused{Choice: b.Choice, Scope: b.Scope}, Subject: b.Subject}
		}})
	about(s, api, operation[events.ConsentWithdrawn]{"withdraw-consent", "/v1/consents/{id}/withdrawals", tag, "Record that a consent is withdrawn", "It stops what follows, not what was.",
		func(_ *server, id events.ID, b *events.ConsentWithdrawn) decide.Command {
			return &decide.EndConsent{ID: id, Event: b}
		}})
	about(s, api, operation[events.ConsentExpired]{"expire-consent", "/v1/consents/{id}/expiries", tag, "Record that a consent has expired", "Its time is over.",
		func(_ *server, id events.ID, b *events.ConsentExpired) decide.Command {
			return &decide.EndConsent{ID: id, Event: b}
		}})
}

// CommandInput is exported because the library reads only exported members, those
// of commandAboutInput too.
type CommandInput struct {
	Key         string `header:"Idempotency-Key" required:"true" doc:"chosen by you, once for each thing you record; 1 to 255 bytes"`
	ContentType string `header:"Content-Type" hidden:"true"`
	Wait        string `query:"wait" enum:"accepted,published" doc:"what to wait for" default:"accepted"`
	RawBody     []byte `contentType:"application/json"`
}

type commandAboutInput struct {
	ID events.ID `path:"id" doc:"of the record that it is about, as recording it answered"`
	CommandInput
}

// anew registers an operation that stands for itself, about one that is about a
// record.
func anew[B any](s *server, api huma.API, op operation[B]) {
	var schema *huma.Schema
	huma.Register(api, op.describe(), func(ctx context.Context, in *CommandInput) (*positionOutput, error) {
		return do(ctx, s, schema, op, events.ID{}, in)
	})
	schema = op.takes(api)
}

func about[B any](s *server, api huma.API, op operation[B]) {
	var schema *huma.Schema
	described := op.describe()
	described.Errors = append(described.Errors, http.StatusNotFound)
	slices.Sort(described.Errors)
	huma.Register(api, described, func(ctx context.Context, in *commandAboutInput) (*positionOutput, error) {
		if _, found := s.Ledger.Find(in.ID); !found {
			return nil, s.problem(ledger.ErrNoEvent)
		}
		return do(ctx, s, schema, op, in.ID, &in.CommandInput)
	})
	schema = op.takes(api)
}

func (op operation[B]) describe() huma.Operation {
	return huma.Operation{
		OperationID: op.id, Method: http.MethodPost, Path: op.path, Tags: []string{op.tag}, Summary: op.summary, Description: op.description,
		DefaultStatus: http.StatusCreated, MaxBodyBytes: 1 << 20, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true,
		Errors: []int{400, 408, 409, 413, 415, 422, 500, 503},
	}
}

// takes describes the body. A series and a possible share have no occasion of
// their own, which a share must have.
func (op operation[B]) takes(api huma.API) *huma.Schema {
	schema := takes[B](api, api.OpenAPI().Paths[op.path].Post, "application/json")
	whole := schema
	for whole.Ref != "" {
		whole = api.OpenAPI().Components.Schemas.SchemaFromRef(whole.Ref)
	}
	if whole.Properties["series"] != nil || whole.Properties["period"] != nil {
		delete(whole.Properties, "occurred")
		whole.Required = slices.DeleteFunc(whole.Required, func(name string) bool { return name == "occurred" })
		whole.PrecomputeMessages()
	}
	return schema
}

func do[B any](ctx context.Context, s *server, schema *huma.Schema, op operation[B], id events.ID, in *CommandInput) (*positionOutput, error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	body := new(B)
	if p := s.shape(in.RawBody, schema, body); p != nil {
		return nil, p
	}
	cmd := op.command(s, id, body)
	if of, ok := cmd.(decide.TakesTwo); ok {
		name, kin, err := s.oneOfTwo(ctx)
		if err != nil {
			return nil, s.problem(err)
		}
		for i := range kin {
			kin[i] = s.Ledger.Pseudonym(kin[i])
		}
		of.As(s.Ledger.Pseudonym(name), kin)
	}
	return s.accept(ctx, in, cmd)
}

// accept records what a command asks for and answers where it is.
func (s *server) accept(ctx context.Context, in *CommandInput, cmd decide.Command) (*positionOutput, error) {
	accepted, err := s.Ledger.Record(ctx, command(ctx, in.Key, cmd))
	if errors.Is(err, ledger.ErrKeyDestroyed) {
		return nil, newProblem(http.StatusConflict, "nobody whom the record concerned is left in the keystore: it cannot be opened, so nothing can be added to it")
	}
	if err != nil {
		return nil, s.problem(err)
	}
	if _, closes := cmd.(*decide.ConfirmClosure); closes {
		if err := s.Files.Sweep(ctx); err != nil {
			s.Logger.Error("reports about an erased person are still there; nobody can read them", zap.Error(err))
		}
	}
	if in.Wait == "published" {
		if _, err := s.Ledger.WaitPublished(ctx, max(accepted.Index, accepted.Last)); err != nil {
			return nil, s.problem(err)
		}
	}
	p, err := s.positionOf(ctx, accepted.ID, accepted.Index)
	if err != nil {
		return nil, s.problem(err)
	}
	p.Repeat = accepted.Repeat
	for _, at := range accepted.Also {
		p.Also = append(p.Also, Also(at))
	}
	return &positionOutput{Location: "/v1/records/" + p.ID.String(), Body: p}, nil
}
