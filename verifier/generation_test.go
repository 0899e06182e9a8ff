package verifier_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// rotated is a ledger in which Ada has three generations: one erased, one
// rotated, and one that goes on.
type rotated struct {
	*standard
	first, second *party
}

func newRotated(t testing.TB) *rotated {
	r := rotate(newStandard(t))
	r.state()
	return r
}

func rotate(s *standard) *rotated {
	r := &rotated{standard: s, first: s.ada}
	s.close(verifier.ClosedErased, r.first)
	r.second = s.successor(r.first)
	s.enrol(r.second)
	s.share(sample(4), s.org, r.second)
	s.close(verifier.ClosedRotated, r.second)
	s.ada = s.successor(r.second)
	s.enrol(s.ada)
	s.share(sample(5), s.org, s.ada)
	return r
}

// inRotated is Ada's report over three generations with a change to it.
func inRotated(change func(*rotated, *verifier.Name)) func(*standard, *reader) []byte {
	return func(s *standard, r *reader) []byte {
		f := newRotated(s.t)
		r.trust = f.trust()
		report := f.write(f.ada)
		change(f, name(report))
		return f.sign(report)
	}
}

// before is Ada's report from a ledger that was closed in some way after the
// standard one.
func before(build func(*standard)) func(*standard, *reader) []byte {
	return func(s *standard, _ *reader) []byte {
		build(s)
		s.state()
		return s.sign(s.write(s.ada))
	}
}

const second, third = " of sequence 2", " of sequence 3"

var generationLies = []lie{
	{"an erased sequence is left out", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations = n.Generations[1:]
	}), "enrolment"},
	{"the last sequence is left out", inRotated(func(f *rotated, n *verifier.Name) {
		f.ada.before.enrols = true
		*n = f.name(f.second, f.next())
	}), completeness},
	{"a closed sequence is shown as open", func(s *standard, r *reader) []byte {
		f := newRotated(s.t)
		r.trust = f.trust()
		f.second.close, f.second.before = nil, nil
		f.second.number = 0
		return f.sign(f.write(f.second))
	}, "enrolment"},
	{"the end of the last sequence is hidden", before(func(s *standard) {
		s.close(verifier.ClosedRotated, s.ada)
		s.ada.close, s.ada.entries = nil, s.ada.entries[:3]
	}), completeness},
	{"a middle end is hidden", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations[0].Close = nil
	}), "enrolment"},
	{"an erased sequence is opened", inRotated(func(f *rotated, n *verifier.Name) {
		f.first.close = nil
		n.Generations[0].Enrol.Opened = f.generation(0, f.first, f.next()).Enrol.Opened
	}), "enrolment"},
	{"entries of an erased sequence", inRotated(func(f *rotated, n *verifier.Name) {
		f.first.close = nil
		n.Generations[0].Entries = f.generation(0, f.first, f.next()).Entries
	}), entryChecks},
	{"a rotated sequence's entries are left out", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations[1].Entries, n.Generations[1].Absences = []verifier.Entry{}, verifier.EntryAbsences(0)
	}), entryChecks + second},
	{"a rotated sequence's last entry is left out", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations[1].Entries = n.Generations[1].Entries[:1]
	}), entryChecks + second},
	{"a rotated sequence's enrolment is closed", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations[1].Enrol.Opened = nil
	}), entryChecks + second},
	{"a rotated sequence is told to be erased, and a later one goes on", inRotated(func(f *rotated, n *verifier.Name) {
		g := &n.Generations[1]
		g.Enrol.Opened, g.Entries, g.Absences = nil, []verifier.Entry{}, []verifier.Absence{}
	}), "enrolment" + second},
	{"a rotated sequence is told to be erased, and none was", func(s *standard, _ *reader) []byte {
		s.close(verifier.ClosedRotated, s.ada)
		s.state()
		report := s.write(s.ada)
		g := &name(report).Generations[0]
		g.Enrol.Opened, g.Entries, g.Absences = nil, []verifier.Entry{}, []verifier.Absence{}
		return s.sign(report)
	}, "enrolment"},
	{"another reason", inRotated(func(f *rotated, n *verifier.Name) {
		c := &events.SlotContent{Kind: events.SlotClose, Role: f.ada.role, Number: ptr[uint64](1), Reason: ptr[uint8](1)}
		n.Generations[1].Close.Content = c.Marshal()
	}), "end" + second},
	{"an end of another sequence", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations[1].Close = n.Generations[0].Close
	}), "end" + second},
	{"an end that the index does not have", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations[1].Close.Member[0][0] ^= 1
	}), "end" + second},
	{"an end whose VRF proof is another's", inRotated(func(f *rotated, n *verifier.Name) {
		_, n.Generations[1].Close.VRF = f.vrfOf(events.CloseContext, f.grace, 1)
	}), "end" + second},
	{"an end in another slot", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations[1].Close.Slot ^= 1
	}), "end" + second},
	{"an end not in the log", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations[1].Close.Inclusion[0][0] ^= 1
	}), "end" + second},
	{"sequences change places", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations[0], n.Generations[1] = n.Generations[1], n.Generations[0]
	}), "enrolment"},
	{"the absences of an open sequence after a closed one", inRotated(func(f *rotated, n *verifier.Name) {
		slices.Reverse(n.Absences)
	}), completeness},
	{"a probe is missing", inRotated(func(f *rotated, n *verifier.Name) {
		n.Generations[2].Absences = n.Generations[2].Absences[:3]
	}), completeness + third},
	{"a sequence that begins before the one before it ended", func(s *standard, _ *reader) []byte {
		next := s.successor(s.ada)
		s.enrol(next)
		s.close(verifier.ClosedErased, s.ada)
		s.state()
		return s.sign(s.write(next))
	}, "enrolment" + second},
	{"an entry after the end", before(func(s *standard) {
		s.close(verifier.ClosedRotated, s.ada)
		s.share(sample(4), s.ada)
	}), entryChecks},
	{"an end that is no entry", before(func(s *standard) {
		marks := s.closeMarks(verifier.ClosedRotated, s.ada)[1:]
		s.ada.close, s.ada.reason = &spot{s.entry(events.TypeClosed, []events.Field{}, marks...), 0}, verifier.ClosedRotated
	}), entryChecks},
	{"a closing entry without an end", before(func(s *standard) {
		s.shareAs(events.TypeClosed, []events.Field{}, []mark{s.entryMark(s.ada, 3)}, s.ada)
	}), entryChecks},
	{"a counter that was skipped by one", before(func(s *standard) {
		s.shareAs(events.TypeDisclosureRecorded, events.Fields(sample(4)), []mark{s.entryMark(s.ada, 4)}, s.grace)
	}), completeness},
	{"a counter that was skipped by seven", before(func(s *standard) {
		s.shareAs(events.TypeDisclosureRecorded, events.Fields(sample(4)), []mark{s.entryMark(s.ada, 10)}, s.grace)
	}), completeness},
}

