package index_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/ledger/index"
)

// BenchmarkStore has an index of n labels on disk, inserts an eighth more in batches
// of a thousand, each committed, in which a generation is written once; proves
// absences, and starts it. n = 10,000,000 takes some minutes and a gigabyte, and
// runs when SHARETRAIL_LONG is set.
//
// ns/label is the time of the insertions and commits; the processor's time is that
// of the whole process meanwhile, making the labels (two hashes each) and writing the
// generation in the background included. fill-cpu-ns/label is that of the n labels
// before, 250 batches at once. MiB-heap is what is in use after a collection,
// MiB-peak the most that was between two: the collector is told to stay under
// storeMemory, as the program tells it to stay near what is in use.
func BenchmarkStore(b *testing.B) {
	sizes := []uint64{1e5, 1e6}
	if os.Getenv("SHARETRAIL_LONG") != "" {
		sizes = append(sizes, 1e7)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) { benchStore(b, n) })
	}
}

const storeMemory = 900 << 20

func benchStore(b *testing.B, n uint64) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(storeMemory))
	cfg := index.Config{Dir: b.TempDir()}
	var spent time.Duration
	commit := func(s *index.Store, at uint64) {
		batch := entries(at, benchBatch)
		from := time.Now()
		next, err := s.Tree().Insert(batch)
		if err == nil {
			err = s.Commit(next, batch, nil)
		}
		spent += time.Since(from)
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		os.RemoveAll(cfg.Dir)
		s, err := index.Open(cfg)
		if err != nil {
			b.Fatal(err)
		}
		var peak uint64
		before := cpu()
		var mem runtime.MemStats
		for at := uint64(0); at < n; at += 250 * benchBatch {
			fill(b, s, at, min(250*benchBatch, n-at))
		}
		b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(n), "fill-cpu-ns/label")
		before = cpu()
		more := n / 8
		spent = 0
		for at := n; at < n+more; at += benchBatch {
			commit(s, at)
			if at/benchBatch%100 == 0 {
				runtime.ReadMemStats(&mem)
				peak = max(peak, mem.HeapAlloc)
			}
		}
		b.ReportMetric(float64(spent.Nanoseconds())/float64(more), "ns/label")
		b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(more), "cpu-ns/label")
		runtime.GC()
		runtime.ReadMemStats(&mem)
		b.ReportMetric(float64(mem.HeapAlloc)/(1<<20), "MiB-heap")
		b.ReportMetric(float64(peak)/(1<<20), "MiB-peak")
		var times []time.Duration
		for i := range uint64(10_000) {
			label := entry(1<<40 + i).Label
			from := time.Now()
			if _, err := s.Tree().ProveAbsent(label); err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(from))
		}
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "prove-ns-p50")
		b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds()), "prove-ns-p99")
		root := s.Tree().Root()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		from := time.Now()
		if s, err = index.Open(cfg); err != nil || s.Tree().Root() != root {
			b.Fatalf("opened another version: %v", err)
		}
		b.ReportMetric(float64(time.Since(from).Milliseconds()), "open-ms")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// fill commits n labels from a number on.
func fill(b *testing.B, s *index.Store, from, n uint64) {
	all := entries(from, n)
	next, _, err := s.Tree().InsertEach(slices.Collect(slices.Chunk(all, benchBatch)))
	if err == nil {
		err = s.Commit(next, all, nil)
	}
	if err != nil {
		b.Fatal(err)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
