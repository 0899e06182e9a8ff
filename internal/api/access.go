package api

import (
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sharetrail/sharetrail/internal/actor"
)

// anyone marks what needs no token: it is public by its nature.
const anyone actor.Role = "anyone"

// access is who may do what: every operation of the interface, by its id, and
// the roles that may. An operation that is not here is refused to everybody, and
// fails a test. docs/roles.md shows the same table.
var access = map[string][]actor.Role{
	"record-disclosure":  {actor.Admin, actor.Counsel, actor.Recorder},
	"record-disclosures": {actor.Admin, actor.Counsel, actor.Recorder},
	"record-people":      {actor.Admin, actor.Counsel, actor.Recorder},
	"get-disclosure":     {actor.Admin, actor.Counsel, actor.Recorder, actor.Auditor},
	"get-receipt":        {actor.Admin, actor.Counsel, actor.Recorder, actor.Auditor},

	"amend-disclosure":       {actor.Admin, actor.Counsel},
	"retract-disclosure":     {actor.Admin, actor.Counsel},
	"reattribute-disclosure": {actor.Admin, actor.Counsel},
	"add-subjects":           {actor.Admin, actor.Counsel, actor.Recorder},
	"dispute-disclosure":     {actor.Admin, actor.Counsel},
	"resolve-dispute":        {actor.Admin, actor.Counsel},
	"acknowledge-disclosure": {actor.Admin, actor.Counsel, actor.Recorder},
	"report-onward":          {actor.Admin, actor.Counsel, actor.Recorder},
	"open-series":            {actor.Admin, actor.Counsel, actor.Recorder},
	"update-series":          {actor.Admin, actor.Counsel, actor.Recorder},
	"close-series":           {actor.Admin, actor.Counsel, actor.Recorder},
	"record-possible":        {actor.Admin, actor.Counsel, actor.Recorder},
	"register-recipient":     {actor.Admin, actor.Counsel},
	"change-recipient":       {actor.Admin, actor.Counsel},
	"merge-recipients":       {actor.Admin, actor.Counsel},
	"change-relationship":    {actor.Admin, actor.Counsel},
	"add-subprocessor":       {actor.Admin, actor.Counsel},
	"publish-statement":      {actor.Admin, actor.Counsel},
	"release-taxonomy":       {actor.Admin, actor.Counsel},
	"release-profile":        {actor.Admin, actor.Counsel},
	"give-consent":           {actor.Admin, actor.Counsel, actor.Recorder},
	"refuse-consent":         {actor.Admin, actor.Counsel, actor.Recorder},
	"withdraw-consent":       {actor.Admin, actor.Counsel, actor.Recorder},
	"expire-consent":         {actor.Admin, actor.Counsel, actor.Recorder},
	"get-record":             {actor.Admin, actor.Counsel, actor.Recorder, actor.Auditor},

	"request-closure":     {actor.Admin, actor.Counsel},
	"confirm-closure":     {actor.Admin, actor.Counsel},
	"decline-closure":     {actor.Admin, actor.Counsel},
	"list-closures":       {actor.Admin, actor.Counsel},
	"get-erasure-receipt": {actor.Admin, actor.Counsel, actor.Reader},
	"add-alias":           {actor.Admin, actor.Counsel},

	"query-disclosures": {actor.Admin, actor.Counsel, actor.Reader},
	"query-consents":    {actor.Admin, actor.Counsel, actor.Reader},
	"list-documents":    {actor.Admin, actor.Counsel, actor.Recorder, actor.Reader, actor.Auditor},
	"list-register":     {actor.Admin, actor.Counsel, actor.Auditor},

	"write-report": {actor.Admin, actor.Counsel, actor.Reader},
	"get-report":   {actor.Admin, actor.Counsel, actor.Reader},

	"get-status":     {actor.Admin, actor.Counsel, actor.Recorder, actor.Reader, actor.Auditor, actor.Keyholder},
	"get-checkpoint": {actor.Admin, actor.Counsel, actor.Recorder, actor.Reader, actor.Auditor, actor.Keyholder},
	"get-trust":      {anyone},
	"get-metrics":    {actor.Admin, actor.Auditor},
	"close-ledger":   {actor.Admin},

	"get-log-checkpoint": {actor.Admin, actor.Counsel, actor.Auditor},
	"get-tile":           {actor.Admin, actor.Counsel, actor.Auditor},
	"get-rules":          {actor.Admin, actor.Counsel, actor.Auditor},
	"get-policy":         {actor.Admin, actor.Auditor},
	"set-policy":         {actor.Admin},

	"put-recipients":  {actor.Admin, actor.Counsel},
	"list-recipients": {actor.Admin, actor.Counsel, actor.Recorder},
	"get-recipient":   {actor.Admin, actor.Counsel, actor.Recorder},

	"seal-record":         {actor.Keyholder},
	"supplement-seal":     {actor.Keyholder},
	"extend-seal":         {actor.Keyholder},
	"review-seal":         {actor.Keyholder},
	"propose-lifting":     {actor.Keyholder},
	"lift-seal":           {actor.Keyholder},
	"list-seals":          {actor.Keyholder},
	"write-seal-register": {actor.Keyholder},

	"place-hold":      {actor.Keyholder},
	"propose-release": {actor.Keyholder},
	"release-hold":    {actor.Keyholder},
	"list-holds":      {actor.Keyholder},
	"show-hold":       {actor.Keyholder},

	"list-views":    {actor.Admin, actor.Auditor},
	"rebuild-views": {actor.Admin},
	"retry-views":   {actor.Admin},
	"drop-view":     {actor.Admin},

	"add-actor":     {actor.Admin},
	"list-actors":   {actor.Admin, actor.Counsel, actor.Keyholder},
	"claim-token":   {actor.Admin, actor.Counsel, actor.Recorder, actor.Reader, actor.Auditor, actor.Keyholder},
	"confirm-actor": {actor.Admin, actor.Counsel, actor.Keyholder},
	"revoke-actor":  {actor.Admin},
}

