package ledger_test

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// modelHold is what the property knows of a hold.
type modelHold struct {
	on       []string // primary names when it was placed
	held     []string // shares of who was erased since
	released bool
}

var matters = []string{"M-1", "M-2", "M-3"}

func (p *people) hold(t *rapid.T) {
	matter, name := rapid.SampledFrom(matters).Draw(t, "matter"), rapid.SampledFrom(names).Draw(t, "name")
	primary := p.primary(name)
	h := p.holds[matter]
	_, err := p.PlaceHold(p.t.Context(), "counsel-1", holdOn(matter, name))
	switch {
	case h != nil && h.released:
		refusedField(p.t, err, "matter")
	case !p.enrolled[primary] && (h == nil || !slices.Contains(h.on, primary)):
		refusedField(p.t, err, "subjects[0]")
	case err != nil:
		p.t.Fatal(err)
	case h == nil:
		p.holds[matter] = &modelHold{on: []string{primary}}
	case !slices.Contains(h.on, primary):
		h.on = append(h.on, primary)
	}
}

func (p *people) release(t *rapid.T) {
	matter := rapid.SampledFrom(matters).Draw(t, "matter")
	if h := p.holds[matter]; h != nil && !h.released {
		releaseHold(p.t, p.Ledger.Running.Ledger, matter)
		h.released, h.held = true, nil
	}
}

// keep moves the shares of somebody who was erased to the holds on them, under any
// of their names.
func (p *people) keep(primary string) {
	for _, h := range p.holds {
		on := slices.ContainsFunc(h.on, func(name string) bool { return p.primary(name) == primary })
		if on && !h.released {
			h.held = append(h.held, p.shares[primary]...)
		}
	}
	delete(p.shares, primary)
}

func (p *people) checkHolds() {
	p.t.Helper()
	for matter, h := range p.holds {
		sorted := func(all []string) []string { return slices.Sorted(slices.Values(all)) }
		if diff := cmp.Diff(sorted(h.held), sorted(heldShares(p.t, p.Ledger.Running.Ledger, matter))); diff != "" {
			p.t.Fatalf("under %s (-want +held):\n%s", matter, diff)
		}
	}
}
