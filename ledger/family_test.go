package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// family is a ledger on which every kind of command is recorded, with what each
// event must say to whom.
type family struct {
	*ledgertest.Ledger
	t    *testing.T
	cmds []ledger.Command
	at   []ledger.Accepted
}

func (f *family) do(key string, cmd decide.Command, want events.Event, parties ...decide.Party) ledger.Accepted {
	f.t.Helper()
	c := ledger.Command{Recorder: ledgertest.Recorder, Key: key, Record: cmd}
	a, err := f.Record(f.t.Context(), c)
	if err != nil {
		f.t.Fatalf("%s: %v", key, err)
	}
	f.Model.Expect(a.Index, decide.Planned{Event: want, Parties: parties})
	f.cmds, f.at = append(f.cmds, c), append(f.at, a)
	return a
}

// also tells the model of the other event that a command made.
func (f *family) also(a ledger.Accepted, want events.Event, parties ...decide.Party) {
	f.t.Helper()
	if len(a.Also) != 1 {
		f.t.Fatalf("it made %+v", a)
	}
	f.Model.Expect(a.Also[0].Index, decide.Planned{Event: want, Parties: parties})
}

// refuse wants a command refused with a field.
func (f *family) refuse(field string, cmd decide.Command) {
	f.t.Helper()
	_, err := f.Record(f.t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: "refused", Record: cmd})
	var refused *events.FieldError
	if !errors.As(err, &refused) || refused.Field != field || refused.Rule == "" || refused.Next == "" {
		f.t.Errorf("%T: got %v, want a refusal of %s", cmd, err, field)
	}
}

// repeat records every command again: nothing may come of it.
func (f *family) repeat() {
	f.t.Helper()
	for i, c := range f.cmds {
		a, err := f.Record(f.t.Context(), c)
		if err != nil || a.Index != f.at[i].Index || !a.Repeat || !slices.Equal(a.Also, f.at[i].Also) {
			f.t.Errorf("%s again: %+v, %v; the first one is %+v", c.Key, a, err, f.at[i])
		}
	}
}

func subject(name, about string, index ...uint64) decide.Party {
	id, err := events.ParseIdentity(events.DefaultRules().Identities, ledgertest.Email(name))
	if err != nil {
		panic(err)
	}
	p := decide.Party{Role: events.RoleSubject, ID: id}
	if about != "" {
		p.Private = &events.Private{Description: about}
	}
	return pointing(p, index)
}

func recipient(local string, index ...uint64) decide.Party {
	return pointing(decide.Party{Role: events.RoleRecipient, ID: events.Identity("org\x00" + local)}, index)
}

func pointing(p decide.Party, index []uint64) decide.Party {
	if len(index) > 0 {
		p.About = &decide.Reference{Index: index[0]}
	}
	return p
}

func person(name, about string) decide.Subject {
	return decide.Subject{ID: ledgertest.Email(name), Private: events.Private{Description: about}}
}

