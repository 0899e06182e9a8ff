package audit_test

import (
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// BenchmarkCold audits a million leaves from the beginning, two labels each, with a
// state leaf per thousand. SHARETRAIL_BENCH_LEAVES makes it another number
// of leaves. The processor's time is that of the audit alone.
func BenchmarkCold(b *testing.B) {
	const perState = 999
	states := 1001
	if s := os.Getenv("SHARETRAIL_BENCH_LEAVES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		states = n/(perState+1) + 1
	}
	m := newLog(b, 0, 0)
	for range states - 1 {
		m.entries(b, perState)
		m.state(b, nil)
		if m.writer.Pending() > 4<<20 {
			if err := m.writer.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
	c := m.publish(b)
	var spent time.Duration
	for b.Loop() {
		b.StopTimer()
		a := open(b, b.TempDir(), m.trust)
		before := cpu(b)
		b.StartTimer()
		found, err := a.Audit(b.Context(), m.source(), c)
		if err != nil || found.Leaves != c.Size || found.States != uint64(states) {
			b.Fatalf("%+v, %v", found, err)
		}
		spent += cpu(b) - before
	}
	b.ReportMetric(float64(c.Size)*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
	b.ReportMetric(float64(spent.Microseconds())/float64(c.Size)/float64(b.N), "cpu-µs/leaf")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
