package verifier_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// reader is who checks a report: what he pinned, and whom he asks about.
type reader struct {
	role  events.Role
	id    string
	trust *verifier.Trust

	others   []string // further names
	previous string   // a checkpoint that was kept
}

func (r *reader) check(file []byte) (*verifier.Verdict, error) {
	asked := verifier.About(r.role, append([]string{r.id}, r.others...)...)
	asked.Previous = r.previous
	return verifier.CheckReport(file, asked, r.trust)
}

// lie is a row of the adversary matrix: how the report is made, and what must
// refuse it: the name of a check (refuted) or an error (unusable).
type lie struct {
	name string
	tell func(*standard, *reader) []byte
	want any
}

// edited is Ada's honest report with a change to the document, signed again.
func edited(change func(*standard, *verifier.Report)) func(*standard, *reader) []byte {
	return func(s *standard, _ *reader) []byte {
		r := s.write(s.ada)
		change(s, r)
		return s.sign(r)
	}
}

// other is Ada's report from another ledger under the same keys.
func other(build func(f *forger, ada *party)) func(*standard, *reader) []byte {
	return func(s *standard, r *reader) []byte {
		f := newForger(s.t)
		ada := f.party(events.RoleSubject, adaID)
		build(f, ada)
		r.trust = f.trust()
		return f.sign(f.write(ada))
	}
}

// enrolledOther is other with Ada enrolled honestly, and a last state.
func enrolledOther(build func(f *forger, ada *party)) func(*standard, *reader) []byte {
	return other(func(f *forger, ada *party) {
		f.enrol(ada)
		build(f, ada)
		f.state()
	})
}

// fieldsLie is a ledger whose only share has these fields, honestly committed.
func fieldsLie(typ string, change func([]events.Field) []events.Field) func(*standard, *reader) []byte {
	return enrolledOther(func(f *forger, ada *party) {
		f.shareAs(typ, change(events.Fields(sample(1))), []mark{f.entryMark(ada, 0)}, ada)
	})
}

// contentLie is a ledger whose only entry opens to this slot content.
func contentLie(change func(*events.SlotContent)) func(*standard, *reader) []byte {
	return enrolledOther(func(f *forger, ada *party) {
		c := events.EntryContent(events.RoleSubject, 0, ada.id, nil)
		change(c)
		m := f.entryMark(ada, 0)
		m.content = c.Marshal()
		f.shareAs(events.TypeDisclosureRecorded, events.Fields(sample(1)), []mark{m}, ada)
	})
}

// enrolLie is a ledger that enrols Ada with this slot content.
func enrolLie(typ string, change func(*events.SlotContent)) func(*standard, *reader) []byte {
	return other(func(f *forger, ada *party) {
		c := events.EnrolContent(events.RoleSubject, 0, ada.handle, ada.id)
		change(c)
		m := f.enrolMark(ada, 0)
		m.content = c.Marshal()
		f.enrolAs(typ, []mark{m}, ada)
		f.share(sample(1), ada)
		f.state()
	})
}

// stateLie is a ledger whose last state leaf says something else.
func stateLie(change func(*events.State)) func(*standard, *reader) []byte {
	return enrolledOther(func(f *forger, ada *party) {
		f.share(sample(1), ada)
		f.alterState = change
	})
}

// resigned is Ada's honest report with the signed part made anew.
func resigned(sign func(s *standard, text string) []byte) func(*standard, *reader) []byte {
	return func(s *standard, _ *reader) []byte {
		file := string(s.sign(s.write(s.ada)))
		signed, doc, _ := strings.Cut(file, "===\n")
		text, _, _ := strings.Cut(signed, "\n\n")
		return append(sign(s, text+"\n"), "===\n"+doc...)
	}
}

// rulesLie is a ledger that began with these rules, in which Ada is a stranger.
func rulesLie(change func(*events.Rules)) func(*standard, *reader) []byte {
	return func(s *standard, r *reader) []byte {
		rules := events.DefaultRules()
		change(rules)
		f := s.under(rules)
		f.state()
		r.trust = f.trust()
		return f.sign(f.write(f.party(events.RoleSubject, adaID)))
	}
}

// under is another ledger with the same keys and other rules.
func (s *standard) under(rules *events.Rules) *forger {
	f := &forger{t: s.t, origin: s.origin, stream: s.stream, rules: rules.Marshal(), timeMS: genesisMS, log: s.log,
		report: s.report, vrf: s.vrf, events: map[uint64]*written{}}
	f.state()
	return f
}

// The one part, the one name and the one sequence of most reports here.
func part(r *verifier.Report) *verifier.Evidence  { return &r.Parts[0] }
func name(r *verifier.Report) *verifier.Name      { return &part(r).Names[0] }
func gen(r *verifier.Report) *verifier.Generation { return &name(r).Generations[0] }

func ptr[T any](v T) *T { return &v }

const entryChecks, completeness = "entries", "nothing left out"

