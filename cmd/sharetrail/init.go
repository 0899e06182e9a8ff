package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/verifier"
)

func initCommand() *cobra.Command {
	var f dataFlags
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "init --id NAME --origin HOST/NAME",
		Short: "Make a new ledger in a data directory",
		Long: `Makes the keys and the first leaf of a new ledger.

The id names its streams in the event store. The origin is its public name: it
stands in every checkpoint and report and never changes, so begin it with a host
name that stays yours, and make it another one for each ledger.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return initLedger(cmd.Context(), cmd.OutOrStdout(), &f, s, asJSON)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&s.ID, "id", "", "`name` of the ledger's streams, such as acme-2026")
	cmd.Flags().StringVar(&s.Origin, "origin", "", "public `name` of the ledger, such as sharetrail.example.com/acme-2026")
	cmd.Flags().StringVar(&s.EventStore, "eventstore", "", "`connection` string of an EventStoreDB, instead of the embedded one")
	cmd.Flags().StringVar(&s.Views, "views", "", "`URL` of a PostgreSQL for the read models, such as postgres://user@host/database, instead of files")
	cmd.Flags().StringVar(&s.Trillian, "trillian", "", "`host:port` of a Trillian log server, instead of the embedded one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func initLedger(ctx context.Context, out io.Writer, f *dataFlags, s settings, asJSON bool) error {
	if err := s.check(); err != nil {
		return err
	}
	log, err := newLogger(f.logLevel)
	if err != nil {
		return err
	}
	for _, name := range []string{settingsName, "keys.db", "events.db"} {
		if _, err := os.Stat(filepath.Join(f.data, name)); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s holds a ledger already; name another directory with --data", f.data)
		}
	}
	in, err := openInstance(ctx, instanceConfig{
		dir: f.data, id: s.ID, origin: s.Origin, create: true, log: log, eventStore: s.EventStore, logServer: s.Trillian, views: s.Views,
		patience: f.patience,
	})
	if err != nil {
		return err
	}
	trust := in.ledger.Trust()
	// Last, so that a directory with settings has a whole ledger.
	if err := errors.Join(s.write(f.data), in.close()); err != nil {
		return err
	}
	if asJSON {
		return printJSON(out, struct {
			Data        string          `json:"data"`
			Trust       *verifier.Trust `json:"trust"`
			Fingerprint string          `json:"fingerprint"`
		}{f.data, trust, trust.Fingerprint()})
	}
	fmt.Fprintf(out, "Ledger %s in %s.\nFingerprint of its trust file, for letters:\n  %s\n", s.Origin, f.data, trust.Fingerprint())
	return nil
}
