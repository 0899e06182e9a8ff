package ledger_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
)

const court, agency = "org:court.example", "org:agency.example"

// clock is a clock that a test sets.
type clock struct{ ms atomic.Int64 }

func newClock(text string) *clock {
	c := new(clock)
	c.set(text)
	return c
}

func (c *clock) set(text string) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	c.ms.Store(at.UnixMilli())
}

func (c *clock) now() time.Time { return time.UnixMilli(c.ms.Load()) }

// sealing is a ledger with two authorities, and what its keepers do.
type sealing struct {
	*ledgertest.Ledger
	t     *testing.T
	clock *clock
}

func newSealing(t *testing.T) *sealing {
	c := newClock("2026-02-01T12:00:00Z")
	l := ledgertest.New(t, ledgertest.Config{Authorities: []string{court, agency}, Now: c.now})
	return &sealing{l, t, c}
}

func (s *sealing) reopen() {
	s.t.Helper()
	s.Reopen(s.t, ledgertest.Config{Now: s.clock.now})
}

func (s *sealing) do(key string, cmd decide.Command) ledger.Accepted {
	s.t.Helper()
	a, err := s.Record(s.t.Context(), ledger.Command{Recorder: "counsel", Key: key, Record: cmd})
	if err != nil {
		s.t.Fatalf("%s: %v", key, err)
	}
	return a
}

func (s *sealing) refused(field string, cmd decide.Command) {
	s.t.Helper()
	s.Publish(s.t)
	before := s.Status().Accepted
	_, err := s.Record(s.t.Context(), ledger.Command{Recorder: "counsel", Key: "refused", Record: cmd})
	var refused *events.FieldError
	if !errors.As(err, &refused) || refused.Field != field || refused.Rule == "" || refused.Next == "" {
		s.t.Errorf("%T: got %v, want a refusal of %s", cmd, err, field)
	}
	if s.Status().Accepted != before {
		s.t.Errorf("%T was refused, and something was stored", cmd)
	}
}

func (s *sealing) state(id events.ID) string {
	s.t.Helper()
	all, err := s.Seals(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(v ledger.SealView) bool { return v.ID == id })
	if i < 0 {
		return "none"
	}
	return all[i].State
}

func secrecy(until string) *decide.SealRecord {
	share := ledgertest.Share("warrant").Record.(*decide.RecordDisclosure).Disclosure
	share.Recipient = events.Recipient{ID: "org:agency.example", LegalName: "Agency (sample)", Country: "US", Category: "law_enforcement"}
	share.Reasons = []events.Reason{events.LegalProcess}
	return &decide.SealRecord{
		Order:  events.SealOrder{Authority: court, Basis: "us_2705b", Form: "written", Reference: "26-mc-117", Issued: "2026-01-20T00:00:00Z"},
		Period: events.SealPeriod{Until: until}, Record: &share,
		Subjects: []decide.Subject{{ID: ledgertest.Email("ada"), Private: events.Private{Description: "the mailbox"}}},
	}
}

