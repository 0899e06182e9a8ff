package verifier_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

const courtID = "org:court.example"

// sealer is a forger whose ledger has an authority, with a share about Ada and Bob
// under seal.
type sealer struct {
	*forger
	ada, bob, agency, court *party
	record                  events.SealedRecord
	at                      uint64 // of the sealed leaf: slot 0 the court's, 1 Ada's, 2 Bob's
}

var mailbox = &events.Private{Description: "the mailbox"}

func newSealer(t *testing.T) *sealer {
	t.Helper()
	f := newForger(t)
	rules := events.DefaultRules()
	rules.Authorities = []string{courtID}
	f.rules, f.leaves, f.labels, f.prev, f.timeMS = rules.Marshal(), nil, nil, events.Hash{}, genesisMS
	f.state()
	s := &sealer{forger: f, ada: f.party(events.RoleSubject, adaID), bob: f.party(events.RoleSubject, "email:bob@example.com"),
		agency: f.party(events.RoleRecipient, "org:agency"), court: f.party(events.RoleAuthority, courtID)}
	f.enrol(s.court)
	f.enrol(s.ada, s.bob, s.agency)
	share := sample(1)
	share.Recipient.ID, share.Extent = "org:agency", events.Extent{Subjects: 2}
	s.record = events.SealedAs(share)
	s.at = s.step(&events.SealRecorded{Step: events.SealStep{Kind: events.StepSealed}, Order: someOrder(courtID),
		Period: events.SealPeriod{Until: "2027-01-01T00:00:00Z"}, Record: &s.record}, s.ada, s.bob)
	return s
}

func someOrder(authority string) *events.SealOrder {
	return &events.SealOrder{Authority: authority, Basis: "us_2705b", Form: "written", Reference: "26-mc-117", Issued: "2026-09-01T00:00:00Z"}
}

// step appends a step to the court's register, with a slot for each person whom it
// concerns under seal.
func (s *sealer) step(e *events.SealRecorded, people ...*party) uint64 {
	marks := []mark{s.entryMark(s.court, uint64(len(s.court.entries)))}
	for _, p := range people {
		marks = append(marks, mark{s.draw(), s.draw(), events.SealedContent(p.role, p.id, mailbox).Marshal()})
	}
	return s.shareAs(events.TypeDisclosureRecorded, events.Fields(e), marks, s.court)
}

// telling is how the record is told to a party.
type telling struct {
	to      *party
	e       events.Event
	at      uint64
	leaf    events.Hash
	slot    uint16
	private *events.Private
	content func(*events.SlotContent)
}

func (s *sealer) honest(to *party, slot uint16) *telling {
	l := &telling{to: to, at: s.at, leaf: events.LeafHash(s.leaves[s.at]), slot: slot, private: mailbox,
		e: events.Unseal(events.Unsealing{Authority: courtID, Basis: "us_2705b", End: events.StepLifted}, s.record)}
	if to.role == events.RoleRecipient {
		l.private = nil
	}
	return l
}

// tell appends the event, and writes the report with the leaf that it names.
func (s *sealer) tell(l *telling) *verifier.Report {
	c := events.UnsealContent(l.to.role, uint64(len(l.to.entries)), l.to.id, l.private, l.at, l.leaf, l.slot)
	if l.content != nil {
		l.content(c)
	}
	s.shareAs(l.e.Type(), events.Fields(l.e), []mark{{events.EntryLabel(l.to.handle, uint64(len(l.to.entries))), s.draw(), c.Marshal()}}, l.to)
	s.state()
	r := s.write(l.to)
	part(r).Targets = append(part(r).Targets, s.target(l.at, l.slot))
	return r
}

// target opens a leaf and a slot of it.
func (s *sealer) target(at uint64, slot uint16) verifier.Target {
	w := s.events[at]
	t := verifier.Target{Proven: s.proven(at, s.next()), EventID: w.id, Type: w.typ, Seed: w.seed, Fields: events.MarshalFields(w.fields)}
	if slot != events.BodyAlone {
		t.Slot, t.Opening, t.Content = &slot, &w.slots[slot].opening, w.slots[slot].content
	}
	return t
}

