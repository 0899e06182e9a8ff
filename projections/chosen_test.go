package projections_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
)

func day(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// mustDo records commands, by their keys, and returns what was answered.
func mustDo(t *testing.T, l *ledgertest.Ledger, key string, cmd decide.Command) ledger.Accepted {
	t.Helper()
	a, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: key, Record: cmd})
	if err != nil {
		t.Fatalf("recording %s: %v", key, err)
	}
	return a
}

// TestDocuments: what was published, by name, and what was in force when.
func TestDocuments(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	publish := func(make func(events.Document) events.Validatable, version, effective, language string) ledger.Accepted {
		t.Helper()
		d := events.Document{
			Version: version, Effective: effective + "T00:00:00Z", SHA256: fmt.Sprintf("%064x", 7), Size: 9,
			MediaType: "text/plain", Language: language, Title: "Title of " + version, URL: "https://example.com/" + language,
		}
		return mustDo(t, l, version+language+effective, &decide.Publish{Event: make(d), Origin: l.Origin()})
	}
	statement := func(d events.Document) events.Validatable { return &events.StatementPublished{Document: d} }
	taxonomy := func(d events.Document) events.Validatable { return &events.TaxonomyReleased{Document: d} }
	profile := func(d events.Document) events.Validatable { return &events.ProfileReleased{Document: d} }
	l.MustRecord(t, ledgertest.Share("share", "ada"))
	first := publish(statement, "privacy/1", "2017-01-01", "en")
	publish(statement, "privacy/2", "2020-01-01", "en")
	publish(statement, "privacy/2", "2021-01-01", "de")
	publish(statement, "privacy/1b", "2018-01-01", "en") // recorded late
	publish(taxonomy, "privacy/1", "2019-01-01", "en")
	publish(profile, "hipaa/1", "2019-01-01", "")
	publish(profile, "gdpr/1", "2019-01-01", "")
	publish(profile, "gdpr/2", "2019-01-01", "") // on the same day, and later in the ledger
	controller, err := decide.Controller(l.IdentityRules(), l.Origin())
	if err != nil {
		t.Fatal(err)
	}
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		v := openViews(t, l, e.New(t))
		v.catchUp(t, l)
		for _, c := range []struct {
			kind             projections.DocumentKind
			version, inForce string
			asOf             uint64
			want             string
		}{
			{want: "privacy/1 en, privacy/2 en, privacy/2 de, privacy/1b en, privacy/1 en, hipaa/1 , gdpr/1 , gdpr/2 "},
			{asOf: first.Index + 1, want: "privacy/1 en"},
			{asOf: first.Index, want: ""},
			{version: "privacy/1", want: "privacy/1 en, privacy/1 en"},
			{version: "privacy/1", kind: projections.DocumentStatement, want: "privacy/1 en"},
			{version: "privacy/3", want: ""},
			{kind: projections.DocumentStatement, inForce: "2016-12-31", want: ""},
			{kind: projections.DocumentStatement, inForce: "2017-01-01", want: "privacy/1 en"},
			{kind: projections.DocumentStatement, inForce: "2018-01-01", want: "privacy/1b en"},
			{kind: projections.DocumentStatement, inForce: "2018-01-01", asOf: first.Index + 1, want: "privacy/1 en"},
			{kind: projections.DocumentStatement, inForce: "2020-06-01", want: "privacy/2 en"},
			{kind: projections.DocumentStatement, inForce: "2022-01-01", want: "privacy/2 en, privacy/2 de"},
			{kind: projections.DocumentTaxonomy, inForce: "2022-01-01", want: "privacy/1 en"},
			{kind: projections.DocumentProfile, inForce: "2022-01-01", want: "hipaa/1 , gdpr/2 "},
			{version: "privacy/1b", inForce: "2022-01-01", want: ""},
		} {
			answer, err := v.model.Documents(t.Context(), controller, projections.DocumentQuery{
				Kind: c.kind, Version: c.version, InForce: day(t, c.inForce), AsOf: c.asOf,
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range answer.Documents {
				got = append(got, d.Version+" "+d.Language)
			}
			asOf := l.Status().Accepted
			if c.asOf != 0 {
				asOf = c.asOf
			}
			if diff := cmp.Diff(c.want, strings.Join(got, ", ")); diff != "" || answer.AsOf != asOf {
				t.Errorf("%+v, as of %d (-want +got):\n%s", c, answer.AsOf, diff)
			}
		}
		answer, err := v.model.Documents(t.Context(), controller, projections.DocumentQuery{})
		if err != nil {
			t.Fatal(err)
		}
		got := answer.Documents[0]
		if got.Recorded.IsZero() {
			t.Error("it does not say when it was recorded")
		}
		got.Recorded = time.Time{}
		want := projections.Published{
			Event: projections.Event{Index: first.Index, EventID: first.ID}, Kind: projections.DocumentStatement,
			Document: events.Document{
				Version: "privacy/1", Effective: "2017-01-01T00:00:00Z", SHA256: fmt.Sprintf("%064x", 7), Size: 9,
				MediaType: "text/plain", Language: "en", Title: "Title of privacy/1", URL: "https://example.com/en",
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the first document (-want +got):\n%s", diff)
		}
	})
}

// TestConsents: what a person chose, and what of it held when.
func TestConsents(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	ada := decide.Subject{ID: ledgertest.Email("ada"), Private: events.Private{Reference: "form 7"}}
	choose := func(name, at, until string, refused bool) ledger.Accepted {
		t.Helper()
		choice, scope := events.Choice{At: at + "T00:00:00Z", Method: "form"}, events.Scope{Purposes: []string{name}}
		if until != "" {
			scope.Until = until + "T00:00:00Z"
		}
		cmd := &decide.Choose{Event: &events.ConsentGiven{Choice: choice, Scope: scope}, Subject: ada}
		if refused {
			cmd.Event = &events.ConsentRefused{Choice: choice, Scope: scope}
		}
		return mustDo(t, l, name, cmd)
	}
	news := choose("news", "2025-01-01", "", false)
	choose("study", "2025-02-01", "2025-04-01", false)
	choose("ads", "2025-02-01", "", true)
	trial := choose("trial", "2025-01-15", "", false)
	l.MustRecord(t, ledgertest.Share("share", "ada", "grace"))
	withdrawn := mustDo(t, l, "withdraw", &decide.EndConsent{ID: news.ID, Event: &events.ConsentWithdrawn{
		Choice: events.Choice{At: "2025-03-01T00:00:00Z", Method: "written"},
	}})
	mustDo(t, l, "expire", &decide.EndConsent{ID: trial.ID, Event: &events.ConsentExpired{Choice: events.Choice{At: "2025-05-01T00:00:00Z"}}})
	id, grace := person(t, l, "ada"), person(t, l, "grace")
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		v := openViews(t, l, e.New(t))
		v.catchUp(t, l)
		for _, c := range []struct {
			id      events.Identity
			inForce string
			asOf    uint64
			want    string
		}{
			{id: id, want: "opt_in news withdrawn, opt_in study, opt_out ads, opt_in trial expired"},
			{id: id, asOf: withdrawn.Index, want: "opt_in news, opt_in study, opt_out ads, opt_in trial"},
			{id: id, asOf: withdrawn.Index + 1, want: "opt_in news withdrawn, opt_in study, opt_out ads, opt_in trial"},
			{id: id, asOf: news.Index, want: ""},
			{id: id, inForce: "2024-12-31", want: ""},
			{id: id, inForce: "2025-01-01", want: "opt_in news withdrawn"},
			{id: id, inForce: "2025-02-28", want: "opt_in news withdrawn, opt_in study, opt_out ads, opt_in trial expired"},
			{id: id, inForce: "2025-03-01", want: "opt_in study, opt_out ads, opt_in trial expired"},
			{id: id, inForce: "2025-03-01", asOf: withdrawn.Index, want: "opt_in news, opt_in study, opt_out ads, opt_in trial"},
			{id: id, inForce: "2025-04-01", want: "opt_out ads, opt_in trial expired"},
			{id: id, inForce: "2025-05-01", want: "opt_out ads"},
			{id: grace, want: ""},
			{id: "email\x00nobody@example.com", want: ""},
		} {
			answer, err := v.model.Consents(t.Context(), c.id, projections.ConsentQuery{InForce: day(t, c.inForce), AsOf: c.asOf})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, one := range answer.Consents {
				text := string(one.Chosen) + " " + one.Scope.Purposes[0]
				if one.Ended != nil {
					text += " " + one.Ended.How
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("%s in force %q, as of %d (-want +got):\n%s", c.id, c.inForce, c.asOf, diff)
			}
		}
		answer, err := v.model.Consents(t.Context(), id, projections.ConsentQuery{})
		if err != nil || answer.AsOf != l.Status().Accepted {
			t.Fatalf("as of %d, %v", answer.AsOf, err)
		}
		got := answer.Consents[0]
		got.Recorded, got.Ended.Recorded = time.Time{}, time.Time{}
		want := projections.Consent{
			Event: projections.Event{Index: news.Index, EventID: news.ID}, Chosen: projections.OptIn,
			Choice: events.Choice{At: "2025-01-01T00:00:00Z", Method: "form"}, Scope: events.Scope{Purposes: []string{"news"}},
			Private: &events.Private{Reference: "form 7"},
			Ended: &projections.ConsentEnd{
				Event: projections.Event{Index: withdrawn.Index, EventID: withdrawn.ID}, How: "withdrawn",
				Choice: events.Choice{At: "2025-03-01T00:00:00Z", Method: "written"},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the first consent (-want +got):\n%s", diff)
		}
	})
}
