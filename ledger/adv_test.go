package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// TestFullRecord: passing a share of 511 people on concerns 513 parties, which no
// event holds. It is a header and continuations, and commands of others in the same
// batch go on.
func TestFullRecord(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	full := l.MustRecord(t, ledgertest.Share("full", ledgertest.People("p", 511)...))
	if full.Continuations != 0 {
		t.Errorf("511 people need %d continuations", full.Continuations)
	}
	onward := &decide.ReportOnward{ID: full.ID, Onward: events.OnwardReported{
		Onward: events.Onward{By: "org:northwind", At: "2026-01-05T00:00:00Z"}, Reasons: []events.Reason{events.VendorOnBehalf},
		Recipient: events.Recipient{ID: "org:second", LegalName: "Second", Country: "US", Category: "subprocessor"},
		Data:      events.SharedData{Categories: []string{"name"}},
	}}
	var g errgroup.Group
	for i := range 5 {
		g.Go(func() error {
			a, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: fmt.Sprint("onward ", i), Record: onward})
			if err == nil && a.Continuations != 8 {
				err = fmt.Errorf("513 parties: %+v", a)
			}
			return err
		})
		g.Go(func() error {
			_, err := l.Record(t.Context(), ledgertest.Share(fmt.Sprint("honest ", i), "ada"))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// TestPatchSpelling: a member is its exact spelling; one that is not is refused, and
// never lost in silence.
func TestPatchSpelling(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	share := l.MustRecord(t, ledgertest.Share("share", "ada"))
	for _, patch := range []string{
		`{"Recipient":{"contact":"x"}}`, `{"recipient":{"LEGAL_NAME":"Zed"},"purposes":["x"]}`, "{\"tran\u017ffer\":{\"from\":\"US\",\"to\":\"DE\",\"mechanism\":\"code\"}}",
		`{"":1}`, `{"DisclosureRecorded":{}}`,
	} {
		_, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: patch,
			Record: &decide.Amend{ID: share.ID, Kind: "correct", Reason: "r", Changes: []byte(patch)}})
		if refused := (*events.FieldError)(nil); !errors.As(err, &refused) {
			t.Errorf("%s: %v", patch, err)
		}
	}
}

// TestRetractionKeyOfReattribution: a key that moved a record to somebody is not the
// key of a retraction alone.
func TestRetractionKeyOfReattribution(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	share := l.MustRecord(t, ledgertest.Share("share", "ada", "grace"))
	move := &decide.Reattribute{ID: share.ID, From: ledgertest.Email("ada"), To: decide.Subject{ID: ledgertest.Email("dora")}}
	if _, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: "k", Record: move}); err != nil {
		t.Fatal(err)
	}
	retract := &decide.Retract{ID: share.ID, Ground: "wrong_person", Subjects: []decide.Subject{{ID: ledgertest.Email("ada")}}}
	a, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: "k", Record: retract})
	if !errors.Is(err, ledger.ErrKeyReused) {
		t.Errorf("%+v, %v", a, err)
	}
}