var entryLies = []lie{
	{"the last entry is left out", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries = gen(r).Entries[:2]
	}), completeness},
	{"the last entry is left out, with a forged absence", func(s *standard, _ *reader) []byte {
		s.ada.entries = s.ada.entries[:2]
		return s.sign(s.write(s.ada))
	}, completeness},
	{"the last entry is left out, with its own leaf as absence", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries = gen(r).Entries[:2]
		label := events.EntryLabel(s.ada.handle, 2)
		value, p, err := s.index().ProveMember(label)
		if err != nil {
			s.t.Fatal(err)
		}
		gen(r).Absences = verifier.EntryAbsences(2)
		for i := range gen(r).Absences {
			s.absence(s.ada, &gen(r).Absences[i])
		}
		gen(r).Absences[0].Prove(verifier.AbsenceProof{Kind: verifier.AbsenceOther, Label: label, Value: value, Siblings: p.Siblings})
	}), completeness},
	{"all entries are left out", func(s *standard, _ *reader) []byte {
		s.ada.entries = nil
		return s.sign(s.write(s.ada))
	}, completeness},
	{"a middle entry is left out", func(s *standard, _ *reader) []byte {
		s.ada.entries = slices.Delete(s.ada.entries, 1, 2)
		return s.sign(s.write(s.ada))
	}, "entry 2"},
	{"a middle entry is left out, with a gap in the numbers", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries = slices.Delete(gen(r).Entries, 1, 2)
	}), "entry 2"},
	{"a counter is skipped", enrolledOther(func(f *forger, ada *party) {
		f.share(sample(1), ada)
		f.shareAs(events.TypeDisclosureRecorded, events.Fields(sample(2)), []mark{f.entryMark(ada, 2)}, ada)
	}), "entry 2"},
	{"a counter is skipped under the right label", enrolledOther(func(f *forger, ada *party) {
		f.share(sample(1), ada)
		m := f.entryMark(ada, 2)
		m.label = events.EntryLabel(ada.handle, 1)
		f.shareAs(events.TypeDisclosureRecorded, events.Fields(sample(2)), []mark{m}, ada)
	}), "entry 2"},
	{"an entry is shown twice", func(s *standard, _ *reader) []byte {
		s.ada.entries = slices.Insert(s.ada.entries, 1, s.ada.entries[0])
		return s.sign(s.write(s.ada))
	}, "entry 2"},
	{"entries of another handle", enrolledOther(func(f *forger, ada *party) {
		ada.handle = f.draw()
		f.share(sample(1), ada)
	}), "entry 1"},
	{"entries change places", func(s *standard, _ *reader) []byte {
		s.ada.entries[0], s.ada.entries[1] = s.ada.entries[1], s.ada.entries[0]
		return s.sign(s.write(s.ada))
	}, "entry 1"},
	{"entries were logged in another order", enrolledOther(func(f *forger, ada *party) {
		f.shareAs(events.TypeDisclosureRecorded, events.Fields(sample(1)), []mark{f.entryMark(ada, 1)}, ada)
		f.shareAs(events.TypeDisclosureRecorded, events.Fields(sample(2)), []mark{f.entryMark(ada, 0)}, ada)
		slices.Reverse(ada.entries)
	}), entryChecks},
	{"an entry stands before the enrolment", other(func(f *forger, ada *party) {
		f.share(sample(1), ada)
		f.enrol(ada)
		f.state()
	}), entryChecks},
	{"an entry stands in the enrolment's leaf", other(func(f *forger, ada *party) {
		at := f.enrolAs(events.TypeEnrolled, []mark{f.enrolMark(ada, 0), f.entryMark(ada, 0)}, ada)
		ada.entries = []spot{{at, 1}}
		f.state()
	}), "entry 1"},
	{"an entry is dated after the state", enrolledOther(func(f *forger, ada *party) {
		f.share(sample(1), ada)
		f.timeMS -= minute
	}), "entry 1"},
	{"an entry is dated before the enrolment", enrolledOther(func(f *forger, ada *party) {
		f.timeMS -= 2 * minute
		f.share(sample(1), ada)
		f.timeMS += 2 * minute
	}), entryChecks},
	{"entries are dated backwards", enrolledOther(func(f *forger, ada *party) {
		f.timeMS += 5 * minute
		f.share(sample(1), ada)
		f.timeMS -= 3 * minute
		f.share(sample(2), ada)
		f.timeMS += 5 * minute
	}), entryChecks},
	{"an entry is beyond the checkpoint", func(s *standard, _ *reader) []byte {
		r := s.write(s.ada)
		size := s.next()
		s.share(sample(4), s.ada)
		gen(r).Entries = append(gen(r).Entries, s.shown(s.ada, 3, s.ada.entries[3], size))
		return s.sign(r)
	}, "entry 4"},
	{"an entry is not in the log", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[1].Inclusion[0][0] ^= 1
	}), "entry 2"},
	{"slots are added to an entry's leaf", edited(func(s *standard, r *verifier.Report) {
		leaf, err := events.ParseLeaf(gen(r).Entries[1].Leaf)
		if err != nil {
			s.t.Fatal(err)
		}
		leaf.Slots = append(leaf.Slots, leaf.Slots...)
		gen(r).Entries[1].Leaf = leaf.Marshal()
	}), "entry 2"},
	{"an entry claims another index", edited(func(s *standard, r *verifier.Report) { gen(r).Entries[1].Index = 5 }), "entry 2"},
	{"an entry's index is beyond every log", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[1].Index = math.MaxUint64
	}), "entry 2"},
	{"an entry's index is negative for tlog", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[1].Index = 1 << 63
	}), "entry 2"},
	{"another entry of the same label than the index's", enrolledOther(func(f *forger, ada *party) {
		f.share(sample(1), ada)
		first := f.labels
		ada.entries = nil
		f.share(sample(2), ada) // the same number, and to another reader
		f.labels = first
	}), "entry 1"},
	{"an entry that the index does not have", enrolledOther(func(f *forger, ada *party) {
		f.unindexed[events.EntryLabel(ada.handle, 0)] = true
		f.share(sample(1), ada)
	}), "entry 1"},
	{"an entry's membership is forged", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[1].Member[0][0] ^= 1
	}), "entry 2"},
	{"an entry's membership is missing", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[1].Member = nil
	}), "entry 2"},
	{"the memberships of two entries change places", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Member, gen(r).Entries[1].Member = gen(r).Entries[1].Member, gen(r).Entries[0].Member
	}), "entry 1"},
	{"entries without an enrolment", edited(func(s *standard, r *verifier.Report) {
		gen(r).Enrol = nil
	}), "enrolment"},
}

