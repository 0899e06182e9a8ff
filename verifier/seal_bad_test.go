package verifier_test

import (
	"fmt"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// Bodies that are whole by their type and that no ledger writes refute a report;
// they do not end the program that checks it.
func TestUnsealedNonsense(t *testing.T) { wantRemarks(t, sealNonsense()) }

func sealNonsense() map[string]remark {
	lies := map[string]remark{}
	step := func(kind string, order *events.SealOrder) func(*sealer) *telling {
		return func(s *sealer) *telling {
			s.at = s.step(&events.SealRecorded{Step: events.SealStep{Kind: kind}, Order: order, Record: &s.record}, s.ada)
			return s.honest(s.ada, 1)
		}
	}
	record := func(e events.Event) func(*sealer) *telling {
		return func(s *sealer) *telling {
			s.at = s.step(&events.SealRecorded{Step: events.SealStep{Kind: events.StepSealed}, Order: someOrder(courtID), Record: &s.record}, s.ada)
			l := s.honest(s.ada, 1)
			l.e = e
			return l
		}
	}
	how := events.Unsealing{Authority: courtID, Basis: "us_2705b", End: events.StepLifted}
	nonsense := events.SealedRecord{Type: events.TypeDisclosureRecorded, Fields: []byte{0xff}}
	for name, c := range map[string]struct {
		lie    func(*sealer) *telling
		record *events.SealedRecord
		refute string
	}{
		"a seal without an order":   {step(events.StepSealed, nil), nil, "nothing under seal"},
		"a review with a record":    {step(events.StepReviewed, someOrder(courtID)), nil, "nothing under seal"},
		"the same without an order": {step(events.StepReviewed, nil), nil, "nothing under seal"},
		"a record that is none":     {record(&events.Unsealed{Unsealing: how, Record: nonsense}), &nonsense, "is no record"},
	} {
		lies[name] = remark{func(t testing.TB) (*reader, []byte) {
			s := newSealer(t)
			if c.record != nil {
				s.record = *c.record
			}
			return s.to(s.ada, s.tell(c.lie(s)))
		}, c.refute}
	}
	lies["a type that the rules do not know"] = remark{func(t testing.TB) (*reader, []byte) {
		s := newSealerUnder(t, func(rules *events.Rules) {
			delete(rules.Fields, events.TypeSeriesOpened)
			delete(rules.Labels, events.TypeSeriesOpened)
		})
		s.record = events.SealedAs(&events.SeriesOpened{Series: events.Series{First: "2026-09-01T00:00:00Z"}, DisclosureRecorded: *sample(1)})
		s.at = s.step(&events.SealRecorded{Step: events.SealStep{Kind: events.StepSealed}, Order: someOrder(courtID), Record: &s.record}, s.ada)
		return s.to(s.ada, s.tell(s.honest(s.ada, 1)))
	}, "is no record"}
	return lies
}

// What is about an unsealed record is compared with the share in it; if that holds
// none, there is nothing to compare with, in a copy either.
func TestAboutUnsealedNonsense(t *testing.T) {
	wantRemarks(t, map[string]remark{"in a report": {aboutNonsense(false), "is no record"}, "in a copy": {aboutNonsense(true), "is no record"}})
}

func aboutNonsense(inCopy bool) func(testing.TB) (*reader, []byte) {
	return func(t testing.TB) (*reader, []byte) {
		s := newSealer(t)
		s.record = events.SealedRecord{Type: events.TypeDisclosureRecorded, Fields: []byte{0xff}}
		s.at = s.step(&events.SealRecorded{Step: events.SealStep{Kind: events.StepSealed}, Order: someOrder(courtID), Record: &s.record}, s.ada)
		l := s.honest(s.ada, 1)
		l.e = &events.Unsealed{Unsealing: events.Unsealing{Authority: courtID, Basis: "us_2705b", End: events.StepLifted}, Record: s.record}
		s.tell(l)
		told := s.ada.entries[0].index
		amended := &events.DisclosureAmended{DisclosureRecorded: *sample(9), Amendment: events.Amendment{
			Version: 1, Kind: "correct", Reason: "x", Changed: []string{"occurred"}}}
		s.about(amended, told, s.ada)
		s.state()
		r := s.write(s.ada)
		if inCopy {
			leftOut(r)
		} else {
			part(r).Targets = append(part(r).Targets, s.target(l.at, l.slot))
		}
		return s.to(s.ada, r)
	}
}

// A register ends with its ledger and never before: an operator could hide all of it,
// and every seal, behind a word.
func TestRegistersDoNotEnd(t *testing.T) { wantRemarks(t, endedRegisters()) }

func endedRegisters() map[string]remark {
	lies := map[string]remark{}
	for _, reason := range []uint8{verifier.ClosedErased, verifier.ClosedRotated} {
		for name, of := range map[string]func(*sealer) *party{
			"authority":  func(s *sealer) *party { return s.court },
			"recipient":  func(s *sealer) *party { return s.agency },
			"controller": func(s *sealer) *party { return s.controller() },
		} {
			lies[fmt.Sprintf("%s, reason %d", name, reason)] = remark{func(t testing.TB) (*reader, []byte) {
				s := newSealer(t)
				p := of(s)
				s.close(reason, p)
				s.state()
				return s.to(p, s.write(p))
			}, "let no sequence of the role"}
		}
	}
	return lies
}

func (s *sealer) controller() *party {
	p := s.party(events.RoleController, "org:"+s.origin)
	s.enrol(p)
	return p
}
