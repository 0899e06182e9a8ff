package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/actor/actortest"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/internal/ui"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/projections"
)

// TestGagSafety is property P9: replacing a sealed entry about a person by an entry
// about strangers with as many slots changes nothing that this person, an
// unprivileged user or the public can fetch, but uniformly random values.
//
// Two ledgers are told the same, under the same clock and, step by step, with the
// same entropy; in one something about Ada is recorded under seal, in the other a
// share about strangers in its place. Then every operation of the OpenAPI document
// is called in every role but the keyholder's, every verb of the command line is
// run, the pages are read, and all that was answered and logged is compared. What
// the strangers themselves could ask is left out: about them the ledgers differ.
func TestGagSafety(t *testing.T) {
	scripts := []gagScript{
		{before: 1, after: 1, people: 1, kind: events.StepSealed, known: true},
		{before: 1, people: 1, kind: events.StepSealed, known: true, ended: "erase"},
		{after: 1, people: 1, kind: gagHold, known: true},
	}
	if os.Getenv("SHARETRAIL_LONG") != "" {
		for i := range uint64(6) {
			scripts = append(scripts, drawGagScript(rand.New(rand.NewPCG(i, 2705))))
		}
	}
	for _, s := range scripts {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			sealed, open := playGag(t, s, true), playGag(t, s, false)
			if len(sealed) != len(open) || len(sealed) < 300 {
				t.Fatalf("%d answers and %d", len(sealed), len(open))
			}
			for i := range sealed {
				if diff := cmp.Diff(open[i], sealed[i]); diff != "" {
					t.Errorf("a seal shows (-strangers +sealed):\n%s", diff)
				}
			}
		})
	}
}

// gagScript is what the two ledgers are told.
type gagScript struct {
	before, after, people int
	kind                  string // step in the life of a seal that the share about strangers replaces
	known                 bool   // the person has a sequence before
	ended                 string // what becomes of the person afterwards: alias, erase, rotate or nothing
}

// gagHold is a script in which there is, or is not, a legal hold on a person who is
// then erased.
const gagHold = "hold"

func drawGagScript(r *rand.Rand) gagScript {
	kinds := []string{events.StepSealed, events.StepSealed, events.StepSupplemented, events.StepExtended, events.StepReviewed, events.StepProposed}
	s := gagScript{before: r.IntN(4), after: r.IntN(4), people: 1, kind: kinds[r.IntN(len(kinds))], known: r.IntN(2) == 0}
	if s.kind == events.StepSealed || s.kind == events.StepSupplemented {
		s.people += r.IntN(3)
	}
	s.ended = []string{"", "alias", "erase", "rotate"}[r.IntN(4)]
	return s
}

// gagClock is the clock of both ledgers. What verbs say to happen now is not ahead.
var gagClock = time.Now().UTC().Truncate(time.Hour).Add(2 * time.Hour)

// gagWorld is one of the two ledgers, and what it says.
type gagWorld struct {
	gagScript
	t       *testing.T
	sealed  bool
	dir     string
	logs    *observer.ObservedLogs
	in      *instance
	network *httptest.Server
	tokens  map[actor.Role]string
	running bool
	steps   uint64
	ids     map[string]string // of records, by what they are
	said    []string

	operations map[string][2]string
}

