package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

func sealCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "seal",
		Short: "Record what the law forbids to tell yet, and bring it to light",
		Long: `A record under seal stands in the log at once, as a leaf like any other, and in
nobody's sequence: neither whom it concerns nor anybody else without the role can
tell that it is there. docs/seals.md says more.

Each of these verbs needs the token of an actor with the role keyholder, on the
data directory's own socket too: in the file --token-file names, or in the
variable SHARETRAIL_TOKEN.`,
	}
	cmd.AddCommand(sealRecordCommand(), sealSupplementCommand(), sealExtendCommand(), sealReviewCommand(), sealLiftCommand(),
		sealListCommand("list", "List seals", ""), sealListCommand("ripe", "List the seals whose period is over", "ripe"))
	return cmd
}

// keeper are the flags of those who keep seals.
type keeper struct {
	postFlags
	tokenFile string
}

func (f *keeper) register(cmd *cobra.Command) {
	f.postFlags.register(cmd)
	f.registerToken(cmd)
}

func (f *keeper) registerToken(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "`file` with the token of a keyholder; default: the variable SHARETRAIL_TOKEN")
}

// as gives the client the keeper's token.
func (f *keeper) as(c *api.Client) (*api.Client, error) {
	token := os.Getenv("SHARETRAIL_TOKEN")
	if f.tokenFile != "" {
		b, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("reading the token: %w", err)
		}
		token = string(b)
	}
	if token = strings.TrimSpace(token); token == "" {
		return nil, errors.New("this needs a keyholder's token: name its file with --token-file, or set SHARETRAIL_TOKEN. An admin makes one with: sharetrail actor add NAME --role keyholder")
	}
	return c.As(token), nil
}

// withKeeper speaks /v1 as the keeper.
func (f *keeper) withKeeper(cmd *cobra.Command, do func(context.Context, *api.Client) error) error {
	return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
		c, err := f.as(c)
		if err != nil {
			return err
		}
		return do(ctx, c)
	})
}

func (f *keeper) post(cmd *cobra.Command, path string, body any) error {
	if f.key == "" {
		f.key = uuid.NewString()
	}
	return f.withKeeper(cmd, func(ctx context.Context, c *api.Client) error {
		p, err := c.Post(ctx, path, f.key, f.wait, body)
		if err != nil {
			return err
		}
		return showPosition(cmd.OutOrStdout(), p, f.key, f.asJSON)
	})
}

// orderFlags are what obliges to seal, and for how long.
type orderFlags struct {
	order  events.SealOrder
	period events.SealPeriod
}

func (f *orderFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.order.Authority, "authority", "", "under whose order, `namespace:local`, one of those the ledger was made with")
	flags.StringVar(&f.order.Basis, "basis", "", "on what it rests, such as us_2705b, hipaa_written, hipaa_oral or court_protective_order")
	flags.StringVar(&f.order.Form, "form", "written", "written or oral")
	flags.StringVar(&f.order.Reference, "order", "", "reference of the order; of an oral statement who made it and how they were identified")
	flags.StringVar(&f.order.Issued, "issued", "", "when it was made: a time or a day")
	flags.StringVar(&f.period.Until, "until", "", "when the seal is ripe: a time or a day; left out: indefinite, with --review")
	flags.StringVar(&f.period.Review, "review", "", "when it is to be reviewed: a time or a day")
}

func (f *orderFlags) fill() {
	for _, at := range []*string{&f.order.Issued, &f.period.Until, &f.period.Review} {
		if *at != "" {
			*at = instant(*at)
		}
	}
}

func sealRecordCommand() *cobra.Command {
	var f keeper
	var o orderFlags
	var typ string
	cmd := &cobra.Command{
		Use:   "record - --authority ID --basis BASIS --order REFERENCE --issued DAY",
		Short: "Record a share, or another event, under seal",
		Long: `Reads the record as JSON from stdin, as "sharetrail record -" would take it: the
groups of its type as members, and subjects, whom it concerns.`,
		Example: `  sharetrail seal record - --authority org:court.example --basis us_2705b \
    --order 26-mc-117 --issued 2026-01-20 --until 2027-01-20 < share.json`,
		Args: exactDash,
		RunE: func(cmd *cobra.Command, _ []string) error {
			record, subjects, err := readSealed(cmd.InOrStdin())
			if err != nil {
				return err
			}
			o.fill()
			return f.post(cmd, "/v1/seals", api.SealRequest{Order: o.order, Period: o.period, Type: typ, Record: record, Subjects: subjects})
		},
	}
	f.register(cmd)
	o.register(cmd)
	cmd.Flags().StringVar(&typ, "type", events.TypeDisclosureRecorded, "type of the record")
	return cmd
}

