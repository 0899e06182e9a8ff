package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
)

func eraseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Erase people: one asks, another confirms",
		Long: `Erasing a person appends the end of their entries to the ledger and then destroys
their keys: what was recorded about them cannot be read again, nobody can tell
which entries were theirs, and every proof and report made before still holds. Only
what a law demands to keep is kept, apart from the ledger (docs/erasure.md).

It takes two: who asks cannot confirm, nor can whom they added or who added them.
Each gives their token, claimed (sharetrail actor claim), in the file that
--token-file names or in the variable SHARETRAIL_TOKEN; without one it is the owner
of the data directory.`,
	}
	cmd.AddCommand(closureRequestCommand("request", "erase", "request_of_the_person", "Ask for a person's erasure"),
		confirmCommand("Confirm an erasure and destroy the keys"), declineCommand(), closureListCommand(), erasureReceiptCommand())
	return cmd
}

func rotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Give people another key, after a copy of theirs was seen by others: one asks, another confirms",
	}
	cmd.AddCommand(closureRequestCommand("request", "rotate", "copy_left", "Ask for another key of a person"),
		confirmCommand("Confirm a rotation"), declineCommand(), closureListCommand())
	return cmd
}

// tokenFlag is that of a verb that counts who gives it.
type tokenFlag struct{ file string }

func (f *tokenFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "token-file", "", "`file` with the token of an actor; default: the variable SHARETRAIL_TOKEN, or the owner of the data directory")
}

// as gives a client the actor's token, if there is one.
func (f *tokenFlag) as(c *api.Client) (*api.Client, error) {
	token := os.Getenv("SHARETRAIL_TOKEN")
	if f.file != "" {
		b, err := os.ReadFile(f.file)
		if err != nil {
			return nil, fmt.Errorf("reading the token: %w", err)
		}
		token = string(b)
	}
	if token = strings.TrimSpace(token); token == "" {
		if f.file != "" {
			return nil, fmt.Errorf("reading the token: %s is empty; write the token that sharetrail actor add printed into it", f.file)
		}
		return c, nil
	}
	return c.As(token), nil
}

// postAs is postFlags.post for an actor.
func postAs(cmd *cobra.Command, f *postFlags, token *tokenFlag, path string, body any, then func(context.Context, *api.Client) error) error {
	if f.key == "" {
		f.key = uuid.NewString()
	}
	return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
		c, err := token.as(c)
		if err != nil {
			return err
		}
		p, err := c.Post(ctx, path, f.key, f.wait, body)
		if err != nil {
			return err
		}
		if err := showPosition(cmd.OutOrStdout(), p, f.key, f.asJSON); err != nil || then == nil {
			return err
		}
		return then(ctx, c)
	})
}

func closureRequestCommand(verb, action, ground, short string) *cobra.Command {
	var f postFlags
	var token tokenFlag
	body := api.ClosureRequest{Action: action}
	cmd := &cobra.Command{
		Use: verb + " --subject NAMESPACE:LOCAL", Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body.At = instant(body.At)
			return postAs(cmd, &f, &token, "/v1/closures", body, nil)
		},
	}
	f.register(cmd)
	token.register(cmd)
	cmd.Flags().StringVar(&body.Subject.ID, "subject", "", "whom it is about, `namespace:local`")
	cmd.Flags().StringVar(&body.Subject.Description, "description", "", "what was said, told to the person alone")
	cmd.Flags().StringVar(&body.Ground, "reason", ground, "why: request_of_the_person, retention_over, consent_withdrawn, unlawful, legal_obligation, copy_left or key_exposed")
	cmd.Flags().StringVar(&body.At, "at", "", "when it was asked for, such as 2026-11-22T10:00:00Z, or a day; default now")
	cmd.MarkFlagRequired("subject")
	return cmd
}

