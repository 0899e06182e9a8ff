package verifier

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sharetrail/sharetrail/events"
)

// named is the check of one name: its generations, and the entries of all of them.
type named struct {
	*part
	id      events.Identity
	where   string // names the name in the names of checks, if it is not the first
	gens    []*sequence
	entries []*checked
	byIndex map[uint64]*checked
}

// checkNames checks each name that the reader typed, and those that aliases lead
// to, or under which something was sealed that is told here: no fewer, and no others.
func (p *part) checkNames() error {
	const name = CheckPerson
	shown := p.e.Names
	if len(shown) < len(p.ids) {
		return refute(name, "it does not say what the ledger holds under each name")
	}
	led := map[events.Identity]bool{}
	for i := range shown {
		id, err := events.ParseIdentity(p.rules.Identities, shown[i].ID)
		if err != nil || id.String() != shown[i].ID {
			return refute(name, "a name in it is not in the ledger's spelling")
		}
		if i < len(p.ids) && id != p.ids[i] {
			return refute(name, "it shows another name than the one you typed")
		}
		if i >= len(p.ids) && (slices.Contains(p.ids, id) || i > len(p.ids) && shown[i].ID <= shown[i-1].ID) {
			return refute(name, "its names are doubled or out of order")
		}
		n := &named{part: p, id: id, where: p.in, byIndex: map[uint64]*checked{}}
		if i > 0 {
			n.where = " under " + Plain(shown[i].ID) + p.in
		}
		p.names = append(p.names, n)
		if err := n.check(&shown[i]); err != nil {
			return err
		}
		for _, g := range n.gens {
			if g.primary != "" {
				led[g.primary] = true
			}
		}
	}
	if err := p.checkOthers(); err != nil {
		return err
	}
	return p.checkLed(led)
}

// checkLed demands that the names beyond those that were typed are exactly those
// that aliases lead to, and that something stands under each.
func (p *part) checkLed(led map[events.Identity]bool) error {
	const name = "alias"
	for i, n := range p.names {
		sealed := slices.ContainsFunc(p.others, func(o otherName) bool { return o.id == n.id })
		if i >= len(p.ids) && !led[n.id] && !sealed {
			return refute(name, "%s is shown, to which no alias leads", Plain(n.id.String()))
		}
		if led[n.id] && (len(n.gens) == 0 || slices.ContainsFunc(n.gens, func(g *sequence) bool { return g.primary != "" && g.closed == nil })) {
			return refute(name, "an alias leads to %s, under which there is no sequence", Plain(n.id.String()))
		}
		delete(led, n.id)
	}
	if len(led) > 0 {
		return refute(name, "it does not show what an alias leads to")
	}
	return nil
}

// check checks the generations of a name and that there are no others.
func (n *named) check(shown *Name) error {
	if n.e.Copy {
		return n.checkCopy(shown)
	}
	after := uint64(0)
	for g := range shown.Generations {
		s, err := n.generation(uint64(g), &shown.Generations[g], after)
		if err != nil {
			return err
		}
		if g > 0 && n.gens[g-1].closed == nil {
			return refute("enrolment"+s.where, "the one before it was not closed")
		}
		if g > 0 && n.gens[g-1].gone && !s.erased {
			return refute("enrolment"+n.gens[g-1].where, "it is not opened, and neither it nor the next one was erased")
		}
		if after = s.index; s.closed != nil {
			after = s.closed.index
		}
		n.gens = append(n.gens, s)
	}
	if err := n.erasedLater(); err != nil {
		return err
	}
	closed := len(n.gens) > 0 && n.gens[len(n.gens)-1].closed != nil
	if err := n.absences(n.where, shown.Absences, NameAbsences(uint64(len(n.gens)), closed), nil); err != nil {
		return err
	}
	n.conclude()
	return nil
}

// erasedLater dates what was rotated first and erased together with a later
// generation: an erasure takes along whatever the person could still open.
func (n *named) erasedLater() error {
	for g, s := range slices.Backward(n.gens) {
		if !s.gone {
			continue
		}
		if g+1 == len(n.gens) {
			return refute("enrolment"+s.where, "it is not opened, and it is not erased either")
		}
		s.closed = &closed{s.closed.index, n.gens[g+1].closed.timeMS, ClosedErased}
	}
	return nil
}

// conclude says what was found under the name.
func (n *named) conclude() {
	const name = "nothing left out"
	id := Plain(n.id.String())
	if len(n.gens) == 0 {
		n.pass(name, "the index has no sequence under %s%s", id, n.in)
		n.verdict.Names = append(n.verdict.Names, ShownName{ID: n.id.String(), Origin: n.trust.Origin})
		return
	}
	said := ShownName{ID: n.id.String(), Origin: n.trust.Origin}
	for _, g := range n.gens {
		said.Sequences = append(said.Sequences, g.shown())
	}
	n.verdict.Names = append(n.verdict.Names, said)
	last := n.gens[len(n.gens)-1]
	switch {
	case last.closed != nil:
		n.pass(name, "the index has no beginning %d of a sequence under %s%s", last.number+2, id, n.in)
	case last.primary != "":
		n.pass(name, "%s is another name of %s%s, and the index has no other beginning of it", id, Plain(last.primary.String()), n.in)
	default:
		last.goesOn()
		n.pass(name, "the index has no entry %d under %s%s, no end and no other beginning of its sequence", last.count+1, id, n.in)
	}
}

// absences demands exactly the absences that follow from what was shown.
func (n *named) absences(where string, shown, want []Absence, handle *events.Hash) error {
	name := "nothing left out" + where
	if len(shown) != len(want) {
		return refute(name, "the proofs of absence are not the ones needed")
	}
	for i := range shown {
		a := &shown[i]
		if a.Label != want[i].Label || a.Number != want[i].Number {
			return refute(name, "the proofs of absence are not the ones needed")
		}
		var label events.Hash
		if handle != nil {
			if len(a.VRF) != 0 {
				return refute(name, "the label of %s comes from no VRF", a.words())
			}
			label = events.EntryLabel(*handle, a.Number)
		} else {
			var err error
			if label, _, err = CheckVRF(n.trust.VRF, a.VRFInput(n.trust.Origin, n.asked.Role, n.id), a.VRF); err != nil {
				return refute(name, "the label of %s is not the one of this identity", a.words())
			}
		}
		if err := CheckAbsent(n.state.MapRoot, label, a.Proof()); err != nil {
			return refute(name, "the index does not show that %s is absent", a.words())
		}
	}
	return nil
}

// plainList joins texts that somebody else chose.
func plainList(texts []string) string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = Plain(s)
	}
	return strings.Join(out, ", ")
}

// ordinal names a sequence that is not the first under its name.
func (n *named) ordinal(g uint64) string {
	if g == 0 {
		return n.where
	}
	return fmt.Sprintf(" of sequence %d%s", g+1, n.where)
}
