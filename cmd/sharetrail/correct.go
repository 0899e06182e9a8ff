package main

import (
	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

func amendCommand() *cobra.Command {
	var f postFlags
	var body api.Amendment
	var set []string
	cmd := &cobra.Command{
		Use:   "amend ID [-]",
		Short: "Correct or supplement a recorded share",
		Long: `Records an amendment: the share as it is now known to have been, with the reason.
The record itself stays, and so does its proof. What is different is given with
--set, or with "-" as a JSON merge patch (RFC 7396) on stdin; null takes a member
away. The recipient and the people of a share are not amended: retract it and
record it anew, or use reattribute.`,
		Example: `  sharetrail amend 6f1c... --reason "the phone number was not sent" --set 'data.categories=["email address"]'`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			switch {
			case len(args) == 2 && (args[1] != "-" || len(set) > 0):
				return &events.FieldError{Field: "changes", Rule: "come from --set or, with -, from stdin", Next: "give one of the two"}
			case len(args) == 2:
				body.Changes, err = readPatch(cmd.InOrStdin())
			default:
				body.Changes, err = patch(set)
			}
			if err != nil {
				return err
			}
			return f.post(cmd, recordPath("disclosures", args[0], "amendments"), body)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&body.Kind, "kind", "correct", "correct or supplement")
	cmd.Flags().StringVar(&body.Reason, "reason", "", "why, in words that say nothing of a person")
	cmd.MarkFlagRequired("reason")
	cmd.Flags().StringArrayVar(&set, "set", nil, "`MEMBER=VALUE` that is different, such as recipient.country=IE; repeat for several")
	return cmd
}

func retractCommand() *cobra.Command {
	var f postFlags
	var body api.Retraction
	var subjects []string
	cmd := &cobra.Command{
		Use:   "retract ID --ground GROUND",
		Short: "Withdraw a record",
		Long: `Records that a share is not to be relied on, for everybody or with --subject for
some. The record stays, and so does its proof; reports show it as retracted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, id := range subjects {
				body.Subjects = append(body.Subjects, decide.Subject{ID: id})
			}
			return f.post(cmd, recordPath("disclosures", args[0], "retractions"), body)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&body.Ground, "ground", "", "recorded_in_error, did_not_happen, duplicate or wrong_person")
	cmd.MarkFlagRequired("ground")
	cmd.Flags().StringVar(&body.Reason, "reason", "", "in words that say nothing of a person")
	cmd.Flags().StringArrayVar(&subjects, "subject", nil, "whom it is withdrawn for, `namespace:local`; left out: everybody")
	return cmd
}

func reattributeCommand() *cobra.Command {
	var f postFlags
	var body api.Reattribution
	cmd := &cobra.Command{
		Use:   "reattribute ID --from WRONG --to RIGHT",
		Short: "Move a record to the person it concerns",
		Long: `Retracts a share for somebody it never concerned, and records it afresh for the
person it does. Nothing that either of them sees leads to the other.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.post(cmd, recordPath("disclosures", args[0], "reattributions"), body)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&body.From, "from", "", "whom the share never concerned, `namespace:local`")
	cmd.Flags().StringVar(&body.To.ID, "to", "", "whom it concerns, `namespace:local`")
	cmd.Flags().StringVar(&body.To.Description, "description", "", "what was shared about them, in words")
	cmd.Flags().StringVar(&body.Reason, "reason", "", "in words that say nothing of a person")
	cmd.MarkFlagRequired("from")
	cmd.MarkFlagRequired("to")
	return cmd
}

func disputeCommand() *cobra.Command {
	var f postFlags
	var body api.DisputeRequest
	var subject decide.Subject
	cmd := &cobra.Command{
		Use:   "dispute ID --ground GROUND",
		Short: "Record that somebody contests a record, or how that ended",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body.At = instant(body.At)
			if subject.ID != "" {
				body.Subject = &subject
			}
			return f.post(cmd, recordPath("disclosures", args[0], "disputes"), body)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&body.By, "by", "subject", "who contests: subject or recipient")
	cmd.Flags().StringVar(&body.Ground, "ground", "", "not_me, did_not_happen, inaccurate, no_consent, not_permitted or other")
	cmd.MarkFlagRequired("ground")
	cmd.Flags().StringVar(&body.At, "at", "", "when, such as 2026-11-22T10:00:00Z, or a day; default now")
	cmd.Flags().StringVar(&subject.ID, "subject", "", "who contests, or about whom, `namespace:local`")
	cmd.Flags().StringVar(&subject.Description, "says", "", "what they say; it is told to them alone")
	cmd.AddCommand(resolveCommand())
	return cmd
}

func resolveCommand() *cobra.Command {
	var f postFlags
	var body events.Resolution
	cmd := &cobra.Command{
		Use:   "resolve ID --outcome OUTCOME --reason REASON",
		Short: "End a dispute, whose id recording it answered",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body.At = instant(body.At)
			return f.post(cmd, recordPath("disputes", args[0], "resolutions"), body)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&body.Outcome, "outcome", "", "upheld, upheld_in_part, rejected or withdrawn")
	cmd.Flags().StringVar(&body.Reason, "reason", "", "in words that say nothing of a person")
	cmd.Flags().StringVar(&body.At, "at", "", "when; default now")
	cmd.MarkFlagRequired("outcome")
	cmd.MarkFlagRequired("reason")
	return cmd
}

func acknowledgeCommand() *cobra.Command {
	var f postFlags
	var body events.Acknowledgement
	cmd := &cobra.Command{
		Use:   "acknowledge ID --outcome OUTCOME",
		Short: "Record what the recipient answers about a share",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body.At = instant(body.At)
			return f.post(cmd, recordPath("disclosures", args[0], "acknowledgements"), body)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&body.Outcome, "outcome", "received", "received, not_received, corrected, restricted or erased")
	cmd.Flags().StringVar(&body.At, "at", "", "when they answered; default now")
	cmd.Flags().StringVar(&body.Reference, "reference", "", "the recipient's own reference; nothing of a person")
	return cmd
}
