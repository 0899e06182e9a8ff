package index_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/index"
)

// TestBuilder: a tree built at once is the one that insertions give, with the
// same proofs, also where labels share long prefixes.
func TestBuilder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.Custom(func(t *rapid.T) (l events.Hash) {
			copy(l[:], rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 127, 128, 255}), 32, 32).Draw(t, "near"))
			if rapid.Bool().Draw(t, "far") {
				l[0] = rapid.Byte().Draw(t, "first")
			}
			return l
		})
		labels := rapid.SliceOfNDistinct(label, 0, 200, rapid.ID).Draw(t, "labels")
		var b index.Builder
		tree := index.Empty()
		for i, l := range labels {
			e := index.Entry{Label: l, Value: events.Hash{byte(i), 1}}
			b.Add(e)
			var err error
			if tree, err = tree.Insert([]index.Entry{e}); err != nil {
				t.Fatal(err)
			}
		}
		built, err := b.Build()
		if err != nil || built.Root() != tree.Root() || built.Len() != tree.Len() {
			t.Fatalf("%d labels: %v", len(labels), err)
		}
		more := []index.Entry{{Label: label.Filter(func(l events.Hash) bool { _, ok, _ := tree.Lookup(l); return !ok }).Draw(t, "more")}}
		a, err1 := built.Insert(more)
		c, err2 := tree.Insert(more)
		if err := errors.Join(err1, err2); err != nil || a.Root() != c.Root() {
			t.Fatalf("the trees grow differently: %v", err)
		}
		for _, l := range labels {
			if _, _, err := built.ProveMember(l); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestBuilderRefusesDuplicates(t *testing.T) {
	var b index.Builder
	for i := range uint64(1000) {
		b.Add(entry(i))
	}
	b.Add(entry(500))
	if _, err := b.Build(); !errors.Is(err, index.ErrDuplicate) {
		t.Errorf("a label that comes twice gave %v", err)
	}
}

func BenchmarkBuild(b *testing.B) {
	const n = 2e6
	all := entries(0, n)
	for b.Loop() {
		var builder index.Builder
		for _, e := range all {
			builder.Add(e)
		}
		if _, err := builder.Build(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/label")
}
