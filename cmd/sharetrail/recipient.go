package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
)

func recipientCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recipient",
		Short: "Look recipients up in the address book",
		Long: `The address book spares typing: record fills in from it what flags leave out.
It is a file in the data directory (recipients.json) and no part of the ledger;
nothing in it is proven, and a recorded share keeps its own snapshot.
"import gvl" fills it.`,
	}
	cmd.AddCommand(recipientListCommand(), recipientShowCommand())
	return cmd
}

func recipientListCommand() *cobra.Command {
	var f dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the address book", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				return listRecipients(ctx, cmd.OutOrStdout(), c, asJSON)
			})
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func listRecipients(ctx context.Context, out io.Writer, c *api.Client, asJSON bool) error {
	all := []api.BookEntry{}
	for after := ""; ; {
		page, err := c.Recipients(ctx, after, 1000)
		if err != nil {
			return err
		}
		all = append(all, page.Entries...)
		if after = page.Next; after == "" {
			break
		}
	}
	if asJSON {
		return printJSON(out, all)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, e := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.ID, e.LegalName, e.Category, e.Country)
	}
	return w.Flush()
}

func recipientShowCommand() *cobra.Command {
	var f dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one entry of the address book", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				e, err := c.Recipient(ctx, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), e)
				}
				return showRecipient(cmd.OutOrStdout(), e)
			})
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func showRecipient(out io.Writer, e api.BookEntry) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range [][2]string{
		{"id", e.ID}, {"name", e.LegalName}, {"address", e.Address}, {"contact", e.Contact}, {"country", e.Country},
		{"category", e.Category}, {"policy", e.PolicyURL}, {"source", e.Source}, {"its id there", e.SourceID}, {"deleted there", e.Deleted},
	} {
		if f[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", f[0], f[1])
		}
	}
	return w.Flush()
}