var contentLies = []lie{
	{"a field's value is altered", edited(func(s *standard, r *verifier.Report) {
		fields := events.Fields(sample(9))
		gen(r).Entries[0].Fields = events.MarshalFields(fields)
	}), "entry 1"},
	{"a field is left out", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Fields = events.MarshalFields(events.Fields(sample(1))[1:])
	}), "entry 1"},
	{"a field is renamed in the report", edited(func(s *standard, r *verifier.Report) {
		fields := events.Fields(sample(1))
		fields[2].Name = "legal_bases"
		gen(r).Entries[0].Fields = events.MarshalFields(fields)
	}), "entry 1"},
	{"a field is doubled", edited(func(s *standard, r *verifier.Report) {
		fields := events.Fields(sample(1))
		gen(r).Entries[0].Fields = events.MarshalFields(append(fields[:1:1], fields...))
	}), "entry 1"},
	{"the fields are no CBOR", edited(func(s *standard, r *verifier.Report) { gen(r).Entries[0].Fields = []byte{0xff} }), "entry 1"},
	{"the log has a field under another name", fieldsLie(events.TypeDisclosureRecorded, func(fs []events.Field) []events.Field {
		fs[2].Name = "legal_bases"
		return fs
	}), "entry 1"},
	{"the log has a field under another number", fieldsLie(events.TypeDisclosureRecorded, func(fs []events.Field) []events.Field {
		fs[len(fs)-1].Number--
		return fs
	}), "entry 1"},
	{"the log has a field of another shape", fieldsLie(events.TypeDisclosureRecorded, func(fs []events.Field) []events.Field {
		fs[0].Value = []byte{0x01}
		return fs
	}), "entry 1"},
	{"the log has a field that the rules do not know", func(s *standard, r *reader) []byte {
		rules := events.DefaultRules()
		rules.Fields[events.TypeDisclosureRecorded] = rules.Fields[events.TypeDisclosureRecorded][:12]
		f := s.under(rules)
		ada := f.party(events.RoleSubject, adaID)
		f.enrol(ada)
		f.share(sample(1), ada)
		f.state()
		r.trust = f.trust()
		return f.sign(f.write(ada))
	}, "entry 1"},
	{"an entry that says nothing", fieldsLie(events.TypeDisclosureRecorded, func([]events.Field) []events.Field {
		return []events.Field{}
	}), "entry 1"},
	{"an entry that does not say who received", fieldsLie(events.TypeDisclosureRecorded, func(fs []events.Field) []events.Field {
		return slices.DeleteFunc(fs, func(f events.Field) bool { return f.Name == "recipient" })
	}), "entry 1"},
	{"an entry in an event that carries none", fieldsLie(events.TypeEnrolled, func([]events.Field) []events.Field {
		return []events.Field{}
	}), "entry 1"},
	{"an entry in an event of an unknown type", fieldsLie("Something\x1b[2J", slices.Clip[[]events.Field]), "entry 1"},
	{"another event type", edited(func(s *standard, r *verifier.Report) { gen(r).Entries[0].Type = events.TypeEnrolled }), "entry 1"},
	{"an event type of a megabyte", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Type = strings.Repeat("x", 1<<20)
	}), "entry 1"},
	{"another event id", edited(func(s *standard, r *verifier.Report) { gen(r).Entries[0].EventID[0] ^= 1 }), "entry 1"},
	{"the slot openings of two entries change places", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Opening, gen(r).Entries[1].Opening = gen(r).Entries[1].Opening, gen(r).Entries[0].Opening
	}), "entry 1"},
	{"the seeds of two entries change places", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Seed, gen(r).Entries[1].Seed = gen(r).Entries[1].Seed, gen(r).Entries[0].Seed
	}), "entry 1"},
	{"another's slot of the same leaf", func(s *standard, _ *reader) []byte {
		s.ada.entries[0].slot = s.grace.entries[0].slot
		return s.sign(s.write(s.ada))
	}, "entry 1"},
	{"a slot that is not there", edited(func(s *standard, r *verifier.Report) { gen(r).Entries[0].Slot = math.MaxUint16 }), "entry 1"},
	{"a decoy's slot", func(s *standard, _ *reader) []byte {
		s.ada.entries[0].slot = 3
		return s.sign(s.write(s.ada))
	}, "entry 1"},
	{"a state leaf for an entry", edited(func(s *standard, r *verifier.Report) {
		gen(r).Entries[0].Proven = part(r).State
	}), "entry 1"},
	{"slot content of another role", contentLie(func(c *events.SlotContent) { c.Role = events.RoleRecipient }), "entry 1"},
	{"slot content of another counter", contentLie(func(c *events.SlotContent) { c.Number = ptr[uint64](1) }), "entry 1"},
	{"slot content of another party", contentLie(func(c *events.SlotContent) {
		c.ID = []byte("email\x00grace@example.com")
	}), "entry 1"},
	{"one handle for two parties", other(func(f *forger, ada *party) {
		grace := f.party(events.RoleSubject, "email:grace@example.com")
		grace.handle = ada.handle
		f.enrol(ada, grace)
		f.share(sample(1), grace)
		f.state()
		ada.entries = grace.entries
	}), "entry 1"},
	{"a recipient's entry about what another received", func(s *standard, r *reader) []byte {
		contoso := s.party(events.RoleRecipient, "org:contoso")
		s.enrol(contoso)
		s.share(sample(4), contoso) // received by org:northwind
		s.state()
		r.role, r.id = contoso.role, contoso.id.String()
		return s.sign(s.write(contoso))
	}, "entry 1"},
	{"slot content with a target", contentLie(func(c *events.SlotContent) {
		c.TargetIndex, c.TargetLeaf = ptr[uint64](1), make([]byte, 32)
	}), "entry 1"},
	{"slot content: an enrolment", contentLie(func(c *events.SlotContent) {
		c.Kind, c.Handle, c.ID = events.SlotEnrol, make([]byte, 32), []byte("email\x00ada@example.com")
	}), "entry 1"},
	{"slot content: a close", contentLie(func(c *events.SlotContent) { c.Kind, c.ID, c.Reason = events.SlotClose, nil, ptr[uint8](1) }), "entry 1"},
	{"slot content: a sealed subject", contentLie(func(c *events.SlotContent) {
		c.Kind, c.Number, c.ID = events.SlotSealedSubject, nil, []byte("email\x00ada@example.com")
	}), "entry 1"},
	{"slot content: an alias", contentLie(func(c *events.SlotContent) {
		c.Kind, c.ID = events.SlotAlias, []byte("email\x00ada@example.com")
	}), "entry 1"},
	{"slot content: a continuation", contentLie(func(c *events.SlotContent) {
		c.Kind, c.TargetIndex, c.TargetLeaf = events.SlotContinuation, ptr[uint64](1), make([]byte, 32)
	}), "entry 1"},
	{"slot content: an unsealing", contentLie(func(c *events.SlotContent) {
		c.Kind, c.TargetIndex, c.TargetLeaf, c.TargetSlot = events.SlotUnseal, ptr[uint64](1), make([]byte, 32), ptr[uint16](0)
	}), "entry 1"},
}

