package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
)

func viewsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "views",
		Short: "Versions of the read model: list, rebuild, retry, drop",
		Long: `The read model is a function of the stream and the keystore, in versions side by
side of which one is in use. A rebuild makes another one and puts it in its place
when it is as far as the stream.`,
	}
	cmd.AddCommand(
		viewVerb("list", "List the versions, and which parties wait", (*api.Client).Views),
		viewVerb("rebuild", "Build a version anew and put it in the place of the one in use", (*api.Client).RebuildViews),
		viewVerb("retry", "Apply what waits of parties whose entries could not be read", (*api.Client).RetryViews),
		dropViewCommand(),
	)
	return cmd
}

func viewVerb(verb, short string, do func(*api.Client, context.Context) (api.Views, error)) *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use: verb, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				v, err := do(c, ctx)
				if err != nil {
					return err
				}
				return showViews(cmd.OutOrStdout(), v, f.asJSON)
			})
		},
	}
	f.register(cmd)
	return cmd
}

func dropViewCommand() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use: "drop VERSION", Short: "Remove a version that is not in use, and its rows", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := strconv.Atoi(args[0])
			if err != nil {
				return fmt.Errorf("VERSION: must be a number; see sharetrail views list")
			}
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				v, err := c.DropView(ctx, version)
				if err != nil {
					return err
				}
				return showViews(cmd.OutOrStdout(), v, f.asJSON)
			})
		},
	}
	f.register(cmd)
	return cmd
}

func showViews(out io.Writer, v api.Views, asJSON bool) error {
	if asJSON {
		return printJSON(out, v)
	}
	for _, version := range v.Versions {
		use := ""
		if version == v.InUse {
			use = fmt.Sprintf("  in use, %d events behind", v.Lag)
		}
		if _, err := fmt.Fprintf(out, "version %d%s\n", version, use); err != nil {
			return err
		}
	}
	for _, p := range v.Parked {
		if _, err := fmt.Fprintf(out, "party %d waits from leaf %d on: %s\n", p.Party, p.Index, p.Class); err != nil {
			return err
		}
	}
	return nil
}
