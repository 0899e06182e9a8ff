package index_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/verifier"
)

const benchBatch = 1000

func entry(i uint64) index.Entry {
	var seed [9]byte
	binary.BigEndian.PutUint64(seed[:], i)
	label := events.Hash(sha256.Sum256(seed[:]))
	return index.Entry{Label: label, Value: verifier.IndexValue(i, 0, label)}
}

func entries(from, n uint64) []index.Entry {
	es := make([]index.Entry, n)
	for i := range es {
		es[i] = entry(from + uint64(i))
	}
	return es
}

// grow returns a tree of n labels made in batches, and what it keeps allocated.
func grow(b *testing.B, n uint64) (tree *index.Tree, bytesPerLabel float64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	tree = index.Empty()
	for i := uint64(0); i < n; i += benchBatch {
		var err error
		if tree, err = tree.Insert(entries(i, benchBatch)); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return tree, float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
}

func BenchmarkInsert(b *testing.B) {
	for _, n := range []uint64{1e5, 1e6} {
		tree, size := grow(b, n)
		batch := entries(n, benchBatch)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := tree.Insert(batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchBatch), "ns/label")
			b.ReportMetric(size, "B/label")
		})
	}
}

func BenchmarkProve(b *testing.B) {
	const n = 1e6
	tree, _ := grow(b, n)
	b.Run("member", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i++ {
			if _, _, err := tree.ProveMember(entry(i % n).Label); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("absent", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i++ {
			if _, err := tree.ProveAbsent(entry(n + i).Label); err != nil {
				b.Fatal(err)
			}
		}
	})
	label := entry(n).Label
	proof, err := tree.ProveAbsent(label)
	if err != nil {
		b.Fatal(err)
	}
	root := tree.Root()
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if err := verifier.CheckAbsent(root, label, proof); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkInsertEach inserts 250 batches at once into a tree of n labels.
func BenchmarkInsertEach(b *testing.B) {
	for _, n := range []uint64{1e5, 1e6} {
		tree, _ := grow(b, n)
		var batches [][]index.Entry
		for i := range uint64(250) {
			batches = append(batches, entries(n+i*benchBatch, benchBatch))
		}
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			from := cpu()
			for b.Loop() {
				if _, _, err := tree.InsertEach(batches); err != nil {
					b.Fatal(err)
				}
			}
			labels := float64(b.N * len(batches) * benchBatch)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/labels, "ns/label")
			b.ReportMetric(float64((cpu()-from).Nanoseconds())/labels, "cpu-ns/label")
		})
	}
}
