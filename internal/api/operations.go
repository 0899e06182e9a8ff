package api

import (
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sharetrail/sharetrail/ledger"
)

// takes describes the body of an operation that decodes it itself ([server.shape]
// says exactly which member is wrong; the library only would say that one is).
func takes[T any](api huma.API, op *huma.Operation, contentTypes ...string) *huma.Schema {
	t := reflect.TypeFor[T]()
	schema := api.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
	for ref := schema; ref != nil; {
		ref.PrecomputeMessages()
		if ref.Ref == "" {
			break
		}
		ref = api.OpenAPI().Components.Schemas.SchemaFromRef(ref.Ref)
	}
	for _, ct := range contentTypes {
		op.RequestBody.Content[ct] = &huma.MediaType{Schema: schema}
	}
	return schema
}

func (s *server) registerShares(api huma.API) {
	record := &huma.Operation{
		OperationID: "record-disclosure", Method: http.MethodPost, Path: "/v1/disclosures", Tags: []string{"shares"},
		Summary: "Record a share", DefaultStatus: http.StatusCreated,
		Description: "Answers once the share is accepted: durable, its leaf index known. " +
			"Repeating it with the same key and content answers the same; with other content it is refused.",
		MaxBodyBytes: 1 << 20, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true,
		Errors: []int{400, 408, 409, 413, 415, 422, 500, 503, 507},
	}
	huma.Register(api, *record, s.record)
	s.share = takes[Record](api, api.OpenAPI().Paths[record.Path].Post, "application/json")

	s.registerPeople(api)

	batch := huma.Operation{
		OperationID: "record-disclosures", Method: http.MethodPost, Path: "/v1/disclosures:batch", Tags: []string{"shares"},
		Summary: "Record many shares",
		Description: "One JSON document a line, {\"key\": ..., \"share\": ...}, up to 1000 lines. Each line is decided by itself: " +
			"a bad one is answered with its problem and changes nothing for the others. With dry_run everything is checked and nothing stored.",
		MaxBodyBytes: maxBatchBytes, BodyReadTimeout: time.Minute, SkipValidateBody: true,
		Errors: []int{400, 408, 413, 415, 422, 500, 503, 507},
	}
	huma.Register(api, batch, s.batch)
	takes[BatchLine](api, api.OpenAPI().Paths[batch.Path].Post, "application/jsonl", "application/x-ndjson")

	huma.Register(api, huma.Operation{
		OperationID: "get-disclosure", Method: http.MethodGet, Path: "/v1/disclosures/{id}", Tags: []string{"shares"},
		Summary:     "Where a share is",
		Description: "Says how far a recorded share is: accepted, logged, published or projected.",
		Errors:      []int{404, 422, 500},
	}, s.disclosure)
	huma.Register(api, huma.Operation{
		OperationID: "get-record", Method: http.MethodGet, Path: "/v1/records/{id}", Tags: []string{"shares"},
		Summary:     "Where a record is",
		Description: "Like that of a share, for whatever can be recorded.",
		Errors:      []int{404, 422, 500},
	}, s.disclosure)
	huma.Register(api, huma.Operation{
		OperationID: "get-receipt", Method: http.MethodGet, Path: "/v1/disclosures/{id}/receipt", Tags: []string{"shares"},
		Summary: "Prove that a share is in the log",
		Description: "A c2sp.org/tlog-proof: the leaf (in the extra line), its index, the inclusion proof and the newest checkpoint. " +
			"It holds no personal data. Waits until the share is published.",
		Errors: []int{404, 422, 500, 503, 507},
	}, s.receipt)
}

func (s *server) registerReports(api huma.API) {
	write := huma.Operation{
		OperationID: "write-report", Method: http.MethodPost, Path: "/v1/reports", Tags: []string{"reports"},
		Summary: "Write the report about somebody", DefaultStatus: http.StatusCreated,
		Description:  "Everything the ledger holds about one person, recipient or its controller, under its newest checkpoint, checked as its reader will before it is handed out.",
		MaxBodyBytes: 1 << 16, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true,
		Errors: []int{400, 408, 413, 415, 422, 500, 503, 507},
	}
	huma.Register(api, write, s.writeReport)
	s.subject = takes[ReportRequest](api, api.OpenAPI().Paths[write.Path].Post, "application/json")
	huma.Register(api, huma.Operation{
		OperationID: "get-report", Method: http.MethodGet, Path: "/v1/reports/{id}", Tags: []string{"reports"},
		Summary: "Fetch a written report", Description: "The report file, which sharetrail-verify checks offline.",
		Errors: []int{404, 500},
	}, s.report)
}

func (s *server) registerLedger(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-status", Method: http.MethodGet, Path: "/v1/status", Tags: []string{"ledger"},
		Summary: "How far everything is", Description: "Leaves accepted, logged and published, and the position of each read model.",
		Errors: []int{500},
	}, s.status)
	huma.Register(api, huma.Operation{
		OperationID: "get-checkpoint", Method: http.MethodGet, Path: "/v1/checkpoint", Tags: []string{"ledger"},
		Summary: "The newest checkpoint", Description: "A c2sp.org/tlog-checkpoint: the ledger's signature on its leaves.",
		Errors: []int{500, 503},
	}, s.checkpoint)
	huma.Register(api, huma.Operation{
		OperationID: "get-trust", Method: http.MethodGet, Path: "/.well-known/sharetrail/trust", Tags: []string{"ledger"},
		Summary: "The trust file", Description: "What readers of reports pin. Compare its fingerprint with the ledger's letter.",
		Errors: []int{500},
	}, s.trust)
}