var sequenceLies = []lie{
	{"another identity's sequence under this name", func(s *standard, _ *reader) []byte {
		r := s.write(s.grace)
		part(r).IDs[0], name(r).ID = s.ada.id.String(), s.ada.id.String()
		return s.sign(r)
	}, "enrolment"},
	{"another identity's sequence with this one's VRF", func(s *standard, _ *reader) []byte {
		s.grace.id = s.ada.id
		return s.sign(s.write(s.grace))
	}, "enrolment"},
	{"the enrolment opens to another identity", enrolLie(events.TypeEnrolled, func(c *events.SlotContent) {
		c.ID = []byte("email\x00grace@example.com")
	}), "enrolment"},
	{"the enrolment stands under another label", other(func(f *forger, ada *party) {
		m := f.enrolMark(ada, 0)
		m.label = f.draw()
		f.enrolAs(events.TypeEnrolled, []mark{m}, ada)
		f.state()
	}), "enrolment"},
	{"the enrolment is of another role", enrolLie(events.TypeEnrolled, func(c *events.SlotContent) {
		c.Role = events.RoleRecipient
	}), "enrolment"},
	{"the enrolment is of another generation", enrolLie(events.TypeEnrolled, func(c *events.SlotContent) {
		c.Number = ptr[uint64](1)
	}), "enrolment"},
	{"the enrolment is an alias", enrolLie(events.TypeEnrolled, func(c *events.SlotContent) {
		c.Kind, c.Handle = events.SlotAlias, nil
	}), "enrolment"},
	{"the enrolment is a sealed subject", enrolLie(events.TypeEnrolled, func(c *events.SlotContent) {
		c.Kind, c.Handle, c.Number = events.SlotSealedSubject, nil, nil
	}), "enrolment"},
	{"the enrolment stands in a share", enrolLie(events.TypeDisclosureRecorded, func(*events.SlotContent) {}), "enrolment"},
	{"facts in an enrolment", other(func(f *forger, ada *party) {
		ada.enrol = spot{f.entry(events.TypeEnrolled, events.Fields(sample(1)), f.enrolMark(ada, 0)), 0}
		ada.enrols = true
		f.state()
	}), "enrolment"},
	{"the enrolment's handle is altered", edited(func(s *standard, r *verifier.Report) {
		gen(r).Enrol.Opened.Content = events.EnrolContent(events.RoleSubject, 0, s.draw(), s.ada.id).Marshal()
	}), "enrolment"},
	{"the enrolment's VRF proof is of another generation", edited(func(s *standard, r *verifier.Report) {
		_, gen(r).Enrol.VRF = s.vrfOf(events.EnrolContext, s.ada, 1)
	}), "enrolment"},
	{"the enrolment's VRF proof is cut", edited(func(s *standard, r *verifier.Report) {
		gen(r).Enrol.VRF = gen(r).Enrol.VRF[:79]
	}), "enrolment"},
	{"the enrolment's VRF proof is missing", edited(func(s *standard, r *verifier.Report) {
		gen(r).Enrol.VRF = []byte{}
	}), "enrolment"},
	{"the enrolment's membership is forged", edited(func(s *standard, r *verifier.Report) {
		gen(r).Enrol.Member[0][0] ^= 1
	}), "enrolment"},
	{"the enrolment's membership is missing", edited(func(s *standard, r *verifier.Report) {
		gen(r).Enrol.Member = nil
	}), "enrolment"},
	{"the enrolment is not in the index", other(func(f *forger, ada *party) {
		label, _ := f.vrfOf(events.EnrolContext, ada, 0)
		f.unindexed[label] = true
		f.enrol(ada)
		f.state()
	}), "enrolment"},
	{"another enrolment of the same label than the index's", other(func(f *forger, ada *party) {
		f.enrol(ada)
		first := f.labels
		f.labels = nil
		f.enrol(ada)
		f.labels = first
		f.state()
	}), "enrolment"},
	{"the enrolment is dated after the state", other(func(f *forger, ada *party) {
		f.enrol(ada)
		f.timeMS -= minute
		f.state()
	}), "enrolment"},
	{"the enrolment is dated before the ledger", other(func(f *forger, ada *party) {
		f.timeMS -= 2 * minute
		f.enrol(ada)
		f.timeMS += 2 * minute
		f.state()
	}), "enrolment"},
	{"two enrolments", edited(func(s *standard, r *verifier.Report) {
		name(r).Generations = append(name(r).Generations, *gen(r))
	}), "enrolment of sequence 2"},
	{"an enrolment of generation 1", edited(func(s *standard, r *verifier.Report) { gen(r).Number = 1 }), "enrolment"},
	{"a hidden generation", enrolledOther(func(f *forger, ada *party) {
		f.share(sample(1), ada)
		f.entry(events.TypeEnrolled, []events.Field{}, f.enrolMark(ada, 1))
	}), completeness},
	{"a hidden second generation", enrolledOther(func(f *forger, ada *party) {
		f.entry(events.TypeEnrolled, []events.Field{}, f.enrolMark(ada, 2))
	}), completeness},
	{"a hidden end", enrolledOther(func(f *forger, ada *party) {
		f.share(sample(1), ada)
		label, _ := f.vrfOf(events.CloseContext, ada, 0)
		c := &events.SlotContent{Kind: events.SlotClose, Role: ada.role, Number: ptr[uint64](0), Reason: ptr[uint8](1)}
		f.entry(events.TypeDisclosureRecorded, []events.Field{}, mark{label, f.draw(), c.Marshal()})
	}), completeness},
	{"nothing about somebody who is enrolled", func(s *standard, _ *reader) []byte {
		s.ada.enrols, s.ada.entries = false, nil
		return s.sign(s.write(s.ada))
	}, completeness},
	{"an absence proof is of another label", edited(func(s *standard, r *verifier.Report) {
		gen(r).Absences[0].Prove(s.absent(s.draw()))
	}), completeness},
	{"an absence is missing", edited(func(s *standard, r *verifier.Report) { gen(r).Absences = gen(r).Absences[1:] }), completeness},
	{"no absences", edited(func(s *standard, r *verifier.Report) { name(r).Absences = []verifier.Absence{} }), completeness},
	{"an absence too many", edited(func(s *standard, r *verifier.Report) {
		gen(r).Absences = append(gen(r).Absences, gen(r).Absences[3])
	}), completeness},
	{"absences in another order", edited(func(s *standard, r *verifier.Report) {
		slices.Reverse(name(r).Absences)
	}), completeness},
	{"an absence of a later counter", edited(func(s *standard, r *verifier.Report) {
		gen(r).Absences[0].Number = 9
		gen(r).Absences[0].Prove(s.absent(events.EntryLabel(s.ada.handle, 9)))
	}), completeness},
	{"an absence's VRF proof is of another generation", edited(func(s *standard, r *verifier.Report) {
		label, proof := s.vrfOf(events.EnrolContext, s.ada, 7)
		name(r).Absences[1].VRF = proof
		name(r).Absences[1].Prove(s.absent(label))
	}), completeness},
	{"an absence's VRF proof is of the other context", edited(func(s *standard, r *verifier.Report) {
		label, proof := s.vrfOf(events.EnrolContext, s.ada, 3)
		name(r).Absences[0].VRF = proof
		name(r).Absences[0].Prove(s.absent(label))
	}), completeness},
	{"an absence's VRF proof is missing", edited(func(s *standard, r *verifier.Report) { name(r).Absences[0].VRF = nil }), completeness},
	{"an absence of an entry has a VRF proof", edited(func(s *standard, r *verifier.Report) {
		gen(r).Absences[0].VRF = name(r).Absences[0].VRF
	}), completeness},
	{"an absence proof of an unknown kind", edited(func(s *standard, r *verifier.Report) { name(r).Absences[0].Kind = 3 }), completeness},
}

