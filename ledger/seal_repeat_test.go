package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// That somebody was erased makes no key of a seal answer for something else: a
// record under seal would be lost that way.
func TestSealKeysAfterAnErasure(t *testing.T) {
	s := newSealing(t)
	s.MustRecord(t, ledgertest.Share("before", "mary"))
	s.do("erase mary", &decide.Close{Subject: ledgertest.Email("mary"), Reason: events.ReasonErased})
	order := secrecy("2026-03-01T00:00:00Z")
	first := s.do("seal", order)
	same := func(when string) {
		t.Helper()
		if again := s.do("seal", order); !again.Repeat || again.Index != first.Index {
			t.Errorf("%s: %+v", when, again)
		}
		others := map[string]decide.SealRecord{"another person": *order, "another reason": *order}
		other := others["another person"]
		other.Subjects = []decide.Subject{{ID: ledgertest.Email("grace")}}
		others["another person"] = other
		other = others["another reason"]
		other.Reason = "another"
		others["another reason"] = other
		for what, cmd := range others {
			if _, err := s.Record(t.Context(), ledger.Command{Recorder: "counsel", Key: "seal", Record: &cmd}); !errors.Is(err, ledger.ErrKeyReused) &&
				(when == "while sealed" || what != "another person") { // whom it concerned is not known any more
				t.Errorf("%s, the key with %s: %v", when, what, err)
			}
		}
	}
	same("while sealed")
	s.do("propose", &decide.ProposeLift{ID: first.ID, By: "counsel", Reason: "vacated"})
	lift := &decide.LiftSeal{ID: first.ID, By: "counsel-2"}
	s.do("lift", lift)
	s.do("erase ada", &decide.Close{Subject: ledgertest.Email("ada"), Reason: events.ReasonErased})
	for range 2 {
		same("after the end")
		if again := s.do("lift", lift); !again.Repeat {
			t.Errorf("lifting again: %+v", again)
		}
		if _, err := s.Record(t.Context(), ledger.Command{Recorder: "counsel", Key: "lift", Record: &decide.LiftSeal{ID: first.ID, By: "counsel-3"}}); !errors.Is(err, ledger.ErrKeyReused) {
			t.Errorf("lifting as somebody else: %v", err)
		}
		s.reopen()
	}
}

// The law ends an oral suspension, whatever keys a keeper of the ledger's own name
// has used.
func TestNoKeyKeepsASealFromLapsing(t *testing.T) {
	s := newSealing(t)
	oral := secrecy("")
	oral.Order.Basis, oral.Order.Form, oral.Order.Issued = "hipaa_oral", "oral", "2026-01-30T00:00:00Z"
	sealed := s.do("oral", oral)
	s.mustAs("ledger", ledger.Command{Key: "lapse " + sealed.ID.String(), Record: &decide.ReviewSeal{ID: sealed.ID, By: "ledger", Reason: "the investigation goes on"}})
	s.clock.set("2026-03-01T00:00:00Z")
	s.MustRecord(t, ledgertest.Share("after", "grace"))
	s.Publish(t)
	if got := s.state(sealed.ID); got != "lapsed" {
		t.Errorf("after its 30 days it is %s", got)
	}
}

// The key of a confirmation answers for that request alone: who is told that somebody
// was erased must be able to rely on it.
func TestConfirmationKeys(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("share", "ada", "grace"))
	do := func(key string, cmd decide.Command) (ledger.Accepted, error) {
		return l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: key, Record: cmd})
	}
	request := func(name, action, ground string) events.ID {
		t.Helper()
		a, err := do("ask "+action+name, &decide.RequestClosure{
			Subject: decide.Subject{ID: ledgertest.Email(name)}, Action: action, Ground: ground, At: time.Now().UTC().Format(time.RFC3339), By: l.Pseudonym("one"),
		})
		if err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	confirm := func(key string, id events.ID) (ledger.Accepted, error) {
		return do(key, &decide.ConfirmClosure{ID: id, By: l.Pseudonym("two")})
	}
	ada, grace := request("ada", "erase", "request_of_the_person"), request("grace", "rotate", "copy_left")
	for key, id := range map[string]events.ID{"erase": ada, "rotate": grace} {
		first, err := confirm(key, id)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := confirm(key, id); err != nil || !again.Repeat || again.Index != first.Index {
			t.Errorf("%s again: %+v, %v", key, again, err)
		}
	}
	later := request("grace", "erase", "request_of_the_person")
	for range 2 {
		for _, key := range []string{"erase", "rotate"} {
			for _, id := range []events.ID{later, {7}} {
				if a, err := confirm(key, id); !errors.Is(err, ledger.ErrKeyReused) {
					t.Errorf("the key %q for the request %s: %+v, %v", key, id, a, err)
				}
			}
		}
		if _, err := confirm("rotate", ada); !errors.Is(err, ledger.ErrKeyReused) {
			t.Errorf("the key of a rotation for another's erasure: %v", err)
		}
		l.Reopen(t, ledgertest.Config{})
	}
}

// A seal is not lifted past a keystore that lacks its keys, such as an older one that
// was brought back: whom it concerns would never be told.
func TestNoLiftWithoutTheKeys(t *testing.T) {
	s := newSealing(t)
	cmd := secrecy("2026-03-01T00:00:00Z")
	cmd.Subjects = append(cmd.Subjects, decide.Subject{ID: ledgertest.Email("bob")})
	sealed := s.do("seal", cmd)
	s.do("propose", &decide.ProposeLift{ID: sealed.ID, By: "counsel", Reason: "vacated"})
	keys, err := s.Keys.SealKeys(t.Context(), sealed.ID)
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys: %v", len(keys), err)
	}
	if err := s.Keys.DestroySealKey(t.Context(), keys[0].ID); err != nil {
		t.Fatal(err)
	}
	s.refused("id", &decide.LiftSeal{ID: sealed.ID, By: "counsel-2"})
	if got := s.state(sealed.ID); got != "proposed" {
		t.Errorf("it is %s", got)
	}
}
