package decide

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Seal is what the register of its authority says of a seal.
type Seal struct {
	ID        events.ID
	Authority events.Identity
	Order     events.SealOrder  // the newest
	Period    events.SealPeriod // the newest
	Records   []SealedRecord    // the first, and those that supplement it
	Proposed  string            // who wants it lifted, since the last extension; empty: nobody
	Ended     string            // the step that ended it, or empty
}

// SealedRecord is one record under a seal.
type SealedRecord struct {
	Index    uint64
	LeafHash events.Hash
	Record   events.SealedRecord
	People   []Party // whom it concerns, each with the slot that says so
}

// Realm separates the idempotency keys of what is under seal, and of what the
// ledger does by itself, from all others: no key that somebody else tries tells
// whether it was used there.
type Realm uint8

// The realms.
const (
	RealmOpen Realm = iota
	RealmSealed
	RealmLedger
)

// RealmOf returns the realm of a command.
func RealmOf(cmd Command) Realm {
	if c, ok := cmd.(interface{ realm() Realm }); ok {
		return c.realm()
	}
	return RealmOpen
}

// EnrolAuthorities asks to enrol every authority that the rules list.
type EnrolAuthorities struct{ Authorities []string }

func (*EnrolAuthorities) realm() Realm { return RealmLedger }

// About implements [Command].
func (*EnrolAuthorities) About() (events.ID, bool) { return events.ID{}, false }

// Decide implements [Command].
func (cmd *EnrolAuthorities) Decide(state State, _ *Target, _ time.Time) ([]Planned, error) {
	enrolled := Planned{Event: new(events.Enrolled)}
	for _, text := range cmd.Authorities {
		id, err := identity(state, "authorities", text)
		if err != nil {
			return nil, err
		}
		if !state.Enrolled(events.RoleAuthority, id) {
			enrolled.Parties = append(enrolled.Parties, Party{Role: events.RoleAuthority, ID: id})
		}
	}
	return []Planned{enrolled}, nil
}

// SealRecord asks to record something under seal.
type SealRecord struct {
	Order    events.SealOrder
	Period   events.SealPeriod
	Reason   string
	Record   events.Validatable
	Subjects []Subject
}

func (*SealRecord) realm() Realm { return RealmSealed }

// About implements [Command].
func (*SealRecord) About() (events.ID, bool) { return events.ID{}, false }

// Decide implements [Command].
func (cmd *SealRecord) Decide(state State, _ *Target, now time.Time) ([]Planned, error) {
	order, period := cmd.Order, cmd.Period
	authority, err := identity(state, "order.authority", order.Authority)
	if err != nil {
		return nil, err
	}
	order.Authority = authority.String()
	if !state.Enrolled(events.RoleAuthority, authority) {
		return nil, &events.FieldError{Field: "order.authority", Rule: "is no authority of this ledger's rules", Next: "name one of those that it was made with"}
	}
	if issued, err := time.Parse(time.RFC3339, order.Issued); err == nil && order.Basis == events.BasisHIPAAOral && period.Until == "" {
		period.Until = issued.Add(events.OralSuspension).UTC().Format(time.RFC3339)
	}
	step := &events.SealRecorded{Step: events.SealStep{Kind: events.StepSealed, Reason: cmd.Reason}, Order: &order, Period: period}
	return sealing(state, step, authority, cmd.Record, cmd.Subjects, now)
}

// SupplementSeal asks to record something more under a seal: what became of the
// record, or another one.
type SupplementSeal struct {
	ID       events.ID
	Reason   string
	Record   events.Validatable
	Subjects []Subject
}

func (*SupplementSeal) realm() Realm { return RealmSealed }

// About implements [Command].
func (cmd *SupplementSeal) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *SupplementSeal) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.Seal.open(); err != nil {
		return nil, err
	}
	step := &events.SealRecorded{Step: events.SealStep{Kind: events.StepSupplemented, Seal: cmd.ID.String(), Reason: cmd.Reason}}
	return sealing(state, step, t.Seal.Authority, cmd.Record, cmd.Subjects, now)
}

