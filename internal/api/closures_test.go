package api_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/verifier"
)

// TestErasureTakesTwo: the same name cannot confirm, whatever its role; another one
// can, and then stored reports about the person are gone while those of others stay.
func TestErasureTakesTwo(t *testing.T) {
	s := serve(t)
	asking := api.InProcess(s.handler, actor.Actor{Name: "counsel-1", Role: actor.Counsel, Claimed: true})
	other := s.As(s.network(t).tokens[actor.Admin]) // over the socket, with a token
	const neighbour, nobody = "email:neighbour@example.com", "email:nobody@example.com"
	var recorded api.Position
	for key, who := range map[string]string{"a": person, "b": neighbour} {
		p, err := s.Record(t.Context(), key, "accepted", share(who))
		if err != nil {
			t.Fatal(err)
		}
		if who == person {
			recorded = p
		}
	}
	file := func(id string) string { return filepath.Join(s.ledger.Dir, "reports", id+".sharetrail") }
	kept := map[string]string{}
	for _, who := range []string{person, neighbour, nobody} {
		w, err := s.WriteReport(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		kept[who] = w.ID
		if b, err := os.ReadFile(file(w.ID)); err != nil || bytes.Contains(b, []byte("example.com")) || bytes.Contains(b, []byte("sharetrail/v")) {
			t.Errorf("the report about %s is stored in clear: %v", who, err)
		}
	}
	refused := func(err error, status int) {
		t.Helper()
		if p := (*api.ProblemError)(nil); !errors.As(err, &p) || p.Status != status {
			t.Errorf("got %v, want status %d", err, status)
		}
	}
	asked, err := asking.Post(t.Context(), "/v1/closures", "ask", "accepted", api.ClosureRequest{
		Subject: decide.Subject{ID: person}, Action: "erase", Ground: "request_of_the_person", At: time.Now().UTC().Format(time.RFC3339),
	})
	if err != nil {
		t.Fatal(err)
	}
	confirm := "/v1/closures/" + asked.ID.String() + "/confirmations"
	_, err = api.InProcess(s.handler, actor.Actor{Name: "counsel-1", Role: actor.Admin, Claimed: true}).Post(t.Context(), confirm, "own", "accepted", api.Confirmation{})
	refused(err, http.StatusUnprocessableEntity)
	_, err = api.InProcess(s.handler, actor.Actor{Name: "till", Role: actor.Recorder}).Post(t.Context(), confirm, "till", "accepted", api.Confirmation{})
	refused(err, http.StatusForbidden)
	_, err = other.ErasureReceipt(t.Context(), person)
	refused(err, http.StatusNotFound)
	if waiting, err := other.Closures(t.Context()); err != nil || len(waiting.Closures) != 1 || waiting.Closures[0].ID != asked.ID || waiting.Closures[0].Subject != person {
		t.Errorf("waiting are %+v, %v", waiting, err)
	}
	if _, err := other.Post(t.Context(), confirm, "confirm", "published", api.Confirmation{}); err != nil {
		t.Fatal(err)
	}
	if again, err := other.Post(t.Context(), confirm, "confirm", "accepted", api.Confirmation{}); err != nil || !again.Repeat {
		t.Errorf("confirming again: %+v, %v", again, err)
	}
	// Whoever repeats what was recorded of them hears where it is, whatever it says now:
	// there is nothing left to compare with, and a refusal would tell that there was.
	for _, again := range []api.Record{share(person), share("email:other@example.com")} {
		if p, err := s.Record(t.Context(), "a", "accepted", again); err != nil || !p.Repeat || p.ID != recorded.ID || p.Index != recorded.Index {
			t.Errorf("repeating a share about who was erased: %+v, %v, first it was %+v", p, err, recorded)
		}
	}
	_, err = s.Report(t.Context(), kept[person])
	refused(err, http.StatusNotFound)
	if _, err := os.Stat(file(kept[person])); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the report about who was erased is still there: %v", err)
	}
	for _, who := range []string{neighbour, nobody} {
		if b, err := s.Report(t.Context(), kept[who]); err != nil || len(b) == 0 {
			t.Errorf("the report about %s: %v", who, err)
		}
	}
	b, err := other.ErasureReceipt(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier.CheckErasure(b, events.RoleSubject, person, s.ledger.Trust()); err != nil {
		t.Error(err)
	}
}
