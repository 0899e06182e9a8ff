package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/verifier"
)

type reportFlags struct {
	dataFlags
	about          api.ReportRequest
	output         string
	verify, asJSON bool
}

func reportCommand() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report --id NAMESPACE:LOCAL [-o FILE]",
		Short: "Write the report about a person, a recipient or the controller",
		Long: `Writes everything the ledger holds about a person into one file that verifies
offline, once everything recorded so far is published. With --recipient it is the
register of a recipient, with --controller that of whoever runs the ledger: the
statements it published. The file goes to stdout,
or with -o into a file that only its owner can read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.asJSON && (f.output == "" || f.output == "-") {
				return errors.New("--json: the answer and the report cannot both go to stdout; name a file with -o")
			}
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				return writeReport(ctx, cmd.OutOrStdout(), c, &f)
			})
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().StringVar(&f.about.Subject, "id", "", "the person it is about, such as email:ada@example.com")
	cmd.Flags().StringVar(&f.about.Recipient, "recipient", "", "the recipient it is about, such as org:contoso-logistics")
	cmd.Flags().BoolVar(&f.about.Controller, "controller", false, "about the controller: what it published")
	cmd.MarkFlagsOneRequired("id", "recipient", "controller")
	cmd.MarkFlagsMutuallyExclusive("id", "recipient", "controller")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "`file` to write")
	cmd.Flags().BoolVar(&f.verify, "verify", false, "check the file as its reader will, against the ledger's own trust file, and say the verdict")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "answer in JSON; needs -o")
	return cmd
}

func writeReport(ctx context.Context, out io.Writer, c *api.Client, f *reportFlags) error {
	written, err := c.WriteReportAbout(ctx, f.about)
	if err != nil {
		return err
	}
	file, err := c.Report(ctx, written.ID)
	if err != nil {
		return err
	}
	if f.verify {
		if err := checkReport(ctx, c, file, written); err != nil {
			fmt.Fprintln(os.Stderr, "REFUTED:", err)
			return errNo
		}
	}
	if err := writeOut(out, f.output, file); err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(out, written)
	}
	fmt.Fprintf(os.Stderr, "entries: %d, under a checkpoint of %d leaves, %d bytes\n", written.Entries, written.Size, len(file))
	if f.verify {
		fmt.Fprintln(os.Stderr, written.Sentence)
	}
	return nil
}

// checkReport checks a report against the trust file the ledger hands out: it
// finds a broken report, not a dishonest ledger. Readers pin the file elsewhere.
func checkReport(ctx context.Context, c *api.Client, file []byte, written api.WrittenReport) error {
	pins, err := c.Trust(ctx)
	if err != nil {
		return err
	}
	trust, err := verifier.ParseTrust(pins)
	if err != nil {
		return err
	}
	role, _ := events.ParseRole(written.Role)
	_, err = verifier.CheckReport(file, role, written.About, trust)
	return err
}
