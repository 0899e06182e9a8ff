package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/internal/rows"
)

func importGVLCommand() *cobra.Command {
	var f dataFlags
	var rejectsPath string
	var dryRun, asJSON bool
	cmd := &cobra.Command{
		Use:   "gvl FILE",
		Short: "Fill the address book from an IAB Global Vendor List",
		Long: `Adds the vendors of an IAB Global Vendor List (version 2 or 3) to the address book,
as org:iab-gvl-ID, or replaces them. The address book is a convenience: nothing
is recorded in the ledger, and no vendor becomes part of it before data is shared
with it. The list does not say in which country a vendor is: record asks for it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if rejectsPath == "" {
				rejectsPath = args[0] + ".rejects.csv"
			}
			refused := &rejects{path: rejectsPath}
			result, entries, err := readVendors(args[0], refused)
			if err = errors.Join(err, refused.close()); err != nil {
				return err
			}
			if !dryRun {
				err := f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
					result.BookAnswer, err = c.PutRecipients(ctx, entries)
					return err
				})
				if err != nil {
					return err
				}
			}
			return result.tell(cmd.OutOrStdout(), dryRun, asJSON)
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check every vendor, store nothing")
	cmd.Flags().StringVar(&rejectsPath, "rejects", "", "`file` for the vendors that are refused, .csv or .jsonl; default FILE.rejects.csv")
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

type importedVendors struct {
	List    string `json:"list"`
	Vendors int    `json:"vendors"`
	Refused int    `json:"refused"`
	Rejects string `json:"rejects,omitempty"`
	api.BookAnswer
}

// readVendors reads a list and refuses the vendors that can be no recipient.
func readVendors(path string, refused *rejects) (result importedVendors, entries []api.BookEntry, err error) {
	file, err := os.Open(path)
	if err != nil {
		return result, nil, fmt.Errorf("reading the vendor list: %w", err)
	}
	defer file.Close()
	list, err := rows.GVL(file)
	if err != nil {
		return result, nil, err
	}
	result.List = fmt.Sprintf("IAB Global Vendor List %d of %s", list.Version, list.Updated.Format("2006-01-02"))
	result.Vendors = len(list.Vendors)
	for _, v := range list.Vendors {
		e := api.BookEntry{
			ID: v.RecipientID(), LegalName: v.Name, Category: "advertising", Source: result.List,
			SourceID: strconv.Itoa(v.ID), PolicyURL: v.Policy(), Deleted: v.Deleted,
		}
		as := events.Recipient{ID: e.ID, LegalName: e.LegalName, Country: "ZZ", Category: e.Category}
		var bad *events.FieldError
		if errors.As(as.Validate(), &bad) {
			result.Refused, result.Rejects = result.Refused+1, refused.path
			if err := refused.add(v.ID, *bad); err != nil {
				return result, nil, err
			}
			continue
		}
		entries = append(entries, e)
	}
	return result, entries, nil
}

func (r importedVendors) tell(out io.Writer, dryRun, asJSON bool) error {
	switch {
	case asJSON:
		if err := printJSON(out, r); err != nil {
			return err
		}
	case dryRun:
		fmt.Fprintf(out, "%s: %d vendors: %d fit for the address book, %d refused. Nothing was stored.\n", r.List, r.Vendors, r.Vendors-r.Refused, r.Refused)
	default:
		fmt.Fprintf(out, "%s: %d vendors: %d added to the address book, %d replaced, %d refused.\nThe address book is no part of the ledger; nothing was recorded.\n",
			r.List, r.Vendors, r.Added, r.Replaced, r.Refused)
	}
	if r.Refused > 0 {
		return errNo
	}
	return nil
}