func exactDash(_ *cobra.Command, args []string) error {
	if len(args) == 0 || args[len(args)-1] != "-" {
		return errors.New("give - as the last argument: the record is read as JSON from stdin")
	}
	return nil
}

// readSealed reads a record and whom it concerns.
func readSealed(in io.Reader) (record map[string]any, subjects []decide.Subject, err error) {
	b, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the record: %w", err)
	}
	if err := api.CheckJSON(b); err != nil {
		return nil, nil, err
	}
	var who struct {
		Subjects []decide.Subject `json:"subjects"`
	}
	if json.Unmarshal(b, &record) != nil || record == nil || json.Unmarshal(b, &who) != nil {
		return nil, nil, &events.FieldError{Field: "record", Rule: "must be a JSON object", Next: "send the groups of its type as members, and subjects"}
	}
	delete(record, "subjects")
	return record, who.Subjects, nil
}

func sealSupplementCommand() *cobra.Command {
	var f keeper
	var body api.SupplementRequest
	cmd := &cobra.Command{
		Use:   "supplement ID -",
		Short: "Record more under a seal: what became of the record, or another one",
		Args:  cobra.MatchAll(cobra.ExactArgs(2), exactDash),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if body.Record, body.Subjects, err = readSealed(cmd.InOrStdin()); err != nil {
				return err
			}
			return f.post(cmd, recordPath("seals", args[0], "supplements"), body)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&body.Type, "type", "", "type of the record, such as DisclosureAcknowledged")
	cmd.MarkFlagRequired("type")
	cmd.Flags().StringVar(&body.Reason, "reason", "", "why")
	return cmd
}

func sealExtendCommand() *cobra.Command {
	var f keeper
	var o orderFlags
	var reason string
	cmd := &cobra.Command{
		Use: "extend ID --basis BASIS --order REFERENCE --issued DAY", Short: "Record that the order was renewed", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.fill()
			return f.post(cmd, recordPath("seals", args[0], "extensions"), map[string]any{"order": o.order, "period": o.period, "reason": reason})
		},
	}
	f.register(cmd)
	o.register(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	return cmd
}

func sealReviewCommand() *cobra.Command {
	var f keeper
	var body api.SealReview
	cmd := &cobra.Command{
		Use: "review ID --reason TEXT", Short: "Record that somebody looked whether a seal is still needed", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if body.Next != "" {
				body.Next = instant(body.Next)
			}
			return f.post(cmd, recordPath("seals", args[0], "reviews"), body)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&body.Reason, "reason", "", "what was found")
	cmd.MarkFlagRequired("reason")
	cmd.Flags().StringVar(&body.Next, "next", "", "when it is to be reviewed again: a time or a day")
	return cmd
}

func sealLiftCommand() *cobra.Command {
	var f keeper
	var reason string
	var confirm bool
	cmd := &cobra.Command{
		Use:   "lift ID --reason TEXT | --confirm",
		Short: "Propose to lift a seal, or as the second person confirm it",
		Long: `Lifting a seal takes two actors: one proposes it with --reason, another confirms
with --confirm. Then the record, and what was recorded under the same seal since,
stands in the sequences of those it concerns, and says when it was sealed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if confirm {
				return f.post(cmd, recordPath("seals", args[0], "liftings"), api.Lifting{Reason: reason})
			}
			return f.post(cmd, recordPath("seals", args[0], "proposals"), api.LiftingProposal{Reason: reason})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why it is not needed any more")
	cmd.Flags().BoolVar(&confirm, "confirm", false, "confirm what another actor proposed")
	cmd.MarkFlagsOneRequired("reason", "confirm")
	return cmd
}

func sealListCommand(name, short, state string) *cobra.Command {
	var f keeper
	cmd := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withKeeper(cmd, func(ctx context.Context, c *api.Client) error {
				list, err := c.Seals(ctx, state)
				if err != nil {
					return err
				}
				if f.asJSON {
					return printJSON(cmd.OutOrStdout(), list)
				}
				return showSeals(cmd.OutOrStdout(), list)
			})
		},
	}
	f.registerWaiting(cmd)
	f.registerToken(cmd)
	if state == "" {
		cmd.Flags().StringVar(&state, "state", "", "only those in one state: active, review, ripe, proposed, lifted or lapsed")
	}
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
	return cmd
}

func showSeals(out io.Writer, list api.SealList) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range list.Seals {
		until := "indefinite"
		if s.Period.Until != "" {
			until = "until " + s.Period.Until
		}
		if s.Period.Review != "" {
			until += ", review " + s.Period.Review
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s %s\t%s\n", s.ID, s.State, s.Authority, s.Order.Basis, s.Order.Reference, until)
	}
	return w.Flush()
}
