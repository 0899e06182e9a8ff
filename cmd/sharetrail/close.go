package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
)

func closeCommand() *cobra.Command {
	var f dataFlags
	var successor string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "close --successor HOST/NAME",
		Short: "End the ledger for good, and name the one that continues it",
		Long: `Appends the ledger's last leaf, which names its successor, and publishes it. Nothing
can be recorded in the ledger afterwards; reports about it go on for ever.

Begin the successor, in a directory of its own, with:
  sharetrail init --predecessor DIRECTORY --origin HOST/NAME --id NAME
A report of the successor then covers both ledgers.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := readSettings(f.data)
			if err != nil {
				return err
			}
			if err := (settings{ID: s.ID, Origin: successor}).check(); err != nil {
				return fmt.Errorf("--successor: %w", err)
			}
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				closed, err := c.CloseLedger(ctx, api.CloseRequest{Origin: s.Origin, Successor: successor})
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), closed)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Ledger %s is closed with %d leaves. It is continued by %s; begin that with:\n  sharetrail init --data DIRECTORY --predecessor %s --origin %s --id NAME\n",
					closed.Origin, closed.Size, closed.Successor, f.data, closed.Successor)
				return nil
			})
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().StringVar(&successor, "successor", "", "public `name` of the ledger that continues this one")
	if err := cmd.MarkFlagRequired("successor"); err != nil {
		panic(err)
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}
