package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// registers are the registers of the authorities under whose orders records are
// sealed, as far as somebody asked. They are answered from the stream: no read
// model holds anything that is under seal.
type registers struct {
	mu  sync.Mutex
	all map[keystore.PartyID][]sealStep
}

// sealStep is one entry of a register.
type sealStep struct {
	ID       events.ID
	Index    uint64
	LeafHash events.Hash
	TimeMS   uint64
	*events.SealRecorded
}

// steps returns an authority's register as far as the state knows it.
func (l *Ledger) steps(ctx context.Context, id keystore.PartyID) ([]sealStep, error) {
	l.mu.RLock()
	places := l.state.sequences[id].upTo(l.state.next)
	l.mu.RUnlock()
	l.registers.mu.Lock()
	defer l.registers.mu.Unlock()
	known := l.registers.all[id]
	if len(known) >= len(places) {
		return known[:len(places):len(places)], nil
	}
	party, err := l.keys.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, packed := range places[len(known):] {
		at := packed.unpack()
		sealed, err := l.sealedAt(ctx, at.index)
		if err != nil {
			return nil, err
		}
		opened, err := sealed.Open(at.slot, party.Key)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
		}
		step, ok := opened.Event.(*events.SealRecorded)
		if !ok {
			return nil, fmt.Errorf("reading a seal register: it holds something else: %w", ErrCorrupt)
		}
		known = append(known, sealStep{sealed.ID, at.index, events.LeafHash(sealed.Stored.Leaf), sealed.Leaf.TimeMS, step})
		l.registers.all[id] = known // what was read is not read again
	}
	return known[:len(places):len(places)], nil
}

// authority is a party that seals.
type authority struct {
	party    keystore.PartyID
	identity events.Identity
}

// authorities returns those that the rules list, in their order.
func (l *Ledger) authorities() (all []authority) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, text := range l.state.rules.Authorities {
		id, err := events.ParseIdentity(l.state.rules.Identities, text)
		if err != nil {
			continue // ParseRules refused it
		}
		if party, ok := l.state.parties[partyKey{events.RoleAuthority, id}]; ok {
			all = append(all, authority{party, id})
		}
	}
	return all
}

// Authorities returns those under whose orders records can be sealed, as the rules
// list them.
func (l *Ledger) Authorities() []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.state.rules.Authorities)
}

// SealStep is one step in the life of a seal, as its keepers see it.
type SealStep struct {
	ID       events.ID `json:"id"`
	Index    uint64    `json:"index" doc:"leaf in the log"`
	Recorded time.Time `json:"recorded" doc:"by the leaf's clock"`
	events.SealStep
}

// SealView is a seal, as its keepers see it.
type SealView struct {
	ID        events.ID         `json:"id"`
	Authority string            `json:"authority"`
	Order     events.SealOrder  `json:"order" doc:"the newest"`
	Period    events.SealPeriod `json:"period" doc:"the newest"`
	State     string            `json:"state" enum:"active,review,ripe,proposed,lifted,lapsed" doc:"review: it is to be reviewed; ripe: its period is over; proposed: a second person is to confirm its lifting"`
	Records   []string          `json:"records" doc:"types of the records under it, in their order"`
	Steps     []SealStep        `json:"steps"`
}

// Seals returns every seal there is or was, in the order in which they began. It is
// for the keepers of seals alone.
func (l *Ledger) Seals(ctx context.Context) ([]SealView, error) {
	views := []SealView{}
	for _, a := range l.authorities() {
		steps, err := l.steps(ctx, a.party)
		if err != nil {
			return nil, err
		}
		for _, s := range steps {
			if s.Step.Kind == events.StepSealed {
				views = append(views, l.view(a, s.ID, steps))
			}
		}
	}
	slices.SortFunc(views, func(a, b SealView) int { return int(a.Steps[0].Index) - int(b.Steps[0].Index) })
	return views, nil
}

func (l *Ledger) view(a authority, id events.ID, steps []sealStep) SealView {
	seal := sealIn(a, id, steps)
	now := l.now()
	v := SealView{ID: id, Authority: a.identity.String(), Order: seal.Order, Period: seal.Period, State: "active"}
	switch {
	case seal.Ended != "":
		v.State = seal.Ended
	case seal.Proposed != "":
		v.State = "proposed"
	case seal.Ripe(now):
		v.State = "ripe"
	case seal.Due(now):
		v.State = "review"
	}
	for _, r := range seal.Records {
		v.Records = append(v.Records, r.Record.Type)
	}
	for _, s := range steps {
		if s.of(id) {
			v.Steps = append(v.Steps, SealStep{s.ID, s.Index, time.UnixMilli(int64(s.TimeMS)).UTC(), s.Step})
		}
	}
	return v
}