var ledgerLies = []lie{
	{"the state is an older one", edited(func(s *standard, r *verifier.Report) { part(r).State = s.proven(3, s.next()) }), "state"},
	{"the size does not end with a state: the last state is shown", func(s *standard, _ *reader) []byte {
		s.share(sample(4), s.ada)
		r := s.write(s.ada)
		part(r).State = s.proven(6, s.next())
		return s.sign(r)
	}, "state"},
	{"the size does not end with a state: the last leaf is shown", func(s *standard, _ *reader) []byte {
		s.share(sample(4), s.ada)
		return s.sign(s.write(s.ada))
	}, "state"},
	{"the state covers another index", stateLie(func(s *events.State) { s.Covered-- }), "state"},
	{"the state names another VRF key", stateLie(func(s *events.State) { s.VRFKey[0] ^= 1 }), "state"},
	{"the state names other rules", stateLie(func(s *events.State) { s.RulesHash[0] ^= 1 }), "state"},
	{"the state is dated before the ledger began", other(func(f *forger, ada *party) {
		ada.enrols = false
		f.timeMS -= minute
		f.state()
	}), "state"},
	{"the state is dated beyond every calendar", other(func(f *forger, ada *party) {
		f.timeMS = math.MaxUint64
		f.state()
	}), "state"},
	{"the index root is not the index's", stateLie(func(s *events.State) { s.MapRoot[0] ^= 1 }), "enrolment"},
	{"the state has another leaf's inclusion", edited(func(s *standard, r *verifier.Report) {
		part(r).State.Inclusion = part(r).Genesis.Inclusion
	}), "state"},
	{"a VRF with another key", func(s *standard, _ *reader) []byte {
		key := s.vrf
		s.vrf = newVRF(s.t, 9)
		label, proof := s.vrfOf(events.EnrolContext, s.ada, 0)
		s.vrf = key
		r := s.write(s.ada)
		gen(r).Enrol.VRF, gen(r).Enrol.Member = proof, s.member(label)
		return s.sign(r)
	}, "enrolment"},
	{"a ledger with another VRF key", func(s *standard, r *reader) []byte {
		f := newForger(s.t)
		r.trust.VRF = events.Hash(newVRF(s.t, 9).PublicKey().Bytes())
		report := f.write(f.party(events.RoleSubject, adaID))
		report.Trust = string(r.trust.Canonical())
		return f.sign(report)
	}, "genesis"},
	{"the identity as VRF key", func(s *standard, r *reader) []byte {
		r.trust.VRF = events.Hash{}
		report := s.write(s.ada)
		report.Trust = string(r.trust.Canonical())
		return s.sign(report)
	}, verifier.ErrReport},
	{"other rules", edited(func(s *standard, r *verifier.Report) {
		rules := events.DefaultRules()
		rules.Identities = rules.Identities[:2]
		part(r).Rules[0] = string(rules.Marshal())
	}), "genesis"},
	{"rules that are none", edited(func(s *standard, r *verifier.Report) { part(r).Rules[0] = "{}" }), verifier.ErrReport},
	{"rules under which a share has no subject", rulesLie(func(r *events.Rules) {
		r.Labels[events.TypeDisclosureRecorded] = []string{"recipient"}
	}), verifier.ErrReport},
	{"rules under which a share is an authority's", rulesLie(func(r *events.Rules) {
		r.Labels[events.TypeDisclosureRecorded] = []string{"authority"}
	}), verifier.ErrReport},
	{"rules without labels", rulesLie(func(r *events.Rules) { r.Labels = map[string][]string{} }), verifier.ErrReport},
	{"rules without fields", rulesLie(func(r *events.Rules) { r.Fields = map[string][]string{} }), verifier.ErrReport},
	{"rules under which a share has no fields", rulesLie(func(r *events.Rules) {
		r.Fields[events.TypeDisclosureRecorded] = []string{}
	}), verifier.ErrReport},
	{"rules that date nothing", rulesLie(func(r *events.Rules) { r.GrainMS = 1 << 63 }), verifier.ErrReport},
	{"another leaf as genesis", edited(func(s *standard, r *verifier.Report) { part(r).Genesis = s.proven(3, s.next()) }), "genesis"},
	{"another ledger's genesis", func(s *standard, r *reader) []byte {
		pinned := *s.trust()
		pinned.Genesis[0] ^= 1
		r.trust = &pinned
		report := s.write(s.ada)
		report.Trust = string(pinned.Canonical())
		return s.sign(report)
	}, "genesis"},
	{"a genesis that begins with a full index", func(s *standard, r *reader) []byte {
		f := &forger{t: s.t, origin: s.origin, stream: s.stream, rules: s.rules, timeMS: genesisMS, log: s.log,
			report: s.report, vrf: s.vrf, events: map[uint64]*written{}, alterState: func(st *events.State) { st.MapRoot[0] ^= 1 }}
		f.state()
		r.trust = f.trust()
		return f.sign(f.write(f.party(events.RoleSubject, adaID)))
	}, "genesis"},
	{"a checkpoint of nothing", func(s *standard, _ *reader) []byte {
		s.checkpoint = func(string) string { return verifier.Checkpoint{Origin: s.origin}.Format() }
		r := s.write(s.ada)
		part(r).State.Index = math.MaxUint64
		return s.sign(r)
	}, "genesis"},
	{"a checkpoint of another origin", func(s *standard, _ *reader) []byte {
		s.checkpoint = func(text string) string { return strings.Replace(text, "2026", "2027", 1) }
		return s.sign(s.write(s.ada))
	}, "checkpoint"},
	{"a checkpoint larger than arithmetic", func(s *standard, _ *reader) []byte {
		s.checkpoint = func(text string) string { return strings.Replace(text, "\n7\n", "\n9223372036854775807\n", 1) }
		return s.sign(s.write(s.ada))
	}, "checkpoint"},
	{"a checkpoint of another root", func(s *standard, _ *reader) []byte {
		s.checkpoint = func(string) string {
			return verifier.Checkpoint{Origin: s.origin, Size: s.next(), Root: s.draw()}.Format()
		}
		return s.sign(s.write(s.ada))
	}, "genesis"},
	{"a checkpoint with an extension line", func(s *standard, _ *reader) []byte {
		s.checkpoint = func(text string) string { return text + "more\n" }
		return s.sign(s.write(s.ada))
	}, "checkpoint"},
	{"a checkpoint signed by the report key", edited(func(s *standard, r *verifier.Report) {
		text, _, _ := strings.Cut(part(r).Checkpoint, "\n\n")
		part(r).Checkpoint = string(signNote(s.t, text+"\n", s.report))
	}), "checkpoint"},
	{"a checkpoint with one signature twice", edited(func(s *standard, r *verifier.Report) {
		_, line, _ := strings.Cut(part(r).Checkpoint, "\n\n")
		part(r).Checkpoint += line
	}), "checkpoint"},
	{"another origin in the document", edited(func(s *standard, r *verifier.Report) { part(r).Origin = "ledger.example/2027" }), "report signature"},
	{"another stream", edited(func(s *standard, r *verifier.Report) { part(r).Stream = "sharetrail-2027" }), "enrolment"},
	{"a stream of a megabyte", edited(func(s *standard, r *verifier.Report) { part(r).Stream = strings.Repeat("x", 1<<20) }), "enrolment"},
}

