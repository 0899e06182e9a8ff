package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

func initCommand() *cobra.Command {
	var f dataFlags
	var s settings
	rules := events.DefaultRules()
	var cover int
	grain := time.Duration(rules.GrainMS) * time.Millisecond
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
			if rules.Cover = cover; !cmd.Flags().Changed("cover") && rules.Publication == events.PublicationPublic {
				rules.Cover = defaultCover
			}
			if err := checkPublication(rules, grain); err != nil {
				return err
			}
			return initLedger(cmd.Context(), cmd.OutOrStdout(), &f, s, authorities, rules, asJSON)
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
	cmd.Flags().StringVar(&rules.Publication, "publication", events.PublicationRestricted,
		"restricted: auditors read the log, what is recorded is published each second; public: everybody does, and it is published once in each --grain; for ever")
	cmd.Flags().DurationVar(&grain, "grain", grain, "what times in the log are cut to, such as 1m or 1h; for ever")
	cmd.Flags().IntVar(&cover, "cover", 0, fmt.Sprintf("in a public log, least `number` of entries in each --grain: events of nobody make up what is missing (default %d); for ever", defaultCover))
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func initLedger(ctx context.Context, out io.Writer, f *dataFlags, s settings, authorities []string, rules *events.Rules, asJSON bool) error {
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
		patience: f.patience, predecessor: s.Predecessor, authorities: authorities, rules: rules,
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

// defaultCover is of a public ledger unless its maker says otherwise.
const defaultCover = 4

// checkPublication completes the rules of a new ledger with its grain, and checks what
// they say of its publication.
func checkPublication(rules *events.Rules, grain time.Duration) error {
	if rules.Publication != events.PublicationRestricted && rules.Publication != events.PublicationPublic {
		return &events.FieldError{Field: "--publication", Rule: "must be restricted or public", Next: "leave it out for restricted"}
	}
	if day := 24 * time.Hour; grain < time.Second || grain%time.Second != 0 || day%grain != 0 {
		return &events.FieldError{Field: "--grain", Rule: "must be whole seconds, and a day must be a multiple of it", Next: "write it such as 1m, 10m or 1h"}
	}
	rules.GrainMS = uint64(grain.Milliseconds())
	switch {
	case rules.Cover < 0 || rules.Cover > events.MaxCover:
		return &events.FieldError{Field: "--cover", Rule: fmt.Sprintf("must be from 0 to %d", events.MaxCover), Next: fmt.Sprintf("leave it out for %d in a public log", defaultCover)}
	case rules.Cover > 0 && rules.Publication != events.PublicationPublic:
		return &events.FieldError{Field: "--cover", Rule: "is for a log that everybody reads", Next: "leave it out, or add --publication public"}
	}
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