// of reports whether a step is one of a seal.
func (s *sealStep) of(id events.ID) bool { return s.ID == id || s.Step.Seal == id.String() }

// sealIn folds the steps of one seal. The people of its records are not opened.
func sealIn(a authority, id events.ID, steps []sealStep) *decide.Seal {
	seal := &decide.Seal{ID: id, Authority: a.identity}
	for _, s := range steps {
		if !s.of(id) {
			continue
		}
		if s.Order != nil {
			seal.Order = *s.Order
		}
		if s.Period != (events.SealPeriod{}) {
			seal.Period = s.Period
		}
		if s.Record != nil {
			seal.Records = append(seal.Records, decide.SealedRecord{Index: s.Index, LeafHash: s.LeafHash, Record: *s.Record})
		}
		switch s.Step.Kind {
		case events.StepExtended:
			seal.Proposed = ""
		case events.StepProposed:
			seal.Proposed = s.Step.By[0]
		case events.StepLifted, events.StepLapsed:
			seal.Ended = s.Step.Kind
		}
	}
	return seal
}

// ErrNoSeal says that an id names no seal. Only the keepers of seals can meet it.
var ErrNoSeal = &events.FieldError{Field: "id", Rule: "names no seal of this ledger", Next: "use the id that sealing the record answered"}

// sealTarget reads the seal that a command is about, as the register was before an
// index.
func (l *Ledger) sealTarget(ctx context.Context, cmd *Command, id events.ID, before uint64) (*target, error) {
	l.mu.RLock()
	closings := l.state.closings
	l.mu.RUnlock()
	for _, a := range l.authorities() {
		steps, err := l.steps(ctx, a.party)
		if err != nil {
			return nil, err
		}
		then := slices.DeleteFunc(slices.Clone(steps), func(s sealStep) bool { return s.Index >= before })
		if !slices.ContainsFunc(then, func(s sealStep) bool { return s.ID == id && s.Step.Kind == events.StepSealed }) {
			continue
		}
		t := &target{register: a.party, entries: len(steps), closings: closings}
		t.Seal = sealIn(a, id, then)
		over := sealIn(a, id, steps).Ended != "" // those told may be erased since
		return t, l.people(ctx, cmd, t.Seal, over)
	}
	return nil, ErrNoSeal
}

// errSealKeys says that not everybody could be told what is under a seal: nothing
// destroys a key before. It is told to the keepers of seals and logged nowhere.
var errSealKeys = &events.FieldError{Field: "id", Rule: "names a seal whose keys are not all in the keystore: it is older than the seal", Next: "bring back the newer keys.db first"}

// people opens whom the records under a seal concern, if a command tells them: all
// of them, unless they were told before.
func (l *Ledger) people(ctx context.Context, cmd *Command, seal *decide.Seal, over bool) error {
	switch cmd.Record.(type) {
	case *decide.LiftSeal, *decide.LapseSeal:
	default:
		return nil
	}
	for i := range seal.Records {
		r := &seal.Records[i]
		sealed, err := l.sealedAt(ctx, r.Index)
		if err != nil {
			return err
		}
		keys, err := l.keys.SealKeys(ctx, sealed.ID)
		if err != nil {
			return err
		}
		slots, err := sealed.OpenSealed(keys)
		if err != nil {
			return err
		}
		slices.SortFunc(slots, func(a, b keystore.SealedSlot) int { return int(a.Key.ID - b.Key.ID) })
		for _, s := range slots {
			r.People = append(r.People, decide.Party{
				Role: s.Content.Role, ID: events.Identity(s.Content.ID), Private: s.Content.Private,
				About: &decide.Reference{Index: r.Index, LeafHash: r.LeafHash, Slot: &s.Slot},
			})
		}
		e, err := r.Record.Event()
		if err != nil {
			return fmt.Errorf("reading a sealed record: %w: %w", err, ErrCorrupt)
		}
		if want := events.People(e); !over && events.Carries(e.Type(), events.RoleSubject) && uint64(len(slots)) < max(want, 1) {
			return errSealKeys
		}
	}
	return nil
}

