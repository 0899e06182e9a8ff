package ledger_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// TestTwoActors walks requests through all their ends: declined, expired, confirmed
// by the one who asked, confirmed by another, overtaken.
func TestTwoActors(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	l := ledgertest.New(t, ledgertest.Config{Now: func() time.Time { return now }})
	l.MustRecord(t, ledgertest.Share("share", "ada", "grace"))
	asking, other := l.Pseudonym("counsel-1"), l.Pseudonym("counsel-2")
	if asking == other || len(asking) != 32 || strings.Contains(asking, "counsel") {
		t.Fatalf("the pseudonyms are %q and %q", asking, other)
	}
	do := func(key string, cmd decide.Command) (ledger.Accepted, error) {
		return l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: key, Record: cmd})
	}
	must := func(key string, cmd decide.Command) ledger.Accepted {
		t.Helper()
		a, err := do(key, cmd)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if again, err := do(key, cmd); err != nil || !again.Repeat || again.Index != a.Index {
			t.Fatalf("%s again: %+v, %v", key, again, err)
		}
		return a
	}
	request := func(key, name, action, ground string) events.ID {
		t.Helper()
		return must(key, &decide.RequestClosure{
			Subject: decide.Subject{ID: ledgertest.Email(name)}, Action: action, Ground: ground, At: now.Format(time.RFC3339), By: asking,
		}).ID
	}
	refuse := func(about string, cmd decide.Command) {
		t.Helper()
		_, err := do("refused", cmd)
		if refused := (*events.FieldError)(nil); !errors.As(err, &refused) || !strings.Contains(refused.Rule, about) || refused.Next == "" {
			t.Errorf("%T was not refused because it %s: %v", cmd, about, err)
		}
	}
	pending := func(want ...events.ID) {
		t.Helper()
		got, err := l.PendingClosures(t.Context())
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d requests wait, not %d: %+v, %v", len(got), len(want), got, err)
		}
		for i := range want {
			if got[i].ID != want[i] {
				t.Errorf("request %d is %+v", i, got[i])
			}
		}
	}
	refuse("has no entries", &decide.RequestClosure{Subject: decide.Subject{ID: ledgertest.Email("nobody")}, Action: "erase", Ground: "unlawful", At: now.Format(time.RFC3339), By: asking})
	refuse("not one of its values", &decide.RequestClosure{Subject: decide.Subject{ID: ledgertest.Email("ada")}, Action: "erase", Ground: "because", At: now.Format(time.RFC3339), By: asking})

	declined := request("declined", "ada", "erase", "unlawful")
	must("decline", &decide.DeclineClosure{ID: declined, Reason: "another Ada", At: now.Format(time.RFC3339)})
	refuse("has ended", &decide.ConfirmClosure{ID: declined, By: other})
	pending()

	rotation := request("rotation", "ada", "rotate", "copy_left")
	expired := request("expired", "grace", "erase", "retention_over")
	pending(rotation, expired)
	refuse("of your own", &decide.ConfirmClosure{ID: rotation, By: asking})
	l.Reopen(t, ledgertest.Config{Now: func() time.Time { return now }})
	pending(rotation, expired)
	refuse("two who did not", &decide.ConfirmClosure{ID: rotation, By: other, Kin: []string{asking}})
	must("rotate", &decide.ConfirmClosure{ID: rotation, By: other, Kin: []string{l.Pseudonym("counsel-3")}})
	refuse("has ended", &decide.ConfirmClosure{ID: rotation, By: other})
	now = now.Add(31 * 24 * time.Hour)
	refuse("has expired", &decide.ConfirmClosure{ID: expired, By: other})

	erasure, twin := request("erasure", "ada", "erase", "request_of_the_person"), request("twin", "ada", "erase", "unlawful")
	pending(expired, erasure, twin)
	must("erase", &decide.ConfirmClosure{ID: erasure, By: other})
	pending(expired)
	l.Reopen(t, ledgertest.Config{Now: func() time.Time { return now }})
	pending(expired)
	for _, id := range []events.ID{erasure, twin} { // nobody can read whom they were about
		if _, err := do("refused", &decide.ConfirmClosure{ID: id, By: other}); err == nil {
			t.Error("somebody was erased twice")
		}
	}
	if all, err := l.Keys.Generations(t.Context(), events.RoleSubject, "email\x00ada@example.com"); len(all) > 0 || err != nil {
		t.Errorf("%d keys are left: %v", len(all), err)
	}
}