var fileLies = []lie{
	{"signed by the log key", resigned(func(s *standard, text string) []byte { return signNote(s.t, text, s.log) }), "report signature"},
	{"signed by another key of the same name", resigned(func(s *standard, text string) []byte {
		return signNote(s.t, text, newSigner(s.t, s.report.Name(), 8))
	}), "report signature"},
	{"signed by two keys", resigned(func(s *standard, text string) []byte {
		return signNote(s.t, text, s.report, s.log)
	}), "report signature"},
	{"signed twice", resigned(func(s *standard, text string) []byte {
		b := string(signNote(s.t, text, s.report))
		return []byte(b + b[strings.LastIndex(b, "— "):])
	}), "report signature"},
	{"spare bits in the signature's base64", resigned(func(s *standard, text string) []byte {
		b := signNote(s.t, text, s.report)
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		last := len(b) - len("=\n") - 1 // 68 bytes: the last digit has two spare bits
		b[last] = alphabet[strings.IndexByte(alphabet, b[last])+1]
		if _, err := note.Open(b, note.VerifierList(mustVerifier(s.t, s.report.vkey))); err != nil {
			s.t.Fatalf("the note library refuses it already: %v", err)
		}
		return b
	}), "report signature"},
	{"another header", resigned(func(s *standard, text string) []byte {
		return signNote(s.t, strings.Replace(text, "v1", "v2", 1), s.report)
	}), verifier.ErrReport},
	{"another origin above the document", resigned(func(s *standard, text string) []byte {
		return signNote(s.t, strings.Replace(text, "2026", "2027", 1), s.report)
	}), "report signature"},
	{"a line more above the document", resigned(func(s *standard, text string) []byte {
		return signNote(s.t, text+"more\n", s.report)
	}), "report signature"},
	{"another document under the digest", func(s *standard, _ *reader) []byte {
		file := string(s.sign(s.write(s.ada)))
		return []byte(strings.Replace(file, `"notice":"none"`, `"notice":"nine"`, 1))
	}, "report signature"},
	{"it brings its own trust", func(s *standard, r *reader) []byte {
		s.report = newSigner(s.t, s.report.Name(), 8)
		return s.sign(s.write(s.ada))
	}, "report signature"},
	{"its trust is spelled otherwise", edited(func(s *standard, r *verifier.Report) {
		r.Trust = string(s.trust().Marshal())
	}), verifier.ErrReport},
	{"it is about another than the reader asks for", func(s *standard, r *reader) []byte {
		return s.sign(s.write(s.grace))
	}, "person"},
	{"it is about another role than the reader asks for", func(s *standard, r *reader) []byte {
		r.role = events.RoleRecipient
		return s.sign(s.write(s.ada))
	}, "person"},
	{"a recipient's report for a subject's", func(s *standard, r *reader) []byte {
		r.id = s.org.id.String()
		return s.sign(s.write(s.org))
	}, "person"},
	{"it names somebody in another spelling", edited(func(s *standard, r *verifier.Report) {
		part(r).IDs[0] = "email:ADA@example.com"
	}), "person"},
	{"more than anybody reads", func(*standard, *reader) []byte {
		return make([]byte, verifier.MaxReportSize+1)
	}, verifier.ErrTooLarge},
	{"nothing", func(*standard, *reader) []byte { return nil }, verifier.ErrReport},
}