// TestGenerations: erased sequences are named with their date, rotated ones are
// shown whole, and what is shown of one opens nothing of another.
func TestGenerations(t *testing.T) {
	f := newRotated(t)
	file := f.sign(f.write(f.ada))
	v, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, adaID), f.trust())
	if err != nil {
		t.Fatal(err)
	}
	seqs := v.Names[0].Sequences
	if len(seqs) != 3 || seqs[0].Ended != "erased" || seqs[0].Entries != 0 || seqs[1].Ended != "rotated" || seqs[1].Entries != 2 || seqs[2].Ended != "" {
		t.Errorf("sequences: %+v", seqs)
	}
	if len(v.Entries) != 3 || v.Entries[1].Event.Type() != events.TypeClosed || !strings.Contains(v.Sentence, "erased on 2026-09-21") {
		t.Errorf("%d entries: %s", len(v.Entries), v.Sentence)
	}
	// An erasure takes along what was rotated before.
	f = newRotated(t)
	f.close(verifier.ClosedErased, f.ada)
	f.state()
	report := f.write(f.ada)
	g := &name(report).Generations[1]
	g.Enrol.Opened, g.Entries, g.Absences = nil, []verifier.Entry{}, []verifier.Absence{}
	v, err = verifier.CheckReport(f.sign(report), verifier.About(events.RoleSubject, adaID), f.trust())
	if err != nil || len(v.Entries) != 0 || v.Names[0].Sequences[1].Ended != "erased" || v.Names[0].Sequences[1].EndedMS != v.Names[0].Sequences[2].EndedMS {
		t.Errorf("rotated, then erased: %+v, %v", v, err)
	}
	// Erased for good: no sequence goes on.
	s := newStandard(t)
	s.close(verifier.ClosedErased, s.ada)
	s.state()
	v, err = verifier.CheckReport(s.sign(s.write(s.ada)), verifier.About(events.RoleSubject, adaID), s.trust())
	if err != nil || len(v.Entries) != 0 || !v.Enrolled || !strings.Contains(v.Sentence, "nobody can open it any more") ||
		!strings.Contains(v.NotShown[0]+v.NotShown[1]+v.NotShown[2], "is the ledger's word") {
		t.Errorf("%+v, %v", v, err)
	}
}

// aliased is a ledger in which ada@work.example is another name of Ada's.
func aliased(s *standard) *party {
	work := s.party(events.RoleSubject, "email:ada@work.example")
	work.primary = s.ada
	s.enrol(work)
	s.share(sample(4), s.org, s.ada)
	s.state()
	return work
}

