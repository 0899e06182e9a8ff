package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/verifier"
)

// bencher measures one ledger, one figure after the other.
type bencher struct {
	benchFlags
	client  *api.Client
	made    *generator
	keys    atomic.Uint64
	figures []Figure
}

func (b *bencher) all(ctx context.Context) error {
	steps := []func(context.Context) error{
		b.bulk,
		func(ctx context.Context) error { return b.recorders(ctx, 1) },
		func(ctx context.Context) error { return b.recorders(ctx, 16) },
		func(ctx context.Context) error { return b.recorders(ctx, 64) },
		b.publication, b.reports,
	}
	bar := newBar(int64(len(steps)), "measuring", "figures")
	defer bar.Finish()
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
		bar.Add(1)
	}
	return nil
}

// note adds a figure of many times taken within a span.
func (b *bencher) note(what string, disk, span time.Duration, count int, took []time.Duration) {
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.figures = append(b.figures, Figure{
		What: what, Count: count, PerSecond: float64(count) / span.Seconds(),
		P50ms: ms(took[len(took)/2]), P99ms: ms(took[len(took)*99/100]), FsyncP50: ms(disk),
	})
}

func (b *bencher) key() string { return "bench-" + strconv.FormatUint(b.keys.Add(1), 10) }

// bulk imports in batches of 500 as import does; the time is that of a batch.
func (b *bencher) bulk(ctx context.Context) error {
	var lines []api.RawLine
	for range b.shares {
		share, err := json.Marshal(b.made.share())
		if err != nil {
			return err
		}
		lines = append(lines, api.RawLine{Key: b.key(), Share: share})
	}
	disk, err := fdatasync(b.data)
	if err != nil {
		return err
	}
	var took []time.Duration
	start := time.Now()
	for batch := range slices.Chunk(lines, 500) {
		began := time.Now()
		results, err := b.client.Batch(ctx, batch, "accepted", false)
		if err != nil {
			return err
		}
		for _, r := range results {
			if r.Problem != nil {
				return fmt.Errorf("importing: %w", r.Problem)
			}
		}
		took = append(took, time.Since(began))
	}
	b.note("import, batches of 500", disk, time.Since(start), len(lines), took)
	return nil
}

// recorders record one share after the other, n of them beside each other, each
// at least one.
func (b *bencher) recorders(ctx context.Context, n int) error {
	disk, err := fdatasync(b.data)
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards made and took
	var took []time.Duration
	start := time.Now()
	var g errgroup.Group
	for range n {
		g.Go(func() error {
			for first := true; first || time.Since(start) < b.each; first = false {
				mu.Lock()
				share := b.made.share()
				mu.Unlock()
				began := time.Now()
				if _, err := b.client.Record(ctx, b.key(), "accepted", share); err != nil {
					return err
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	b.note(fmt.Sprintf("record, %d recorders", n), disk, time.Since(start), len(took), took)
	return nil
}

// publication records and waits until the share is under a checkpoint.
func (b *bencher) publication(ctx context.Context) error {
	// What the recorders left is published first.
	if _, err := b.client.Record(ctx, b.key(), "published", b.made.share()); err != nil {
		return err
	}
	disk, err := fdatasync(b.data)
	if err != nil {
		return err
	}
	var took []time.Duration
	start := time.Now()
	for range 100 {
		began := time.Now()
		if _, err := b.client.Record(ctx, b.key(), "published", b.made.share()); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	b.note("record, wait=published", disk, time.Since(start), len(took), took)
	return nil
}

// reports writes the reports of people and checks each as its reader will.
func (b *bencher) reports(ctx context.Context) error {
	disk, err := fdatasync(b.data)
	if err != nil {
		return err
	}
	pins, err := b.client.Trust(ctx)
	if err != nil {
		return err
	}
	trust, err := verifier.ParseTrust(pins)
	if err != nil {
		return err
	}
	var writing, checking []time.Duration
	var wrote, checked time.Duration
	entries := 0
	for i := range min(50, b.subjects) {
		id := fmt.Sprintf("email:person-%06d@example.com", i)
		began := time.Now()
		written, err := b.client.WriteReport(ctx, id)
		if err != nil {
			return err
		}
		writing = append(writing, time.Since(began))
		file, err := b.client.Report(ctx, written.ID)
		if err != nil {
			return err
		}
		began = time.Now()
		if _, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, id), trust); err != nil {
			return err
		}
		checking = append(checking, time.Since(began))
		entries += written.Entries
		wrote, checked = wrote+writing[i], checked+checking[i]
	}
	about := fmt.Sprintf(" (%d entries each)", entries/len(writing))
	b.note("write a report"+about, disk, wrote, len(writing), writing)
	b.note("verify a report"+about, disk, checked, len(checking), checking)
	return nil
}

// table shows the figures to people.
func (m Measured) table(out io.Writer) error {
	fmt.Fprintf(out, "%d cores, %s, %s, seed %d\n", m.Cores, m.System, m.Go, m.Seed)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "what\tcount\tper second\tp50 ms\tp99 ms\tfdatasync p50 ms\t\n")
	for _, f := range m.Figures {
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t\n", f.What, f.Count, f.PerSecond, f.P50ms, f.P99ms, f.FsyncP50)
	}
	return w.Flush()
}
