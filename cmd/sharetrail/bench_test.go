package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
)

// benchShares names how many shares BenchmarkLarge records, benchDir a directory
// that it keeps. If that holds a ledger, nothing is recorded and the start and the
// reports alone are measured.
const (
	benchShares = "SHARETRAIL_BENCH_SHARES"
	benchDir    = "SHARETRAIL_BENCH_DIR"
)

// BenchmarkBulk imports shares about known and about new people, until they
// stand in the read model.
func BenchmarkBulk(b *testing.B) {
	limitMemory()
	b.Run("known", func(b *testing.B) { bulk(b, 1000, true) })
	b.Run("new", func(b *testing.B) { bulk(b, b.N, false) }) // each share enrols somebody
}

func bulk(b *testing.B, n int, known bool) {
	in, stop := startBench(b, filepath.Join(b.TempDir(), "data"))
	defer stop()
	people := ledgertest.People("p", n)
	if known {
		enrol(b, in, people)
	}
	cpu := cpuTime()
	b.ResetTimer()
	recordShare(b, in, people, 0, b.N)
	accepted := b.Elapsed()
	project(b, in)
	shares := float64(b.N)
	b.ReportMetric(shares/accepted.Seconds(), "accepted/s")
	b.ReportMetric(shares/b.Elapsed().Seconds(), "projected/s")
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/shares, "cpu-µs/share")
}

// BenchmarkLarge records 100,000 shares, or as many as the environment says, a
// hundred for each person, and then measures the start and reports of a hundred
// entries. Its own time says nothing; it is run once, with -benchtime 1x.
func BenchmarkLarge(b *testing.B) {
	limitMemory()
	n := 100_000
	if s := os.Getenv(benchShares); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	dir := filepath.Join(b.TempDir(), "data")
	if kept := os.Getenv(benchDir); kept != "" {
		dir = kept
	}
	people := ledgertest.People("p", n/100)
	if _, err := os.Stat(dir); err != nil {
		recordLarge(b, dir, people, n)
	}
	b.ReportMetric(float64(size(b, dir))/float64(n), "disk-B/share")
	debug.FreeOSMemory()
	began, cpu := time.Now(), cpuTime()
	in, stop := startBench(b, dir)
	b.ReportMetric(time.Since(began).Seconds()*1e3, "ms-start")
	b.ReportMetric((cpuTime()-cpu).Seconds()*1e3, "cpu-ms-start")
	defer stop()
	b.ReportMetric(status(b, "VmRSS"), "MiB-started")
	reports(b, in, people)
	b.ReportMetric(status(b, "VmHWM"), "MiB-peak")
}

// recordLarge makes the ledger of BenchmarkLarge.
func recordLarge(b *testing.B, dir string, people []string, n int) {
	in, stop := startBench(b, dir)
	enrol(b, in, people)
	tenths := make([]float64, 10)
	began := time.Now()
	for i := range tenths {
		cpu := cpuTime()
		recordShare(b, in, people, i*n/10, (i+1)*n/10)
		project(b, in)
		tenths[i] = float64((cpuTime() - cpu).Microseconds()) / float64(n/10)
		if testing.Verbose() {
			fmt.Fprintf(os.Stderr, "%d shares after %v, %.0f cpu-µs each, %.0f MiB\n",
				(i+1)*n/10, time.Since(began).Round(time.Second), tenths[i], status(b, "VmRSS"))
		}
	}
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "projected/s")
	b.ReportMetric(tenths[0], "cpu-µs/share-first-tenth")
	b.ReportMetric(tenths[9], "cpu-µs/share-last-tenth")
	if _, err := in.ledger.WaitPublished(b.Context(), in.ledger.Status().Accepted-1); err != nil {
		b.Fatal(err)
	}
	stop()
}

// reports writes reports of a hundred entries, one after the other, and checks
// each once more, as its reader does.
func reports(b *testing.B, in *instance, people []string) {
	took, verified := make([]time.Duration, 200), make([]time.Duration, 200)
	var cpu time.Duration // of writing, whatever else the machine does
	for i := range took {
		id, err := in.ledger.ParseIdentity(ledgertest.Email(people[i*7%len(people)]))
		if err != nil {
			b.Fatal(err)
		}
		began, used := time.Now(), cpuTime()
		report, err := in.reports.Write(b.Context(), verifier.Query{Role: events.RoleSubject, IDs: []events.Identity{id}})
		if err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
		cpu += cpuTime() - used
		began = time.Now()
		if _, err := verifier.CheckReport(report.File, verifier.About(events.RoleSubject, id.String()), in.reports.Trust()); err != nil {
			b.Fatal(err)
		}
		verified[i] = time.Since(began)
		if n := len(report.Verdict.Entries); n < 100 {
			b.Fatalf("the report has %d entries", n)
		}
	}
	b.ReportMetric(cpu.Seconds()*1e3/float64(len(took)), "cpu-ms/report")
	for name, all := range map[string][]time.Duration{"report": took, "verify": verified} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2].Seconds()*1e3, "ms-"+name+"-p50")
		b.ReportMetric(all[len(all)*99/100].Seconds()*1e3, "ms-"+name+"-p99")
	}
}

// enrol records a share each for a few hundred new people.
func enrol(b *testing.B, in *instance, people []string) {
	for part := range slices.Chunk(people, 250) {
		if _, err := in.ledger.Record(b.Context(), ledgertest.Share("enrol"+part[0], part...)); err != nil {
			b.Fatal(err)
		}
	}
	project(b, in)
}

// share records the shares from one number up to another from 1,024 goroutines.
func recordShare(b *testing.B, in *instance, people []string, from, to int) {
	next := int64(from)
	var all sync.WaitGroup
	for range 1024 {
		all.Go(func() {
			for i := atomic.AddInt64(&next, 1) - 1; i < int64(to); i = atomic.AddInt64(&next, 1) - 1 {
				cmd := ledgertest.Share(fmt.Sprint("k", i), people[int(i)%len(people)])
				if _, err := in.ledger.Record(b.Context(), cmd); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func project(b *testing.B, in *instance) {
	if err := in.runner.WaitFor(b.Context(), in.ledger.Status().Accepted-1); err != nil {
		b.Fatal(err)
	}
}

// startBench opens the ledger in a directory and runs it until stop is called.
func startBench(b *testing.B, dir string) (in *instance, stop func()) {
	in, err := openInstance(b.Context(), instanceConfig{dir: dir, create: true, id: "bench", origin: "sharetrail.example/bench", log: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var g errgroup.Group
	g.Go(func() error { return in.ledger.Run(ctx) })
	g.Go(func() error { return in.runner.Run(ctx) })
	return in, func() {
		cancel()
		if err := g.Wait(); err != nil {
			b.Error(err)
		}
		if err := in.close(); err != nil {
			b.Error(err)
		}
	}
}

// size is what the files of a directory hold.
func size(b *testing.B, dir string) (bytes int64) {
	files, err := filepath.Glob(filepath.Join(dir, "*.db*"))
	views, verr := filepath.Glob(filepath.Join(dir, "views", "*.db*"))
	labels, lerr := filepath.Glob(filepath.Join(dir, "index", "*"))
	if err := errors.Join(err, verr, lerr); err != nil {
		b.Fatal(err)
	}
	for _, f := range slices.Concat(files, views, labels) {
		info, err := os.Stat(f)
		if err != nil {
			b.Fatal(err)
		}
		bytes += info.Size()
		b.Logf("%s %d MiB", filepath.Base(f), info.Size()>>20)
	}
	return bytes
}

// status reads a size in MiB from what the kernel says of the process.
func status(b *testing.B, name string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	return 0
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