func (s *sealer) verdict(r *verifier.Report, p *party) (*verifier.Verdict, error) {
	return verifier.CheckReport(s.sign(r), verifier.About(p.role, p.id.String()), s.trust())
}

// What was under seal is told, and the report shows since when it was recorded.
func TestUnsealed(t *testing.T) {
	for name, slot := range map[string]uint16{"ada": 1, "bob": 2, "agency": events.BodyAlone} {
		s := newSealer(t)
		to := map[string]*party{"ada": s.ada, "bob": s.bob, "agency": s.agency}[name]
		v, err := s.verdict(s.tell(s.honest(to, slot)), to)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e := v.Entries[0]
		if e.Sealed == nil || e.Sealed.Index != s.at || e.Sealed.TimeMS >= e.TimeMS || events.ShareIn(e.Event).Recipient.ID != "org:agency" {
			t.Errorf("%s: shown is %+v", name, e)
		}
	}
}

// Each is a lie about what was under seal, by who holds every key.
func TestSealLies(t *testing.T) {
	for name, c := range map[string]struct {
		lie    func(s *sealer) *telling
		edit   func(r *verifier.Report)
		refute string
	}{
		"dealt to somebody else": {lie: func(s *sealer) *telling {
			l := s.honest(s.ada, 2)
			return l
		}, refute: "sealed about somebody else"},
		"no slot opened": {lie: func(s *sealer) *telling { return s.honest(s.ada, events.BodyAlone) }, refute: "sealed about somebody else"},
		"the authority's slot": {lie: func(s *sealer) *telling { return s.honest(s.ada, 0) },
			refute: "sealed about somebody else"},
		"another record": {lie: func(s *sealer) *telling {
			l := s.honest(s.ada, 1)
			l.e = events.Unseal(events.Unsealing{Authority: courtID, Basis: "other", End: events.StepLifted}, events.SealedAs(sample(2)))
			return l
		}, refute: "something else than was sealed"},
		"another authority": {lie: func(s *sealer) *telling {
			l := s.honest(s.ada, 1)
			l.e = events.Unseal(events.Unsealing{Authority: "org:other", Basis: "other", End: events.StepLifted}, s.record)
			return l
		}, refute: "names another authority"},
		"called a supplement": {lie: func(s *sealer) *telling {
			l := s.honest(s.ada, 1)
			l.e = events.Unseal(events.Unsealing{Authority: courtID, Basis: "other", End: events.StepLifted, Supplement: true}, s.record)
			return l
		}, refute: "another place under the seal"},
		"another word about the person": {lie: func(s *sealer) *telling {
			l := s.honest(s.ada, 1)
			l.private = &events.Private{Description: "nothing"}
			return l
		}, refute: "something else than leaf"},
		"what was never sealed": {lie: func(s *sealer) *telling {
			at := s.share(sample(1), s.agency)
			l := s.honest(s.ada, 0)
			l.at, l.leaf = at, events.LeafHash(s.leaves[at])
			return l
		}, refute: "nothing under seal"},
		"a step that seals nothing": {lie: func(s *sealer) *telling {
			at := s.step(&events.SealRecorded{Step: events.SealStep{Kind: events.StepReviewed, Seal: s.events[s.at].id.String(), Reason: "x"}, Period: events.SealPeriod{Review: "2027-01-01T00:00:00Z"}}, s.ada)
			l := s.honest(s.ada, 1)
			l.at, l.leaf = at, events.LeafHash(s.leaves[at])
			return l
		}, refute: "nothing under seal"},
		"an ordinary entry": {lie: func(s *sealer) *telling {
			l := s.honest(s.ada, 1)
			l.content = func(c *events.SlotContent) { c.Kind, c.TargetSlot = events.SlotEntry, nil }
			return l
		}, refute: "not this party's entry"},
		"another leaf hash": {lie: func(s *sealer) *telling {
			l := s.honest(s.ada, 1)
			l.leaf[0] ^= 1
			return l
		}, refute: "a leaf that is not shown"},
		"the leaf left out": {lie: func(s *sealer) *telling { return s.honest(s.ada, 1) },
			edit: func(r *verifier.Report) { part(r).Targets = []verifier.Target{} }, refute: "a leaf that is not shown"},
		"the leaf twice": {lie: func(s *sealer) *telling { return s.honest(s.ada, 1) },
			edit: func(r *verifier.Report) { part(r).Targets = append(part(r).Targets, part(r).Targets[0]) }, refute: "doubled or out of order"},
		"the slot's opening swapped": {lie: func(s *sealer) *telling { return s.honest(s.ada, 1) },
			edit: func(r *verifier.Report) { part(r).Targets[0].Opening[0] ^= 1 }, refute: ""},
		"a leaf that nothing names": {lie: func(s *sealer) *telling { return s.honest(s.ada, 1) },
			edit: func(r *verifier.Report) { g := gen(r); g.Entries[0].Type = events.TypeEventUnsealed }, refute: ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSealer(t)
			r := s.tell(c.lie(s))
			if c.edit != nil {
				c.edit(r)
			}
			_, err := s.verdict(r, s.ada)
			if refuted := (*verifier.RefutedError)(nil); !errors.As(err, &refuted) || !strings.Contains(err.Error(), c.refute) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A filter never hides by what it says what was under seal until now.
func TestUnsealedPassesFilters(t *testing.T) {
	s := newSealer(t)
	r := s.tell(s.honest(s.ada, 1))
	part(r).Filter = &verifier.Filter{Version: verifier.FilterVersion, Recipients: []string{"org:nobody"}}
	v, err := s.verdict(r, s.ada)
	if err != nil || len(v.Entries) != 1 {
		t.Errorf("%v, %+v", err, v)
	}
}

// The register of an authority: every step in its place.
func TestSealRegister(t *testing.T) {
	s := newSealer(t)
	seal := s.events[s.at].id.String()
	lifted := func(by ...string) *events.SealRecorded {
		return &events.SealRecorded{Step: events.SealStep{Kind: events.StepLifted, Seal: seal, By: by}}
	}
	proposed := &events.SealRecorded{Step: events.SealStep{Kind: events.StepProposed, Seal: seal, By: []string{"a"}, Reason: "x"}}
	for name, c := range map[string]struct {
		steps  []*events.SealRecorded
		refute string
	}{
		"whole":                 {steps: []*events.SealRecorded{proposed, lifted("a", "b")}},
		"lapsed":                {steps: []*events.SealRecorded{{Step: events.SealStep{Kind: events.StepLapsed, Seal: seal}}}},
		"lifted by one":         {[]*events.SealRecorded{proposed, lifted("a", "a")}, "fewer than two"},
		"lifted by nobody":      {[]*events.SealRecorded{lifted()}, "fewer than two"},
		"after the end":         {[]*events.SealRecorded{lifted("a", "b"), proposed}, "follows the end"},
		"of no seal":            {[]*events.SealRecorded{{Step: events.SealStep{Kind: events.StepLapsed, Seal: events.ID{9}.String()}}}, "does not begin"},
		"under another's order": {[]*events.SealRecorded{{Step: events.SealStep{Kind: events.StepSealed}, Order: someOrder("org:other"), Record: &s.record}}, "not under an order of this authority"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSealer(t)
			for _, step := range c.steps {
				s.step(step)
			}
			s.state()
			v, err := s.verdict(s.write(s.court), s.court)
			if c.refute == "" {
				if err != nil || len(v.Entries) != 1+len(c.steps) || !slices.ContainsFunc(v.Checks, func(c verifier.Check) bool { return c.Name == "nothing left out" }) {
					t.Errorf("%v, %+v", err, v)
				}
				return
			}
			if refuted := (*verifier.RefutedError)(nil); !errors.As(err, &refuted) || !strings.Contains(err.Error(), c.refute) {
				t.Errorf("got %v", err)
			}
		})
	}
	other := s.party(events.RoleAuthority, "org:other")
	s.enrol(other)
	s.state()
	if _, err := s.verdict(s.write(other), other); err == nil || !strings.Contains(err.Error(), "list no such authority") {
		t.Errorf("an authority that the rules do not list: %v", err)
	}
}