// TestFamily records every kind of event. After each step, and after starting
// again from state.db and without it, every party's report holds exactly what
// concerns it, and every command can be repeated without harm.
func TestFamily(t *testing.T) {
	f := &family{Ledger: ledgertest.New(t, ledgertest.Config{}), t: t}
	f.MaxReports = 100
	const at = "2026-01-05T00:00:00Z"
	cmd := ledgertest.Share("share", "ada", "grace")
	share := f.MustRecord(t, cmd)
	recorded := cmd.Record.(*decide.RecordDisclosure).Disclosure

	// Amendments, of the original and of the amended.
	amended := recorded
	amended.Data.Categories = []string{"name"}
	f.do("amend 1", &decide.Amend{ID: share.ID, Kind: "correct", Reason: "the card token was not sent", Changes: []byte(`{"data":{"categories":["name"]}}`)},
		&events.DisclosureAmended{DisclosureRecorded: amended, Amendment: events.Amendment{Version: 1, Kind: "correct", Reason: "the card token was not sent", Changed: []string{"data"}}},
		recipient("northwind", share.Index), subject("ada", "", share.Index), subject("grace", "", share.Index))
	f.Check(t)
	amended.Purposes, amended.LegalBases = nil, []string{"GDPR 6(1)(b)"}
	second := &decide.Amend{ID: share.ID, Kind: "supplement", Reason: "the basis", Changes: []byte(`{"legal_bases":["GDPR 6(1)(b)"],"purposes":null}`)}
	f.do("amend 2", second,
		&events.DisclosureAmended{DisclosureRecorded: amended, Amendment: events.Amendment{Version: 2, Kind: "supplement", Reason: "the basis", Changed: []string{"legal_bases", "purposes"}}},
		recipient("northwind", share.Index), subject("ada", "", share.Index), subject("grace", "", share.Index))
	f.refuse("amendment.changed", second)
	f.refuse("changes.recipient.id", &decide.Amend{ID: share.ID, Kind: "correct", Reason: "x", Changes: []byte(`{"recipient":{"id":"org:other"}}`)})
	f.refuse("changes.extent", &decide.Amend{ID: share.ID, Kind: "correct", Reason: "x", Changes: []byte(`{"extent":{"subjects":9,"continuations":0}}`)})
	f.refuse("changes.data.categories", &decide.Amend{ID: share.ID, Kind: "correct", Reason: "x", Changes: []byte(`{"data":{"categories":7}}`)})
	f.refuse("changes", &decide.Amend{ID: share.ID, Kind: "correct", Reason: "x", Changes: []byte(`{"shape":1}`)})
	f.refuse("changes", &decide.Amend{ID: share.ID, Kind: "correct", Reason: "x", Changes: []byte(`[]`)})
	f.refuse("amendment.reason", &decide.Amend{ID: share.ID, Kind: "correct", Changes: []byte(`{"reasons":["research"]}`)})
	f.refuse("id", &decide.Amend{Kind: "correct", Reason: "x", Changes: []byte(`{}`)})

	// More people; they get the share as it is now known.
	added := amended
	added.Extent = events.Extent{Subjects: 1}
	joined := f.do("add", &decide.AddSubjects{ID: share.ID, Subjects: []decide.Subject{person("joan", "seat 7")}},
		&events.SubjectsAdded{DisclosureRecorded: added}, recipient("northwind", share.Index), subject("joan", "seat 7"))
	for _, there := range []string{"ada", "joan"} {
		f.refuse("subjects[0].id", &decide.AddSubjects{ID: share.ID, Subjects: []decide.Subject{person(there, "")}})
	}
	f.refuse("to.id", &decide.Reattribute{ID: share.ID, From: ledgertest.Email("ada"), To: person("joan", "")})
	f.Check(t)

	// What is amended now is amended for whoever was added, too.
	amended.Data.Kind, added.Data.Kind, added.Extent = "metadata", "metadata", events.Extent{}
	third := events.Amendment{Version: 3, Kind: "supplement", Reason: "kind", Changed: []string{"data"}}
	more := f.do("amend 3", &decide.Amend{ID: share.ID, Kind: "supplement", Reason: "kind", Changes: []byte(`{"data":{"kind":"metadata"}}`)},
		&events.DisclosureAmended{DisclosureRecorded: amended, Amendment: third},
		recipient("northwind", share.Index), subject("ada", "", share.Index), subject("grace", "", share.Index))
	third.Version = 1
	f.also(more, &events.DisclosureAmended{DisclosureRecorded: added, Amendment: third},
		recipient("northwind", joined.Index), subject("joan", "", joined.Index))
	f.Check(t)

	// A dispute, and its end.
	dispute := events.Dispute{By: "subject", Ground: "not_me", At: at}
	disputed := f.do("dispute", &decide.Dispute{ID: share.ID, Dispute: dispute, Subject: person("grace", "I was never a customer")},
		&events.DisclosureDisputed{Dispute: dispute}, recipient("northwind", share.Index), subject("grace", "I was never a customer", share.Index))
	resolution := events.Resolution{Outcome: "upheld", Reason: "a mix-up of accounts", At: at}
	f.do("resolve", &decide.ResolveDispute{ID: disputed.ID, Resolution: resolution},
		&events.DisputeResolved{Resolution: resolution}, recipient("northwind", disputed.Index), subject("grace", "", disputed.Index))
	f.refuse("id", &decide.ResolveDispute{ID: disputed.ID, Resolution: resolution})
	f.refuse("id", &decide.ResolveDispute{ID: share.ID, Resolution: resolution})
	f.refuse("subject.id", &decide.Dispute{ID: share.ID, Dispute: dispute})
	f.refuse("subjects[0].id", &decide.Dispute{ID: share.ID, Dispute: dispute, Subject: person("edsger", "")})

	// Grace's entry belongs to Mary. Neither sees the other.
	fresh := amended
	fresh.Extent = events.Extent{Subjects: 1}
	retraction := events.Retraction{Ground: "wrong_person", Reason: "a mix-up of accounts", Scope: "part", People: 1}
	moved := f.do("reattribute", &decide.Reattribute{ID: share.ID, From: ledgertest.Email("grace"), To: person("mary", "order 9"), Reason: "a mix-up of accounts"},
		&events.DisclosureRetracted{Retraction: retraction}, recipient("northwind", share.Index), subject("grace", "", share.Index))
	f.refuse("from", &decide.Reattribute{ID: share.ID, From: ledgertest.Email("grace"), To: person("zoe", "")})
	f.refuse("to.id", &decide.Reattribute{ID: share.ID, From: ledgertest.Email("ada"), To: person("ada", "")})
	f.also(moved, &fresh, recipient("northwind"), subject("mary", "order 9"))
	f.Check(t)

	// What recipients answer, and whom they passed it on to.
	ack := events.Acknowledgement{Outcome: "received", At: at, Reference: "N-12"}
	f.do("acknowledge", &decide.Acknowledge{ID: share.ID, Acknowledgement: ack},
		&events.DisclosureAcknowledged{Acknowledgement: ack}, recipient("northwind", share.Index), subject("ada", "", share.Index))
	onward := events.OnwardReported{Onward: events.Onward{By: "org:northwind", At: at},
		Recipient: events.Recipient{ID: "org:tailspin", LegalName: "Tailspin (sample)", Country: "IN", Category: "subprocessor"},
		Reasons:   []events.Reason{events.VendorOnBehalf}, Data: events.SharedData{Categories: []string{"name"}}}
	asked := onward
	asked.Onward.By = ""
	f.do("onward", &decide.ReportOnward{ID: share.ID, Onward: asked}, &onward,
		recipient("northwind", share.Index), subject("ada", "", share.Index), recipient("tailspin"))
	asked.Onward.By = "org:stranger"
	f.refuse("onward.by", &decide.ReportOnward{ID: share.ID, Onward: asked})
	f.Check(t)

	// The rest of the share is withdrawn; then nothing more can be said of it.
	duplicate := &events.DisclosureRetracted{Retraction: events.Retraction{Ground: "duplicate", Scope: "whole", People: 1}}
	gone := f.do("retract", &decide.Retract{ID: share.ID, Ground: "duplicate"}, duplicate,
		recipient("northwind", share.Index), subject("ada", "", share.Index))
	f.also(gone, duplicate, recipient("northwind", joined.Index), subject("joan", "", joined.Index))
	for _, cmd := range []decide.Command{second, &decide.Retract{ID: share.ID, Ground: "duplicate"}, &decide.Acknowledge{ID: share.ID, Acknowledgement: ack}} {
		f.refuse("id", cmd)
	}

	f.series(recorded)
	f.recipients()
	f.documents(t)
	f.consents()
	f.Check(t)
	f.repeat()
	f.Check(t)

	f.Reopen(t, ledgertest.Config{}) // from state.db
	f.Check(t)
	f.repeat()
	f.refuse("id", second)
	if err := f.Running.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Parts.Verify(t.Context()); err != nil {
		t.Errorf("verifying: %v", err)
	}
	if err := f.Parts.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(f.Dir, "state.db")); err != nil {
		t.Fatal(err)
	}
	f.Open(t, ledgertest.Config{}) // from the stream alone
	f.Check(t)
	f.repeat()
	f.refuse("id", second)
}

