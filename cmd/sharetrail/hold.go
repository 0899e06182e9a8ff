package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger"
)

func holdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hold",
		Short: "Keep what the law demands when people are erased",
		Long: `Under a legal hold, what is recorded about a person outlives their erasure. The
erasure goes on as ever: their keys are destroyed, and nothing tells of the hold.
What must be kept is copied before, and only keyholders can open it. It is
destroyed when two of them release the hold. docs/erasure.md says more.

Each of these verbs needs the token of an actor with the role keyholder, on the
data directory's own socket too: in the file --token-file names, or in the
variable SHARETRAIL_TOKEN.`,
	}
	cmd.AddCommand(holdPlaceCommand(), holdReleaseCommand(), holdListCommand(), holdShowCommand())
	return cmd
}

// registerHold registers the flags of a verb about holds, which waits for no leaf.
func (f *keeper) registerHold(cmd *cobra.Command) {
	f.registerWaiting(cmd)
	f.registerToken(cmd)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
}

// showing prints the hold that a verb answers with.
func (f *keeper) showing(cmd *cobra.Command, do func(context.Context, *api.Client) (ledger.HoldView, error)) error {
	return f.withKeeper(cmd, func(ctx context.Context, c *api.Client) error {
		v, err := do(ctx, c)
		if err != nil {
			return err
		}
		if f.asJSON {
			return printJSON(cmd.OutOrStdout(), v)
		}
		return showHolds(cmd.OutOrStdout(), v)
	})
}

func holdPlaceCommand() *cobra.Command {
	var f keeper
	var r ledger.HoldRequest
	cmd := &cobra.Command{
		Use: "place MATTER --subject NAMESPACE:LOCAL --ground GROUND --reason TEXT", Short: "Put people under a hold, or more people under one that there is",
		Long: `MATTER is your reference of it: letters, digits, dots, hyphens and underscores. It
and the reason stay when the hold is released, so they must name nobody.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Matter = args[0]
			return f.showing(cmd, func(ctx context.Context, c *api.Client) (ledger.HoldView, error) { return c.PlaceHold(ctx, r) })
		},
	}
	f.registerHold(cmd)
	cmd.Flags().StringArrayVar(&r.Subjects, "subject", nil, "whom it is about, `namespace:local`; may be given several times")
	cmd.Flags().StringVar(&r.Ground, "ground", "", "on what it rests: "+strings.Join(ledger.HoldGrounds, ", "))
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why, in words that name nobody")
	for _, name := range []string{"subject", "ground", "reason"} {
		cmd.MarkFlagRequired(name)
	}
	return cmd
}

func holdReleaseCommand() *cobra.Command {
	var f keeper
	var reason string
	var confirm bool
	cmd := &cobra.Command{
		Use: "release MATTER --reason TEXT | --confirm", Short: "Propose to release a hold, or as the second keyholder confirm it",
		Long: `Releasing a hold takes two actors: one proposes it with --reason, another confirms
with --confirm. Then what was kept under it, and whom it was about, is destroyed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.showing(cmd, func(ctx context.Context, c *api.Client) (ledger.HoldView, error) {
				if confirm {
					return c.ReleaseHold(ctx, args[0])
				}
				return c.ProposeRelease(ctx, args[0], reason)
			})
		},
	}
	f.registerHold(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why it is not needed any more, in words that name nobody")
	cmd.Flags().BoolVar(&confirm, "confirm", false, "confirm what another actor proposed")
	cmd.MarkFlagsOneRequired("reason", "confirm")
	cmd.MarkFlagsMutuallyExclusive("reason", "confirm")
	return cmd
}

func holdListCommand() *cobra.Command {
	var f keeper
	cmd := &cobra.Command{
		Use: "list", Short: "List holds", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withKeeper(cmd, func(ctx context.Context, c *api.Client) error {
				list, err := c.Holds(ctx)
				if err != nil {
					return err
				}
				if f.asJSON {
					return printJSON(cmd.OutOrStdout(), list)
				}
				return showHolds(cmd.OutOrStdout(), list.Holds...)
			})
		},
	}
	f.registerHold(cmd)
	return cmd
}

func showHolds(out io.Writer, holds ...ledger.HoldView) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, h := range holds {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", h.Matter, h.State, h.Steps[0].Ground, "since "+h.Steps[0].At, strings.Join(h.Subjects, " "))
	}
	return w.Flush()
}

func holdShowCommand() *cobra.Command {
	var f keeper
	cmd := &cobra.Command{
		Use: "show MATTER", Short: "Show what is kept under a hold, checked against the log", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withKeeper(cmd, func(ctx context.Context, c *api.Client) error {
				h, err := c.Hold(ctx, args[0])
				if err != nil {
					return err
				}
				if f.asJSON {
					return printJSON(cmd.OutOrStdout(), h)
				}
				return showHeld(cmd.OutOrStdout(), h)
			})
		},
	}
	f.registerHold(cmd)
	return cmd
}

func showHeld(out io.Writer, h api.HoldContent) error {
	if err := showHolds(out, h.HoldView); err != nil {
		return err
	}
	for _, s := range h.Steps {
		fmt.Fprintf(out, "  %s %s by %s %s\n", s.At, s.Kind, s.By, s.Reason)
	}
	fmt.Fprintf(out, "%d entries of erased people, each as its leaf commits to it\n", len(h.Entries))
	for _, e := range h.Entries {
		text, err := json.MarshalIndent(e.Event, "  ", "  ")
		if err != nil {
			return fmt.Errorf("printing entry %d: %w", e.Index, err)
		}
		fmt.Fprintf(out, "\nleaf %d, entry %d of %s, recorded %s: %s\n  %s\n", e.Index, e.Number, e.Subject, e.Recorded.Format("2006-01-02T15:04:05Z"), e.Type, text)
		if e.Header != nil {
			if text, err = json.MarshalIndent(e.Header.Event, "  ", "  "); err != nil {
				return fmt.Errorf("printing entry %d: %w", e.Index, err)
			}
			fmt.Fprintf(out, "  which continues leaf %d: %s\n  %s\n", e.Header.Index, e.Header.Type, text)
		}
		if e.Private != nil {
			if text, err = json.MarshalIndent(e.Private, "  ", "  "); err != nil {
				return fmt.Errorf("printing entry %d: %w", e.Index, err)
			}
			fmt.Fprintf(out, "  told to the person alone: %s\n", text)
		}
	}
	return nil
}
