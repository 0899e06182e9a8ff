package index_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/verifier"
)

// naiveRoot hashes the set as PROOFS section 5 words it.
func naiveRoot(es []index.Entry, depth int) events.Hash {
	if depth > 0 && len(es) == 0 {
		return events.Hash{}
	}
	if depth > 0 && len(es) == 1 {
		return sum([]byte{2}, es[0].Label[:], es[0].Value[:])
	}
	var side [2][]index.Entry
	for _, e := range es {
		b := e.Label[depth/8] >> (7 - depth%8) & 1
		side[b] = append(side[b], e)
	}
	l, r := naiveRoot(side[0], depth+1), naiveRoot(side[1], depth+1)
	return sum([]byte{3}, l[:], r[:])
}

func sum(parts ...[]byte) events.Hash { return sha256.Sum256(bytes.Join(parts, nil)) }

func flip(h events.Hash, bit int) events.Hash {
	h[bit/8] ^= 1 << (7 - bit%8)
	return h
}

// drawLabel draws a label that is new, or shares any number of leading bits,
// a third of the time more than 200, with one drawn before.
func drawLabel(t *rapid.T, known []events.Hash) events.Hash {
	l := sum(binary.BigEndian.AppendUint64(nil, rapid.Uint64().Draw(t, "seed")))
	if len(known) == 0 || rapid.Bool().Draw(t, "fresh") {
		return l
	}
	near := rapid.SampledFrom(known).Draw(t, "near")
	shared := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, 20), rapid.IntRange(200, 255)).Draw(t, "shared")
	for d := range shared {
		if (l[d/8]^near[d/8])>>(7-d%8)&1 == 1 {
			l = flip(l, d)
		}
	}
	if (l[shared/8]^near[shared/8])>>(7-shared%8)&1 == 0 {
		l = flip(l, shared)
	}
	return l
}

// drawEntries draws up to most entries, and labels that are not among them.
func drawEntries(t *rapid.T, most int) (es []index.Entry, absent []events.Hash) {
	var known []events.Hash
	n := rapid.IntRange(0, most).Draw(t, "n")
	for len(es) < n {
		l := drawLabel(t, known)
		if !slices.Contains(known, l) {
			known = append(known, l)
			es = append(es, index.Entry{Label: l, Value: sum(l[:])})
		}
	}
	for range 10 {
		if l := drawLabel(t, known); !slices.Contains(known, l) {
			absent = append(absent, l)
		}
	}
	return es, absent
}

func mustInsert(t rapid.TB, tree *index.Tree, es []index.Entry) *index.Tree {
	t.Helper()
	next, err := tree.Insert(es)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// checkTree proves and checks everything about tree, which must hold es.
func checkTree(t rapid.TB, tree *index.Tree, es []index.Entry, absent []events.Hash) {
	t.Helper()
	root := tree.Root()
	if want := naiveRoot(es, 0); root != want || tree.Len() != uint64(len(es)) {
		t.Fatalf("root %s, length %d; want %s, %d", root, tree.Len(), want, len(es))
	}
	for _, e := range es {
		if v, ok, err := tree.Lookup(e.Label); err != nil || !ok || v != e.Value {
			t.Fatalf("Lookup(%s) = %s, %v", e.Label, v, ok)
		}
		v, p, err := tree.ProveMember(e.Label)
		if err != nil || v != e.Value {
			t.Fatalf("ProveMember(%s) = %s, %v", e.Label, v, err)
		}
		if err := verifier.CheckMember(root, e.Label, v, p); err != nil {
			t.Fatalf("member %s: %v", e.Label, err)
		}
		if _, err := tree.ProveAbsent(e.Label); err == nil {
			t.Fatalf("proved absence of %s, which is there", e.Label)
		}
	}
	for _, l := range absent {
		if _, ok, err := tree.Lookup(l); ok || err != nil {
			t.Fatalf("found %s", l)
		}
		p, err := tree.ProveAbsent(l)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.CheckAbsent(root, l, p); err != nil {
			t.Fatalf("absent %s: %v", l, err)
		}
		if _, _, err := tree.ProveMember(l); err == nil {
			t.Fatalf("proved membership of %s, which is not there", l)
		}
	}
}

// TestBatches: any order and split gives the root of the set, and each version
// keeps its own.
func TestBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		es, absent := drawEntries(t, 40)
		order := rapid.Permutation(es).Draw(t, "order")
		tree, done := index.Empty(), 0
		versions := map[int]*index.Tree{0: tree}
		for done < len(order) {
			n := rapid.IntRange(1, len(order)-done).Draw(t, "batch")
			batch := slices.Clone(order[done : done+n])
			tree = mustInsert(t, tree, batch)
			if !slices.Equal(batch, order[done:done+n]) {
				t.Fatal("Insert changed its argument")
			}
			done += n
			versions[done] = tree
		}
		for n, old := range versions {
			missing := slices.Clone(absent)
			for _, e := range order[n:] {
				missing = append(missing, e.Label)
			}
			checkTree(t, old, order[:n], missing)
		}
	})
}