// playGag tells a ledger the script, asks it everything, and returns what it said.
func playGag(t *testing.T, s gagScript, sealed bool) []string {
	t.Helper()
	w := &gagWorld{gagScript: s, t: t, sealed: sealed, dir: filepath.Join(t.TempDir(), "data"), tokens: map[actor.Role]string{}, ids: map[string]string{}}
	core, logs := observer.New(zapcore.DebugLevel)
	w.logs = logs
	t.Cleanup(entropy.end)
	w.entropy()
	in, err := openInstance(t.Context(), instanceConfig{
		dir: w.dir, id: "acme", origin: "sharetrail.example/acme", create: true, authorities: []string{"org:court.example"},
		tick: 24 * time.Hour, log: zap.New(core), now: func() time.Time { return gagClock },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := (settings{ID: "acme", Origin: "sharetrail.example/acme"}).write(w.dir); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	defer stop()
	w.in = in
	done := make(chan error, 1)
	go func() { done <- in.run(ctx) }()
	w.running = true
	w.network = httptest.NewServer(ui.Handler(ui.Config{API: in.handler, Actors: in.actors, Logger: in.log.Named("network"), Now: in.now}))
	defer w.network.Close()
	w.tell()
	w.ask()
	w.network.Close()
	w.running = false
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := in.close(); err != nil {
		t.Fatal(err)
	}
	w.verb("fsck", "--data", w.dir)
	w.logged()
	return w.said
}

// entropy begins the entropy anew, at each step the same in both ledgers: what one
// of them draws more shifts nothing of what comes later.
// Before each, the read model has all there is: how far it is, is no answer.
func (w *gagWorld) entropy() {
	w.t.Helper()
	w.steps++
	if w.in != nil && w.running {
		if err := w.in.runner.WaitFor(w.t.Context(), w.in.ledger.Status().Accepted-1, projections.Name); err != nil {
			w.t.Fatal(err)
		}
	}
	entropy.begin(w.steps)
}

// client speaks as an actor of a role.
func (w *gagWorld) client(r actor.Role) *api.Client {
	return api.InProcess(w.in.handler, actor.Actor{Name: "the-" + string(r), Role: r, Claimed: true})
}

// do records something and notes its id under its name.
func (w *gagWorld) do(name string, r actor.Role, path string, body any) {
	w.t.Helper()
	w.entropy()
	p, err := w.client(r).Post(w.t.Context(), path, name, "published", body)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	w.ids[name] = p.ID.String()
}

const gagTime = "2026-01-05T00:00:00Z"

// gagShare is a share of some people's data.
func gagShare(to string, people ...string) api.Record {
	r := api.Record{DisclosureRecorded: events.DisclosureRecorded{
		Occurred: events.Occurred{At: gagTime}, Reasons: []events.Reason{events.LegalProcess},
		Recipient: events.Recipient{ID: "org:" + to, LegalName: "Recipient (sample)", Country: "US", Category: "law_enforcement"},
		Data:      events.SharedData{Categories: []string{"mailbox"}}, Promise: events.Promise{Statement: "privacy-statement/2017-01"},
		Provenance: events.Provenance{Grade: "native"},
	}}
	for _, name := range people {
		r.Subjects = append(r.Subjects, decide.Subject{ID: "email:" + name + "@example.com", Private: events.Private{Description: "the mailbox"}})
	}
	return r
}

func gagPeople(n int, first string) []string {
	people := []string{first}
	for i := 1; i < n; i++ {
		people = append(people, fmt.Sprintf("%s-%d", first, i))
	}
	return people
}

// gagSeal is the same share, under seal.
func gagSeal(share api.Record) api.SealRequest {
	return api.SealRequest{
		Order:  events.SealOrder{Authority: "org:court.example", Basis: "us_2705b", Form: "written", Reference: "26-mc-117", Issued: gagTime},
		Period: events.SealPeriod{Review: "2030-01-01T00:00:00Z"}, Record: gagMembers(share), Subjects: share.Subjects,
	}
}

// tell tells the ledger the script. Whoever the one entry is about that is not the
// same in both has a sequence before, and strangers have it in both.
func (w *gagWorld) tell() {
	w.t.Helper()
	for _, r := range actor.Roles() {
		w.entropy()
		w.tokens[r] = actortest.Add(w.t, w.in.actors, "the-"+string(r), r)
	}
	ada, strangers := gagPeople(w.people, "ada"), gagPeople(w.people, "stranger")
	w.do("strangers", actor.Recorder, "/v1/disclosures", gagShare("stranger", strangers...))
	w.do("grace", actor.Recorder, "/v1/disclosures", gagShare("contoso", "grace"))
	if w.known {
		w.do("ada", actor.Recorder, "/v1/disclosures", gagShare("contoso", ada...))
	}
	w.do("first seal", actor.Keyholder, "/v1/seals", gagSeal(gagShare("agency", ada...)))
	for i := range w.before {
		w.do(fmt.Sprint("before ", i), actor.Recorder, "/v1/disclosures", gagShare("contoso", "grace"))
	}
	switch {
	case w.kind == gagHold:
		w.hold()
	case w.sealed:
		w.seal(ada)
	default:
		w.do("it", actor.Recorder, "/v1/disclosures", gagShare("stranger", strangers...))
	}
	for i := range w.after {
		w.do(fmt.Sprint("after ", i), actor.Recorder, "/v1/disclosures", gagShare("contoso", "grace", "ada"))
	}
	if w.kind == gagHold {
		w.erase()
	}
	w.end()
}

// end is what somebody does to find out whether there is anything about the person:
// what is under seal must not stand in the way, nor help.
func (w *gagWorld) end() {
	w.t.Helper()
	switch {
	case w.ended == "":
	case !w.known && w.after == 0: // they have no sequence
		w.do("alias", actor.Counsel, "/v1/aliases", api.AliasRequest{Subject: "email:grace@example.com", Alias: "email:ada@example.com"})
	default:
		if w.ended == "alias" {
			w.do("alias", actor.Counsel, "/v1/aliases", api.AliasRequest{Subject: "email:ada@example.com", Alias: "account:4711"})
			return
		}
		w.do("request", actor.Counsel, "/v1/closures", api.ClosureRequest{
			Subject: decide.Subject{ID: "email:ada@example.com"}, Action: w.ended, Ground: "legal_obligation", At: gagClock.Format(time.RFC3339)})
		w.do("confirm", actor.Admin, "/v1/closures/"+w.ids["request"]+"/confirmations", api.Confirmation{})
	}
}

// hold puts Ada under a hold in one of the two ledgers.
func (w *gagWorld) hold() {
	w.t.Helper()
	w.entropy()
	if !w.sealed {
		return
	}
	v, err := w.client(actor.Keyholder).PlaceHold(w.t.Context(), ledger.HoldRequest{
		Matter: "M-1", Ground: "litigation", Reason: "the claim of 2026", Subjects: []string{"email:ada@example.com"},
	})
	if err != nil || v.State != "active" {
		w.t.Fatalf("%+v, %v", v, err)
	}
}

// erase erases Ada in both.
func (w *gagWorld) erase() {
	w.t.Helper()
	w.do("closure", actor.Counsel, "/v1/closures", api.ClosureRequest{
		Subject: decide.Subject{ID: "email:ada@example.com"}, Action: "erase", Ground: "request_of_the_person", At: gagClock.Add(-time.Hour).Format(time.RFC3339),
	})
	w.do("erased", actor.Admin, "/v1/closures/"+w.ids["closure"]+"/confirmations", api.Confirmation{})
	if !w.sealed {
		return
	}
	h, err := w.client(actor.Keyholder).Hold(w.t.Context(), "M-1")
	if err != nil || len(h.Entries) < 2 {
		w.t.Fatalf("%d entries are held: %v", len(h.Entries), err)
	}
}

// seal takes the step that nobody may notice.
func (w *gagWorld) seal(people []string) {
	w.t.Helper()
	path := "/v1/seals/" + w.ids["first seal"]
	again := gagSeal(gagShare("agency", people...))
	switch w.kind {
	case events.StepSealed:
		w.do("it", actor.Keyholder, "/v1/seals", again)
	case events.StepSupplemented:
		w.do("it", actor.Keyholder, path+"/supplements", api.SupplementRequest{Type: events.TypeDisclosureRecorded, Record: again.Record, Subjects: again.Subjects})
	case events.StepExtended:
		w.do("it", actor.Keyholder, path+"/extensions", map[string]any{"order": again.Order, "period": again.Period})
	case events.StepReviewed:
		w.do("it", actor.Keyholder, path+"/reviews", api.SealReview{Reason: "the investigation goes on", Next: "2029-01-01T00:00:00Z"})
	case events.StepProposed:
		w.do("it", actor.Keyholder, path+"/proposals", api.LiftingProposal{Reason: "the order was vacated"})
	default:
		w.t.Fatalf("no step %s", w.kind)
	}
}