// Allowed reports whether a role may do an operation, so that nobody is offered
// what would be refused.
func Allowed(r actor.Role, operation string) bool {
	roles := access[operation]
	return slices.Contains(roles, r) || slices.Contains(roles, anyone)
}

// authorize lets a request through to its operation, or not. It is the one place
// where that is decided, whichever way the request came in, and runs before
// anything is read of the body.
func (s *server) authorize(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		operation := ctx.Operation().OperationID
		a, known := actor.FromContext(ctx.Context())
		p := s.refusal(a, known, operation)
		if p == nil {
			next(ctx)
			return
		}
		if p.Status == http.StatusUnauthorized {
			ctx.SetHeader("WWW-Authenticate", challenge)
		}
		huma.WriteErr(api, ctx, p.Status, p.Detail)
	}
}

// publicLog are the operations that are anyone's in a ledger that publishes for
// all.
var publicLog = []string{"get-log-checkpoint", "get-tile", "get-rules"}

// refusal says why an actor, or nobody known, may not do an operation; nil if they
// may.
func (s *server) refusal(a actor.Actor, known bool, operation string) *Problem {
	role := a.Role
	if a.Waits && operation != "claim-token" {
		role = ""
	}
	switch {
	case Allowed(role, operation), slices.Contains(publicLog, operation) && s.Ledger.Public():
		return nil
	case !known:
		return newProblem(http.StatusUnauthorized, tokenMissing)
	case role != a.Role:
		return newProblem(http.StatusForbidden, tokenWaits)
	}
	return newProblem(http.StatusForbidden, "the role "+string(a.Role)+" may not do this ("+operation+
		"); ask an admin for a token whose role is "+orList(access[operation]))
}

const (
	challenge    = `Bearer realm="sharetrail"`
	tokenMissing = "this needs a token; send it in the header Authorization: Bearer TOKEN. An admin makes one with: sharetrail actor add"
	tokenWaits   = "you may not do this before somebody confirms you; claim your token (sharetrail actor claim), then ask somebody who did not add you for: sharetrail actor confirm"
	tokenWrong   = "the token is unknown or revoked; check that it is whole, or ask an admin for a new one"
)

func orList(roles []actor.Role) string {
	var names []string
	for _, r := range roles {
		names = append(names, string(r))
	}
	return strings.Join(names, " or ")
}

// tokenScheme is the name of the security scheme in the OpenAPI document.
const tokenScheme = "token"

// documentAccess adds to every operation of the document who may do it.
func documentAccess(config *huma.Config) {
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{tokenScheme: {
		Type: "http", Scheme: "bearer",
		Description: "On the network listener: a token of sharetrail actor add. On the Unix socket none is needed: the owner of the data directory is an admin.",
	}}
	config.OnAddOperation = append(config.OnAddOperation, func(doc *huma.OpenAPI, op *huma.Operation) {
		roles := access[op.OperationID]
		if slices.Contains(roles, anyone) {
			return
		}
		op.Security = []map[string][]string{{tokenScheme: {}}}
		op.Extensions = map[string]any{"x-roles": roles}
		problem := doc.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
		for status, said := range map[string]string{"401": "No token, or an unknown or revoked one", "403": "Another role is needed"} {
			op.Responses[status] = &huma.Response{
				Description: said, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
			}
		}
	})
}
