package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/verifier"
)

func receiptCommand() *cobra.Command {
	var f dataFlags
	var output string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "receipt ID",
		Short: "Prove that a recorded share is in the log",
		Long: `Writes a c2sp.org/tlog-proof: the share's leaf, its index, the inclusion proof and
a signed checkpoint. It names nobody and shows nothing of the share's content.
ID is what recording the share answered.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if new(events.ID).UnmarshalText([]byte(args[0])) != nil {
				return &events.FieldError{Field: "ID", Rule: "must be the id of a recorded share", Next: "use the id that recording it answered"}
			}
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				return writeReceipt(ctx, cmd.OutOrStdout(), c, args[0], output, asJSON)
			})
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write, usually ending in .tlog-proof; default stdout")
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON, with the file as one member")
	return cmd
}

func writeReceipt(ctx context.Context, out io.Writer, c *api.Client, id, output string, asJSON bool) error {
	file, err := c.Receipt(ctx, id)
	if err != nil {
		return err
	}
	pins, err := c.Trust(ctx)
	if err != nil {
		return err
	}
	trust, err := verifier.ParseTrust(pins)
	if err != nil {
		return err
	}
	proof, checkpoint, err := verifier.CheckProof(file, trust)
	if err != nil {
		return fmt.Errorf("checking the receipt before handing it out: %w", err)
	}
	if !asJSON {
		return writeOut(out, output, file)
	}
	if output != "" {
		if err := writeOut(out, output, file); err != nil {
			return err
		}
	}
	return printJSON(out, struct {
		ID     string `json:"id"`
		Origin string `json:"origin"`
		Index  uint64 `json:"index"`
		Size   uint64 `json:"size"`
		Leaf   string `json:"leaf_hash"`
		Proof  string `json:"proof"`
	}{id, checkpoint.Origin, proof.Index, checkpoint.Size, events.LeafHash(proof.Leaf).String(), string(file)})
}
