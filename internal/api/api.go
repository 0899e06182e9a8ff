// Package api is the /v1 interface of a running ledger: every stateful verb of
// the command line speaks it too, over the Unix socket of the data directory.
// On a network listener each request carries an actor's token; what a role may do
// is one table ([Allowed]).
//
// Personal identifiers stand in request bodies only, never in URLs: URLs end up
// in logs. Errors are problem documents (RFC 9457); those a caller can cause
// name the field, the rule and the next step.
package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/pubsub"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/projections"
)

// Version is the version of the interface.
const Version = "1.0.0"

// Config says what the interface serves.
type Config struct {
	Ledger  *ledger.Ledger
	Runner  *projections.Runner
	Reports *projections.Reports
	Events  pubsub.Pages // the event store, which read models are built from
	Files   *Files
	Book    *AddressBook
	Actors  *actor.Store
	Logger  *zap.Logger
}

type server struct {
	Config
	schemas huma.Registry
	share   *huma.Schema // of Record
	alone   *huma.Schema // of a share without its people
	person  *huma.Schema // of decide.Subject
	subject *huma.Schema // of reportBody
	entries *huma.Schema // of bookBody
	actor   *huma.Schema // of ActorRequest
	name    *huma.Schema // of ActorName
	claim   *huma.Schema // of ClaimRequest
	ending  *huma.Schema // of CloseRequest

	publication *huma.Schema
}

// Handler returns the interface. It serves those whom a door let in ([Owner],
// [Bearer], [InProcess]), by their roles.
func Handler(cfg Config) http.Handler {
	mux, _ := newAPI(cfg)
	return Drained(problems{mux})
}

// OpenAPI returns the document that describes the interface.
func OpenAPI() ([]byte, error) {
	_, api := newAPI(Config{})
	return json.MarshalIndent(api.OpenAPI(), "", "  ")
}

func newAPI(cfg Config) (*http.ServeMux, huma.API) {
	s := &server{Config: cfg}
	if s.Logger == nil {
		s.Logger = zap.NewNop()
	}
	mux := http.NewServeMux()
	config := huma.DefaultConfig("sharetrail", Version)
	config.RejectUnknownQueryParameters = true
	config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", nil
	config.Info.Description = "Record shares of personal data, and get reports that prove themselves. Personal identifiers stand in bodies only, never in URLs."
	config.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	config.Tags = []*huma.Tag{
		{Name: "shares", Description: "Record shares of personal data; prove that one is in the log."},
		{Name: "corrections", Description: "Amend, retract, dispute: the record stays, and what became of it stands beside it."},
		{Name: "recipients", Description: "What recipients are, answer and pass on, in their own registers."},
		{Name: "consents", Description: "What people agreed or objected to."},
		{Name: "people", Description: "Other names of a person; their erasure, and another key for them: one actor asks, another confirms."},
		{Name: "documents", Description: "Statements, taxonomies and profiles, in the controller's register."},
		{Name: "reports", Description: "What the ledger holds about one person, with proofs."},
		{Name: "seals", Description: "Records whose notice the law delays. Only those who keep seals can ask; everybody else is answered as if there were none."},
		{Name: "holds", Description: "What must be kept when people are erased. Only keyholders can ask; nothing that others see tells of it."},
		{Name: "ledger", Description: "How far the ledger is, and what its readers pin."},
		{Name: "log", Description: "The log as static files, for auditors and for whoever follows it."},
		{Name: "actors", Description: "Who may use the network listener, and as what."},
		{Name: "address book", Description: "Recipients by name. A convenience: no part of the ledger, and nothing here is proven."},
	}
	documentAccess(&config)
	api := humago.New(mux, config)
	api.UseMiddleware(s.authorize(api))
	s.schemas = api.OpenAPI().Components.Schemas
	s.registerShares(api)
	s.registerCommands(api)
	s.registerClosures(api)
	s.registerQueries(api)
	s.registerReports(api)
	s.registerSeals(api)
	s.registerHolds(api)
	s.registerLedger(api)
	s.registerFinish(api)
	s.registerTiles(api, mux)
	s.registerMetrics(api, mux)
	s.registerPolicy(api)
	s.registerViews(api)
	s.registerBook(api)
	s.registerActors(api)
	return mux, api
}

// Record is the body of a share to be recorded.
type Record struct {
	events.DisclosureRecorded
	Subjects []decide.Subject `json:"subjects" doc:"whom the share concerns"`
}