// lapse ends the seals that the law has ended by itself. It says nothing in the
// log: who reads that must not learn that there are seals. What fails is tried
// again at the next tick, and meanwhile shows as ripe.
func (l *Ledger) lapse(ctx context.Context) {
	for _, a := range l.authorities() {
		steps, err := l.steps(ctx, a.party)
		if err != nil {
			return
		}
		now := l.now()
		for _, s := range steps {
			if s.Step.Kind != events.StepSealed || s.Order.Basis != events.BasisHIPAAOral || !sealIn(a, s.ID, steps).Lapses(now) {
				continue
			}
			cmd := Command{Recorder: "ledger", Key: "lapse " + s.ID.String(), Record: &decide.LapseSeal{ID: s.ID}}
			if _, err := l.Record(ctx, cmd); err != nil && ctx.Err() != nil {
				return
			}
		}
	}
}

// enrolAuthorities enrols the authorities that the rules list, right after the
// genesis and so before anything else; after a crash in between, at the next start.
func (l *Ledger) enrolAuthorities(ctx context.Context) error {
	listed := l.state.rules.Authorities
	for len(l.authorities()) < len(listed) {
		cmd := &Command{Recorder: "ledger", Key: "authorities", Record: &decide.EnrolAuthorities{Authorities: listed}}
		req := &request{cmd: cmd, reply: make(chan reply, 1)}
		undecided, err := l.writeBatch(ctx, []*request{req})
		if err != nil {
			return err
		}
		if len(undecided) > 0 { // a state leaf was due, or another instance was first
			if err := l.catchUp(ctx); err != nil {
				return err
			}
			continue
		}
		if r := <-req.reply; r.err != nil {
			return fmt.Errorf("enrolling the authorities: %w", r.err)
		}
		return nil
	}
	return nil
}

// SealedSlots finds the copies under seal of what a party was told after the
// seal: for each of its entries that unseals a record, the key of the slot in
// that record. They are to be destroyed with the party's key, before it.
func (l *Ledger) SealedSlots(ctx context.Context, id keystore.PartyID) (keys []keystore.SealKey, err error) {
	party, err := l.keys.ByID(ctx, id)
	if errors.Is(err, keystore.ErrNoParty) || errors.Is(err, keystore.ErrDestroyed) {
		return nil, nil // destroyed already, after its copies
	}
	if err != nil {
		return nil, err
	}
	l.mu.RLock()
	var places []entryPlace
	if seq := l.state.sequences[id]; seq != nil {
		places = seq.upTo(l.state.next)
	} else {
		places = l.state.doomed[id].entries
	}
	l.mu.RUnlock()
	for _, packed := range places {
		at := packed.unpack()
		told, err := l.sealedAt(ctx, at.index)
		if err != nil {
			return nil, err
		}
		if told.Type != events.TypeUnsealed && told.Type != events.TypeEventUnsealed {
			continue
		}
		content, err := told.OpenSlot(at.slot, party.Key)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
		}
		if content.Kind != events.SlotUnseal || *content.TargetSlot == events.BodyAlone {
			continue
		}
		found, err := l.sealedSlot(ctx, *content.TargetIndex, *content.TargetSlot)
		if err != nil {
			return nil, err
		}
		keys = append(keys, found...)
	}
	return keys, nil
}

// destroySealed destroys the copies under seal of what the erased were told. It says
// nothing in the log: how many there are is nobody's to know.
func (l *Ledger) destroySealed(ctx context.Context, doomed []keystore.PartyID) error {
	for _, id := range doomed {
		keys, err := l.SealedSlots(ctx, id)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := l.keys.DestroySealKey(ctx, k.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Ledger) sealedSlot(ctx context.Context, index uint64, slot uint16) (keys []keystore.SealKey, err error) {
	sealed, err := l.sealedAt(ctx, index)
	if err != nil {
		return nil, err
	}
	all, err := l.keys.SealKeys(ctx, sealed.ID)
	if err != nil {
		return nil, err
	}
	slots, err := sealed.OpenSealed(all)
	for _, s := range slots {
		if s.Slot == slot {
			keys = append(keys, s.Key)
		}
	}
	return keys, err
}
