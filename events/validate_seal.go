package events

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Periods that the law bounds.
const (
	// OralSuspension is how long an oral statement suspends an accounting (45 CFR
	// 164.528(a)(2)(ii)).
	OralSuspension = 30 * 24 * time.Hour
	// DelayedNotice is how long notice may be delayed at a time (18 USC 2705(a)).
	DelayedNotice = 90 * 24 * time.Hour
)

// The bases whose period the law itself bounds.
const (
	BasisHIPAAOral = "hipaa_oral"
	BasisUS2705a   = "us_2705a"
)

// stepGroups says which groups a step has beside itself.
var stepGroups = map[string][]string{
	StepSealed: {"order", "period", "record"}, StepSupplemented: {"record"}, StepExtended: {"order", "period"},
	StepReviewed: {"period"}, StepProposed: nil, StepLifted: nil, StepLapsed: nil,
}

// Validate implements [Validatable]. now bounds the order and the record, which
// must have happened already.
func (s *SealRecorded) Validate(now time.Time) error {
	v := &validator{}
	v.term("step.kind", s.Step.Kind, true)
	for group, there := range map[string]bool{"order": s.Order != nil, "period": s.Period != SealPeriod{}, "record": s.Record != nil} {
		if want := slices.Contains(stepGroups[s.Step.Kind], group); v.err == nil && want != there {
			v.fail(group, "does not fit the step "+s.Step.Kind, "a step has the groups of its kind and no others")
		}
	}
	if s.Step.Kind != StepSealed {
		v.id("step.seal", s.Step.Seal)
	} else if s.Step.Seal != "" {
		v.fail("step.seal", "is no part of the step that begins a seal", "leave it out")
	}
	v.texts("step.by", s.Step.By, false)
	v.text("step.reason", s.Step.Reason, s.Step.Kind == StepProposed || s.Step.Kind == StepReviewed)
	if s.Order != nil {
		v.order(s.Order, now)
	}
	if s.Period != (SealPeriod{}) {
		v.period(s)
	}
	if s.Record != nil && v.err == nil {
		v.record(s.Record, now)
	}
	return v.err
}

func (v *validator) order(o *SealOrder, now time.Time) {
	v.text("order.authority", o.Authority, true)
	v.term("order.basis", o.Basis, true)
	v.term("order.form", o.Form, true)
	v.text("order.reference", o.Reference, true)
	v.moment("order.issued", o.Issued, now)
	if (o.Basis == BasisHIPAAOral) != (o.Form == "oral") {
		v.fail("order.form", "must be oral for hipaa_oral, and written for every other basis", "have the statement in writing, or name the basis hipaa_oral")
	}
}

func (v *validator) period(s *SealRecorded) {
	p := s.Period
	if p.Review != "" {
		v.date("period.review", p.Review)
	}
	if p.Until == "" {
		if p.Review == "" {
			v.fail("period.review", "is required where a seal has no end", "say when it is reviewed, or until when it binds")
		}
		if s.Order != nil && (s.Order.Basis == BasisHIPAAOral || s.Order.Basis == BasisUS2705a) {
			v.fail("period.until", "is required: the law bounds this period", "say until when it binds")
		}
		return
	}
	until, ok := v.date("period.until", p.Until)
	if s.Order == nil || !ok {
		return
	}
	issued, ok := v.date("order.issued", s.Order.Issued)
	if ok && !until.After(issued) {
		v.fail("period.until", "is not after the order", "check the two times")
	}
	for basis, longest := range map[string]time.Duration{BasisHIPAAOral: OralSuspension, BasisUS2705a: DelayedNotice} {
		if ok && s.Order.Basis == basis && until.Sub(issued) > longest {
			v.fail("period.until", fmt.Sprintf("is more than %d days after the order, the most the law allows at a time", longest/(24*time.Hour)),
				"shorten it, and extend it under a new order")
		}
	}
}

func (v *validator) record(r *SealedRecord, now time.Time) {
	if !Sealable(r.Type) {
		v.fail("record.type", "is no type of event that can be under seal", "use one of "+strings.Join(sealableTypes(), ", "))
		return
	}
	e, err := r.Event()
	if err != nil {
		v.fail("record.fields", "are not those of a "+r.Type, "send the record as it would be recorded without a seal")
		return
	}
	if facts, ok := e.(Validatable); ok {
		v.err = facts.Validate(now)
	}
}

// Validate implements [Validatable].
func (u *Unsealed) Validate(now time.Time) error {
	v := &validator{}
	v.text("unsealing.authority", u.Unsealing.Authority, true)
	v.term("unsealing.basis", u.Unsealing.Basis, true)
	v.term("unsealing.end", u.Unsealing.End, true)
	if v.err == nil {
		v.record(&u.Record, now)
	}
	return v.err
}

func sealableTypes() (types []string) {
	for _, typ := range Types() {
		if Sealable(typ) {
			types = append(types, typ)
		}
	}
	return types
}