// Position answers where a share is: accepted, logged, published, projected.
type Position struct {
	ID     events.ID `json:"id"`
	Index  uint64    `json:"index" doc:"revision in the event stream, and leaf in the log"`
	State  string    `json:"state" enum:"accepted,logged,published,projected"`
	Repeat bool      `json:"repeat,omitempty" doc:"the key was known, with the same content"`
	Also   []Also    `json:"also,omitempty" doc:"what else the request made, such as the fresh record of a reattribution"`
	Parts  *Parts    `json:"parts,omitempty" doc:"of a record with more people than fit into one event"`
}

// Parts says how much is recorded of a record whose people stand in continuations of
// its event.
type Parts struct {
	Recorded uint64 `json:"recorded" doc:"continuations that are accepted"`
	Of       uint64 `json:"of" doc:"continuations that there will be"`
	Open     bool   `json:"open" doc:"some are missing: repeat the request with the same key and content, and it goes on"`
}

// Also is another event that a request made.
type Also struct {
	ID    events.ID `json:"id"`
	Index uint64    `json:"index" doc:"revision in the event stream, and leaf in the log"`
}

type recordInput struct {
	Key         string `header:"Idempotency-Key" required:"true" doc:"chosen by you, once for each share; 1 to 255 bytes"`
	ContentType string `header:"Content-Type" hidden:"true"`
	Wait        string `query:"wait" enum:"accepted,published" doc:"what to wait for" default:"accepted"`
	RawBody     []byte `contentType:"application/json"`
}

type positionOutput struct {
	Location string `header:"Location" doc:"where the share's position is"`
	Body     Position
}

// command asks for something to be recorded. Keys are each actor's own.
func command(ctx context.Context, key string, record decide.Command) ledger.Command {
	a, _ := actor.FromContext(ctx) // authorize knew it
	return ledger.Command{Recorder: a.Name, Key: key, Record: record}
}

func (r *Record) command() decide.Command {
	return &decide.RecordDisclosure{Disclosure: r.DisclosureRecorded, Subjects: r.Subjects}
}

func (s *server) record(ctx context.Context, in *recordInput) (*positionOutput, error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	var body Record
	if p := s.shape(in.RawBody, s.share, &body); p != nil {
		return nil, p
	}
	accepted, err := s.Ledger.Record(ctx, command(ctx, in.Key, body.command()))
	if err != nil {
		return nil, s.problem(err)
	}
	return s.recorded(ctx, accepted, in.Wait)
}

// recorded answers with the position of a share.
func (s *server) recorded(ctx context.Context, accepted ledger.Accepted, wait string) (*positionOutput, error) {
	if wait == "published" {
		if _, err := s.Ledger.WaitPublished(ctx, max(accepted.Index, accepted.Last)); err != nil {
			return nil, s.problem(err)
		}
	}
	p, err := s.positionOf(ctx, accepted.ID, accepted.Index)
	if err != nil {
		return nil, s.problem(err)
	}
	p.Repeat = accepted.Repeat
	return &positionOutput{Location: "/v1/disclosures/" + p.ID.String(), Body: p}, nil
}

// positionOf is position for any record: one with continuations is as far as the
// newest of them.
func (s *server) positionOf(ctx context.Context, id events.ID, index uint64) (Position, error) {
	spread, ok, err := s.Ledger.SpreadOf(ctx, id)
	if err != nil || !ok {
		return s.position(id, index), err
	}
	p := s.position(id, spread.Last)
	p.Index, p.Parts = index, &Parts{spread.Parts, spread.Of, !spread.Complete}
	return p, nil
}

func (s *server) position(id events.ID, index uint64) Position {
	p := Position{ID: id, Index: index, State: "accepted"}
	status := s.Ledger.Status()
	switch {
	case index < status.Published && s.reached(index):
		p.State = "projected"
	case index < status.Published:
		p.State = "published"
	case index < status.Logged:
		p.State = "logged"
	}
	return p
}

// reached reports whether every read model has a leaf.
func (s *server) reached(index uint64) bool {
	for _, p := range s.Runner.Status() {
		if p.Next <= index {
			return false
		}
	}
	return true
}

type idInput struct {
	ID events.ID `path:"id" doc:"the id that recording the share answered"`
}

func (s *server) disclosure(ctx context.Context, in *idInput) (*struct{ Body Position }, error) {
	index, found := s.Ledger.Find(in.ID)
	if !found {
		return nil, s.problem(ledger.ErrNoEvent)
	}
	p, err := s.positionOf(ctx, in.ID, index)
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body Position }{p}, nil
}
