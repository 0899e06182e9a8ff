package verifier_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

var updateIndex = flag.Bool("update-index", false, "add missing vectors to testdata/index; never changes one")

const indexVectors = "testdata/index"

// indexSet is a golden file: a label set, its root, and proofs with verdicts.
type indexSet struct {
	Entries []indexEntry `json:"entries"`
	Root    events.Hash  `json:"root"`
	Proofs  []indexProof `json:"proofs"`
}

type indexEntry struct {
	Label events.Hash `json:"label"`
	Index uint64      `json:"index"`
	Slot  uint16      `json:"slot"`
	Leaf  events.Hash `json:"leaf"`
	Value events.Hash `json:"value"`
}

// indexProof claims that label is a member with value, or absent (no value).
type indexProof struct {
	Name  string          `json:"name"`
	OK    bool            `json:"ok"`
	Label events.Hash     `json:"label"`
	Value *events.Hash    `json:"value,omitempty"`
	Proof json.RawMessage `json:"proof"`
}

func (p indexProof) check(root events.Hash) error {
	if p.Value != nil {
		return checkMemberJSON(root, p.Label, *p.Value, p.Proof)
	}
	return checkAbsentJSON(root, p.Label, p.Proof)
}

func checkMemberJSON(root, label, value events.Hash, text []byte) error {
	var p verifier.MemberProof
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	return verifier.CheckMember(root, label, value, p)
}

func checkAbsentJSON(root, label events.Hash, text []byte) error {
	var p verifier.AbsenceProof
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	return verifier.CheckAbsent(root, label, p)
}

// The index as PROOFS section 5 words it, in the slowest way.

func sum(parts ...[]byte) events.Hash { return sha256.Sum256(bytes.Join(parts, nil)) }

func labelBit(l events.Hash, d int) bool { return l[d/8]&(1<<(7-d%8)) != 0 }

func below(es []indexEntry, depth int, one bool) (in []indexEntry) {
	for _, e := range es {
		if labelBit(e.Label, depth) == one {
			in = append(in, e)
		}
	}
	return in
}

func naiveHash(es []indexEntry, depth int) events.Hash {
	if depth > 0 && len(es) == 0 {
		return events.Hash{}
	}
	if depth > 0 && len(es) == 1 {
		return sum([]byte{2}, es[0].Label[:], es[0].Value[:])
	}
	l, r := naiveHash(below(es, depth, false), depth+1), naiveHash(below(es, depth, true), depth+1)
	return sum([]byte{3}, l[:], r[:])
}

// naiveProve returns what stands at the end of the path of label.
func naiveProve(es []indexEntry, label events.Hash) (siblings []events.Hash, end []indexEntry) {
	for depth := 0; depth == 0 || len(es) > 1; depth++ {
		siblings = append(siblings, naiveHash(below(es, depth, !labelBit(label, depth)), depth+1))
		es = below(es, depth, labelBit(label, depth))
	}
	slices.Reverse(siblings)
	return siblings, es
}

func naiveAbsent(es []indexEntry, label events.Hash) verifier.AbsenceProof {
	siblings, end := naiveProve(es, label)
	p := verifier.AbsenceProof{Kind: verifier.AbsenceEmpty, Siblings: siblings}
	if len(end) == 1 {
		p.Kind, p.Label, p.Value = verifier.AbsenceOther, end[0].Label, end[0].Value
	}
	return p
}

// The label sets of the golden files.

func testLabel(i int) events.Hash { return sum([]byte(fmt.Sprintf("label %d", i))) }

// sharing returns l with every bit from the given one on inverted.
func sharing(l events.Hash, bits int) events.Hash {
	for d := bits; d < 256; d++ {
		l[d/8] ^= 1 << (7 - d%8)
	}
	return l
}

