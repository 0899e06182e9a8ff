package verifier_test

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// vast is a log and an index of millions, of which only what a report shows is
// there: every subtree without it is a random hash. Sizes and costs are those of a
// whole one.
type vast struct {
	size   uint64
	depth  int // at which labels stand in the index
	leaves map[uint64]events.Hash
	nodes  map[[2]uint64]events.Hash
	labels []vastLabel
}

// vastLabel is a leaf of the index: one that is shown, or one that stands where an
// absent label would.
type vastLabel struct{ label, value events.Hash }

func noise(kind byte, a, b uint64) events.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{0xff, kind}, a), b))
}

// hash is the log's over [lo, hi).
func (v *vast) hash(lo, hi uint64) events.Hash {
	if h, ok := v.nodes[[2]uint64{lo, hi}]; ok {
		return h
	}
	h := noise(1, lo, hi)
	any := false
	for at := range v.leaves {
		any = any || at >= lo && at < hi
	}
	if any && hi-lo == 1 {
		h = v.leaves[lo]
	} else if any {
		k := split(hi - lo)
		left, right := v.hash(lo, lo+k), v.hash(lo+k, hi)
		h = sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
	}
	v.nodes[[2]uint64{lo, hi}] = h
	return h
}

// split is the largest power of two below n.
func split(n uint64) uint64 {
	k := uint64(1)
	for k*2 < n {
		k *= 2
	}
	return k
}

func (v *vast) path(at, lo, hi uint64) verifier.Path {
	if hi-lo == 1 {
		return verifier.Path{}
	}
	k := split(hi - lo)
	if at < lo+k {
		return append(v.path(at, lo, lo+k), v.hash(lo+k, hi))
	}
	return append(v.path(at, lo+k, hi), v.hash(lo, lo+k))
}

func (v *vast) proven(at uint64, leaf []byte) verifier.Proven {
	return verifier.Proven{Index: at, Leaf: leaf, Inclusion: v.path(at, 0, v.size)}
}

// node is the index's at a depth, over the labels that share so many bits.
func (v *vast) node(depth int, in []vastLabel, place uint64) events.Hash {
	switch {
	case len(in) == 0:
		return noise(2, uint64(depth), place)
	case depth == v.depth:
		return verifier.IndexLeafHash(in[0].label, in[0].value)
	}
	zero, one := divide(in, depth)
	return verifier.IndexNodeHash(v.node(depth+1, zero, 2*place), v.node(depth+1, one, 2*place+1))
}

func divide(in []vastLabel, depth int) (zero, one []vastLabel) {
	for _, l := range in {
		if bit(l.label, depth) == 0 {
			zero = append(zero, l)
		} else {
			one = append(one, l)
		}
	}
	return zero, one
}

func bit(label events.Hash, d int) byte { return label[d/8] >> (7 - d%8) & 1 }

func (v *vast) siblings(label events.Hash) (path verifier.Path) {
	in, place := v.labels, uint64(0)
	for depth := range v.depth {
		zero, one := divide(in, depth)
		if bit(label, depth) == 0 {
			path, in, place = append(path, v.node(depth+1, one, 2*place+1)), zero, 2*place
		} else {
			path, in, place = append(path, v.node(depth+1, zero, 2*place)), one, 2*place+1
		}
	}
	slices.Reverse(path)
	return path
}