func confirmCommand(short string) *cobra.Command {
	var f postFlags
	var token tokenFlag
	var subject, receipt string
	cmd := &cobra.Command{
		Use: "confirm ID", Short: short + "; ID is what asking for it answered", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (subject == "") != (receipt == "") {
				return errors.New("--receipt: goes together with --subject: a receipt is for one identity, which is nowhere any more once it is erased")
			}
			return postAs(cmd, &f, &token, recordPath("closures", args[0], "confirmations"), api.Confirmation{}, func(ctx context.Context, c *api.Client) error {
				if receipt == "" {
					return nil
				}
				return writeErasureReceipt(ctx, c, subject, receipt)
			})
		},
	}
	f.register(cmd)
	token.register(cmd)
	cmd.Flags().StringVar(&receipt, "receipt", "", "write the proof of the erasure to this `file`, for the person; needs --subject")
	cmd.Flags().StringVar(&subject, "subject", "", "who is erased, `namespace:local`; only for --receipt")
	return cmd
}

func declineCommand() *cobra.Command {
	var f postFlags
	var token tokenFlag
	var body api.Refusal
	cmd := &cobra.Command{
		Use: "decline ID --reason TEXT", Short: "Decline a request, or take it back", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body.At = instant(body.At)
			return postAs(cmd, &f, &token, recordPath("closures", args[0], "refusals"), body, nil)
		},
	}
	f.register(cmd)
	token.register(cmd)
	cmd.Flags().StringVar(&body.Reason, "reason", "", "why; it must say nothing of a person")
	cmd.Flags().StringVar(&body.At, "at", "", "when; default now")
	cmd.MarkFlagRequired("reason")
	return cmd
}

func closureListCommand() *cobra.Command {
	var f dataFlags
	var token tokenFlag
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the requests that wait, for erasures and rotations", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				c, err := token.as(c)
				if err != nil {
					return err
				}
				all, err := c.Closures(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), all)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, r := range all.Closures {
					until := "until " + r.Until
					if r.Expired {
						until = "expired " + r.Until
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Action, r.Subject, r.Ground, until)
				}
				return w.Flush()
			})
		},
	}
	f.registerWaiting(cmd)
	token.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func erasureReceiptCommand() *cobra.Command {
	var f dataFlags
	var token tokenFlag
	var subject, out string
	cmd := &cobra.Command{
		Use:   "receipt --subject NAMESPACE:LOCAL --out FILE",
		Short: "Write the proof that somebody was erased", Args: cobra.NoArgs,
		Long: `Writes a file that the person keeps. Whoever knows the identity checks with it,
offline: sharetrail-verify erasure --trust FILE --subject NAMESPACE:LOCAL FILE.
It is made from the log alone and names nobody.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				c, err := token.as(c)
				if err != nil {
					return err
				}
				return writeErasureReceipt(ctx, c, subject, out)
			})
		},
	}
	f.registerWaiting(cmd)
	token.register(cmd)
	cmd.Flags().StringVar(&subject, "subject", "", "who was erased, `namespace:local`")
	cmd.Flags().StringVar(&out, "out", "", "`file` to write")
	cmd.MarkFlagRequired("subject")
	cmd.MarkFlagRequired("out")
	return cmd
}

func writeErasureReceipt(ctx context.Context, c *api.Client, subject, path string) error {
	b, err := c.ErasureReceipt(ctx, subject)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("writing the receipt: %w", err)
	}
	fmt.Fprintf(os.Stderr, "wrote %s; check it with: sharetrail-verify erasure --trust TRUST --subject %s %s\n", path, subject, filepath.Base(path))
	return nil
}

func aliasCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "alias", Short: "Other names of people"}
	var f postFlags
	var token tokenFlag
	var body api.AliasRequest
	add := &cobra.Command{
		Use: "add --subject PRIMARY --alias ID", Short: "Make an identity another name of a person", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return postAs(cmd, &f, &token, "/v1/aliases", body, nil)
		},
	}
	f.register(add)
	token.register(add)
	add.Flags().StringVar(&body.Subject, "subject", "", "the primary identity, `namespace:local`")
	add.Flags().StringVar(&body.Alias, "alias", "", "another identity of the same person, which has no entries yet")
	add.MarkFlagRequired("subject")
	add.MarkFlagRequired("alias")
	cmd.AddCommand(add)
	return cmd
}
