package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/projections"
)

// listFlags are those of a verb that lists what the read model has.
type listFlags struct {
	dataFlags
	asJSON bool
}

func (f *listFlags) register(cmd *cobra.Command) {
	f.registerWaiting(cmd)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
}

func listCommand() *cobra.Command {
	var f listFlags
	var q api.DisclosureQuery
	cmd := &cobra.Command{
		Use:   "list --id NAMESPACE:LOCAL",
		Short: "List the shares of a person or a recipient, with what became of each",
		Long: `Lists what the read model has. Nothing of it is proven; a report is. With
--recipient it is what a recipient received, naming no person.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				all, err := listAll(ctx, c, q)
				if err != nil {
					return err
				}
				if f.asJSON {
					return printJSON(cmd.OutOrStdout(), all)
				}
				return showDisclosures(cmd.OutOrStdout(), all)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&q.Subject, "id", "", "the person, such as email:ada@example.com")
	cmd.Flags().StringVar(&q.Recipient, "recipient", "", "the recipient, such as org:contoso-logistics")
	cmd.Flags().BoolVar(&q.AsRecorded, "as-recorded", false, "the records alone, with nothing that became of them")
	cmd.MarkFlagsOneRequired("id", "recipient")
	cmd.MarkFlagsMutuallyExclusive("id", "recipient")
	return cmd
}

// listAll fetches every page, all as of one state.
func listAll(ctx context.Context, c *api.Client, q api.DisclosureQuery) ([]projections.Disclosure, error) {
	all := []projections.Disclosure{}
	for q.Limit = 1000; ; {
		page, err := c.Disclosures(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Disclosures...)
		if page.Next == nil {
			return all, nil
		}
		q.After = *page.Next
	}
}

func showDisclosures(out io.Writer, all []projections.Disclosure) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, d := range all {
		state := string(d.Status.State)
		if d.Status.Disputed {
			state += ", disputed"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.EventID, d.Share.Occurred.At, d.Share.Recipient.ID,
			strings.Join(d.Share.Data.Categories, ", "), strings.ReplaceAll(state, "_", " "))
	}
	return w.Flush()
}

func consentListCommand() *cobra.Command {
	var f listFlags
	var q api.ConsentQuery
	var inForce string
	cmd := &cobra.Command{
		Use:   "list --subject NAMESPACE:LOCAL",
		Short: "List the choices of a person",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if inForce != "" {
				at, err := time.Parse(time.RFC3339, instant(inForce))
				if err != nil {
					return fmt.Errorf("--in-force: must be a time or a day; write it like 2026-11-22T10:00:00Z or 2026-11-22")
				}
				q.InForce = &at
			}
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				all, err := c.Consents(ctx, q)
				if err != nil {
					return err
				}
				if f.asJSON {
					return printJSON(cmd.OutOrStdout(), all.Consents)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, consent := range all.Consents {
					ended := ""
					if e := consent.Ended; e != nil {
						ended = e.How + " " + e.At
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", consent.EventID, strings.ReplaceAll(string(consent.Chosen), "_", "-"),
						consent.Choice.At, strings.Join(consent.Scope.Purposes, ", "), ended)
				}
				return w.Flush()
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&q.Subject, "subject", "", "whose choices, `namespace:local`")
	cmd.Flags().StringVar(&inForce, "in-force", "", "only those in force then, a time or a day")
	cmd.MarkFlagRequired("subject")
	return cmd
}

func documentListCommand() *cobra.Command {
	var f listFlags
	var kind, inForce string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what the controller published",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if inForce != "" {
				inForce = instant(inForce)
			}
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				all, err := c.Documents(ctx, kind, inForce)
				if err != nil {
					return err
				}
				if f.asJSON {
					return printJSON(cmd.OutOrStdout(), all.Documents)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, d := range all.Documents {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Kind, d.Version, d.Effective, d.SHA256)
				}
				return w.Flush()
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&kind, "kind", "", "only statement, taxonomy or profile")
	cmd.Flags().StringVar(&inForce, "in-force", "", "only those in force then, a time or a day")
	return cmd
}

func registerCommand() *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:   "register",
		Short: "List who received data, how often and how they were last described",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				all, err := registerAll(ctx, c)
				if err != nil {
					return err
				}
				if f.asJSON {
					return printJSON(cmd.OutOrStdout(), all)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, r := range all {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d shares\n", r.Recipient.ID, r.Recipient.LegalName, r.Recipient.Category, r.Recipient.Country, r.Shares)
				}
				return w.Flush()
			})
		},
	}
	f.register(cmd)
	return cmd
}

func registerAll(ctx context.Context, c *api.Client) ([]projections.Registered, error) {
	all := []projections.Registered{}
	for after := ""; ; after = all[len(all)-1].Recipient.ID {
		page, err := c.Register(ctx, after, 1000)
		if err != nil {
			return nil, err
		}
		if all = append(all, page.Recipients...); len(page.Recipients) < 1000 {
			return all, nil
		}
	}
}
