package main

import (
	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
)

func consentCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "consent", Short: "Record what people agree or object to, and list it"}
	cmd.AddCommand(
		consentListCommand(),
		choiceCommand("give", "consents", "Record an opt-in"),
		choiceCommand("refuse", "objections", "Record an opt-out"),
		endConsentCommand("withdraw", "withdrawals", "Record that a consent is withdrawn"),
		endConsentCommand("expire", "expiries", "Record that a consent has expired"),
	)
	return cmd
}

func choiceCommand(verb, collection, short string) *cobra.Command {
	var f postFlags
	var body api.Consenting
	cmd := &cobra.Command{
		Use:   verb + " --subject NAMESPACE:LOCAL --purpose PURPOSE",
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body.Choice.At = instant(body.Choice.At)
			return f.post(cmd, "/v1/"+collection, body)
		},
	}
	f.register(cmd)
	registerChoice(cmd, &body.Choice)
	cmd.Flags().StringVar(&body.Subject.ID, "subject", "", "who chooses, `namespace:local`")
	cmd.Flags().StringVar(&body.Subject.Description, "description", "", "what was said, in words")
	cmd.Flags().StringArrayVar(&body.Scope.Purposes, "purpose", nil, "what the data may, or may not, be used for; repeat for several")
	cmd.Flags().StringArrayVar(&body.Scope.Categories, "shared", nil, "kind of data; left out: any")
	cmd.Flags().StringArrayVar(&body.Scope.Recipients, "recipient", nil, "recipient's id; left out: any")
	cmd.Flags().StringVar(&body.Scope.ProductArea, "area", "", "product area, such as account or health")
	cmd.Flags().StringVar(&body.Scope.Statement, "statement", "", "version of the privacy statement that was shown")
	cmd.Flags().StringVar(&body.Scope.Until, "until", "", "when it ends by itself")
	cmd.MarkFlagRequired("subject")
	cmd.MarkFlagRequired("purpose")
	return cmd
}

func endConsentCommand(verb, operation, short string) *cobra.Command {
	var f postFlags
	var choice events.Choice
	cmd := &cobra.Command{
		Use:   verb + " ID",
		Short: short + ", whose id recording it answered",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			choice.At = instant(choice.At)
			return f.post(cmd, recordPath("consents", args[0], operation), events.ConsentWithdrawn{Choice: choice})
		},
	}
	f.register(cmd)
	registerChoice(cmd, &choice)
	return cmd
}

func registerChoice(cmd *cobra.Command, c *events.Choice) {
	cmd.Flags().StringVar(&c.At, "at", "", "when, such as 2026-11-22T10:00:00Z, or a day; default now")
	cmd.Flags().StringVar(&c.Method, "method", "", "how: form, settings, written, oral, signal or other")
}
