package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
)

func actorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "actor",
		Short: "Say who may use the network listener, and as what",
		Long: `An actor is a name with one role and one token, for the network listener of
"serve --listen". On the socket in the data directory no token is needed: its
owner may do everything. The roles are admin, counsel, recorder, reader and
auditor; docs/roles.md says what each may do.`,
	}
	cmd.AddCommand(actorAddCommand(), actorListCommand(), actorRevokeCommand())
	return cmd
}

func actorAddCommand() *cobra.Command {
	var f dataFlags
	var role string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "add NAME --role ROLE", Short: "Add an actor and print the token, this once", Args: cobra.ExactArgs(1),
		Long: `Adds an actor. The token goes to stdout and is not kept: whoever loses it needs
another actor. A name is never given twice.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				made, err := c.AddActor(ctx, args[0], actor.Role(role))
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), made)
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s is a new %s. The token, shown this once:\n", made.Name, made.Role)
				_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Token)
				return err
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&role, "role", "", "admin, counsel, recorder, reader or auditor")
	cmd.MarkFlagRequired("role")
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func actorListCommand() *cobra.Command {
	var f dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the actors, the revoked ones too", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				all, err := c.Actors(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), all)
				}
				return showActors(cmd.OutOrStdout(), all)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func showActors(out io.Writer, all []actor.Listed) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, a := range all {
		state := "never used"
		if a.LastUsed != "" {
			state = "used " + a.LastUsed
		}
		if a.Revoked != "" {
			state = "revoked " + a.Revoked
		}
		fmt.Fprintf(w, "%s\t%s\tmade %s\t%s\n", a.Name, a.Role, a.Created, state)
	}
	return w.Flush()
}

func actorRevokeCommand() *cobra.Command {
	var f dataFlags
	cmd := &cobra.Command{
		Use: "revoke NAME", Short: "Refuse an actor's token from now on, for good", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				return c.RevokeActor(ctx, args[0])
			})
		},
	}
	f.register(cmd)
	return cmd
}
