package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
)

// BenchmarkRecord records shares about known people until they are accepted,
// publishing every second. cpu-µs/share is what the whole process used, log and
// checkpoints included: two cores have 2,000,000 a second.
func BenchmarkRecord(b *testing.B) {
	for _, recorders := range []int{1, 16, 64, 1024} {
		b.Run(fmt.Sprintf("recorders=%d", recorders), func(b *testing.B) {
			l := ledgertest.New(b, ledgertest.Config{Tick: time.Second})
			people := ledgertest.People("p", 1000)
			for part := range slices.Chunk(people, 250) {
				if _, err := l.Record(b.Context(), ledgertest.Share("enrol"+part[0], part...)); err != nil {
					b.Fatal(err)
				}
			}
			l.Publish(b)
			disk := fdatasync(b)
			m := newMeter(b.N)
			b.ResetTimer()
			spread(b.N, recorders, func(i int) {
				cmd := ledgertest.Share(fmt.Sprint("k", i), people[i%len(people)])
				began := time.Now()
				if _, err := l.Record(b.Context(), cmd); err != nil {
					b.Error(err)
				}
				m.took[i] = time.Since(began)
			})
			m.report(b)
			b.ReportMetric(disk, "ms-fdatasync-p50")
		})
	}
}

// BenchmarkPublish waits for each of its shares to be under a checkpoint, while
// eight others record.
func BenchmarkPublish(b *testing.B) {
	for name, wait := range map[string]bool{"wait": true, "tick": false} {
		b.Run(name, func(b *testing.B) {
			l := ledgertest.New(b, ledgertest.Config{Tick: time.Second})
			l.Publish(b)
			var stop atomic.Bool
			var others sync.WaitGroup
			for r := range 8 {
				others.Go(func() {
					for n := 0; !stop.Load(); n++ {
						if _, err := l.Record(b.Context(), ledgertest.Share(fmt.Sprintf("o%d-%d", r, n), "ada")); err != nil {
							b.Error(err)
						}
					}
				})
			}
			m := newMeter(b.N)
			b.ResetTimer()
			for i := range b.N {
				a, err := l.Record(b.Context(), ledgertest.Share(fmt.Sprint("k", i), "ada"))
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				if wait {
					if _, err := l.WaitPublished(b.Context(), a.Index); err != nil {
						b.Fatal(err)
					}
				}
				for l.Status().Published <= a.Index {
					time.Sleep(time.Millisecond)
				}
				m.took[i] = time.Since(began)
			}
			m.report(b)
			stop.Store(true)
			others.Wait()
		})
	}
}

// BenchmarkProve proves ten entries of one person among a thousand leaves.
func BenchmarkProve(b *testing.B) {
	l := ledgertest.New(b, ledgertest.Config{})
	for i := range 1000 {
		cmd := ledgertest.Share(fmt.Sprint("k", i), fmt.Sprint("p", i%100))
		if _, err := l.Record(b.Context(), cmd); err != nil {
			b.Fatal(err)
		}
	}
	l.Publish(b)
	for b.Loop() {
		e, err := l.Prove(b.Context(), verifier.Query{Role: events.RoleSubject, IDs: []events.Identity{"email\x00p7@example.com"}})
		if err != nil || len(e.Names[0].Generations[0].Entries) != 10 {
			b.Fatal(len(e.Names[0].Generations[0].Entries), err)
		}
	}
}

// spread does n things on as many goroutines as told.
func spread(n, goroutines int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	all.Wait()
}

// meter measures n things together and each by itself.
type meter struct {
	took []time.Duration
	cpu  time.Duration
}

func newMeter(n int) *meter { return &meter{took: make([]time.Duration, n), cpu: cpuTime()} }

func (m *meter) report(b *testing.B) {
	n := float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "shares/s")
	b.ReportMetric(float64((cpuTime()-m.cpu).Microseconds())/n, "cpu-µs/share")
	slices.Sort(m.took)
	b.ReportMetric(m.took[b.N/2].Seconds()*1e3, "ms-p50")
	b.ReportMetric(m.took[b.N*99/100].Seconds()*1e3, "ms-p99")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fdatasync measures what the disk takes to keep 4 KiB, in milliseconds: every
// figure about single shares is a multiple of it.
func fdatasync(b *testing.B) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "fdatasync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	took := make([]time.Duration, 200)
	for i := range took {
		began := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[len(took)/2].Seconds() * 1e3
}