// sealing plans a step that holds a record: a slot of the authority's register, in
// the place of the recipient's, and one for each person, which is in nobody's
// sequence. Nobody is enrolled.
func sealing(state State, step *events.SealRecorded, authority events.Identity, record events.Validatable, subjects []Subject, now time.Time) ([]Planned, error) {
	if !events.Sealable(record.Type()) {
		return nil, &events.FieldError{Field: "type", Rule: "names events that cannot be under seal", Next: "seal what concerns a person or a recipient"}
	}
	parties := []Party{{Role: events.RoleAuthority, ID: authority}}
	if events.Carries(record.Type(), events.RoleSubject) {
		people, err := parseSubjects(state, subjects)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			p.Sealed = true
			parties = append(parties, p)
		}
	} else if len(subjects) > 0 {
		return nil, &events.FieldError{Field: "subjects", Rule: "are nobody's in a " + record.Type(), Next: "leave them out"}
	}
	if err := counted(record, uint64(len(parties)-1)); err != nil {
		return nil, err
	}
	for _, text := range events.RecipientsIn(record) {
		id, err := identity(state, "recipient.id", text)
		if err != nil {
			return nil, err
		}
		if id.String() != text {
			return nil, &events.FieldError{Field: "recipient.id", Rule: "is not in the one spelling of the identity rules", Next: "write it in that, such as in lower case"}
		}
	}
	if share := events.ShareIn(record); share != nil {
		if err := linked(state, share); err != nil {
			return nil, err
		}
	}
	sealed := events.SealedAs(record)
	step.Record = &sealed
	if err := record.Validate(now); err != nil {
		return nil, err
	}
	if err := step.Validate(now); err != nil {
		return nil, err
	}
	return []Planned{{Event: step, Parties: parties}}, nil
}

// RecordFrom reads a record that is to be sealed: its type, and its groups as
// members in their exact spelling.
func RecordFrom(typ string, members map[string]any) (events.Validatable, error) {
	text, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("reading the record: %w", err)
	}
	record, err := events.FromJSON(typ, text)
	if err != nil {
		return nil, err
	}
	if name, found := misspelt(reflect.TypeOf(record).Elem(), members, "record"); found {
		return nil, &events.FieldError{Field: name, Rule: "is no member of a " + typ, Next: "use its members, in their exact spelling"}
	}
	return record, nil
}

// counted fills in how many people a share concerns, which the ledger counts.
func counted(e events.Event, people uint64) error {
	extent := events.ExtentOf(e)
	if extent == nil {
		return nil
	}
	if *extent != (events.Extent{}) && *extent != (events.Extent{Subjects: people}) {
		return &events.FieldError{Field: "extent", Rule: "is counted by the ledger", Next: "leave it out"}
	}
	*extent = events.Extent{Subjects: people}
	return nil
}

// open refuses a seal that has ended.
func (s *Seal) open() error {
	if s.Ended != "" {
		return &events.FieldError{Field: "id", Rule: "names a seal that has ended (" + s.Ended + ")", Next: "record it without a seal, or under a new one"}
	}
	return nil
}

// register plans a step that concerns the authority's register alone.
func (s *Seal) register(step *events.SealRecorded, now time.Time) ([]Planned, error) {
	if err := step.Validate(now); err != nil {
		return nil, err
	}
	return []Planned{{Event: step, Parties: []Party{{Role: events.RoleAuthority, ID: s.Authority}}}}, nil
}

// ExtendSeal asks to record that the order was renewed.
type ExtendSeal struct {
	ID     events.ID
	Order  events.SealOrder // Authority may be left out: it is the seal's
	Period events.SealPeriod
	Reason string
}

func (*ExtendSeal) realm() Realm { return RealmSealed }

// About implements [Command].
func (cmd *ExtendSeal) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *ExtendSeal) Decide(_ State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.Seal.open(); err != nil {
		return nil, err
	}
	order := cmd.Order
	if order.Authority == "" {
		order.Authority = t.Seal.Authority.String()
	}
	switch {
	case order.Authority != t.Seal.Authority.String():
		return nil, &events.FieldError{Field: "order.authority", Rule: "is not the seal's, in whose register it stands", Next: "leave it out, or seal the record under the other authority's order too"}
	case order.Basis == events.BasisHIPAAOral:
		return nil, &events.FieldError{Field: "order.basis", Rule: "cannot extend a seal: an oral statement suspends once, for at most 30 days", Next: "have the statement in writing (hipaa_written)"}
	}
	return t.Seal.register(&events.SealRecorded{
		Step: events.SealStep{Kind: events.StepExtended, Seal: cmd.ID.String(), Reason: cmd.Reason}, Order: &order, Period: cmd.Period,
	}, now)
}

// ReviewSeal asks to record that somebody looked whether a seal is still needed.
type ReviewSeal struct {
	ID     events.ID
	By     string
	Reason string
	Next   string // when it is reviewed again
}

func (*ReviewSeal) realm() Realm { return RealmSealed }

// About implements [Command].
func (cmd *ReviewSeal) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *ReviewSeal) Decide(_ State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.Seal.open(); err != nil {
		return nil, err
	}
	period := events.SealPeriod{Until: t.Seal.Period.Until, Review: cmd.Next}
	return t.Seal.register(&events.SealRecorded{
		Step: events.SealStep{Kind: events.StepReviewed, Seal: cmd.ID.String(), By: []string{cmd.By}, Reason: cmd.Reason}, Period: period,
	}, now)
}

// ProposeLift asks for a seal to be lifted: the first of two people.
type ProposeLift struct {
	ID     events.ID
	By     string
	Reason string
}

func (*ProposeLift) realm() Realm { return RealmSealed }

