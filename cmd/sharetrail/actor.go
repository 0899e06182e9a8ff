package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
owner may do everything but what keyholders do. The roles are admin, counsel,
recorder, reader, auditor and keyholder; docs/roles.md says what each may do.

What takes two people takes two actors who have claimed their tokens, neither of
whom added the other. Whoever may be one of them (admin, counsel, keyholder) is let
in once somebody who did not add them has confirmed them; the first needs nobody.`,
	}
	cmd.AddCommand(actorAddCommand(), actorClaimCommand(), actorConfirmCommand(), actorListCommand(), actorRevokeCommand())
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
				if made.Waits {
					fmt.Fprintf(cmd.ErrOrStderr(), "Nobody is let in with it before its holder has claimed it (sharetrail actor claim) and somebody else has confirmed them: sharetrail actor confirm %s\n", made.Name)
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Token)
				return err
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&role, "role", "", "admin, counsel, recorder, reader, auditor or keyholder")
	cmd.MarkFlagRequired("role")
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func actorClaimCommand() *cobra.Command {
	var f dataFlags
	var token tokenFlag
	cmd := &cobra.Command{
		Use: "claim --token-file FILE", Short: "Trade one's token for one that nobody else has seen", Args: cobra.NoArgs,
		Long: `Ends the token in the file, which whoever added you has seen, and writes another
one into it. It can be done once: if it was done and not by you, somebody else had
your token, and is to be revoked.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				c, err := token.as(c)
				if err != nil {
					return err
				}
				return claim(ctx, c, token.file)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&token.file, "token-file", "", "`file` with the token that you were given; the new one is written into it")
	cmd.MarkFlagRequired("token-file")
	return cmd
}

// claim writes the new token into the file of the old one. The file beside it is made
// before the token is, which is shown once.
func claim(ctx context.Context, c *api.Client, path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".token-")
	if err != nil {
		return fmt.Errorf("making room for the new token: %w", err)
	}
	claimed, err := c.ClaimToken(ctx)
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	_, err = fmt.Fprintln(f, claimed.Token)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the new token: %w", errors.Join(err, os.Remove(f.Name())))
	}
	if err := os.Rename(f.Name(), path); err != nil { // a file that is mounted, for one
		return fmt.Errorf("the new token is in %s; the one in %s has ended: %w", f.Name(), path, err)
	}
	return nil
}

func actorConfirmCommand() *cobra.Command {
	var f dataFlags
	var token tokenFlag
	cmd := &cobra.Command{
		Use: "confirm NAME", Short: "Let in an actor whom somebody else added", Args: cobra.ExactArgs(1),
		Long: `Lets in an admin, counsel or keyholder who has claimed their token. Ask them first
whether it was they who claimed it. Whoever added them cannot confirm; a keyholder
is confirmed by a keyholder, while there is one.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				c, err := token.as(c)
				if err != nil {
					return err
				}
				return c.ConfirmActor(ctx, args[0])
			})
		},
	}
	f.register(cmd)
	token.register(cmd)
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
		switch {
		case a.Revoked != "":
			state = "revoked " + a.Revoked
		case a.LastUsed != "":
			state = "used " + a.LastUsed
		case a.Role == actor.Keyholder:
			state = "use not kept"
		}
		made := "made " + a.Created
		if a.AddedBy != "" {
			made += " by " + a.AddedBy
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Name, a.Role, made, state, standing(a))
	}
	return w.Flush()
}

// standing says how far an actor is somebody of their own.
func standing(a actor.Listed) string {
	says := "token not claimed"
	if a.Claimed {
		says = "token claimed"
	}
	switch {
	case a.Waits:
		says += ", waits to be confirmed"
	case a.ConfirmedBy != "":
		says += ", confirmed by " + a.ConfirmedBy
	}
	return says
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
