package verifier_test

import (
	"slices"
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

func newSealer(t testing.TB) *sealer {
	t.Helper()
	return newSealerUnder(t, func(*events.Rules) {})
}

// newSealerUnder is the same under rules that were changed.
func newSealerUnder(t testing.TB, change func(*events.Rules)) *sealer {
	t.Helper()
	f := newForger(t)
	rules := events.DefaultRules()
	rules.Authorities = []string{courtID}
	change(rules)
	f.rules, f.leaves, f.labels, f.prev, f.timeMS = rules.Marshal(), nil, nil, events.Hash{}, genesisMS
	f.state()
	s := &sealer{forger: f, ada: f.party(events.RoleSubject, adaID), bob: f.party(events.RoleSubject, "email:bob@example.com"),
		agency: f.party(events.RoleRecipient, "org:agency"), court: f.party(events.RoleAuthority, courtID)}
	f.enrol(s.court)
	f.enrol(s.ada, s.bob, s.agency)
	share := sample(1)
	share.Recipient.ID, share.Extent = "org:agency", events.Extent{Subjects: 2}
	s.record = events.SealedAs(share)
	s.at = s.seal(s.ada, s.bob)
	return s
}

// seal puts the record under seal about some people.
func (s *sealer) seal(people ...*party) uint64 {
	return s.step(&events.SealRecorded{Step: events.SealStep{Kind: events.StepSealed}, Order: someOrder(courtID),
		Period: events.SealPeriod{Until: "2027-01-01T00:00:00Z"}, Record: &s.record}, people...)
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

// to signs a report for the party that it is about.
func (s *sealer) to(p *party, r *verifier.Report) (*reader, []byte) {
	return &reader{role: p.role, id: p.id.String(), trust: s.trust()}, s.sign(r)
}

func (s *sealer) verdict(r *verifier.Report, p *party) (*verifier.Verdict, error) {
	who, file := s.to(p, r)
	return who.check(file)
}

// unsealedTo is the honest report to a party, with the sealed leaf opened there.
func unsealedTo(to func(*sealer) *party, slot uint16) func(testing.TB) (*reader, []byte) {
	return func(t testing.TB) (*reader, []byte) {
		s := newSealer(t)
		return s.to(to(s), s.tell(s.honest(to(s), slot)))
	}
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

// sealLies are about what was under seal, by who holds every key: how the record is
// told, and what is changed in the report.
func sealLies() map[string]remark {
	lies := map[string]remark{}
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
		lies[name] = remark{func(t testing.TB) (*reader, []byte) {
			s := newSealer(t)
			r := s.tell(c.lie(s))
			if c.edit != nil {
				c.edit(r)
			}
			return s.to(s.ada, r)
		}, c.refute}
	}
	return lies
}

func TestSealLies(t *testing.T) { wantRemarks(t, sealLies()) }

// underNoFilter is Ada's report under a filter that her unsealed record does not pass.
func underNoFilter(t testing.TB) (*reader, []byte) {
	s := newSealer(t)
	r := s.tell(s.honest(s.ada, 1))
	part(r).Filter = &verifier.Filter{Version: verifier.FilterVersion, Recipients: []string{"org:nobody"}}
	return s.to(s.ada, r)
}

// A filter never hides by what it says what was under seal until now.
func TestUnsealedPassesFilters(t *testing.T) {
	r, file := underNoFilter(t)
	v, err := r.check(file)
	if err != nil || len(v.Entries) != 1 {
		t.Errorf("%v, %+v", err, v)
	}
}

// register is that of the court with further steps, which know the seal's id.
func register(steps func(seal string) []*events.SealRecorded) func(testing.TB) (*reader, []byte) {
	return func(t testing.TB) (*reader, []byte) {
		s := newSealer(t)
		for _, step := range steps(s.events[s.at].id.String()) {
			s.step(step)
		}
		s.state()
		return s.to(s.court, s.write(s.court))
	}
}

func liftedBy(seal string, by ...string) *events.SealRecorded {
	return &events.SealRecorded{Step: events.SealStep{Kind: events.StepLifted, Seal: seal, By: by}}
}

func proposed(seal string) *events.SealRecorded {
	return &events.SealRecorded{Step: events.SealStep{Kind: events.StepProposed, Seal: seal, By: []string{"a"}, Reason: "x"}}
}

func lapsed(seal string) *events.SealRecorded {
	return &events.SealRecorded{Step: events.SealStep{Kind: events.StepLapsed, Seal: seal}}
}

func wholeRegister(seal string) []*events.SealRecorded {
	return []*events.SealRecorded{proposed(seal), liftedBy(seal, "a", "b")}
}

// registerLies are steps that are not in their place.
func registerLies() map[string]remark {
	lies := map[string]remark{"an authority that the rules do not list": {func(t testing.TB) (*reader, []byte) {
		s := newSealer(t)
		other := s.party(events.RoleAuthority, "org:other")
		s.enrol(other)
		s.state()
		return s.to(other, s.write(other))
	}, "list no such authority"}, "a step under its own type": {func(t testing.TB) (*reader, []byte) {
		s := newSealer(t)
		step := proposed(s.events[s.at].id.String())
		s.shareAs(step.Type(), events.Fields(step), []mark{s.entryMark(s.court, 1)}, s.court)
		s.state()
		return s.to(s.court, s.write(s.court))
	}, "no entry in an event of this type"}, "a seal without a record": {register(func(string) []*events.SealRecorded {
		return []*events.SealRecorded{{Step: events.SealStep{Kind: events.StepSealed}, Order: someOrder(courtID)}}
	}), "it seals nothing"}}
	for name, c := range map[string]struct {
		steps  func(seal string) []*events.SealRecorded
		refute string
	}{
		"lifted by one": {func(seal string) []*events.SealRecorded {
			return []*events.SealRecorded{proposed(seal), liftedBy(seal, "a", "a")}
		}, "fewer than two"},
		"lifted by nobody": {func(seal string) []*events.SealRecorded { return []*events.SealRecorded{liftedBy(seal)} }, "fewer than two"},
		"after the end": {func(seal string) []*events.SealRecorded {
			return []*events.SealRecorded{liftedBy(seal, "a", "b"), proposed(seal)}
		}, "follows the end"},
		"of no seal": {func(string) []*events.SealRecorded { return []*events.SealRecorded{lapsed(events.ID{9}.String())} }, "does not begin"},
		"under another's order": {func(string) []*events.SealRecorded {
			record := events.SealedAs(sample(1))
			return []*events.SealRecorded{{Step: events.SealStep{Kind: events.StepSealed}, Order: someOrder("org:other"), Record: &record}}
		}, "not under an order of this authority"},
	} {
		lies[name] = remark{register(c.steps), c.refute}
	}
	return lies
}

// The register of an authority: every step in its place.
func TestSealRegister(t *testing.T) {
	for name, steps := range map[string]func(seal string) []*events.SealRecorded{
		"whole":  wholeRegister,
		"lapsed": func(seal string) []*events.SealRecorded { return []*events.SealRecorded{lapsed(seal)} },
	} {
		t.Run(name, func(t *testing.T) {
			r, file := register(steps)(t)
			v, err := r.check(file)
			if err != nil || len(v.Entries) != 1+len(steps("")) || !slices.ContainsFunc(v.Checks, func(c verifier.Check) bool { return c.Name == "nothing left out" }) {
				t.Errorf("%v, %+v", err, v)
			}
		})
	}
	wantRemarks(t, registerLies())
}
