package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

func initCommand() *cobra.Command {
	var f dataFlags
	var s settings
	var publication string
	var asJSON bool
	var before string
	var authorities []string
	cmd := &cobra.Command{
		Use:   "init --id NAME --origin HOST/NAME",
		Short: "Make a new ledger in a data directory",
		Long: `Makes the keys and the first leaf of a new ledger.

The id names its streams in the event store. The origin is its public name: it
stands in every checkpoint and report and never changes, so begin it with a host
name that stays yours, and make it another one for each ledger.

With --predecessor it continues a ledger that was closed and named it: its first
leaf repeats the last checkpoint of that one, whose data directory stays where it
is, so that reports cover both.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if before != "" {
				if err := s.check(); err != nil {
					return err
				}
				var err error
				if s.Predecessor, err = readPredecessor(cmd.Context(), before, s.Origin, &f); err != nil {
					return err
				}
			}
			if publication != events.PublicationRestricted && publication != events.PublicationPublic {
				return &events.FieldError{Field: "--publication", Rule: "must be restricted or public", Next: "leave it out for restricted"}
			}
			return initLedger(cmd.Context(), cmd.OutOrStdout(), &f, s, authorities, publication == events.PublicationPublic, asJSON)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&s.ID, "id", "", "`name` of the ledger's streams, such as acme-2026")
	cmd.Flags().StringVar(&s.Origin, "origin", "", "public `name` of the ledger, such as sharetrail.example.com/acme-2026")
	cmd.Flags().StringVar(&s.EventStore, "eventstore", "", "`connection` string of an EventStoreDB, instead of the embedded one")
	cmd.Flags().StringVar(&s.Views, "views", "", "`URL` of a PostgreSQL for the read models, such as postgres://user@host/database, instead of files")
	cmd.Flags().StringVar(&s.Trillian, "trillian", "", "`host:port` of a Trillian log server, instead of the embedded one")
	cmd.Flags().StringVar(&before, "predecessor", "", "data `directory` of the closed ledger that this one continues")
	cmd.Flags().StringArrayVar(&authorities, "authority", nil, "`namespace:local` of somebody under whose orders records can be sealed; repeat for several. They never change")
	cmd.Flags().StringVar(&publication, "publication", events.PublicationRestricted,
		"restricted: auditors read the log, what is recorded is published each second; public: everybody does, and it is published each minute; for ever")
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func initLedger(ctx context.Context, out io.Writer, f *dataFlags, s settings, authorities []string, public, asJSON bool) error {
	if err := s.check(); err != nil {
		return err
	}
	authorities, err := parseAuthorities(authorities)
	if err != nil {
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
		patience: f.patience, predecessor: s.Predecessor, authorities: authorities, public: public,
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

// parseAuthorities reads the authorities of a new ledger, before anything is made.
func parseAuthorities(texts []string) (all []string, err error) {
	for _, text := range texts {
		id, err := events.ParseIdentity(events.DefaultRules().Identities, text)
		if fe := (*events.FieldError)(nil); errors.As(err, &fe) {
			fe.Field = "--authority"
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(all, id.String()) {
			return nil, &events.FieldError{Field: "--authority", Rule: "names somebody twice", Next: "name each authority once"}
		}
		all = append(all, id.String())
	}
	return all, nil
}