func TestDuplicates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		es, absent := drawEntries(t, 40)
		if len(es) == 0 {
			return
		}
		n := rapid.IntRange(0, len(es)-1).Draw(t, "there")
		tree := mustInsert(t, index.Empty(), es[:n])
		again := rapid.SampledFrom(es).Draw(t, "again")
		again.Value = flip(again.Value, 0)
		next, err := tree.Insert(append(slices.Clone(es[n:]), again))
		if next != nil || !errors.Is(err, index.ErrDuplicate) || !strings.Contains(err.Error(), again.Label.String()) {
			t.Fatalf("Insert with %s twice = %v, %v", again.Label, next, err)
		}
		checkTree(t, tree, es[:n], absent)
	})
}

// TestMutations: no proof near an honest one checks.
func TestMutations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		es, absent := drawEntries(t, 15)
		tree := mustInsert(t, index.Empty(), es)
		root := tree.Root()
		if len(es) > 0 {
			e := rapid.SampledFrom(es).Draw(t, "present")
			_, p, err := tree.ProveMember(e.Label)
			if err != nil {
				t.Fatal(err)
			}
			member := func(what string, label, value events.Hash, siblings []events.Hash) {
				if verifier.CheckMember(root, label, value, verifier.MemberProof{Siblings: siblings}) == nil {
					t.Fatalf("member %s accepted with %s", e.Label, what)
				}
			}
			for b := range 256 {
				member("a label bit flipped", flip(e.Label, b), e.Value, p.Siblings)
				member("a value bit flipped", e.Label, flip(e.Value, b), p.Siblings)
			}
			for s := range mutations(t, p.Siblings) {
				member("other siblings", e.Label, e.Value, s)
			}
			for _, l := range absent {
				member("an absent label", l, e.Value, p.Siblings)
			}
		}
		if len(absent) == 0 {
			return
		}
		l := rapid.SampledFrom(absent).Draw(t, "absent")
		p, err := tree.ProveAbsent(l)
		if err != nil {
			t.Fatal(err)
		}
		mutateAbsence(t, root, l, p)
	})
}

func mutateAbsence(t *rapid.T, root, label events.Hash, p verifier.AbsenceProof) {
	refuse := func(what string, label events.Hash, change func(*verifier.AbsenceProof)) {
		q := p
		change(&q)
		if verifier.CheckAbsent(root, label, q) == nil {
			t.Fatalf("absence of %s accepted with %s", label, what)
		}
	}
	for b := range 256 {
		refuse("a bit of the other label flipped", label, func(q *verifier.AbsenceProof) { q.Label = flip(q.Label, b) })
		refuse("a bit of the other value flipped", label, func(q *verifier.AbsenceProof) { q.Value = flip(q.Value, b) })
		// Deeper bits are not part of the path; the empty tree's one proof is
		// good for every label.
		if b < len(p.Siblings) && root != verifier.EmptyIndexRoot() {
			refuse("a path bit flipped", flip(label, b), func(*verifier.AbsenceProof) {})
		}
		if byte(b) != p.Kind {
			refuse("another kind", label, func(q *verifier.AbsenceProof) { q.Kind = byte(b) })
		}
	}
	for s := range mutations(t, p.Siblings) {
		refuse("other siblings", label, func(q *verifier.AbsenceProof) { q.Siblings = s })
	}
	if p.Kind == verifier.AbsenceOther {
		refuse("the other label", p.Label, func(*verifier.AbsenceProof) {})
		refuse("the kind swapped, label and value zero", label, func(q *verifier.AbsenceProof) {
			*q = verifier.AbsenceProof{Kind: verifier.AbsenceEmpty, Siblings: q.Siblings}
		})
	}
}

// places yields 0 to n, without the middle of a long chain.
func places(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i <= n; i++ {
			if i == 8 && n > 40 {
				i = n - 12
			}
			if !yield(i) {
				return
			}
		}
	}
}