func (s *server) registerPolicy(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "get-policy", Method: http.MethodGet, Path: "/v1/policy", Tags: []string{"ledger"},
		Summary: "The publication policy", Description: "Whose signatures what is published needs, where they are asked for, and what is done without.",
		Errors: []int{500},
	}, s.policy)
	set := huma.Operation{
		OperationID: "set-policy", Method: http.MethodPost, Path: "/v1/policy", Tags: []string{"ledger"},
		Summary: "Change the publication policy",
		Description: "From now on, for the newest state too. It changes the trust file: readers who pinned the one before refuse reports that are written from now on, " +
			"so give them the new one first.",
		MaxBodyBytes: 1 << 17, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true,
		Errors: []int{400, 408, 413, 415, 422, 500},
	}
	huma.Register(api, set, s.setPolicy)
	s.publication = takes[ledger.Publication](api, api.OpenAPI().Paths[set.Path].Post, "application/json")
}

func (s *server) registerBook(api huma.API) {
	put := huma.Operation{
		OperationID: "put-recipients", Method: http.MethodPost, Path: "/v1/address-book:batch", Tags: []string{"address book"},
		Summary:      "Add or replace recipients",
		Description:  "All of them or none. An entry is what a person may start from when recording a share; the share keeps its own snapshot.",
		MaxBodyBytes: maxBatchBytes, BodyReadTimeout: time.Minute, SkipValidateBody: true,
		Errors: []int{400, 408, 413, 415, 422, 500, 507},
	}
	huma.Register(api, put, s.putRecipients)
	s.entries = takes[BookRequest](api, api.OpenAPI().Paths[put.Path].Post, "application/json")
	huma.Register(api, huma.Operation{
		OperationID: "list-recipients", Method: http.MethodGet, Path: "/v1/address-book", Tags: []string{"address book"},
		Summary: "List recipients", Description: "In order of their ids, page by page: pass next as after until there is none.",
		Errors: []int{422, 500},
	}, s.listRecipients)
	huma.Register(api, huma.Operation{
		OperationID: "get-recipient", Method: http.MethodGet, Path: "/v1/address-book/{id}", Tags: []string{"address book"},
		Summary: "Look up a recipient", Description: "One entry of the address book, by its id.",
		Errors: []int{404, 500},
	}, s.getRecipient)
}

func (s *server) registerActors(api huma.API) {
	add := huma.Operation{
		OperationID: "add-actor", Method: http.MethodPost, Path: "/v1/actors", Tags: []string{"actors"},
		Summary: "Add an actor", DefaultStatus: http.StatusCreated,
		Description: "Answers with a token, this once. A name is never given to somebody else, also after its revocation. " +
			"An admin, counsel or keyholder waits until somebody else confirms them; only the first needs nobody.",
		MaxBodyBytes: 1 << 16, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true,
		Errors: []int{400, 408, 409, 413, 415, 422, 500},
	}
	huma.Register(api, add, s.addActor)
	s.actor = takes[ActorRequest](api, api.OpenAPI().Paths[add.Path].Post, "application/json")
	huma.Register(api, huma.Operation{
		OperationID: "list-actors", Method: http.MethodGet, Path: "/v1/actors", Tags: []string{"actors"},
		Summary: "List actors", Description: "In order of their names, the revoked ones too; no tokens.",
		Errors: []int{500},
	}, s.listActors)
	claim := huma.Operation{
		OperationID: "claim-token", Method: http.MethodPost, Path: "/v1/actors:claim", Tags: []string{"actors"},
		Summary: "Claim one's token",
		Description: "Answers with another token for whoever asks, this once, and ends the one that was shown to who added them. " +
			"What takes two people is refused before. If it was done already, and not by you, somebody else had your token.",
		MaxBodyBytes: 1 << 16, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true,
		Errors: []int{400, 408, 413, 415, 422, 500},
	}
	huma.Register(api, claim, s.claimToken)
	s.claim = takes[ClaimRequest](api, api.OpenAPI().Paths[claim.Path].Post, "application/json")
	confirm := huma.Operation{
		OperationID: "confirm-actor", Method: http.MethodPost, Path: "/v1/actors:confirm", Tags: []string{"actors"},
		Summary: "Confirm an actor",
		Description: "Lets in an actor who waits and has claimed its token, on the word of somebody else than who added it; a keyholder on that of a keyholder, while there is one. " +
			"Ask its holder first whether it was they who claimed it. Confirming again changes nothing.",
		MaxBodyBytes: 1 << 16, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true,
		Errors: []int{400, 404, 408, 413, 415, 422, 500},
	}
	huma.Register(api, confirm, s.confirmActor)
	s.name = takes[ActorName](api, api.OpenAPI().Paths[confirm.Path].Post, "application/json")
	revoke := huma.Operation{
		OperationID: "revoke-actor", Method: http.MethodPost, Path: "/v1/actors:revoke", Tags: []string{"actors"},
		Summary:      "Revoke an actor's token",
		Description:  "From now on it is refused, for good. Revoking again changes nothing.",
		MaxBodyBytes: 1 << 16, BodyReadTimeout: 10 * time.Second, SkipValidateBody: true,
		Errors: []int{400, 404, 408, 413, 415, 422, 500},
	}
	huma.Register(api, revoke, s.revokeActor)
	s.name = takes[ActorName](api, api.OpenAPI().Paths[revoke.Path].Post, "application/json")
}
