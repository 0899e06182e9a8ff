package verifier

import (
	"fmt"
	"slices"
	"strings"
)

// Cosigned says when each cosigner of a policy, by its name there, signed a
// checkpoint: POSIX seconds. Those who did not are missing.
type Cosigned map[string]uint64

// Cosigned checks the cosignatures of a checkpoint note. Keys that the policy does
// not name are ignored; a wrong signature by one that it does name is an error.
func (p *Policy) Cosigned(checkpoint []byte) (Cosigned, error) {
	text, lines, err := splitNote(checkpoint)
	if err != nil {
		return nil, err
	}
	by := Cosigned{}
	for _, w := range p.Witnesses {
		at, found, err := w.Key.find(text, lines)
		if err != nil {
			return nil, err
		}
		if found {
			by[w.Name] = at
		}
	}
	return by, nil
}

// Met returns whether the quorum is met, and the time since which it is: as many
// cosigners as it takes signed then or later. Of k of n witnesses it is the k-th
// newest time. A quorum of nobody is met, at no time.
func (p *Policy) Met(by Cosigned) (at uint64, met bool) {
	if p.Quorum == quorumNone {
		return 0, true
	}
	return p.met(p.Quorum, by)
}

func (p *Policy) met(name string, by Cosigned) (at uint64, met bool) {
	g := p.lookup(name)
	if g == nil {
		at, met = by[name]
		return at, met
	}
	var times []uint64
	for _, m := range g.Members {
		if at, met := p.met(m, by); met {
			times = append(times, at)
		}
	}
	if len(times) < g.K {
		return 0, false
	}
	slices.Sort(times)
	return times[len(times)-g.K], true
}

func (p *Policy) lookup(name string) *PolicyGroup {
	for i := range p.Groups {
		if p.Groups[i].Name == name {
			return &p.Groups[i]
		}
	}
	return nil
}

// Missing says in words what the quorum lacks, "" if nothing.
func (p *Policy) Missing(by Cosigned) string {
	if _, met := p.Met(by); met {
		return ""
	}
	return strings.Join(p.missing(p.Quorum, by), "; ")
}

func (p *Policy) missing(name string, by Cosigned) []string {
	if _, met := p.met(name, by); met {
		return nil
	}
	g := p.lookup(name)
	if g == nil {
		return []string{"no cosignature by " + Plain(name)}
	}
	var have int
	var without, nested []string
	for _, m := range g.Members {
		if _, met := p.met(m, by); met {
			have++
			continue
		}
		without = append(without, Plain(m))
		if p.lookup(m) != nil {
			nested = append(nested, p.missing(m, by)...)
		}
	}
	if len(nested) > 0 && g.K == len(g.Members) && len(nested) >= len(without) {
		return nested
	}
	return append([]string{fmt.Sprintf("of group %s %d signed, %d must; without: %s", Plain(name), have, g.K, strings.Join(without, ", "))}, nested...)
}

// Auditors are the names of the cosigners under the group of auditors.
func (p *Policy) Auditors() []string { return p.under(GroupAuditors) }

func (p *Policy) under(name string) (out []string) {
	g := p.lookup(name)
	if g == nil {
		return nil
	}
	for _, m := range g.Members {
		if p.lookup(m) != nil {
			out = append(out, p.under(m)...)
		} else {
			out = append(out, m)
		}
	}
	return out
}

// PinsAuditor reports whether the quorum cannot be met without an auditor.
func (p *Policy) PinsAuditor() bool {
	auditors := p.Auditors()
	return !p.metBy(func(w string) bool { return !slices.Contains(auditors, w) })
}

// PinsWitness reports whether the quorum cannot be met by auditors alone.
func (p *Policy) PinsWitness() bool {
	auditors := p.Auditors()
	return !p.metBy(func(w string) bool { return slices.Contains(auditors, w) })
}

// metBy reports whether the quorum is met when exactly those cosign.
func (p *Policy) metBy(signs func(name string) bool) bool {
	by := Cosigned{}
	for _, w := range p.Witnesses {
		if signs(w.Name) {
			by[w.Name] = 1
		}
	}
	_, met := p.Met(by)
	return met
}