// mutations yields siblings with each bit flipped, each one dropped, and a
// missing, a repeated or a random one added, in each of places.
func mutations(t *rapid.T, siblings []events.Hash) func(yield func([]events.Hash) bool) {
	random := sum(binary.BigEndian.AppendUint64(nil, rapid.Uint64().Draw(t, "sibling")))
	return func(yield func([]events.Hash) bool) {
		step := 1
		if len(siblings) > 40 {
			step = 37 // of a long chain, some bits: it has more than 10,000
		}
		for i := range places(len(siblings) - 1) {
			for b := 0; b < 256; b += step {
				s := slices.Clone(siblings)
				s[i] = flip(s[i], b)
				if !yield(s) {
					return
				}
			}
			if !yield(slices.Delete(slices.Clone(siblings), i, i+1)) {
				return
			}
			for _, h := range []events.Hash{{}, siblings[i], random} {
				if !yield(slices.Insert(slices.Clone(siblings), i, h)) {
					return
				}
			}
		}
		for _, h := range []events.Hash{{}, random} {
			if !yield(append(slices.Clone(siblings), h)) {
				return
			}
		}
	}
}

// TestForgeries: proofs put together from the tree's own nodes. At each depth of
// a label's path, the true siblings are known; what is claimed to stand there is
// nothing or any leaf, and for an absent label, any value.
func TestForgeries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		es, absent := drawEntries(t, 12)
		tree := mustInsert(t, index.Empty(), es)
		root := tree.Root()
		for _, e := range es {
			_, p, err := tree.ProveMember(e.Label)
			if err != nil {
				t.Fatal(err)
			}
			for i := range places(len(p.Siblings)) {
				for _, s := range [][]events.Hash{p.Siblings[i:], p.Siblings[:i]} {
					forgeAbsence(t, root, e.Label, es, s)
				}
			}
		}
		for _, l := range absent {
			p, err := tree.ProveAbsent(l)
			if err != nil {
				t.Fatal(err)
			}
			for i := range places(len(p.Siblings)) {
				for _, v := range append(slices.Clone(es), index.Entry{}, index.Entry{Value: p.Value}) {
					if verifier.CheckMember(root, l, v.Value, verifier.MemberProof{Siblings: p.Siblings[i:]}) == nil {
						t.Fatalf("membership of absent %s accepted", l)
					}
				}
			}
		}
	})
}

func forgeAbsence(t *rapid.T, root, label events.Hash, es []index.Entry, siblings []events.Hash) {
	claims := []verifier.AbsenceProof{{Kind: verifier.AbsenceEmpty}}
	for _, e := range es {
		claims = append(claims, verifier.AbsenceProof{Kind: verifier.AbsenceOther, Label: e.Label, Value: e.Value})
	}
	for _, p := range claims {
		p.Siblings = siblings
		if verifier.CheckAbsent(root, label, p) == nil {
			t.Fatalf("absence of present %s accepted: %+v", label, p)
		}
	}
}

// TestReadersBesideWriter is for the race detector.
func TestReadersBesideWriter(t *testing.T) {
	tree := index.Empty()
	var readers sync.WaitGroup
	for i := range uint64(20) {
		tree = mustInsert(t, tree, entries(i*50, 50))
		version := tree
		readers.Go(func() {
			for j := range (i + 1) * 50 {
				v, p, err := version.ProveMember(entry(j).Label)
				if err == nil {
					err = verifier.CheckMember(version.Root(), entry(j).Label, v, p)
				}
				if err != nil {
					t.Errorf("version %d, label %d: %v", i, j, err)
				}
			}
		})
	}
	readers.Wait()
	if root := naiveRoot(entries(0, 1000), 0); tree.Root() != root {
		t.Errorf("root %s, want %s", tree.Root(), root)
	}
}

// TestVectors holds the tree to the verifier's golden files: their roots, and
// the very text of their good proofs.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob("../../verifier/testdata/index/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors (%v)", err)
	}
	for _, file := range files {
		var set struct {
			Entries []struct{ Label, Value events.Hash }
			Root    events.Hash
			Proofs  []struct {
				OK    bool
				Label events.Hash
				Value *events.Hash
				Proof any
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &set); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		es := map[events.Hash]index.Entry{}
		for _, e := range set.Entries {
			es[e.Label] = index.Entry(e)
		}
		tree := mustInsert(t, index.Empty(), slices.Collect(maps.Values(es)))
		if tree.Root() != set.Root {
			t.Errorf("%s: root %s, want %s", file, tree.Root(), set.Root)
		}
		for _, p := range set.Proofs {
			if !p.OK {
				continue
			}
			var got any
			if p.Value != nil {
				_, got, err = member(tree, p.Label)
			} else {
				got, err = tree.ProveAbsent(p.Label)
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if diff := cmp.Diff(p.Proof, decoded(t, got)); diff != "" {
				t.Errorf("%s: proof for %s (-want +got):\n%s", file, p.Label, diff)
			}
		}
	}
}

func member(tree *index.Tree, label events.Hash) (events.Hash, any, error) {
	return tree.ProveMember(label)
}

func decoded(t *testing.T, v any) (out any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
