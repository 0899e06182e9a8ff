package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/internal/sqlite"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/ledger/trillianlog"
	trilliandb "github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

func fsckCommand() *cobra.Command {
	var f dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Compute everything again from stream and keystore, and compare",
		Long: `Checks the data directory of a ledger that is not running. The stream and the
keystore are the sources of truth; from them it computes the leaves, the label
index, the tree and the read model again, and compares each with what is stored:
every state leaf, every leaf and node in Trillian, every tile, every published
checkpoint, every row. What is held for the law is compared with its journal and
its leaves. Before that it reads each file whole, for pages and indices that are
damaged, and it names the file and what to do.

It changes nothing. Exits with 1 and names the first difference if there is one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config()
			if err != nil {
				return err
			}
			checked, err := fsck(cmd.Context(), cfg)
			return tellChecked(cmd.OutOrStdout(), checked, err, asJSON)
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

// Checked is what fsck found.
type Checked struct {
	ledger.Verified
	// Rows is told to nobody: beside the number of events it would say how many of
	// them are in nobody's rows.
	Rows uint64 `json:"-"`
	// RowsElsewhere says that the rows are in PostgreSQL, and were not compared.
	RowsElsewhere bool   `json:"rows_elsewhere,omitempty"`
	Difference    string `json:"difference,omitempty"`
}

// differences are the errors that mean: no, it is not as it should be. Every
// other error is one of reading.
var differences = []error{
	ledger.ErrCorrupt, sqlite.ErrDiffers, trillianlog.ErrDamaged, trillianlog.ErrMismatch, trillianlog.ErrBeyond,
	errIncomplete, sqlite.ErrDamaged, trilliandb.ErrDamaged, keystore.ErrCannotOpen, keystore.ErrHolds, tiles.ErrLost,
}

// errIncomplete says that a file is missing which a start would make again.
var errIncomplete = errors.New("a part of the data directory is missing")

func tellChecked(out io.Writer, c Checked, err error, asJSON bool) error {
	for _, d := range differences {
		if errors.Is(err, d) {
			c.Difference = err.Error()
		}
	}
	switch {
	case err != nil && c.Difference == "":
		return err
	case asJSON:
		if err := printJSON(out, c); err != nil {
			return err
		}
	case c.Difference != "":
		fmt.Fprintf(out, "DIFFERENT: %s\n", c.Difference)
	case c.RowsElsewhere:
		fmt.Fprintf(out, "Same: %d events, %d leaves in the log, %d checkpoints. The read model is in PostgreSQL and was not compared; \"sharetrail views rebuild\" builds it anew.\n",
			c.Events, c.Logged, c.Checkpoints)
	default:
		fmt.Fprintf(out, "Same: %d events, %d leaves in the log, %d checkpoints, and every row in the read model.\n", c.Events, c.Logged, c.Checkpoints)
	}
	if c.Difference != "" {
		return errNo
	}
	if c.IndexCut != "" && !asJSON {
		fmt.Fprintf(out, "The label index (index) ends early: %s. The next start inserts the rest from the stream.\n", c.IndexCut)
	}
	return nil
}

func fsck(ctx context.Context, cfg instanceConfig) (c Checked, err error) {
	in := &instance{dir: cfg.dir, log: cfg.log}
	defer func() { err = explain(ctx, cfg.dir, errors.Join(err, in.close())) }()
	if err := in.lock(); err != nil {
		return c, err
	}
	if err := checkFiles(ctx, cfg.dir); err != nil {
		return c, err
	}
	// Opening would make them anew, and everything in them would be missing.
	for name, here := range map[string]bool{"log.db": cfg.logServer == "", "views": cfg.views == ""} {
		if _, err := os.Stat(filepath.Join(cfg.dir, name)); here && errors.Is(err, os.ErrNotExist) {
			return c, fmt.Errorf("%s: %w; the next start makes it again from the stream", name, errIncomplete)
		}
	}
	keys, err := in.openKeys(ctx, cfg)
	if err != nil {
		return c, err
	}
	store, err := in.openStore(ctx, cfg)
	if err != nil {
		return c, err
	}
	if _, found, err := store.Last(ctx, ledger.Stream(cfg.id)); err != nil || !found {
		return c, errors.Join(err, fmt.Errorf("the ledger's first event: %w; the next start of a new ledger writes it", errIncomplete))
	}
	trees, err := in.openLog(ctx, cfg)
	if err != nil {
		return c, err
	}
	head, err := store.Head(ctx, ledger.Stream(cfg.id))
	if err != nil {
		return c, err
	}
	mark, _, err := keys.Mark(ctx)
	if err != nil {
		return c, err
	}
	if uint64(head+1) < mark.Size {
		return c, fmt.Errorf("the stream (events.db) has %d events and %d were published: it is an older copy; bring back the newer one: %w", head+1, mark.Size, ledger.ErrCorrupt)
	}
	bar := newBar(int64(head)+1, "comparing", "events")
	defer bar.Finish()
	c.Verified, err = ledger.Verify(ctx, ledger.Config{
		ID: cfg.id, Store: store, Log: trees, Keys: keys, State: filepath.Join(in.dir, "state.db"), Index: filepath.Join(in.dir, "index"), Tiles: in.tilesDir(), Logger: in.log.Named("ledger"),
	}, func(n uint64) { bar.Set64(int64(n)) })
	if errors.Is(err, tiles.ErrLost) {
		return c, fmt.Errorf("%w; %s", err, cure("tiles"))
	}
	if err != nil {
		return c, err
	}
	if in.trees != nil {
		if _, err := in.trees.Verify(ctx, trees.TreeID()); err != nil {
			return c, fmt.Errorf("log.db: %w; %s", err, cure("log.db"))
		}
	}
	if mark.Size > c.Logged {
		return c, fmt.Errorf("log.db has %d leaves and %d were published: %w; the next start makes the rest again from the stream", c.Logged, mark.Size, errIncomplete)
	}
	if cfg.views != "" {
		c.RowsElsewhere = true
		return c, nil
	}
	c.Rows, err = compareViews(ctx, cfg.dir, keys, store, ledger.Stream(cfg.id))
	return c, err
}