func mustVerifier(t testing.TB, vkey string) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestAdversary tells each lie with everything else consistent, and demands
// that exactly the named check catches it, whether or not the reader pinned
// anything (unless the lie is about what is pinned).
func TestAdversary(t *testing.T) {
	for group, lies := range map[string][]lie{
		"entries": entryLies, "content": contentLies, "sequence": sequenceLies, "ledger": ledgerLies, "file": fileLies,
		"generation": generationLies, "alias": aliasLies, "filter": filterLies, "copy": copyLies, "chain": chainLies, "earlier": earlierLies,
	} {
		t.Run(group, func(t *testing.T) {
			for _, l := range lies {
				t.Run(l.name, func(t *testing.T) {
					t.Parallel()
					s := newStandard(t)
					r := &reader{role: events.RoleSubject, id: adaID, trust: s.trust()}
					file := l.tell(s, r)
					wantRefused(t, l.want, r, file)
				})
			}
		})
	}
}

func wantRefused(t *testing.T, want any, r *reader, file []byte) {
	t.Helper()
	verdict, err := r.check(file)
	if verdict != nil || err == nil {
		t.Fatalf("accepted: %s", verdict.Sentence)
	}
	var refuted *verifier.RefutedError
	switch want := want.(type) {
	case string:
		if !errors.As(err, &refuted) || refuted.Check != want {
			t.Errorf("got %v, want it refuted by %q", err, want)
		}
	case error:
		if !errors.Is(err, want) || errors.As(err, &refuted) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("the error draws on the terminal: %q", err)
	}
}

// TestHonest: the forger without a lie is believed, so that each lie is refused
// for itself and not for a flaw of the forger.
func TestHonest(t *testing.T) {
	s := newStandard(t)
	nobody := s.party(events.RoleSubject, "email:nobody@example.com")
	for _, p := range []*party{s.ada, s.grace, s.org, nobody} {
		r := &reader{role: p.role, id: p.id.String(), trust: s.trust()}
		v, err := r.check(s.sign(s.write(p)))
		if err != nil {
			t.Errorf("%s: %v", p.id, err)
			continue
		}
		if !v.Pinned || v.Enrolled != p.enrols || v.Size != 7 || v.StateTimeMS != s.timeMS || !slices.Equal(v.IDs, []string{p.id.String()}) {
			t.Errorf("%s: verdict %+v", p.id, v)
		}
		var got []spot
		for i, e := range v.Entries {
			got = append(got, spot{e.Index, p.entries[i].slot})
			if e.Number != uint64(i) || (e.Private == nil) != (p.role == events.RoleRecipient) {
				t.Errorf("%s: entry %+v", p.id, e)
			}
		}
		if diff := cmp.Diff(p.entries, got, cmp.AllowUnexported(spot{})); diff != "" {
			t.Errorf("%s: entries (-logged +shown):\n%s", p.id, diff)
		}
		if strings.Contains(v.Sentence, "complete") || v.Limit == "" || len(v.NotShown) == 0 {
			t.Errorf("%s: it says more than v0 can: %s %s", p.id, v.Sentence, v.Limit)
		}
	}
}

// TestNegative: a report about somebody never enrolled is a positive answer.
func TestNegative(t *testing.T) {
	s := newStandard(t)
	p := s.party(events.RoleSubject, "email:nobody@example.com")
	v, err := verifier.CheckReport(s.sign(s.write(p)), verifier.About(p.role, p.id.String()), s.trust())
	if err != nil {
		t.Fatal(err)
	}
	if v.Enrolled || len(v.Entries) != 0 || !strings.Contains(v.Sentence, "holds nothing about email:nobody@example.com") {
		t.Errorf("verdict: %+v", v)
	}
}