// report is the verdict on a report, which must be a good one.
func (s *sealing) report(role events.Role, text string) *verifier.Verdict {
	s.t.Helper()
	secrets, err := s.Keys.Secrets(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	id, err := s.ParseIdentity(text)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Publish(s.t)
	return ledgertest.Report(s.t, s.Running.Ledger, secrets, role, id)
}

func (s *sealing) subject(name string) int {
	s.t.Helper()
	v := s.report(events.RoleSubject, ledgertest.Email(name))
	if !v.Enrolled {
		return -1
	}
	return len(v.Entries)
}

// A seal from its beginning to its lifting by two people.
func TestSeal(t *testing.T) {
	s := newSealing(t)
	s.MustRecord(t, ledgertest.Share("before", "grace"))
	order := secrecy("2026-03-01T00:00:00Z")
	sealed := s.do("seal", order)
	// It is nobody's entry, enrols nobody, and nobody finds it.
	if n := s.subject("ada"); n != -1 {
		t.Errorf("the subject has %d entries", n)
	}
	if _, found := s.Find(sealed.ID); found {
		t.Error("what is under seal is found")
	}
	unknown := sealed.ID
	unknown[0] ^= 1
	for _, cmd := range []func(events.ID) decide.Command{
		func(id events.ID) decide.Command { return &decide.Retract{ID: id, Ground: "duplicate"} },
		func(id events.ID) decide.Command { return &decide.AddSubjects{ID: id, Subjects: order.Subjects} },
		func(id events.ID) decide.Command {
			share := *ledgertest.Share("x", "ada").Record.(*decide.RecordDisclosure)
			share.Disclosure.Links.Parent = id.String()
			return &share
		},
	} {
		_, hidden := s.Record(t.Context(), ledger.Command{Recorder: "till", Key: "k", Record: cmd(sealed.ID)})
		_, never := s.Record(t.Context(), ledger.Command{Recorder: "till", Key: "k", Record: cmd(unknown)})
		if hidden == nil || never == nil || hidden.Error() != never.Error() {
			t.Errorf("%T: got %v for what is sealed, %v for what never was", cmd(unknown), hidden, never)
		}
	}
	// The same key of the same recorder, not under seal, is another one.
	s.Model.Accepted(ledgertest.Share("seal", "grace"), s.mustAs("counsel", ledgertest.Share("seal", "grace")).Index)

	if again := s.do("seal", order); !again.Repeat || again.Index != sealed.Index {
		t.Errorf("again: %+v", again)
	}
	other := *order
	other.Subjects = []decide.Subject{{ID: ledgertest.Email("grace")}}
	if _, err := s.Record(t.Context(), ledger.Command{Recorder: "counsel", Key: "seal", Record: &other}); !errors.Is(err, ledger.ErrKeyReused) {
		t.Errorf("the key with another person: %v", err)
	}
	supplement := &decide.SupplementSeal{ID: sealed.ID, Reason: "the answer came", Record: &events.DisclosureAcknowledged{
		Acknowledgement: events.Acknowledgement{Outcome: "received", At: "2026-01-31T00:00:00Z"},
	}, Subjects: order.Subjects}
	s.do("supplement", supplement)
	if n := s.subject("grace"); n != 2 {
		t.Errorf("a stranger has %d entries", n)
	}

	s.clock.set("2026-03-02T00:00:00Z")
	if got := s.state(sealed.ID); got != "ripe" {
		t.Errorf("after its end the seal is %s", got)
	}
	renewed := order.Order
	renewed.Reference, renewed.Issued = "26-mc-118", "2026-02-27T00:00:00Z"
	s.do("extend", &decide.ExtendSeal{ID: sealed.ID, Order: renewed, Period: events.SealPeriod{Review: "2026-05-01T00:00:00Z"}})
	if got := s.state(sealed.ID); got != "active" {
		t.Errorf("extended it is %s", got)
	}
	s.clock.set("2026-05-02T00:00:00Z")
	if got := s.state(sealed.ID); got != "review" {
		t.Errorf("when it is to be reviewed it is %s", got)
	}
	s.do("review", &decide.ReviewSeal{ID: sealed.ID, By: "counsel", Reason: "the investigation goes on", Next: "2026-06-01T00:00:00Z"})
	s.refused("id", &decide.LiftSeal{ID: sealed.ID, By: "counsel-2"})
	s.reopen()
	s.do("propose", &decide.ProposeLift{ID: sealed.ID, By: "counsel", Reason: "the order was vacated"})
	s.refused("id", &decide.ProposeLift{ID: sealed.ID, By: "counsel-2", Reason: "so it was"})
	s.refused("actor", &decide.LiftSeal{ID: sealed.ID, By: "counsel"})
	s.refused("actor", &decide.LiftSeal{ID: sealed.ID, By: "counsel-2", Kin: []string{"counsel-3", "counsel"}})
	s.refused("id", &decide.LiftSeal{ID: events.ID{1}, By: "counsel-2"})
	lift := &decide.LiftSeal{ID: sealed.ID, By: "counsel-2"}
	lifted := s.do("lift", lift)
	if len(lifted.Also) != 2 {
		t.Fatalf("lifting made %+v", lifted)
	}
	for _, told := range lifted.Also {
		if index, found := s.Find(told.ID); !found || index != told.Index {
			t.Errorf("what was told is not found: %+v", told)
		}
	}
	if again := s.do("lift", lift); !again.Repeat || !slices.Equal(again.Also, lifted.Also) {
		t.Errorf("again: %+v, first %+v", again, lifted)
	}
	s.told(sealed, order)
	s.refused("id", &decide.ProposeLift{ID: sealed.ID, By: "counsel", Reason: "again"})
	s.refused("id", supplement)
	if got := s.state(sealed.ID); got != "lifted" {
		t.Errorf("lifted it is %s", got)
	}
	s.reopen()
	if got := s.state(sealed.ID); got != "lifted" {
		t.Errorf("after a start it is %s", got)
	}
	if err := s.Close(t); err != nil {
		t.Fatal(err)
	}
	parts, err := ledgertest.OpenParts(t.Context(), s.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer parts.Close()
	if _, err := parts.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func (s *sealing) mustAs(recorder string, cmd ledger.Command) ledger.Accepted {
	s.t.Helper()
	cmd.Recorder = recorder
	a, err := s.Record(s.t.Context(), cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// told wants the report about the subject to show what was sealed and since when,
// the recipient's register the share, and the authority's every step.
func (s *sealing) told(sealed ledger.Accepted, order *decide.SealRecord) {
	s.t.Helper()
	v := s.report(events.RoleSubject, ledgertest.Email("ada"))
	if len(v.Entries) != 2 {
		s.t.Fatalf("ada has %d entries", len(v.Entries))
	}
	share, answer := v.Entries[0], v.Entries[1]
	if diff := cmp.Diff(events.ShareIn(share.Event), order.Record); diff != "" {
		s.t.Errorf("(-told +sealed):\n%s", diff)
	}
	if share.Sealed == nil || share.Sealed.Index != sealed.Index || share.Sealed.TimeMS >= share.TimeMS || share.Private == nil || share.Private.Description != "the mailbox" {
		s.t.Errorf("it says %+v", share)
	}
	if told := events.UnsealedIn(answer.Event); told == nil || !told.Unsealing.Supplement || told.Record.Type != events.TypeDisclosureAcknowledged || answer.Sealed == nil {
		s.t.Errorf("the supplement says %+v", answer)
	}
	v = s.report(events.RoleRecipient, agency)
	if len(v.Entries) != 1 || v.Entries[0].Sealed == nil || v.Entries[0].Private != nil {
		s.t.Errorf("the recipient's register: %+v", v.Entries)
	}
	s.copied()
	var steps []string
	v = s.report(events.RoleAuthority, court)
	for _, e := range v.Entries {
		steps = append(steps, e.Event.(*events.SealRecorded).Step.Kind)
	}
	if want := []string{"sealed", "supplemented", "extended", "reviewed", "proposed", "lifted"}; !slices.Equal(steps, want) {
		s.t.Errorf("the register has the steps %v", steps)
	}
	if v := s.report(events.RoleAuthority, agency); !v.Enrolled || len(v.Entries) != 0 {
		s.t.Errorf("the other authority's register: %+v", v.Entries)
	}
}

// copied wants a copy for third parties to tell what was unsealed, without the
// sealed leaves.
func (s *sealing) copied() {
	s.t.Helper()
	id, err := s.ParseIdentity(ledgertest.Email("ada"))
	if err != nil {
		s.t.Fatal(err)
	}
	evidence, err := s.Prove(s.t.Context(), verifier.Query{Role: events.RoleSubject, IDs: []events.Identity{id}, Copy: true})
	if err != nil {
		s.t.Fatal(err)
	}
	secrets, err := s.Keys.Secrets(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	file, err := verifier.FormatReport(&verifier.Report{Trust: string(s.Trust().Canonical()), Parts: []verifier.Evidence{evidence}}, secrets.Report)
	if err != nil {
		s.t.Fatal(err)
	}
	v, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, id.String()), s.Trust())
	if err != nil || len(v.Entries) != 2 || v.Entries[0].Sealed != nil || len(evidence.Targets) != 0 {
		s.t.Errorf("a copy: %v, %+v", err, v)
	}
}

// An oral statement suspends for 30 days, and then the law ends it: at a start, or
// when the ledger next publishes.
func TestOralSuspensionLapses(t *testing.T) {
	s := newSealing(t)
	oral := secrecy("")
	oral.Order.Basis, oral.Order.Form, oral.Order.Issued = "hipaa_oral", "oral", "2026-01-30T00:00:00Z"
	first := s.do("oral", oral)
	second := *oral
	second.Order.Issued = "2026-01-31T00:00:00Z"
	later := s.do("oral 2", &second)
	written := s.do("oral, then written", oral)
	s.do("written", &decide.ExtendSeal{ID: written.ID, Order: events.SealOrder{Basis: "hipaa_written", Form: "written", Reference: "letter of 3 February", Issued: "2026-02-01T00:00:00Z"},
		Period: events.SealPeriod{Until: "2026-06-01T00:00:00Z"}})
	s.refused("order.basis", &decide.ExtendSeal{ID: first.ID, Order: oral.Order, Period: oral.Period})
	s.refused("id", &decide.LapseSeal{ID: first.ID})

	s.clock.set("2026-02-28T23:59:59Z")
	s.Publish(t)
	if got := s.state(first.ID); got != "active" {
		t.Errorf("before its 30 days are over it is %s", got)
	}
	s.clock.set("2026-03-01T00:00:00Z")
	if err := s.Close(t); err != nil {
		t.Fatal(err)
	}
	s.Open(t, ledgertest.Config{Now: s.clock.now})
	s.MustRecord(t, ledgertest.Share("after", "grace"))
	s.Publish(t)
	if a, b := s.state(first.ID), s.state(later.ID); a != "lapsed" || b != "active" {
		t.Errorf("after a start the seals are %s and %s", a, b)
	}
	s.clock.set("2026-03-02T00:00:00Z")
	s.MustRecord(t, ledgertest.Share("after 2", "grace"))
	s.Publish(t)
	s.MustRecord(t, ledgertest.Share("after 3", "grace"))
	s.Publish(t)
	if a, b := s.state(later.ID), s.state(written.ID); a != "lapsed" || b != "active" {
		t.Errorf("a day later the seals are %s, the one in writing %s", a, b)
	}
	s.clock.set("2026-06-01T00:00:00Z")
	s.MustRecord(t, ledgertest.Share("after 4", "grace"))
	s.Publish(t)
	if got := s.state(written.ID); got != "ripe" {
		t.Errorf("no law ends a statement in writing by itself: %s", got)
	}
}

// Bad orders are refused, with the field that is wrong, and nothing is stored.
func TestBadSeals(t *testing.T) {
	s := newSealing(t)
	for field, change := range map[string]func(*decide.SealRecord){
		"order.authority": func(c *decide.SealRecord) { c.Order.Authority = "org:nobody" },
		"order.basis":     func(c *decide.SealRecord) { c.Order.Basis = "because" },
		"order.reference": func(c *decide.SealRecord) { c.Order.Reference = "" },
		"order.issued":    func(c *decide.SealRecord) { c.Order.Issued = "2026-02-03T00:00:00Z" },
		"order.form":      func(c *decide.SealRecord) { c.Order.Form = "oral" },
		"period.until":    func(c *decide.SealRecord) { c.Period.Until = "2026-01-01T00:00:00Z" },
		"period":          func(c *decide.SealRecord) { c.Period = events.SealPeriod{} },
		"subjects":        func(c *decide.SealRecord) { c.Subjects = nil },
		"subjects[0].id":  func(c *decide.SealRecord) { c.Subjects = []decide.Subject{{ID: "ada"}} },
		"recipient.id":    func(c *decide.SealRecord) { c.Record.(*events.DisclosureRecorded).Recipient.ID = "org:Agency.Example" },
		"occurred.at":     func(c *decide.SealRecord) { c.Record.(*events.DisclosureRecorded).Occurred.At = "soon" },
		"links.parent":    func(c *decide.SealRecord) { c.Record.(*events.DisclosureRecorded).Links.Parent = events.ID{7}.String() },
		"extent":          func(c *decide.SealRecord) { c.Record.(*events.DisclosureRecorded).Extent.Subjects = 7 },
		"type":            func(c *decide.SealRecord) { c.Record = &events.StatementPublished{} },
	} {
		cmd := secrecy("2026-03-01T00:00:00Z")
		change(cmd)
		s.refused(field, cmd)
	}
	long := secrecy("2026-04-21T00:00:00Z")
	long.Order.Basis = "us_2705a"
	s.refused("period.until", long)
	plain := ledgertest.New(t, ledgertest.Config{})
	if _, err := plain.Record(t.Context(), ledger.Command{Recorder: "counsel", Key: "k", Record: secrecy("2026-03-01T00:00:00Z")}); err == nil {
		t.Error("a ledger without authorities seals")
	}
}

// What was under seal about somebody who is erased after they were told dies with
// them: the key of their slot in each sealed leaf, and nobody else's. What is still
// under seal is not touched: its keys are not theirs.
func TestSealedCopies(t *testing.T) {
	s := newSealing(t)
	cmd := secrecy("2026-03-01T00:00:00Z")
	cmd.Subjects = append(cmd.Subjects, decide.Subject{ID: ledgertest.Email("bob")})
	sealed := s.do("seal", cmd)
	other := s.do("another", cmd)
	s.do("propose", &decide.ProposeLift{ID: sealed.ID, By: "counsel", Reason: "vacated"})
	s.do("lift", &decide.LiftSeal{ID: sealed.ID, By: "counsel-2"})
	id, err := s.ParseIdentity(ledgertest.Email("ada"))
	if err != nil {
		t.Fatal(err)
	}
	ada, found, err := s.Keys.Party(t.Context(), events.RoleSubject, id)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	keys, err := s.SealedSlots(t.Context(), ada.ID)
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d copies, %v", len(keys), err)
	}
	for range 2 { // once more after a crash changes nothing
		if err := s.Keys.DestroySealKey(t.Context(), keys[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	for at, want := range map[events.ID]int{sealed.ID: 1, other.ID: 2} {
		if left, err := s.Keys.SealKeys(t.Context(), at); err != nil || len(left) != want {
			t.Errorf("%d keys are left, not %d: %v", len(left), want, err)
		}
	}
	if keys, err := s.SealedSlots(t.Context(), ada.ID); err != nil || len(keys) != 0 {
		t.Errorf("%d copies are left, %v", len(keys), err)
	}
	if v := s.report(events.RoleSubject, ledgertest.Email("bob")); len(v.Entries) != 1 {
		t.Errorf("bob has %d entries", len(v.Entries))
	}
	if v := s.report(events.RoleAuthority, court); len(v.Entries) != 4 {
		t.Errorf("the register has %d entries", len(v.Entries))
	}
	s.do("propose the other", &decide.ProposeLift{ID: other.ID, By: "counsel", Reason: "vacated"})
	s.do("lift the other", &decide.LiftSeal{ID: other.ID, By: "counsel-2"})
}

// afterGenesis is an event store that fails every append but the first.
type afterGenesis struct {
	ledger.Store
	appends atomic.Int32
}

var errAfterGenesis = errors.New("the store is gone")

func (s *afterGenesis) Append(ctx context.Context, stream string, expected events.Expected, evs ...events.Proposed) (uint64, error) {
	if s.appends.Add(1) > 1 {
		return 0, errAfterGenesis
	}
	return s.Store.Append(ctx, stream, expected, evs...)
}

// A crash between leaf 0 and the enrolment of the authorities is made good by the
// next start, before anything else is recorded.
func TestAuthoritiesAfterACrash(t *testing.T) {
	dir := t.TempDir()
	parts, err := ledgertest.OpenParts(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = parts.OpenLedger(t.Context(), ledgertest.Config{
		Authorities: []string{court, agency}, Store: func(s ledger.Store) ledger.Store { return &afterGenesis{Store: s} },
	})
	if !errors.Is(err, errAfterGenesis) {
		t.Fatalf("got %v", err)
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	c := newClock("2026-02-01T12:00:00Z")
	s := &sealing{ledgertest.New(t, ledgertest.Config{Dir: dir, Now: c.now}), t, c}
	if got := s.Authorities(); !slices.Equal(got, []string{court, agency}) {
		t.Fatalf("the rules list %v", got)
	}
	if a := s.do("seal", secrecy("2026-03-01T00:00:00Z")); a.Index != 2 {
		t.Errorf("the first sealed record is leaf %d", a.Index)
	}
	for _, id := range []string{court, agency} {
		if v := s.report(events.RoleAuthority, id); v.Names[0].Sequences == nil {
			t.Errorf("%s has no register", id)
		}
	}
}

// Erasing who was told destroys the copies under seal, and what is lifted later is
// told in a sequence of their own.
func TestErasedWhileSealed(t *testing.T) {
	s := newSealing(t)
	told, waits := s.do("seal", secrecy("2026-03-01T00:00:00Z")), s.do("another", secrecy("2026-03-01T00:00:00Z"))
	s.do("propose", &decide.ProposeLift{ID: told.ID, By: "counsel", Reason: "vacated"})
	s.do("lift", &decide.LiftSeal{ID: told.ID, By: "counsel-2"})
	s.do("erase", &decide.Close{Subject: ledgertest.Email("ada"), Reason: events.ReasonErased})
	for id, want := range map[events.ID]int{told.ID: 0, waits.ID: 1} {
		if left, err := s.Keys.SealKeys(t.Context(), id); err != nil || len(left) != want {
			t.Errorf("%d keys are left, not %d: %v", len(left), want, err)
		}
	}
	s.reopen()
	s.do("propose the other", &decide.ProposeLift{ID: waits.ID, By: "counsel", Reason: "vacated"})
	s.do("lift the other", &decide.LiftSeal{ID: waits.ID, By: "counsel-2"})
	v := s.report(events.RoleSubject, ledgertest.Email("ada"))
	if len(v.Entries) != 1 || v.Entries[0].Sealed == nil || v.Entries[0].Sealed.Index != waits.Index || len(v.Names[0].Sequences) != 2 {
		t.Errorf("it shows %+v in %+v", v.Entries, v.Names)
	}
	if v := s.report(events.RoleAuthority, court); len(v.Entries) != 6 {
		t.Errorf("the register has %d entries", len(v.Entries))
	}
}
