package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
)

type benchFlags struct {
	data, logLevel   string
	shares, subjects int
	seed             uint64
	each             time.Duration
	asJSON           bool
}

func benchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine: import, recorders, publication, reports",
		Long: `Makes a ledger of its own, as init and serve would, and measures it from outside,
over the socket. What it records is made up and depends on the flags alone.

A rate of durable writes means little without the disk: fdatasync is measured by
writing 4 KiB and flushing, in the same directory, just before each figure.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := bench(cmd.Context(), f)
			if err != nil {
				return err
			}
			if f.asJSON {
				return printJSON(cmd.OutOrStdout(), result)
			}
			return result.table(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&f.data, "data", "", "new `directory` to measure in; default a temporary one")
	cmd.Flags().StringVar(&f.logLevel, "log-level", "warn", "debug, info, warn or error; logs go to stderr")
	cmd.Flags().IntVar(&f.shares, "shares", 20000, "shares of the bulk import")
	cmd.Flags().IntVar(&f.subjects, "subjects", 1000, "people they are about")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "of the made-up shares")
	cmd.Flags().DurationVar(&f.each, "each", 3*time.Second, "how long the recorders of each number record")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
	return cmd
}

// Figure is one measurement.
type Figure struct {
	What      string  `json:"what"`
	Count     int     `json:"count"`
	PerSecond float64 `json:"per_second"`
	P50ms     float64 `json:"p50_ms"`
	P99ms     float64 `json:"p99_ms"`
	FsyncP50  float64 `json:"fdatasync_p50_ms"` // measured just before
}

// Measured is what bench answers.
type Measured struct {
	Cores   int      `json:"cores"`
	Go      string   `json:"go"`
	System  string   `json:"system"`
	Version string   `json:"version"`
	Shares  int      `json:"shares"`
	Seed    uint64   `json:"seed"`
	Figures []Figure `json:"figures"`
}

// bench makes a ledger and measures it.
func bench(ctx context.Context, f benchFlags) (m Measured, err error) {
	if f.shares < 1 || f.subjects < 1 || f.each <= 0 {
		return m, errors.New("measuring: --shares, --subjects and --each must be more than nothing")
	}
	if f.data == "" {
		if f.data, err = os.MkdirTemp("", "sharetrail-bench-"); err != nil {
			return m, fmt.Errorf("measuring: %w", err)
		}
		defer os.RemoveAll(f.data)
	} else if entries, err := os.ReadDir(f.data); err == nil && len(entries) > 0 {
		return m, fmt.Errorf("%s is not empty; name a new directory with --data", f.data)
	}
	log, err := newLogger(f.logLevel)
	if err != nil {
		return m, err
	}
	m = Measured{Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Shares: f.shares, Seed: f.seed}
	if info, ok := debug.ReadBuildInfo(); ok {
		m.Version = info.Main.Version
	}
	in, err := openInstance(ctx, instanceConfig{dir: f.data, id: "bench", origin: "sharetrail.example/bench", create: true, private: true, log: log})
	if err != nil {
		return m, err
	}
	err = in.during(ctx, func(ctx context.Context, c *api.Client) error {
		g, err := newGenerator(generateFlags{subjects: f.subjects, seed: f.seed})
		if err != nil {
			return err
		}
		b := &bencher{benchFlags: f, client: c, made: g}
		err = b.all(ctx)
		m.Figures = b.figures
		return err
	})
	return m, err
}

// fdatasync returns the median time of flushing 4 KiB to disk.
func fdatasync(dir string) (time.Duration, error) {
	file, err := os.CreateTemp(dir, "fdatasync-*")
	if err != nil {
		return 0, fmt.Errorf("measuring fdatasync: %w", err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	block := make([]byte, 4096)
	var took []time.Duration
	for range 51 {
		start := time.Now()
		if _, err := file.Write(block); err != nil {
			return 0, fmt.Errorf("measuring fdatasync: %w", err)
		}
		if err := syncData(file); err != nil {
			return 0, fmt.Errorf("measuring fdatasync: %w", err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