func (f *family) series(recorded events.DisclosureRecorded) {
	const first, last = "2025-01-01T00:00:00Z", "2026-01-04T00:00:00Z"
	share := recorded
	share.Occurred = events.Occurred{}
	share.Conveyance.Recurrence = "daily"
	series := events.SeriesOpened{DisclosureRecorded: share, Series: events.Series{First: first}}
	want := series
	want.Extent = events.Extent{Subjects: 1}
	opened := f.do("series", &decide.OpenSeries{Series: series, Subjects: []decide.Subject{person("ada", "meter")}},
		&want, recipient("northwind"), subject("ada", "meter"))
	progress := events.SeriesProgress{Count: 365, Last: last}
	f.do("update", &decide.UpdateSeries{ID: opened.ID, Progress: progress},
		&events.SeriesUpdated{Progress: progress}, recipient("northwind", opened.Index), subject("ada", "", opened.Index))
	f.refuse("progress.count", &decide.UpdateSeries{ID: opened.ID, Progress: events.SeriesProgress{Count: 364, Last: last}})
	f.refuse("progress.last", &decide.UpdateSeries{ID: opened.ID, Progress: events.SeriesProgress{Count: 1, Last: "2024-01-01T00:00:00Z"}})
	f.do("close", &decide.UpdateSeries{ID: opened.ID, Progress: progress, Closing: &events.SeriesClosing{Reason: "the contract ended"}},
		&events.SeriesClosed{Progress: progress, Closing: events.SeriesClosing{Reason: "the contract ended"}},
		recipient("northwind", opened.Index), subject("ada", "", opened.Index))
	f.refuse("id", &decide.UpdateSeries{ID: opened.ID, Progress: progress})
	f.do("retract series", &decide.Retract{ID: opened.ID, Ground: "recorded_in_error"},
		&events.DisclosureRetracted{Retraction: events.Retraction{Ground: "recorded_in_error", Scope: "whole", People: 1}},
		recipient("northwind", opened.Index), subject("ada", "", opened.Index))
	share = recorded
	share.Occurred = events.Occurred{}
	share.Research = &events.Study{Protocol: "P-7", Purpose: "a study of outcomes", Sponsor: "Institute, 1 Main St, 555-1", Researcher: "Dr Lin, 2 High St, 555-2"}
	possible := events.PossibleRecorded{DisclosureRecorded: share, Period: events.Period{From: first, To: last}}
	known := possible
	known.Extent = events.Extent{Subjects: 2}
	f.do("possible", &decide.RecordPossible{Possible: possible, Subjects: []decide.Subject{person("ada", ""), person("joan", "")}},
		&known, recipient("northwind"), subject("ada", ""), subject("joan", ""))
}

