package ledgertest

import (
	"fmt"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// Family records at least one event of every type, about Ada, Grace, Joan, Mary
// and Edsger, with Northwind, Tailspin and Contoso as recipients. It returns what
// the ledger answered, by key. Check does not know of these events.
func Family(t testing.TB, l *Ledger) map[string]ledger.Accepted {
	t.Helper()
	f := &family{l, t, map[string]ledger.Accepted{}}
	f.shares()
	f.series()
	f.recipients()
	f.documents()
	f.consents()
	f.closures()
	f.seals()
	return f.done
}

type family struct {
	*Ledger
	t    testing.TB
	done map[string]ledger.Accepted
}

// familyTime is when those of the family speak.
const familyTime = "2026-01-05T00:00:00Z"

func (f *family) do(key string, cmd decide.Command) events.ID {
	f.t.Helper()
	a, err := f.Record(f.t.Context(), ledger.Command{Recorder: Recorder, Key: key, Record: cmd})
	if err != nil {
		f.t.Fatalf("recording %s: %v", key, err)
	}
	f.done[key] = a
	return a.ID
}

func someone(name, about string) decide.Subject {
	return decide.Subject{ID: Email(name), Private: events.Private{Description: about}}
}

func familyShare() events.DisclosureRecorded {
	return Share("share").Record.(*decide.RecordDisclosure).Disclosure
}

// seals seals a share with what the recipient answered, and lifts the seal, if the
// ledger has authorities.
func (f *family) seals() {
	f.t.Helper()
	if len(f.Authorities()) == 0 {
		return
	}
	share := familyShare()
	people := []decide.Subject{someone("ada", "the mailbox")}
	id := f.do("seal", &decide.SealRecord{
		Order:  events.SealOrder{Authority: f.Authorities()[0], Basis: "us_2705b", Form: "written", Reference: "26-mc-117", Issued: familyTime},
		Period: events.SealPeriod{Review: familyTime}, Record: &share, Subjects: people,
	})
	f.do("supplement", &decide.SupplementSeal{ID: id, Record: &events.DisclosureAcknowledged{
		Acknowledgement: events.Acknowledgement{Outcome: "received", At: familyTime},
	}, Subjects: people})
	f.do("propose", &decide.ProposeLift{ID: id, By: "counsel", Reason: "the order was vacated"})
	f.do("lift", &decide.LiftSeal{ID: id, By: "counsel-2"})
}

// shares records a share and everything that can become of one.
func (f *family) shares() {
	f.t.Helper()
	share := f.do("share", Share("share", "ada", "grace").Record)
	f.do("amend 1", &decide.Amend{ID: share, Kind: "correct", Reason: "the card token was not sent", Changes: []byte(`{"data":{"categories":["name"]}}`)})
	f.do("amend 2", &decide.Amend{ID: share, Kind: "supplement", Reason: "the basis", Changes: []byte(`{"legal_bases":["GDPR 6(1)(b)"]}`)})
	added := f.do("add", &decide.AddSubjects{ID: share, Subjects: []decide.Subject{someone("joan", "seat 7")}})
	f.do("amend added", &decide.Amend{ID: added, Kind: "supplement", Reason: "the purpose", Changes: []byte(`{"purposes":["boarding"]}`)})
	disputed := f.do("dispute", &decide.Dispute{
		ID: share, Dispute: events.Dispute{By: "subject", Ground: "not_me", At: familyTime}, Subject: someone("grace", "I was never a customer"),
	})
	f.do("resolve", &decide.ResolveDispute{ID: disputed, Resolution: events.Resolution{Outcome: "upheld", Reason: "a mix-up of accounts", At: familyTime}})
	f.do("reattribute", &decide.Reattribute{ID: share, From: Email("grace"), To: someone("mary", "order 9"), Reason: "a mix-up of accounts"})
	f.do("acknowledge", &decide.Acknowledge{ID: share, Acknowledgement: events.Acknowledgement{Outcome: "received", At: familyTime, Reference: "N-12"}})
	f.do("onward", &decide.ReportOnward{ID: share, Onward: events.OnwardReported{
		Onward: events.Onward{At: familyTime}, Recipient: tailspin(), Reasons: []events.Reason{events.VendorOnBehalf},
		Data: events.SharedData{Categories: []string{"name"}},
	}})
	f.do("dispute again", &decide.Dispute{ID: share, Dispute: events.Dispute{By: "recipient", Ground: "inaccurate", At: familyTime}})
	other := f.do("other", Share("other", "ada").Record)
	f.do("retract", &decide.Retract{ID: other, Ground: "duplicate"})
}

func (f *family) series() {
	f.t.Helper()
	const first, last = "2025-01-01T00:00:00Z", "2026-01-04T00:00:00Z"
	share := familyShare()
	share.Occurred = events.Occurred{}
	share.Conveyance.Recurrence = "daily"
	series := events.SeriesOpened{DisclosureRecorded: share, Series: events.Series{First: first}}
	opened := f.do("series", &decide.OpenSeries{Series: series, Subjects: []decide.Subject{someone("ada", "meter")}})
	f.do("update", &decide.UpdateSeries{ID: opened, Progress: events.SeriesProgress{Count: 365, Last: "2026-01-01T00:00:00Z"}})
	f.do("close", &decide.UpdateSeries{ID: opened, Progress: events.SeriesProgress{Count: 368, Last: last},
		Closing: &events.SeriesClosing{Reason: "the contract ended"}})
	share.Conveyance.Recurrence = ""
	share.Research = &events.Study{Protocol: "P-7", Purpose: "sleep", Sponsor: "Institute (sample), Cork", Researcher: "Dr. Doe (sample), Cork"}
	f.do("possible", &decide.RecordPossible{
		Possible: events.PossibleRecorded{DisclosureRecorded: share, Period: events.Period{From: first, To: last}},
		Subjects: []decide.Subject{someone("ada", ""), someone("joan", "")},
	})
}

func tailspin() events.Recipient {
	return events.Recipient{ID: "org:tailspin", LegalName: "Tailspin (sample)", Country: "IN", Category: "subprocessor"}
}

func (f *family) recipients() {
	f.t.Helper()
	change := events.Change{Effective: "2026-02-01T00:00:00Z", Reason: "sold"}
	contoso := events.Recipient{ID: "org:contoso", LegalName: "Contoso (sample)", Country: "DE", Category: "affiliate"}
	renamed := contoso
	renamed.LegalName = "Contoso Europe (sample)"
	f.do("register", &decide.TellRecipient{Event: &events.RecipientRegistered{Recipient: contoso}})
	f.do("change", &decide.TellRecipient{Event: &events.RecipientChanged{Recipient: renamed, Change: change}})
	f.do("relationship", &decide.TellRecipient{Event: &events.RelationshipChanged{
		Relationship: events.Relationship{Recipient: contoso.ID, Was: "affiliate", Is: "third_party"}, Change: change,
	}})
	f.do("merge", &decide.TellRecipient{Event: &events.RecipientsMerged{
		Merger: events.Merger{From: contoso.ID, Into: "org:northwind"}, Change: change,
	}})
	f.do("subprocessor", &decide.TellRecipient{Event: &events.SubprocessorAdded{
		Recipient: tailspin(), Change: change, Engagement: events.Engagement{By: "org:northwind", Purpose: "support"},
	}})
}

func (f *family) documents() {
	f.t.Helper()
	document := events.Document{Version: "privacy-statement/2017-01", Effective: "2017-01-01T00:00:00Z",
		SHA256: fmt.Sprintf("%064x", 7), Size: 1, MediaType: "text/plain"}
	f.do("statement", &decide.Publish{Event: &events.StatementPublished{Document: document}, Origin: f.Origin()})
	f.do("taxonomy", &decide.Publish{Event: &events.TaxonomyReleased{Document: document}, Origin: f.Origin()})
	f.do("profile", &decide.Publish{Event: &events.ProfileReleased{Document: document}, Origin: f.Origin()})
}

// closures asks for what is then declined: the erasures of a test are its own.
func (f *family) closures() {
	f.t.Helper()
	by := f.Pseudonym(Recorder)
	request := f.do("closure", &decide.RequestClosure{Subject: someone("joan", "by letter"), Action: "erase", Ground: "request_of_the_person", At: familyTime, By: by})
	f.do("decline", &decide.DeclineClosure{ID: request, Reason: "the wrong Joan", At: familyTime})
}

func (f *family) consents() {
	f.t.Helper()
	choice, scope := events.Choice{At: familyTime, Method: "settings"}, events.Scope{Purposes: []string{"newsletter"}}
	given := &events.ConsentGiven{Choice: choice, Scope: scope}
	consent := f.do("consent", &decide.Choose{Event: given, Subject: someone("ada", "")})
	f.do("refuse", &decide.Choose{Event: &events.ConsentRefused{Choice: choice, Scope: scope}, Subject: someone("edsger", "by letter")})
	f.do("withdraw", &decide.EndConsent{ID: consent, Event: &events.ConsentWithdrawn{Choice: choice}})
	again := f.do("consent again", &decide.Choose{Event: given, Subject: someone("ada", "")})
	f.do("expire", &decide.EndConsent{ID: again, Event: &events.ConsentExpired{Choice: choice}})
}
