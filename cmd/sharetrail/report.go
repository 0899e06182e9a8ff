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
	filter         api.ReportFilter
	ids            []string
	previous       string
	output         string
	verify, asJSON bool

	register     api.RegisterRequest
	keeper       keeper
	supplementTo string
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
or with -o into a file that only its owner can read.

With --since, --until, --to and the like only some entries are shown in full. The
others stay in the file, proven and closed: it then proves, for one, that nothing
was disclosed to somebody since a day.

A report lets its holder find this person's later entries in the ledger. For others
than the person there is --for-third-parties: it shows what is in the log, and
leaves out what would lead further.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.asJSON && (f.output == "" || f.output == "-") {
				return errors.New("--json: the answer and the report cannot both go to stdout; name a file with -o")
			}
			if err := f.ask(); err != nil {
				return err
			}
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				if f.register.Authority != "" {
					return writeRegister(ctx, cmd.OutOrStdout(), c, &f)
				}
				return writeReport(ctx, cmd.OutOrStdout(), c, &f)
			})
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().StringArrayVar(&f.ids, "id", nil, "the person it is about, such as email:ada@example.com; again for each further name of theirs")
	cmd.Flags().StringVar(&f.about.Recipient, "recipient", "", "the recipient it is about, such as org:contoso-logistics")
	cmd.Flags().BoolVar(&f.about.Controller, "controller", false, "about the controller: what it published")
	cmd.Flags().StringVar(&f.register.Authority, "authority", "", "the authority whose register of sealed records it is; for keyholders, with their token")
	cmd.Flags().BoolVar(&f.register.Closed, "closed", false, "of --authority, for a regulator: every step proven, none opened")
	cmd.Flags().StringVar(&f.keeper.tokenFile, "token-file", "", "`file` with the token of a keyholder, for --authority; default: the variable SHARETRAIL_TOKEN")
	cmd.MarkFlagsOneRequired("id", "recipient", "controller", "authority")
	cmd.MarkFlagsMutuallyExclusive("id", "recipient", "controller", "authority")
	cmd.Flags().StringVar(&f.filter.Since, "since", "", "show what may have happened on this `day` or later, YYYY-MM-DD")
	cmd.Flags().StringVar(&f.filter.Until, "until", "", "show what may have happened on this `day` or before")
	cmd.Flags().StringArrayVar(&f.filter.Recipients, "to", nil, "show what this `recipient` received; may be repeated, as those below")
	cmd.Flags().StringArrayVar(&f.filter.Kinds, "to-kind", nil, "show what recipients of this `category` received, such as law_enforcement")
	cmd.Flags().StringArrayVar(&f.filter.Reasons, "reason", nil, "show what was shared for this `reason`, such as consent")
	cmd.Flags().StringArrayVar(&f.filter.Categories, "category", nil, "show what was shared of this `category` of data")
	cmd.Flags().StringArrayVar(&f.filter.Types, "type", nil, "show records of this `type`, such as ConsentGiven")
	cmd.Flags().StringVar(&f.previous, "since-checkpoint", "", "`file` with a checkpoint or report that was kept: prove that nothing of it was changed")
	cmd.Flags().StringVar(&f.supplementTo, "supplement-to", "", "`file` of a report that was handed out: say what came to light since, and prove that nothing of it was changed")
	cmd.Flags().BoolVar(&f.about.ForThirdParties, "for-third-parties", false, "a copy to hand on: inclusion only, with nothing that leads to other entries")
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "`file` to write")
	cmd.Flags().BoolVar(&f.verify, "verify", false, "check the file as its reader will, against the ledger's own trust file, and say the verdict")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "answer in JSON; needs -o")
	return cmd
}

// ask makes the request of the flags.
func (f *reportFlags) ask() error {
	if len(f.ids) > 0 {
		f.about.Subject, f.about.Names = f.ids[0], f.ids[1:]
	}
	f.about.Filter = &f.filter
	if f.supplementTo != "" && f.previous == "" {
		f.previous = f.supplementTo
	}
	if f.previous == "" {
		return nil
	}
	kept, err := os.ReadFile(f.previous)
	if err == nil {
		f.about.SinceCheckpoint, err = verifier.CheckpointIn(kept)
	}
	if err != nil {
		return fmt.Errorf("--since-checkpoint: %w; name a report or a checkpoint of this ledger that was kept", err)
	}
	return nil
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
	if f.supplementTo != "" {
		if err := f.supplement(ctx, os.Stderr, c, file, written); err != nil {
			return err
		}
	}
	if f.asJSON {
		return printJSON(out, written)
	}
	filtered := ""
	if written.Filtered > 0 {
		filtered = fmt.Sprintf(" (%d more proven and not shown)", written.Filtered)
	}
	fmt.Fprintf(os.Stderr, "entries: %d%s, under a checkpoint of %d leaves, %d bytes\n", written.Entries, filtered, written.Size, len(file))
	if f.about.Subject != "" && !f.about.ForThirdParties {
		fmt.Fprintln(os.Stderr, "for the person alone: its holder can find their later entries. For others use --for-third-parties; if this file reached others, rotate the person's handle.")
	}
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
	_, err = verifier.CheckReport(file, verifier.About(role, append([]string{written.About}, written.Names...)...), trust)
	return err
}
