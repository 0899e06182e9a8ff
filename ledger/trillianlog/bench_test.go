package trillianlog_test

import (
	"fmt"
	"testing"

	"github.com/sharetrail/sharetrail/ledger/trillianlog"
	"github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

// BenchmarkAdd measures leaves of 256 bytes added, integrated and on disk.
func BenchmarkAdd(b *testing.B) {
	for _, batch := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			server, err := embedded.Open(b.Context(), embedded.Config{Path: b.TempDir() + "/log.db"})
			if err != nil {
				b.Fatal(err)
			}
			defer server.Close()
			log, err := trillianlog.Open(b.Context(), configFor(server))
			if err != nil {
				b.Fatal(err)
			}
			leaves := make([]trillianlog.Leaf, batch)
			for i := range leaves {
				leaves[i].Value = make([]byte, 256)
			}
			next := uint64(0)
			for b.Loop() {
				if err := log.Add(b.Context(), next, leaves); err != nil {
					b.Fatal(err)
				}
				next += uint64(batch)
			}
			b.ReportMetric(float64(next)/b.Elapsed().Seconds(), "leaves/s")
		})
	}
}
