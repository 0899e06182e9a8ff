package index

import (
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// ProveMember returns the value of label and the proof that verifier.CheckMember
// accepts under t.Root. It is an error if the tree does not hold label.
func (t *Tree) ProveMember(label events.Hash) (value events.Hash, p verifier.MemberProof, err error) {
	siblings, end, err := t.path(label)
	if err != nil {
		return value, p, fmt.Errorf("proving membership of label %s: %w", label, err)
	}
	if end == nil || end.Label != label {
		return value, p, fmt.Errorf("proving membership of label %s: not in the index", label)
	}
	return end.Value, verifier.MemberProof{Siblings: siblings}, nil
}

// ProveAbsent returns the proof that verifier.CheckAbsent accepts for label under
// t.Root. It is an error if the tree holds label.
func (t *Tree) ProveAbsent(label events.Hash) (verifier.AbsenceProof, error) {
	siblings, end, err := t.path(label)
	switch {
	case err != nil:
		return verifier.AbsenceProof{}, fmt.Errorf("proving absence of label %s: %w", label, err)
	case end == nil:
		return verifier.AbsenceProof{Kind: verifier.AbsenceEmpty, Siblings: siblings}, nil
	case end.Label == label:
		return verifier.AbsenceProof{}, fmt.Errorf("proving absence of label %s: in the index", label)
	}
	return verifier.AbsenceProof{
		Kind: verifier.AbsenceOther, Label: end.Label, Value: end.Value, Siblings: siblings,
	}, nil
}

// path follows label down to the leaf or missing node (nil) at its end, and
// returns the siblings passed, bottom up.
func (t *Tree) path(label events.Hash) (siblings []events.Hash, end *Entry, err error) {
	siblings = make([]events.Hash, 0, 32)
	n, depth := t.root, 0
	for ; n != nil && !n.isBucket(); depth++ {
		next, other := n.children(label, depth)
		siblings = append(siblings, other.sum())
		n = next
	}
	rest, err := t.kept.checked(n, depth)
	if err != nil {
		return nil, nil, err
	}
	for ; depth == 0 || len(rest) > 1; depth++ {
		next, other := split(rest, depth)
		if bit(&label, depth) == 1 {
			next, other = other, next
		}
		siblings = append(siblings, hash(other, depth+1))
		rest = next
	}
	slices.Reverse(siblings)
	if len(rest) == 0 {
		return siblings, nil, nil
	}
	return siblings, &rest[0], nil
}
