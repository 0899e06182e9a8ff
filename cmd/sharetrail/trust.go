package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/verifier"
)

func trustCommand() *cobra.Command {
	var f dataFlags
	var output string
	cmd := &cobra.Command{
		Use:   "trust [-o FILE]",
		Short: "Write the trust file, which readers of reports pin",
		Long: `Writes the ledger's public keys and first leaf, as JSON. Readers of reports must get
it by another way than the report; its fingerprint, which goes to stderr, is for
letters.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				file, err := c.Trust(ctx)
				if err != nil {
					return err
				}
				trust, err := verifier.ParseTrust(file)
				if err != nil {
					return err
				}
				fmt.Fprintln(os.Stderr, "fingerprint", trust.Fingerprint())
				return writeOut(cmd.OutOrStdout(), output, file)
			})
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write; default stdout")
	return cmd
}