func (f *family) recipients() {
	change := events.Change{Effective: "2026-02-01T00:00:00Z", Reason: "sold"}
	contoso := events.Recipient{ID: "org:contoso", LegalName: "Contoso (sample)", Country: "DE", Category: "affiliate"}
	capital := contoso
	capital.ID = "org:CONTOSO"
	f.do("register", &decide.TellRecipient{Event: &events.RecipientRegistered{Recipient: capital}}, &events.RecipientRegistered{Recipient: contoso}, recipient("contoso"))
	contoso.LegalName = "Contoso Europe (sample)"
	f.do("change", &decide.TellRecipient{Event: &events.RecipientChanged{Recipient: contoso, Change: change}},
		&events.RecipientChanged{Recipient: contoso, Change: change}, recipient("contoso"))
	relationship := &events.RelationshipChanged{Relationship: events.Relationship{Recipient: "org:contoso", Was: "affiliate", Is: "third_party"}, Change: change}
	f.do("relationship", &decide.TellRecipient{Event: relationship}, relationship, recipient("contoso"))
	merged := &events.RecipientsMerged{Merger: events.Merger{From: "org:contoso", Into: "org:northwind"}, Change: change}
	f.do("merge", &decide.TellRecipient{Event: merged}, merged, recipient("contoso"), recipient("northwind"))
	sub := &events.SubprocessorAdded{Recipient: events.Recipient{ID: "org:tailspin", LegalName: "Tailspin (sample)", Country: "IN", Category: "subprocessor"},
		Change: change, Engagement: events.Engagement{By: "org:northwind", Purpose: "support"}}
	f.do("subprocessor", &decide.TellRecipient{Event: sub}, sub, recipient("northwind"), recipient("tailspin"))
	f.refuse("merger.into", &decide.TellRecipient{Event: &events.RecipientsMerged{Merger: events.Merger{From: "org:a", Into: "org:A"}, Change: change}})
	f.refuse("relationship.is", &decide.TellRecipient{Event: &events.RelationshipChanged{Relationship: events.Relationship{Recipient: "org:a", Was: "affiliate", Is: "affiliate"}, Change: change}})
}