func indexSets() map[string][]events.Hash {
	var hashed, comb []events.Hash
	for i := range 20 {
		hashed = append(hashed, testLabel(i))
	}
	a, b := testLabel(0), testLabel(1)
	for i := 1; i < 10; i++ {
		comb = append(comb, sharing(a, i))
	}
	return map[string][]events.Hash{
		"empty":          {},
		"one":            {a},
		"two":            {a, sharing(a, 0)},
		"three":          {a, b, testLabel(2)},
		"one-side":       {a, sharing(a, 1)},
		"shared-8":       {a, sharing(a, 8), sharing(a, 0)},
		"shared-200":     {a, sharing(a, 200), sharing(a, 201)},
		"shared-255":     {a, sharing(a, 255)},
		"zeros-and-ones": {events.Hash{}, sharing(events.Hash{}, 0)},
		"comb":           append([]events.Hash{a}, comb...),
		"twenty":         hashed,
	}
}

func makeIndexSet(labels []events.Hash) indexSet {
	s := indexSet{Entries: []indexEntry{}}
	for i, l := range labels {
		e := indexEntry{Label: l, Index: uint64(i) * 0x0102030405, Slot: uint16(i) * 0x0301, Leaf: sum([]byte{byte(i)})}
		e.Value = sum([]byte{0x13}, binary.BigEndian.AppendUint64(nil, e.Index), binary.BigEndian.AppendUint16(nil, e.Slot), e.Leaf[:])
		s.Entries = append(s.Entries, e)
	}
	s.Root = naiveHash(s.Entries, 0)
	add := func(name string, ok bool, label events.Hash, value *events.Hash, proof any) {
		text, isText := proof.(string)
		if !isText {
			text = encode(proof)
		}
		s.Proofs = append(s.Proofs, indexProof{Name: name, OK: ok, Label: label, Value: value, Proof: json.RawMessage(text)})
	}
	absent := []events.Hash{testLabel(100), testLabel(101)}
	if len(labels) > 0 {
		absent = append(absent, sharing(labels[0], 20), sharing(labels[0], 254))
		e := s.Entries[0]
		siblings, _ := naiveProve(s.Entries, e.Label)
		good := verifier.MemberProof{Siblings: siblings}
		add("member", true, e.Label, &e.Value, good)
		add("member with another value", false, e.Label, &absent[0], good)
		add("member that is absent", false, absent[0], &e.Value, good)
		add("member one sibling short", false, e.Label, &e.Value, verifier.MemberProof{Siblings: siblings[:len(siblings)-1]})
		add("member one sibling long", false, e.Label, &e.Value, verifier.MemberProof{Siblings: append([]events.Hash{{}}, siblings...)})
		add("member, member twice", false, e.Label, &e.Value, `{"siblings":[],`+encode(good)[1:])
		add("absent that is a member: empty", false, e.Label, nil, verifier.AbsenceProof{Kind: 1, Siblings: siblings})
		add("absent that is a member: itself", false, e.Label, nil, verifier.AbsenceProof{Kind: 2, Label: e.Label, Value: e.Value, Siblings: siblings})
	}
	for i, l := range absent {
		if _, end := naiveProve(s.Entries, l); len(end) == 1 && end[0].Label == l {
			continue
		}
		p := naiveAbsent(s.Entries, l)
		add(fmt.Sprintf("absent %d", i), true, l, nil, p)
		if i > 0 {
			continue
		}
		text := encode(p)
		add("absent, null siblings", false, l, nil, `{"kind":1,"siblings":null}`)
		add("absent, unknown member", false, l, nil, `{"depth":1,`+text[1:])
		add("absent, member in capitals", false, l, nil, string(bytes.Replace([]byte(text), []byte("kind"), []byte("KIND"), 1)))
		add("absent, kind 0", false, l, nil, verifier.AbsenceProof{Label: p.Label, Value: p.Value, Siblings: p.Siblings})
		add("absent, kinds swapped", false, l, nil, verifier.AbsenceProof{Kind: 3 - p.Kind, Label: p.Label, Value: p.Value, Siblings: p.Siblings})
		if p.Kind == verifier.AbsenceEmpty {
			add("absent, empty with a label", false, l, nil, verifier.AbsenceProof{Kind: 1, Label: absent[1], Siblings: p.Siblings})
			add("absent, empty with a zero label", false, l, nil, `{"kind":1,"label":`+encode(events.Hash{})+text[len(`{"kind":1`):])
		}
	}
	return s
}

