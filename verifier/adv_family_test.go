package verifier_test

import (
	"errors"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// aboutMark is an entry that names an earlier leaf.
func (f *forger) aboutMark(p *party, at uint64) mark {
	var private *events.Private
	content := events.AboutContent(p.role, uint64(len(p.entries)), p.id, private, at, events.LeafHash(f.leaves[at]))
	return mark{events.EntryLabel(p.handle, uint64(len(p.entries))), f.draw(), content.Marshal()}
}

func (f *forger) about(e events.Event, at uint64, parties ...*party) uint64 {
	var marks []mark
	for _, p := range parties {
		marks = append(marks, f.aboutMark(p, at))
	}
	return f.shareAs(e.Type(), events.Fields(e), marks, parties...)
}

func amendedOf(n int, version uint64, changed ...string) *events.DisclosureAmended {
	d := *sample(n)
	d.Extent = events.Extent{}
	return &events.DisclosureAmended{DisclosureRecorded: d, Amendment: events.Amendment{Version: version, Kind: "correct", Reason: "r", Changed: changed}}
}

// TestFamilyLies: each is a lie about an earlier record, by who holds every key. Those
// that are marked are seen by no reader yet.
func TestFamilyLies(t *testing.T) {
	for name, c := range map[string]struct {
		role  events.Role
		build func(f *forger, ada, org *party, first uint64)
	}{
		"amendment names another recipient": {events.RoleSubject, func(f *forger, ada, org *party, first uint64) {
			a := amendedOf(1, 1, "recipient")
			a.Recipient.ID, a.Recipient.LegalName = "org:nobody", "Nobody"
			f.about(a, first, ada)
		}},
		"amendment says other fields changed than did": {events.RoleSubject, func(f *forger, ada, org *party, first uint64) {
			a := amendedOf(1, 1, "provenance")
			a.Data.Categories = []string{"shoe size"}
			a.Recipient.Country = "US"
			f.about(a, first, ada)
		}},
		"amendment of which nothing is different": {events.RoleSubject, func(f *forger, ada, org *party, first uint64) {
			f.about(amendedOf(1, 1, "data"), first, ada)
		}},
		"onward by somebody who never received": {events.RoleSubject, func(f *forger, ada, org *party, first uint64) {
			f.about(&events.OnwardReported{Onward: events.Onward{By: "org:stranger", At: "2026-09-03T00:00:00Z"}, Reasons: []events.Reason{events.VendorOnBehalf},
				Recipient: events.Recipient{ID: "org:second", LegalName: "Second", Country: "US", Category: "subprocessor"}, Data: events.SharedData{Categories: []string{"x"}}}, first, ada)
		}},
		"retracted twice, then amended": {events.RoleSubject, func(f *forger, ada, org *party, first uint64) {
			r := &events.DisclosureRetracted{Retraction: events.Retraction{Ground: "did_not_happen", Scope: "whole", People: 1}}
			f.about(r, first, ada)
			f.about(r, first, ada)
			f.about(amendedOf(2, 1, "occurred", "recipient"), first, ada)
		}},
		"retraction of a scope that is no scope, for nobody": {events.RoleSubject, func(f *forger, ada, org *party, first uint64) {
			f.about(&events.DisclosureRetracted{Retraction: events.Retraction{Ground: "did_not_happen", Scope: "none of it", People: 0}}, first, ada)
		}},
		"recipient joins a share by adding people to nothing": {events.RoleRecipient, func(f *forger, ada, org *party, first uint64) {
			f.shareAs(events.TypeSubjectsAdded, events.Fields(&events.SubjectsAdded{DisclosureRecorded: *sample(4)}), []mark{f.entryMark(org, 1)}, org)
		}},
		"added subjects about another share": {events.RoleRecipient, func(f *forger, ada, org *party, first uint64) {
			s := *sample(4)
			s.Data.Categories = []string{"quite another thing"}
			f.about(&events.SubjectsAdded{DisclosureRecorded: s}, first, org)
		}},
		"version gap": {events.RoleSubject, func(f *forger, ada, org *party, first uint64) { f.about(amendedOf(2, 2, "occurred"), first, ada) }},
		"later leaf": {events.RoleSubject, func(f *forger, ada, org *party, first uint64) {
			c := events.AboutContent(ada.role, 1, ada.id, nil, first+1, events.LeafHash(f.leaves[first]))
			f.shareAs(events.TypeDisclosureAmended, events.Fields(amendedOf(2, 1, "occurred")), []mark{{events.EntryLabel(ada.handle, 1), f.draw(), c.Marshal()}}, ada)
		}},
		"resolution of a share": {events.RoleSubject, func(f *forger, ada, org *party, first uint64) {
			f.about(&events.DisputeResolved{Resolution: events.Resolution{Outcome: "upheld", Reason: "r", At: "2026-09-03T00:00:00Z"}}, first, ada)
		}},
		"resolved twice": {events.RoleSubject, func(f *forger, ada, org *party, first uint64) {
			d := f.about(&events.DisclosureDisputed{Dispute: events.Dispute{By: "subject", Ground: "not_me", At: "2026-09-03T00:00:00Z"}}, first, ada)
			f.about(&events.DisputeResolved{Resolution: events.Resolution{Outcome: "upheld", Reason: "r", At: "2026-09-03T00:00:00Z"}}, d, ada)
			f.about(&events.DisputeResolved{Resolution: events.Resolution{Outcome: "rejected", Reason: "r", At: "2026-09-03T00:00:00Z"}}, d, ada)
		}},
		"RecipientChanged of another in a register": {events.RoleRecipient, func(f *forger, ada, org *party, first uint64) {
			e := &events.RecipientChanged{Recipient: events.Recipient{ID: "org:other", LegalName: "O", Country: "US", Category: "processor"}, Change: events.Change{Effective: "2026-09-03"}}
			f.share2(e, org)
		}},
		"merged with itself": {events.RoleRecipient, func(f *forger, ada, org *party, first uint64) {
			f.share2(&events.RecipientsMerged{Merger: events.Merger{From: "org:northwind", Into: "org:northwind"}, Change: events.Change{Effective: "2026-09-03"}}, org)
		}},
		"consent in a recipient's register": {events.RoleRecipient, func(f *forger, ada, org *party, first uint64) {
			f.share2(&events.ConsentGiven{Choice: events.Choice{At: "2026-09-03T00:00:00Z"}, Scope: events.Scope{Purposes: []string{"x"}}}, org)
		}},
	} {
		f := newForger(t)
		ada, org := f.party(events.RoleSubject, adaID), f.party(events.RoleRecipient, "org:northwind")
		f.enrol(org, ada)
		first := f.share(sample(1), org, ada)
		c.build(f, ada, org, first)
		f.state()
		p := ada
		if c.role == events.RoleRecipient {
			p = org
		}
		_, err := verifier.CheckReport(f.sign(f.write(p)), verifier.About(c.role, p.id.String()), f.trust())
		verifies := map[string]bool{ // not refuted yet
			"retracted twice, then amended": true, "retraction of a scope that is no scope, for nobody": true,
			"added subjects about another share": true, "resolved twice": true, "merged with itself": true,
		}
		if refuted := (*verifier.RefutedError)(nil); errors.As(err, &refuted) == verifies[name] {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (f *forger) share2(e events.Event, parties ...*party) uint64 {
	var marks []mark
	for _, p := range parties {
		marks = append(marks, f.entryMark(p, uint64(len(p.entries))))
	}
	return f.shareAs(e.Type(), events.Fields(e), marks, parties...)
}

// TestForeignController: a controller's register that is no controller's of this ledger.
func TestForeignController(t *testing.T) {
	r, file := foreignController(t)
	wantRefused(t, verifier.CheckPerson, r, file)
}

func foreignController(t testing.TB) (*reader, []byte) {
	f := newForger(t)
	other := f.party(events.RoleController, "org:somebody.example/else")
	f.enrol(other)
	f.share2(&events.StatementPublished{Document: events.Document{Version: "v9", Effective: "2026-09-03", SHA256: "00", Size: 1, MediaType: "text/html"}}, other)
	f.state()
	return &reader{role: events.RoleController, id: other.id.String(), trust: f.trust()}, f.sign(f.write(other))
}
