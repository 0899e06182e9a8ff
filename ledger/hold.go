package ledger

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// HoldRequest asks for people to be put under a hold.
type HoldRequest struct {
	Matter   string   `json:"matter" doc:"reference of the matter: 1 to 64 letters, digits, dots, hyphens or underscores; it must name nobody"`
	Ground   string   `json:"ground" enum:"litigation,investigation,regulator,preservation_order,other"`
	Reason   string   `json:"reason" doc:"why, in words that name nobody: they stay when the hold is released"`
	Subjects []string `json:"subjects" doc:"namespace:local each; of an alias the person is meant"`
}

// HoldView is a hold, as keyholders see it.
type HoldView struct {
	Matter   string              `json:"matter"`
	State    string              `json:"state" enum:"active,proposed,released" doc:"proposed: a second keyholder is to confirm its release"`
	Subjects []string            `json:"subjects" doc:"whom it is about; none once it is released"`
	Steps    []keystore.HoldStep `json:"steps"`
}

// HoldGrounds are on what a hold may rest.
var HoldGrounds = []string{"litigation", "investigation", "regulator", "preservation_order", "other"}

// ErrNoHold says that there is no hold of a matter. Only keyholders can meet it.
var ErrNoHold = errors.New("no hold has this matter")

var matterForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// PlaceHold puts people under a hold, or more people under one that there is: what
// is recorded about them outlives their erasure until the hold is released. Nothing
// is appended. It is ordered with erasures: whoever is erased after it returned is
// held, and whoever was erased before is refused.
func (l *Ledger) PlaceHold(ctx context.Context, actor string, r HoldRequest) (HoldView, error) {
	step, err := l.holdStep(actor, r.Matter, r.Reason)
	if err != nil {
		return HoldView{}, err
	}
	if step.Ground = r.Ground; !slices.Contains(HoldGrounds, r.Ground) {
		return HoldView{}, &events.FieldError{Field: "ground", Rule: "is not one of its values", Next: "use litigation, investigation, regulator, preservation_order or other"}
	}
	if n := len(r.Subjects); n == 0 || n > 1000 {
		return HoldView{}, &events.FieldError{Field: "subjects", Rule: "must name 1 to 1000 people", Next: "name whom the hold is about; place it again for more"}
	}
	return l.holdAfter(ctx, r.Matter, func(ctx context.Context) error {
		h, found, err := l.keys.Hold(ctx, r.Matter)
		if err != nil {
			return err
		}
		if found && h.Released() {
			return &events.FieldError{Field: "matter", Rule: "names a hold that was released", Next: "place one under another reference"}
		}
		people, err := l.holdable(r.Subjects, h.People)
		if err != nil {
			return err
		}
		if found && h.Last().Kind == keystore.HoldPlaced && !slices.ContainsFunc(people, func(id events.Identity) bool { return !slices.Contains(h.People, id) }) {
			return l.keys.SettleHolds(ctx) // it is so already
		}
		return l.keys.PlaceHold(ctx, step, people)
	})
}

// holdable reads whom a hold is to be about. Who has no key has nothing to keep,
// unless the hold is on them already.
func (l *Ledger) holdable(subjects []string, already []events.Identity) (people []events.Identity, err error) {
	for i, text := range subjects {
		field := fmt.Sprintf("subjects[%d]", i)
		id, err := events.ParseIdentity(l.state.rules.Identities, text)
		if err != nil {
			return nil, fieldIn(field, err)
		}
		id = l.state.Primary(events.RoleSubject, id)
		if !l.state.Enrolled(events.RoleSubject, id) && !slices.Contains(already, id) {
			return nil, &events.FieldError{Field: field, Rule: "has no entries in this ledger, or was erased", Next: "check the identity; there is nothing left to hold"}
		}
		if !slices.Contains(people, id) {
			people = append(people, id)
		}
	}
	return people, nil
}

func fieldIn(field string, err error) error {
	if fe, ok := err.(*events.FieldError); ok {
		return &events.FieldError{Field: field, Rule: fe.Rule, Next: fe.Next}
	}
	return &events.FieldError{Field: field, Rule: err.Error(), Next: "write it as namespace:local"}
}