// TestNothingPinned: consistent with itself is all it says then, and nothing in
// the verdict speaks of pinned keys or of who issued it as if it were checked.
func TestNothingPinned(t *testing.T) {
	s := newStandard(t)
	v, err := verifier.CheckReport(s.sign(s.write(s.ada)), verifier.About(events.RoleSubject, adaID), nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.Pinned || !strings.Contains(v.Sentence, "issuer NOT checked") || strings.Contains(v.Sentence, "VERIFIED") {
		t.Errorf("verdict: %+v", v)
	}
	if !strings.Contains(v.NotShown[0], "who made this file") {
		t.Errorf("not shown: %q", v.NotShown)
	}
	for _, c := range v.Checks {
		if strings.Contains(c.Detail, "pinned") || strings.Contains(c.Detail, "signed by "+s.origin) {
			t.Errorf("nothing is pinned, but %s: %s", c.Name, c.Detail)
		}
	}
	for _, l := range slices.Concat(entryLies, contentLies, sequenceLies) {
		s := newStandard(t)
		r := &reader{role: events.RoleSubject, id: adaID, trust: nil}
		file := l.tell(s, r)
		r.trust = nil
		wantRefused(t, l.want, r, file)
	}
}

// TestFalseIndex is what v0 cannot catch (property P6, nobody audits the index
// yet): a state leaf over an index without Ada's last label. It is here so that
// the limit stays said: the verdict never says "complete".
func TestFalseIndex(t *testing.T) {
	f := newForger(t)
	ada := f.party(events.RoleSubject, adaID)
	f.enrol(ada)
	f.share(sample(1), ada)
	f.share(sample(2), ada)
	f.unindexed[events.EntryLabel(ada.handle, 1)] = true
	f.state()
	ada.entries = ada.entries[:1]
	v, err := verifier.CheckReport(f.sign(f.write(ada)), verifier.About(events.RoleSubject, adaID), f.trust())
	if err != nil {
		t.Fatalf("v0 catches a false index now; say so in the documents: %v", err)
	}
	if !strings.Contains(v.Limit, "completeness not audited") || !strings.Contains(v.NotShown[0], "auditor") {
		t.Errorf("the limit is not said: %q %q", v.Limit, v.NotShown)
	}
}

// TestReaderSpelling: the reader may type an identity in any spelling that the
// rules make one; what is no identity is the reader's error, not a refutation.
func TestReaderSpelling(t *testing.T) {
	s := newStandard(t)
	file := s.sign(s.write(s.ada))
	for _, id := range []string{adaID, "email:ADA@Example.com"} {
		v, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, id), s.trust())
		if err != nil || v.IDs[0] != adaID {
			t.Errorf("%s: %+v, %v", id, v, err)
		}
	}
	for _, id := range []string{"", "ada", "nowhere:ada", "email:", "email:ada\x00"} {
		_, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, id), s.trust())
		var field *events.FieldError
		if !errors.As(err, &field) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestPlain: nothing that comes out of a field can draw on the terminal.
func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Café 株式会社 😀 a\u200cb": "Café 株式会社 😀 a\u200cb",
		"a\nChecked:\tb":       "a Checked: b",
		"a \t\n  b ":           "a b ",
		"a\u2800\u3164b":       `a\u2800\u3164b`,
		"\x1b[2Jx\x07":         `\x1b[2Jx\a`,
		"a\u202eb\u2066c":      `a\u202eb\u2066c`,
		"\u2028\u0085\x7f":     `\u2028\u0085\x7f`,
		"\xff\ufffd":           "\\xff\ufffd",
		"\ufeff\U000e0041":     `\ufeff\U000e0041`,
	} {
		if got := verifier.Plain(in); got != want {
			t.Errorf("Plain(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestVRFKeys: keys that are none prove nothing.
func TestVRFKeys(t *testing.T) {
	key := newVRF(t, 3)
	proof := key.Prove([]byte("x")).Bytes()
	if _, _, err := verifier.CheckVRF(events.Hash(key.PublicKey().Bytes()), []byte("x"), proof); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]events.Hash{"identity": {}, "not canonical": {0: 0xff, 31: 0xff}, "another": events.Hash(newVRF(t, 4).PublicKey().Bytes())} {
		if _, _, err := verifier.CheckVRF(bad, []byte("x"), proof); !errors.Is(err, verifier.ErrVRF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string][]byte{"empty": nil, "zero": make([]byte, 80), "long": append(slices.Clone(proof), 0)} {
		if _, _, err := verifier.CheckVRF(events.Hash(key.PublicKey().Bytes()), []byte("x"), bad); !errors.Is(err, verifier.ErrVRF) {
			t.Errorf("%s proof: %v", name, err)
		}
	}
}

// TestLater: a share dated after it was recorded is shown, and said to be; a
// clock ahead by a minute, and the grain, make none so.
func TestLater(t *testing.T) {
	for after, want := range map[time.Duration]bool{0: false, 2 * time.Minute: false, 2*time.Minute + time.Second: true} {
		f := newForger(t)
		ada := f.party(events.RoleSubject, adaID)
		f.enrol(ada)
		d := sample(1)
		d.Occurred = events.Occurred{At: time.UnixMilli(int64(f.timeMS + minute)).Add(after).UTC().Format(time.RFC3339)}
		f.share(d, ada)
		f.state()
		v, err := verifier.CheckReport(f.sign(f.write(ada)), verifier.About(ada.role, adaID), f.trust())
		if err != nil || v.Entries[0].Later != want {
			t.Errorf("%s after it was recorded: %+v, %v", after, v, err)
		}
	}
}

// TestCountedFromOne: people read one numbering.
func TestCountedFromOne(t *testing.T) {
	s := newStandard(t)
	v, err := verifier.CheckReport(s.sign(s.write(s.ada)), verifier.About(s.ada.role, adaID), s.trust())
	if err != nil {
		t.Fatal(err)
	}
	if last := v.Checks[len(v.Checks)-1].Detail; !strings.Contains(last, "no entry 4 ") {
		t.Errorf("of three entries: %s", last)
	}
}