func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func readIndexSet(t testing.TB, file string) (s indexSet) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for i := range s.Proofs { // undo the indentation
		var b bytes.Buffer
		if err := json.Compact(&b, s.Proofs[i].Proof); err != nil {
			t.Fatal(err)
		}
		s.Proofs[i].Proof = b.Bytes()
	}
	return s
}

func indexFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(indexVectors, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s (%v)", indexVectors, err)
	}
	return files
}

// TestIndexVectorsGrow holds the golden files to the spec as worded above.
// -update-index adds files and proofs; what is there already must stay.
func TestIndexVectorsGrow(t *testing.T) {
	for name, labels := range indexSets() {
		file := filepath.Join(indexVectors, name+".json")
		want := makeIndexSet(labels)
		if *updateIndex {
			if _, err := os.Stat(file); err == nil {
				old := readIndexSet(t, file)
				grown := want
				grown.Proofs = want.Proofs[:min(len(want.Proofs), len(old.Proofs))]
				if diff := cmp.Diff(old, grown); diff != "" {
					t.Fatalf("%s would change, golden files only grow (-there +new):\n%s", file, diff)
				}
			}
			text, err := json.MarshalIndent(want, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(readIndexSet(t, file), want); diff != "" {
			t.Errorf("%s (-there +spec):\n%s", file, diff)
		}
	}
}

func TestIndexVectors(t *testing.T) {
	for _, file := range indexFiles(t) {
		s := readIndexSet(t, file)
		for _, e := range s.Entries {
			if got := verifier.IndexValue(e.Index, e.Slot, e.Leaf); got != e.Value {
				t.Errorf("%s: value of %s: got %s, want %s", file, e.Label, got, e.Value)
			}
		}
		if len(s.Entries) == 0 && verifier.EmptyIndexRoot() != s.Root {
			t.Errorf("%s: empty root: got %s, want %s", file, verifier.EmptyIndexRoot(), s.Root)
		}
		for _, p := range s.Proofs {
			if err := p.check(s.Root); (err == nil) != p.OK {
				t.Errorf("%s: %s: got error %v, want ok %v", file, p.Name, err, p.OK)
			}
		}
	}
}

// TestIndexProofText: every bit flip of a good proof's text is refused, shown on
// the smaller proofs.
func TestIndexProofText(t *testing.T) {
	for _, file := range indexFiles(t) {
		s := readIndexSet(t, file)
		for _, p := range s.Proofs {
			if !p.OK || len(p.Proof) > 300 {
				continue
			}
			for i := range 8 * len(p.Proof) {
				bad := p
				bad.Proof = slices.Clone(p.Proof)
				bad.Proof[i/8] ^= 1 << (i % 8)
				if bad.check(s.Root) == nil {
					t.Fatalf("%s: %s: accepted with bit %d flipped: %s", file, p.Name, i, bad.Proof)
				}
			}
		}
	}
}

// TestIndexShapes: proofs under roots that no honest tree has.
func TestIndexShapes(t *testing.T) {
	label, value := testLabel(0), testLabel(1)
	zero := make([]events.Hash, 300)
	root := func(node events.Hash, siblings []events.Hash) events.Hash {
		for i, s := range siblings {
			if labelBit(label, (len(siblings)-1-i)%256) {
				node = sum([]byte{3}, s[:], node[:])
			} else {
				node = sum([]byte{3}, node[:], s[:])
			}
		}
		return node
	}
	leaf := verifier.IndexLeafHash(label, value)
	stray := verifier.IndexLeafHash(sharing(label, 0), value)
	other := append([]events.Hash{testLabel(2)}, zero[:255]...)
	for name, err := range map[string]error{
		"leaf as root":           verifier.CheckMember(leaf, label, value, verifier.MemberProof{}),
		"missing root":           verifier.CheckAbsent(events.Hash{}, label, verifier.AbsenceProof{Kind: 1}),
		"leaf too deep":          verifier.CheckMember(root(leaf, zero[:2]), label, value, verifier.MemberProof{Siblings: zero[:2]}),
		"inner node of nothing":  verifier.CheckAbsent(root(events.Hash{}, zero[:2]), label, verifier.AbsenceProof{Kind: 1, Siblings: zero[:2]}),
		"missing at depth 256":   verifier.CheckAbsent(root(events.Hash{}, other), label, verifier.AbsenceProof{Kind: 1, Siblings: other}),
		"member at depth 257":    verifier.CheckMember(root(leaf, zero[:257]), label, value, verifier.MemberProof{Siblings: zero[:257]}),
		"absent at depth 300":    verifier.CheckAbsent(root(events.Hash{}, zero), label, verifier.AbsenceProof{Kind: 1, Siblings: zero}),
		"other leaf off path":    verifier.CheckAbsent(root(stray, zero[:1]), label, verifier.AbsenceProof{Kind: 2, Label: sharing(label, 0), Value: value, Siblings: zero[:1]}),
		"other leaf is the same": verifier.CheckAbsent(root(leaf, zero[:1]), label, verifier.AbsenceProof{Kind: 2, Label: label, Value: value, Siblings: zero[:1]}),
		"kind 3":                 verifier.CheckAbsent(verifier.EmptyIndexRoot(), label, verifier.AbsenceProof{Kind: 3, Siblings: zero[:1]}),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := verifier.CheckMember(root(leaf, other), label, value, verifier.MemberProof{Siblings: other}); err != nil {
		t.Errorf("member at depth 256: %v", err)
	}
}

func TestIndexHashingDoesNotAllocate(t *testing.T) {
	h := testLabel(0)
	siblings := []events.Hash{h, h, h}
	if n := testing.AllocsPerRun(100, func() {
		h = verifier.IndexNodeHash(h, verifier.IndexLeafHash(h, verifier.IndexValue(1, 2, h)))
		_ = verifier.CheckMember(h, h, h, verifier.MemberProof{Siblings: siblings})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func seedIndexProofs(f *testing.F, member bool) []indexSet {
	var sets []indexSet
	for _, file := range indexFiles(f) {
		s := readIndexSet(f, file)
		sets = append(sets, s)
		for _, p := range s.Proofs {
			if member && p.Value != nil {
				f.Add(len(sets)-1, p.Label[:], p.Value[:], []byte(p.Proof))
			}
			if !member && p.Value == nil {
				f.Add(len(sets)-1, p.Label[:], []byte{}, []byte(p.Proof))
			}
		}
	}
	return sets
}

func toHash(b []byte) (h events.Hash) { copy(h[:], b); return h }

// FuzzCheckMember: the one proof that checks is the honest one, spelt one way.
func FuzzCheckMember(f *testing.F) {
	sets := seedIndexProofs(f, true)
	f.Fuzz(func(t *testing.T, set int, l, v, text []byte) {
		s, label, value := sets[uint(set)%uint(len(sets))], toHash(l), toHash(v)
		if checkMemberJSON(s.Root, label, value, text) != nil {
			return
		}
		siblings, end := naiveProve(s.Entries, label)
		if len(end) != 1 || end[0].Label != label || end[0].Value != value {
			t.Fatalf("accepted %s, which is not there with value %s", label, value)
		}
		sameText(t, text, verifier.MemberProof{Siblings: siblings})
	})
}

// FuzzCheckAbsent: the one proof that checks is the honest one, spelt one way.
func FuzzCheckAbsent(f *testing.F) {
	sets := seedIndexProofs(f, false)
	f.Fuzz(func(t *testing.T, set int, l, _, text []byte) {
		s, label := sets[uint(set)%uint(len(sets))], toHash(l)
		if checkAbsentJSON(s.Root, label, text) != nil {
			return
		}
		p := naiveAbsent(s.Entries, label)
		if p.Kind == verifier.AbsenceOther && p.Label == label {
			t.Fatalf("accepted absence of %s, which is there", label)
		}
		sameText(t, text, p)
	})
}

func sameText(t *testing.T, text []byte, honest any) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	if want := encode(honest); b.String() != want {
		t.Fatalf("accepted %s, the honest proof is %s", b.String(), want)
	}
}