// ProposeHoldRelease asks for a hold to be released: the first of two keyholders.
func (l *Ledger) ProposeHoldRelease(ctx context.Context, actor, matter, reason string) (HoldView, error) {
	step, err := l.holdStep(actor, matter, reason)
	if err != nil {
		return HoldView{}, err
	}
	return l.holdAfter(ctx, matter, func(ctx context.Context) error {
		h, err := l.openHold(ctx, matter)
		if err != nil {
			return err
		}
		if h.Last().Kind == keystore.HoldProposed {
			return &events.FieldError{Field: "matter", Rule: "names a hold whose release is proposed already", Next: "let a second keyholder confirm it"}
		}
		return l.keys.ProposeRelease(ctx, step)
	})
}

// ReleaseHold releases a hold and destroys all that was kept under it: the second of
// two keyholders. kin are those with whom the actor is no two people.
func (l *Ledger) ReleaseHold(ctx context.Context, actor string, kin []string, matter string) (HoldView, error) {
	step, err := l.holdStep(actor, matter, "it was proposed") // the proposal says why
	if err != nil {
		return HoldView{}, err
	}
	step.Reason = ""
	return l.holdAfter(ctx, matter, func(ctx context.Context) error {
		h, err := l.openHold(ctx, matter)
		if err != nil {
			return err
		}
		switch last := h.Last(); {
		case last.Kind != keystore.HoldProposed:
			return &events.FieldError{Field: "matter", Rule: "names a hold whose release nobody has proposed", Next: "propose it first; a second keyholder confirms"}
		case last.By == step.By:
			return &events.FieldError{Field: "actor", Rule: "is the one who proposed it", Next: "let a second keyholder confirm"}
		case slices.ContainsFunc(kin, func(name string) bool { return l.Pseudonym(name) == last.By }):
			return decide.NotTwo()
		}
		return l.keys.ReleaseHold(ctx, step)
	})
}

// openHold returns a hold that is not released.
func (l *Ledger) openHold(ctx context.Context, matter string) (keystore.Hold, error) {
	h, found, err := l.keys.Hold(ctx, matter)
	switch {
	case err != nil:
		return h, err
	case !found:
		return h, ErrNoHold
	case h.Released():
		if err := l.keys.SettleHolds(ctx); err != nil { // what released it may have been cut short
			return h, err
		}
		return h, &events.FieldError{Field: "matter", Rule: "names a hold that was released", Next: "there is nothing left of it"}
	}
	return h, nil
}

// holdStep is a step by an actor, now.
func (l *Ledger) holdStep(actor, matter, reason string) (keystore.HoldStep, error) {
	if !matterForm.MatchString(matter) {
		return keystore.HoldStep{}, &events.FieldError{Field: "matter", Rule: "must be 1 to 64 letters, digits, dots, hyphens or underscores", Next: "use the reference of the matter; it must name nobody"}
	}
	if n := len(reason); n == 0 || n > 2000 || !utf8.ValidString(reason) {
		return keystore.HoldStep{}, &events.FieldError{Field: "reason", Rule: "must have 1 to 2000 bytes", Next: "say why, in words that name nobody"}
	}
	return keystore.HoldStep{Matter: matter, Reason: reason, At: l.now().UTC().Format(time.RFC3339), By: l.Pseudonym(actor)}, nil
}

// holdAfter has the writer take a step, and returns the hold as it is then.
func (l *Ledger) holdAfter(ctx context.Context, matter string, step func(context.Context) error) (HoldView, error) {
	if err := l.inWriter(ctx, step); err != nil {
		return HoldView{}, err
	}
	h, found, err := l.keys.Hold(ctx, matter)
	if err == nil && !found {
		err = ErrNoHold
	}
	if err != nil {
		return HoldView{}, err
	}
	return viewHold(h), nil
}

func viewHold(h keystore.Hold) HoldView {
	v := HoldView{Matter: h.Matter, State: "active", Subjects: []string{}, Steps: h.Steps}
	if kind := h.Last().Kind; kind != keystore.HoldPlaced {
		v.State = kind
	}
	for _, id := range h.People {
		v.Subjects = append(v.Subjects, id.String())
	}
	return v
}

// Holds returns every hold there is or was, in the order in which they were placed.
func (l *Ledger) Holds(ctx context.Context) ([]HoldView, error) {
	all, err := l.keys.Holds(ctx)
	views := []HoldView{}
	for _, h := range all {
		views = append(views, viewHold(h))
	}
	return views, err
}
