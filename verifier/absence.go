package verifier

import (
	"fmt"

	"github.com/sharetrail/sharetrail/events"
)

// Absence proves that a label is not in the index.
type Absence struct {
	Label    string      `json:"label"`  // enrol, close or entry
	Number   uint64      `json:"number"` // generation, or counter of an entry
	VRF      []byte      `json:"vrf,omitempty"`
	Kind     uint8       `json:"kind"` // AbsenceEmpty or AbsenceOther
	Beside   events.Hash `json:"beside,omitzero"`
	Value    events.Hash `json:"value,omitzero"` // Beside is in the index with this value
	Siblings Path        `json:"siblings"`
}

// The kinds of label whose absence a report proves.
const (
	LabelEnrol = "enrol"
	LabelClose = "close"
	LabelEntry = "entry"
)

// Proof is what the index is asked about the label.
func (a *Absence) Proof() AbsenceProof {
	return AbsenceProof{Kind: a.Kind, Label: a.Beside, Value: a.Value, Siblings: a.Siblings}
}

// Prove puts a proof into the absence.
func (a *Absence) Prove(p AbsenceProof) {
	a.Kind, a.Beside, a.Value, a.Siblings = p.Kind, p.Label, p.Value, p.Siblings
}

// NameAbsences lists the absences that follow from a name's generations, in order
// and without their proofs: that it was never enrolled, or that the last
// generation shown is the last there is, and open or closed as it is shown.
// The generation after the next one is for a ledger that skipped a number.
func NameAbsences(generations uint64, closed bool) []Absence {
	enrol := func(g uint64) Absence { return Absence{Label: LabelEnrol, Number: g} }
	end := func(g uint64) Absence { return Absence{Label: LabelClose, Number: g} }
	switch last := generations - 1; {
	case generations == 0:
		return []Absence{enrol(0), end(0), enrol(1), enrol(2)}
	case closed:
		return []Absence{enrol(last + 1), end(last + 1), enrol(last + 2)}
	default:
		return []Absence{end(last), enrol(last + 1), enrol(last + 2)}
	}
}

// EntryAbsences lists the absences that follow from n entries under a handle: the
// next, and probes for a ledger that skipped a number.
func EntryAbsences(n uint64) []Absence {
	var all []Absence
	for _, skip := range []uint64{0, 1, 3, 7} {
		all = append(all, Absence{Label: LabelEntry, Number: n + skip})
	}
	return all
}

// words names what is absent, counted from 1 as people count.
func (a *Absence) words() string {
	switch a.Label {
	case LabelEnrol:
		return fmt.Sprintf("beginning %d of the sequence", a.Number+1)
	case LabelClose:
		return fmt.Sprintf("end %d of the sequence", a.Number+1)
	}
	return fmt.Sprintf("entry %d", a.Number+1)
}

// VRFInput is what gives the label of an absent enrolment or close.
func (a *Absence) VRFInput(origin string, role events.Role, id events.Identity) []byte {
	ctx := events.EnrolContext
	if a.Label == LabelClose {
		ctx = events.CloseContext
	}
	return events.VRFInput(ctx, origin, role, id, a.Number)
}