// vastReport is a report of Ada's with n entries, in a log of so many leaves with
// two labels each.
func vastReport(t testing.TB, n int, leaves uint64) (*forger, *verifier.Report) {
	t.Helper()
	f := newForger(t)
	ada, org := f.party(events.RoleSubject, adaID), f.party(events.RoleRecipient, "org:northwind")
	f.enrol(ada, org)
	for i := range n {
		f.share(sample(i%9+1), ada, org)
	}
	v := &vast{size: leaves, leaves: map[uint64]events.Hash{}, nodes: map[[2]uint64]events.Hash{}}
	for 1<<v.depth < 2*leaves {
		v.depth++
	}
	// Where each leaf of the small ledger stands in the vast one.
	place := func(at uint64) uint64 { return at * (leaves / (uint64(n) + 3)) }
	value := func(at spot) events.Hash {
		leafHash := events.LeafHash(f.leaves[at.index])
		v.leaves[place(at.index)] = leafHash
		return verifier.IndexValue(place(at.index), at.slot, leafHash)
	}
	enrol, enrolVRF := f.vrfOf(events.EnrolContext, ada, 0)
	v.labels = append(v.labels, vastLabel{enrol, value(ada.enrol)})
	for i, at := range ada.entries {
		v.labels = append(v.labels, vastLabel{events.EntryLabel(ada.handle, uint64(i)), value(at)})
	}
	absent := func(a *verifier.Absence, label events.Hash) {
		other := label
		other[31] ^= 1
		v.labels = append(v.labels, vastLabel{other, noise(3, uint64(len(v.labels)), 0)})
		a.Kind, a.Beside, a.Value = verifier.AbsenceOther, other, v.labels[len(v.labels)-1].value
	}
	name := verifier.Name{ID: adaID, Generations: []verifier.Generation{}, Absences: verifier.NameAbsences(1, false)}
	g := verifier.Generation{Absences: verifier.EntryAbsences(uint64(n)), Entries: []verifier.Entry{}}
	for i := range name.Absences {
		a, ctx := &name.Absences[i], events.EnrolContext
		if a.Label == verifier.LabelClose {
			ctx = events.CloseContext
		}
		var label events.Hash
		label, a.VRF = f.vrfOf(ctx, ada, a.Number)
		absent(a, label)
	}
	for i := range g.Absences {
		absent(&g.Absences[i], events.EntryLabel(ada.handle, g.Absences[i].Number))
	}
	st := events.State{Covered: leaves - 1, MapRoot: v.node(0, v.labels, 0), MapEntries: 2 * leaves,
		VRFKey: events.Hash(f.vrf.PublicKey().Bytes()), RulesHash: events.RulesHash(f.rules), PrevState: events.Hash{1}}
	state := (&events.Leaf{Kind: events.KindState, TimeMS: f.timeMS, Ext: st.Marshal()}).Marshal()
	v.leaves[0], v.leaves[leaves-1] = events.LeafHash(f.leaves[0]), events.LeafHash(state)

	small := f.generationForSize(ada)
	g.Enrol = small.Enrol
	g.Enrol.VRF, g.Enrol.Proven, g.Enrol.Member = enrolVRF, v.proven(place(ada.enrol.index), f.leaves[ada.enrol.index]), v.siblings(enrol)
	for i := range small.Entries {
		e := small.Entries[i]
		e.Proven, e.Member = v.proven(place(e.Index), e.Leaf), v.siblings(events.EntryLabel(ada.handle, uint64(i)))
		g.Entries = append(g.Entries, e)
	}
	for i := range name.Absences {
		name.Absences[i].Siblings = v.siblings(name.Absences[i].Beside)
	}
	for i := range g.Absences {
		g.Absences[i].Siblings = v.siblings(g.Absences[i].Beside)
	}
	name.Generations = append(name.Generations, g)
	checkpoint := verifier.Checkpoint{Origin: f.origin, Size: leaves, Root: v.hash(0, leaves)}
	return f, &verifier.Report{
		Trust: string(f.trust().Canonical()), Statement: verifier.Statement{GeneratedAt: "2026-11-22T12:00:00Z", Notice: "none"},
		Parts: []verifier.Evidence{{
			Origin: f.origin, Stream: f.stream, Role: "subject", IDs: []string{adaID}, Checkpoint: string(signNote(t, checkpoint.Format(), f.log)),
			Rules: f.versions(), Genesis: v.proven(0, f.leaves[0]), State: v.proven(leaves-1, state),
			Names: []verifier.Name{name}, Targets: []verifier.Target{},
		}},
	}
}

// generationForSize opens a party's generation in the small ledger, with proofs
// that are to be replaced.
func (f *forger) generationForSize(p *party) verifier.Generation { return f.generation(0, p, f.next()) }

// TestSize: a report of twenty entries at a million leaves stays below 90 KB
// without the rules document.
func TestSize(t *testing.T) {
	f, r := vastReport(t, 20, 1_000_000)
	file := f.sign(r)
	v, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, adaID), f.trust())
	if err != nil || len(v.Entries) != 20 || v.Size != 1_000_000 {
		t.Fatalf("%+v, %v", v, err)
	}
	size := len(file) - len(r.Parts[0].Rules[0])
	t.Logf("%d bytes, %d without the rules", len(file), size)
	if size >= 90_000 {
		t.Errorf("%d bytes without the rules", size)
	}
}

// BenchmarkCheckReport checks a report of twenty entries at a million leaves, and
// its steps.
func BenchmarkCheckReport(b *testing.B) {
	f, r := vastReport(b, 20, 1_000_000)
	file, trust := f.sign(r), f.trust()
	doc, err := events.MarshalJSON(r)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("whole", func(b *testing.B) {
		b.ReportMetric(float64(len(file)), "bytes")
		for b.Loop() {
			if _, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, adaID), trust); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if err := events.UnmarshalJSON(doc, new(verifier.Report)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
