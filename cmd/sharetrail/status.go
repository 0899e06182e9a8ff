package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
)

func statusCommand() *cobra.Command {
	var f dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how far the ledger is",
		Long: `Counts leaves: accepted (durable), logged (in Trillian's tree), published (under a
signed checkpoint), and how many each read model has. Exits with 1 if something
needs help: a read model that stands still, a log that takes no leaves, or events
that are not ours.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s api.Status
			err := f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) (err error) {
				s, err = c.Status(ctx)
				return err
			})
			if err != nil {
				return err
			}
			return showStatus(cmd.OutOrStdout(), s, asJSON)
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func showStatus(out io.Writer, s api.Status, asJSON bool) error {
	healthy := s.Foreign == 0 && s.Blocked == "" && s.Waiting == ""
	for _, p := range s.Projections {
		healthy = healthy && p.Halted == ""
	}
	if asJSON {
		if err := printJSON(out, s); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "ledger\t%s\naccepted\t%d\nlogged\t%d\npublished\t%d\n", s.Origin, s.Accepted, s.Logged, s.Published)
		for _, p := range s.Projections {
			fmt.Fprintf(w, "%s\t%d\n", p.Name, p.Next)
			if p.Halted != "" {
				fmt.Fprintf(w, "  halted\t%s\n", p.Halted)
			}
		}
		if s.Blocked != "" {
			fmt.Fprintf(w, "blocked\t%s\n", s.Blocked)
		}
		if s.Waiting != "" {
			fmt.Fprintf(w, "waiting\tfor the log server, and nothing is lost: %s\n", s.Waiting)
		}
		if s.Foreign > 0 {
			fmt.Fprintf(w, "foreign\t%d events in the stream are not this ledger's: find who writes there\n", s.Foreign)
		}
		w.Flush()
	}
	if !healthy {
		return errNo
	}
	return nil
}