func (f *family) documents(t *testing.T) {
	id, err := decide.Controller(f.IdentityRules(), f.Origin())
	if err != nil {
		t.Fatal(err)
	}
	controller := decide.Party{Role: events.RoleController, ID: id}
	document := events.Document{Version: "privacy-statement/2017-01", Effective: "2017-01-01T00:00:00Z",
		SHA256: fmt.Sprintf("%064x", 7), Size: 1, MediaType: "text/plain"}
	for key, e := range map[string]events.Validatable{
		"statement": &events.StatementPublished{Document: document}, "taxonomy": &events.TaxonomyReleased{Document: document},
		"profile": &events.ProfileReleased{Document: document},
	} {
		f.do(key, &decide.Publish{Event: e, Origin: f.Origin()}, e, controller)
	}
	document.SHA256 = "7"
	f.refuse("document.sha256", &decide.Publish{Event: &events.StatementPublished{Document: document}, Origin: f.Origin()})
}

func (f *family) consents() {
	choice, scope := events.Choice{At: "2026-01-05T00:00:00Z", Method: "settings"}, events.Scope{Purposes: []string{"newsletter"}}
	given := &events.ConsentGiven{Choice: choice, Scope: scope}
	consent := f.do("consent", &decide.Choose{Event: given, Subject: person("ada", "")}, given, subject("ada", ""))
	refused := &events.ConsentRefused{Choice: choice, Scope: scope}
	f.do("refuse", &decide.Choose{Event: refused, Subject: person("edsger", "by letter")}, refused, subject("edsger", "by letter"))
	withdrawn := &events.ConsentWithdrawn{Choice: choice}
	f.do("withdraw", &decide.EndConsent{ID: consent.ID, Event: withdrawn}, withdrawn, subject("ada", "", consent.Index))
	f.refuse("id", &decide.EndConsent{ID: consent.ID, Event: &events.ConsentExpired{Choice: choice}})
	again := f.do("consent again", &decide.Choose{Event: given, Subject: person("ada", "")}, given, subject("ada", ""))
	expired := &events.ConsentExpired{Choice: choice}
	f.do("expire", &decide.EndConsent{ID: again.ID, Event: expired}, expired, subject("ada", "", again.Index))
}

// TestAmendedAtOnce amends one record from many sides at once: the versions count
// without a gap, and each amendment builds on the one before it.
func TestAmendedAtOnce(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	share := l.MustRecord(t, ledgertest.Share("share", "ada"))
	const sides = 16
	var g errgroup.Group
	for i := range sides {
		g.Go(func() error {
			_, err := l.Record(t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: fmt.Sprint("amend ", i), Record: &decide.Amend{
				ID: share.ID, Kind: "supplement", Reason: "more", Changes: fmt.Appendf(nil, `{"purposes":["purpose %d"]}`, i),
			}})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	id := subject("ada", "").ID
	l.Publish(t)
	secrets, err := l.Keys.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	verdict := ledgertest.Report(t, l.Running.Ledger, secrets, events.RoleSubject, id) // it checks the versions
	if n := len(verdict.Entries); n != sides+1 {
		t.Errorf("the report has %d entries", n)
	}
	seen := map[string]bool{}
	for _, e := range verdict.Entries[1:] {
		amended := e.Event.(*events.DisclosureAmended)
		if *e.About != 0 || len(amended.Purposes) != 1 || seen[amended.Purposes[0]] {
			t.Errorf("amendment %d says %q", amended.Amendment.Version, amended.Purposes)
		}
		seen[amended.Purposes[0]] = true
	}
}