// About implements [Command].
func (cmd *ProposeLift) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *ProposeLift) Decide(_ State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.Seal.open(); err != nil {
		return nil, err
	}
	if t.Seal.Proposed != "" {
		return nil, &events.FieldError{Field: "id", Rule: "names a seal whose lifting is proposed already", Next: "let a second person confirm it"}
	}
	return t.Seal.register(&events.SealRecorded{
		Step: events.SealStep{Kind: events.StepProposed, Seal: cmd.ID.String(), By: []string{cmd.By}, Reason: cmd.Reason},
	}, now)
}

// LiftSeal confirms the lifting: the second of two people.
type LiftSeal struct {
	ID     events.ID
	By     string
	Kin    []string // with whom they are no two people
	Reason string
}

func (*LiftSeal) realm() Realm { return RealmSealed }

// About implements [Command].
func (cmd *LiftSeal) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *LiftSeal) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	switch err := t.Seal.open(); {
	case err != nil:
		return nil, err
	case t.Seal.Proposed == "":
		return nil, &events.FieldError{Field: "id", Rule: "names a seal whose lifting nobody has proposed", Next: "propose it first; a second person confirms"}
	case t.Seal.Proposed == cmd.By:
		return nil, &events.FieldError{Field: "actor", Rule: "is the one who proposed it", Next: "let a second person confirm: another actor who keeps seals"}
	case slices.Contains(cmd.Kin, t.Seal.Proposed):
		return nil, NotTwo()
	}
	by := []string{t.Seal.Proposed, cmd.By}
	return t.Seal.end(state, events.SealStep{Kind: events.StepLifted, Seal: cmd.ID.String(), By: by, Reason: cmd.Reason}, now)
}

// LapseSeal records that the law has ended a seal. The ledger asks for it by itself.
type LapseSeal struct{ ID events.ID }

// realm is the ledger's own: no key that a keyholder chose stands in the way of the law.
func (*LapseSeal) realm() Realm { return RealmLedger }

// About implements [Command].
func (cmd *LapseSeal) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *LapseSeal) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.Seal.open(); err != nil {
		return nil, err
	}
	if !t.Seal.Lapses(now) {
		return nil, &events.FieldError{Field: "id", Rule: "names a seal that no law has ended yet", Next: "propose its lifting"}
	}
	return t.Seal.end(state, events.SealStep{Kind: events.StepLapsed, Seal: cmd.ID.String()}, now)
}

// Ripe reports whether the period of an open seal is over: two people are to lift
// it, or it is to be extended.
func (s *Seal) Ripe(now time.Time) bool { return s.Ended == "" && reached(s.Period.Until, now) }

// Due reports whether an open seal is to be reviewed.
func (s *Seal) Due(now time.Time) bool { return s.Ended == "" && reached(s.Period.Review, now) }

// Lapses reports whether the law has ended a seal by itself: an oral statement
// suspends an accounting for at most 30 days (45 CFR 164.528(a)(2)(ii)).
func (s *Seal) Lapses(now time.Time) bool {
	return s.Ripe(now) && s.Order.Basis == events.BasisHIPAAOral
}

func reached(text string, now time.Time) bool {
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && !at.After(now)
}

// end plans the last step of a seal, and for each record under it the event that
// tells it to those it concerns. The first planned event is the last in the
// batch, so each party's entries come in the order of the records.
func (s *Seal) end(state State, step events.SealStep, now time.Time) ([]Planned, error) {
	planned, err := s.register(&events.SealRecorded{Step: step}, now)
	if err != nil {
		return nil, err
	}
	how := events.Unsealing{Authority: s.Authority.String(), Basis: s.Order.Basis, End: step.Kind}
	for i, r := range slices.Backward(s.Records) {
		how.Supplement = i > 0
		e, err := r.Record.Event()
		if err != nil {
			return nil, fmt.Errorf("reading a sealed record: %w", err)
		}
		told := Planned{Event: events.Unseal(how, r.Record)}
		for _, text := range events.RecipientsIn(e) {
			id, err := identity(state, "recipient.id", text)
			if err != nil {
				return nil, err
			}
			told.Parties = append(told.Parties, Party{Role: events.RoleRecipient, ID: id, About: &Reference{r.Index, r.LeafHash, new(uint16(events.BodyAlone))}})
		}
		for _, p := range r.People {
			// A name that became an alias meanwhile has no sequence: its person has.
			p.ID = state.Primary(p.Role, p.ID)
			if !slices.ContainsFunc(told.Parties, func(q Party) bool { return q.Role == p.Role && q.ID == p.ID }) {
				told.Parties = append(told.Parties, p)
				continue
			}
			// The record names one person twice: each of its slots is told.
			planned = append(planned, Planned{Event: told.Event, Parties: []Party{p}})
		}
		if len(told.Parties) > 0 {
			planned = append(planned, told)
		}
	}
	return enrolling(state, planned...), nil
}
