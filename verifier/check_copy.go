package verifier

import "fmt"

// checkCopy checks a name in a copy for third parties: entries that are in the log,
// and nothing about those that are not shown.
func (n *named) checkCopy(shown *Name) error {
	const name = "copy"
	if len(shown.Absences) > 0 {
		return refute(name, "it holds proofs that it says it leaves out")
	}
	said := ShownName{ID: n.id.String(), Origin: n.trust.Origin}
	last := uint64(0)
	for i := range shown.Generations {
		g := &shown.Generations[i]
		if g.Enrol != nil || g.Close != nil || len(g.Absences) > 0 || len(g.Entries) == 0 || i > 0 && g.Number <= shown.Generations[i-1].Number {
			return refute(name, "it holds proofs that it says it leaves out, or sequences out of order")
		}
		for k := range g.Entries {
			e := &g.Entries[k]
			if err := n.copied(n.ordinal(g.Number), e); err != nil {
				return err
			}
			if k > 0 && e.Number <= g.Entries[k-1].Number || e.Index <= last {
				return refute("entries"+n.where, "entry %d is out of order", e.Number+1)
			}
			last = e.Index
		}
		said.Sequences = append(said.Sequences, ShownSequence{Number: g.Number, Entries: uint64(len(g.Entries))})
	}
	n.verdict.Names = append(n.verdict.Names, said)
	n.pass("entries"+n.where, "%d, each in the log and opened", len(n.entries))
	return nil
}

func (n *named) copied(where string, e *Entry) error {
	name := fmt.Sprintf("entry %d%s", e.Number+1, where)
	if len(e.Member) > 0 || e.Seed == nil {
		return refute(name, "a copy shows entries whole, and nothing of the index")
	}
	l, leafHash, err := n.slot(name, e.Proven, e.Slot)
	if err != nil {
		return err
	}
	c := &checked{name: name, shown: e, leafHash: leafHash, timeMS: l.TimeMS, position: -1}
	if err := n.open(c, l); err != nil {
		return err
	}
	return n.take(c)
}
