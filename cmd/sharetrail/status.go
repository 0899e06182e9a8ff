package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger"
)

func statusCommand() *cobra.Command {
	var f dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how far the ledger is",
		Long: `Counts leaves: accepted (durable), logged (in Trillian's tree), published (under a
signed checkpoint), and how many each read model has. Exits with 1 if something
needs help: a read model that stands still, a log that takes no leaves, events that
are not ours, cosigners that do not sign, or one that has seen another history, or a
record whose people have not all got their entries.`,
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
	open := 0
	for _, r := range s.Open {
		if !r.Active {
			open++
		}
	}
	healthy := open == 0 && s.Foreign == 0 && s.Blocked == "" && s.Waiting == "" && s.Lacking == "" && s.Alarms == 0
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
		showCosigners(w, s.Status, time.Now())
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
		for _, r := range s.Open {
			next := "repeat the command that it comes from, with its key"
			if r.Active {
				next = "it is being recorded"
			}
			fmt.Fprintf(w, "open\t%s %s at leaf %d: %d of %d continuations; %s\n", r.Type, r.ID, r.Index, r.Parts, r.Of, next)
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

// showCosigners says who signs what is published, and how long ago.
func showCosigners(w io.Writer, s ledger.Status, now time.Time) {
	if s.SeenAt != "" {
		fmt.Fprintf(w, "seen\tby its quorum at %s\n", aged(s.SeenAt, now))
	}
	if s.Pending > 0 {
		fmt.Fprintf(w, "pending\t%d, which waits to be cosigned\n", s.Pending)
	}
	if s.Lacking != "" {
		fmt.Fprintf(w, "lacking\t%s (policy: %s)\n", s.Lacking, s.Missing)
	}
	for _, c := range s.Cosigners {
		if c.At == "" {
			fmt.Fprintf(w, "%s %s\thas not signed yet\n", c.Role, c.Name)
		} else {
			fmt.Fprintf(w, "%s %s\t%d at %s\n", c.Role, c.Name, c.Size, aged(c.At, now))
		}
		if c.Problem != "" {
			fmt.Fprintf(w, "  problem\t%s\n", c.Problem)
		}
		if c.Alarm != "" {
			fmt.Fprintf(w, "  ALARM\t%s\n", c.Alarm)
		}
	}
}

func aged(at string, now time.Time) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return at
	}
	return fmt.Sprintf("%s (%s ago)", at, now.Sub(t).Truncate(time.Second))
}
