package ledger

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// BenchmarkRestore takes over a state file of a million shares with one person of
// ten thousand each: what a start does before it reads the stream from the
// published state leaf on, beside opening the index. MiB-kept is what the state takes in memory.
func BenchmarkRestore(b *testing.B) {
	const shares, people = 1_000_000, 10_000
	keys, secrets := manyKeys(b, people)
	dir := b.TempDir()
	file, err := openStateFile(b.Context(), dir+"/state.db", secrets, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	defer file.db.Close()
	fill(b, file, keys, shares)
	var before, after runtime.MemStats
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		cpu -= processCPU()
		r := &restoring{Ledger: &Ledger{keys: keys, secrets: secrets, state: newState(), file: file, sequenced: newEdge()},
			logged: shares, enrolments: map[events.Hash]keystore.Enrolment{}}
		if err := r.take(b.Context(), file.next-1); err != nil {
			b.Fatal(err)
		}
		cpu += processCPU()
		b.StopTimer()
		r.enrolments = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(r)
		b.StartTimer()
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-kept")
	b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
}

func manyKeys(b *testing.B, people int) (*keystore.Store, *keystore.Secrets) {
	keys, err := keystore.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { keys.Close() })
	if err := keys.Create(b.Context(), "sharetrail.example/bench"); err != nil {
		b.Fatal(err)
	}
	secrets, err := keys.Secrets(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	parties := make([]keystore.Party, people)
	for i := range parties {
		parties[i] = keystore.Party{Role: events.RoleSubject, Identity: events.Identity(fmt.Sprintf("email\x00p%d@example.com", i)), Label: label(1, i)}
	}
	if _, err := keys.Add(b.Context(), parties...); err != nil {
		b.Fatal(err)
	}
	return keys, secrets
}

// label makes up a label.
func label(kind byte, i int) events.Hash {
	return events.EntryLabel(events.Hash{kind}, uint64(i))
}

// fill writes an enrolment for each party, then shares, each with one entry and
// one decoy, and a state leaf after every thousand.
func fill(b *testing.B, file *stateFile, keys *keystore.Store, shares int) {
	var parties []keystore.Party
	for p, err := range keys.Parties(context.Background()) {
		if err != nil {
			b.Fatal(err)
		}
		parties = append(parties, p)
	}
	take := func(flags uint8, labels ...events.Hash) {
		r := record{flags: flags, labels: labels, leafHash: label(2, int(file.next))}
		spread := label(5, int(file.next))
		copy(r.id[:], spread[:])
		file.take(r)
	}
	for i, p := range parties {
		take(uint8(events.KindEntry)|recordEnrols, p.Label, label(3, i))
	}
	for i := range shares {
		p := parties[i%len(parties)]
		take(uint8(events.KindEntry), events.EntryLabel(p.Handle, uint64(i/len(parties))), label(4, i))
		if i%1000 == 999 {
			take(uint8(events.KindState))
		}
	}
	if err := file.flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