// asWork is the report that was asked for by the alias, with a change to it.
func asWork(change func(*standard, *party, *verifier.Report)) func(*standard, *reader) []byte {
	return func(s *standard, r *reader) []byte {
		work := aliased(s)
		r.id = work.id.String()
		report := s.write(work)
		change(s, work, report)
		return s.sign(report)
	}
}

var aliasLies = []lie{
	{"an alias is denied", func(s *standard, r *reader) []byte {
		work := aliased(s)
		r.id, work.enrols, work.primary = work.id.String(), false, nil
		return s.sign(s.write(work))
	}, completeness},
	{"an alias is denied beside the primary name", func(s *standard, r *reader) []byte {
		work := aliased(s)
		r.others, work.enrols, work.primary = []string{work.id.String()}, false, nil
		return s.sign(s.write(s.ada, work))
	}, completeness + " under email:ada@work.example"},
	{"what an alias leads to is left out", asWork(func(s *standard, work *party, r *verifier.Report) {
		part(r).Names = part(r).Names[:1]
	}), "alias"},
	{"an alias leads to somebody else's entries", asWork(func(s *standard, work *party, r *verifier.Report) {
		part(r).Names[1] = s.name(s.grace, s.next())
	}), "alias"},
	{"a name nobody asked for", edited(func(s *standard, r *verifier.Report) {
		part(r).Names = append(part(r).Names, s.name(s.grace, s.next()))
	}), "alias"},
	{"a name twice", edited(func(s *standard, r *verifier.Report) {
		part(r).Names = append(part(r).Names, part(r).Names[0])
	}), "person"},
	{"no names", edited(func(s *standard, r *verifier.Report) { part(r).Names = []verifier.Name{} }), "person"},
	{"the name is another", edited(func(s *standard, r *verifier.Report) { name(r).ID = s.grace.id.String() }), "person"},
	{"the name is in another spelling", edited(func(s *standard, r *verifier.Report) { name(r).ID = "email:ADA@example.com" }), "person"},
	{"one of two names is left out", func(s *standard, r *reader) []byte {
		r.others = []string{s.grace.id.String()}
		return s.sign(s.write(s.ada))
	}, "person"},
	{"an alias of nobody", func(s *standard, r *reader) []byte {
		work := s.party(events.RoleSubject, "email:ada@work.example")
		work.primary = s.party(events.RoleSubject, "email:nobody@example.com")
		s.enrol(work)
		s.state()
		r.id = work.id.String()
		return s.sign(s.write(work))
	}, "alias"},
	{"an alias of itself", func(s *standard, r *reader) []byte {
		work := s.party(events.RoleSubject, "email:ada@work.example")
		work.primary = &party{id: work.id}
		s.enrol(work)
		s.state()
		r.id = work.id.String()
		report := s.write(&party{role: work.role, id: work.id})
		part(report).Names[0].Generations = []verifier.Generation{s.generation(0, work, s.next())}
		return s.sign(report)
	}, "enrolment"},
	{"entries under an alias", asWork(func(s *standard, work *party, r *verifier.Report) {
		gen(r).Entries = part(r).Names[1].Generations[0].Entries
	}), entryChecks},
}

// TestAlias: whoever asks by an alias gets what stands under the name it is of.
func TestAlias(t *testing.T) {
	s := newStandard(t)
	work := aliased(s)
	v, err := verifier.CheckReport(s.sign(s.write(work)), verifier.About(events.RoleSubject, "email:ADA@work.example"), s.trust())
	if err != nil || len(v.Entries) != 4 || len(v.Names) != 2 || v.Names[0].Sequences[0].Primary != adaID || v.Entries[0].Name != adaID {
		t.Errorf("by the alias: %+v, %v", v, err)
	}
	v, err = verifier.CheckReport(s.sign(s.write(s.ada, work)), verifier.About(events.RoleSubject, work.id.String(), adaID, adaID), s.trust())
	if err != nil || len(v.Entries) != 4 || len(v.Names) != 2 {
		t.Errorf("by both: %+v, %v", v, err)
	}
	// Erased: the alias says no more than that it was.
	s.close(verifier.ClosedErased, s.ada, work)
	s.state()
	v, err = verifier.CheckReport(s.sign(s.write(&party{role: work.role, id: work.id, number: 0, enrol: work.enrol, enrols: true,
		close: work.close, reason: verifier.ClosedErased})), verifier.About(events.RoleSubject, work.id.String()), s.trust())
	if err != nil || len(v.Names) != 1 || v.Names[0].Sequences[0].Primary != "" || v.Names[0].Sequences[0].Ended != "erased" {
		t.Errorf("erased: %+v, %v", v, err)
	}
}
