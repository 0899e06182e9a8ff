package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

type recordFlags struct {
	dataFlags
	key, wait string
	asJSON    bool
	people    string // a file

	share    events.DisclosureRecorded
	reasons  []string
	subjects []string
	private  events.Private
	transfer string
}

func recordCommand() *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use:   "record [-]",
		Short: "Record a share of personal data",
		Long: `Records one share: who received which data about whom, when and why. The common
fields have flags; with "-" the whole share is read as JSON from stdin instead.

Many people come in a file (--subjects-file): one a line, as namespace:local or as
JSON with what is said of each ({"id": ..., "description": ...}). Those who do not
fit into one event are recorded in continuations of it; if that is interrupted, the
same command with the same --key goes on where it was.

The answer names the share's id, its leaf, and the key. Repeating a command with
the same --key and content stores nothing and answers the same, so that a command
whose outcome is unknown can be repeated.`,
		Example: `  sharetrail record --subject email:ada@example.com --recipient org:tailspin-support \
    --recipient-name "Tailspin Support" --country IN --category processor \
    --reason vendor_on_behalf --shared "email address" --statement privacy-statement/2017-01`,
		Args: cobra.MatchAll(cobra.MaximumNArgs(1), func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] != "-" {
				return fmt.Errorf("unknown argument %q; give flags, or - to read JSON from stdin", args[0])
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, len(args) == 1) },
	}
	f.registerWaiting(cmd)
	f.registerShare(cmd)
	cmd.Flags().StringVar(&f.key, "key", "", "idempotency key, one for each share; made up if left out")
	cmd.Flags().StringVar(&f.people, "subjects-file", "", "`FILE` with whom the share concerns, one a line; - reads stdin")
	cmd.Flags().StringVar(&f.wait, "wait", "accepted", "what to wait for: accepted or published")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
	return cmd
}

func (f *recordFlags) registerShare(cmd *cobra.Command) {
	s, flags := &f.share, cmd.Flags()
	flags.StringArrayVar(&f.subjects, "subject", nil, "whom the share concerns, `namespace:local`; repeat for several")
	flags.StringVar(&f.private.Description, "description", "", "what was shared about them, in words")
	flags.StringVar(&f.private.Reference, "reference", "", "your own reference, such as a case number")
	flags.StringVar(&f.private.Consent, "consent", "", "the consent the share rests on")
	flags.StringVar(&f.private.LegalRequest, "legal-request", "", "the order or request the share answers")
	flags.StringVar(&s.Recipient.ID, "recipient", "", "who received the data, `org:local`; the address book fills in what it knows")
	flags.StringVar(&s.Recipient.LegalName, "recipient-name", "", "the recipient's legal name")
	flags.StringVar(&s.Recipient.Address, "recipient-address", "", "the recipient's address")
	flags.StringVar(&s.Recipient.Contact, "recipient-contact", "", "how to reach the recipient")
	flags.StringVar(&s.Recipient.Country, "country", "", "the recipient's country, ISO 3166-1 alpha-2")
	flags.StringVar(&s.Recipient.Category, "category", "", "the recipient's category, such as processor or court")
	flags.StringVar(&s.Recipient.Role, "role", "", "controller, joint_controller or processor")
	flags.StringArrayVar(&f.reasons, "reason", nil, "why, such as vendor_on_behalf; repeat for several")
	flags.StringArrayVar(&s.Purposes, "purpose", nil, "what the data may be used for; repeat for several")
	flags.StringArrayVar(&s.LegalBases, "legal-basis", nil, "such as \"GDPR 6(1)(b)\"; repeat for several")
	flags.StringArrayVar(&s.Data.Categories, "shared", nil, "kind of data, such as \"email address\"; repeat for several")
	flags.StringArrayVar(&s.Data.Sensitivity, "sensitivity", nil, "special category of the data; repeat for several")
	flags.StringVar(&s.Data.Kind, "kind", "", "content or metadata")
	flags.StringVar(&s.Occurred.At, "at", "", "when, such as 2026-11-22T10:00:00Z, or a day; default now")
	flags.StringVar(&s.Occurred.LateReason, "late-reason", "", "why it is recorded late")
	flags.StringVar(&s.Promise.Statement, "statement", "", "version of the privacy statement in force")
	flags.StringVar(&s.Promise.Instrument, "instrument", "", "governing contract or order")
	flags.StringVar(&s.Context.ProductArea, "area", "", "product area, such as account or health")
	flags.StringVar(&s.Context.Account, "account", "", "personal, org_administered or both")
	flags.StringVar(&f.transfer, "transfer", "", "`FROM:TO:MECHANISM` of a transfer to another country, such as IE:IN:scc_2021_m2")
	flags.StringVar(&s.Provenance.Grade, "grade", "native", "native, system_log, attested_legacy or reconstructed")
}

func (f *recordFlags) run(cmd *cobra.Command, fromStdin bool) error {
	if f.key == "" {
		f.key = uuid.NewString()
	}
	if f.people == "-" && fromStdin || f.people != "" && len(f.subjects) > 0 {
		return &events.FieldError{Field: "--subjects-file", Rule: "cannot stand beside --subject, nor share stdin with the share", Next: "name all of the people in the file"}
	}
	var raw json.RawMessage
	if fromStdin {
		b, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 1<<20))
		if err != nil {
			return fmt.Errorf("reading the share: %w", err)
		}
		if err := api.CheckJSON(b); err != nil {
			return err
		}
		raw = b
	} else if err := f.fill(time.Now()); err != nil {
		return err
	}
	return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
		if raw == nil {
			var err error
			if raw, err = f.encode(ctx, c); err != nil {
				return err
			}
		}
		record := func() (api.Position, error) { return c.RecordJSON(ctx, f.key, f.wait, raw) }
		if f.people != "" {
			record = func() (api.Position, error) { return f.recordPeople(ctx, c, cmd.InOrStdin(), raw) }
		}
		p, err := record()
		if err != nil {
			return err
		}
		return showPosition(cmd.OutOrStdout(), p, f.key, f.asJSON)
	})
}

// fill makes a share of the flags.
func (f *recordFlags) fill(now time.Time) error {
	s := &f.share
	for _, r := range f.reasons {
		s.Reasons = append(s.Reasons, events.Reason(r))
	}
	switch {
	case s.Occurred.At == "":
		s.Occurred.At = now.UTC().Format(time.RFC3339)
	case len(s.Occurred.At) == len(time.DateOnly):
		s.Occurred.At, s.Occurred.Precision = s.Occurred.At+"T00:00:00Z", "day"
	}
	if f.transfer != "" {
		parts := strings.Split(f.transfer, ":")
		if len(parts) != 3 {
			return &events.FieldError{Field: "--transfer", Rule: "must be FROM:TO:MECHANISM", Next: "write it like IE:IN:scc_2021_m2"}
		}
		s.Transfer = &events.Transfer{From: parts[0], To: parts[1], Mechanism: parts[2]}
	}
	return nil
}

// encode looks the recipient up where the flags leave something out.
func (f *recordFlags) encode(ctx context.Context, c *api.Client) (json.RawMessage, error) {
	r := &f.share.Recipient
	if r.ID != "" && (r.LegalName == "" || r.Country == "" || r.Category == "") {
		known, err := c.Recipient(ctx, r.ID)
		var problem *api.ProblemError
		if errors.As(err, &problem) && problem.Status == 404 {
			err = nil
		}
		if err != nil {
			return nil, err
		}
		for _, f := range []struct{ to, from *string }{
			{&r.LegalName, &known.LegalName}, {&r.Address, &known.Address}, {&r.Contact, &known.Contact},
			{&r.Country, &known.Country}, {&r.Category, &known.Category},
		} {
			if *f.to == "" {
				*f.to = *f.from
			}
		}
	}
	record := api.Record{DisclosureRecorded: f.share, Subjects: []decide.Subject{}}
	for _, id := range f.subjects {
		record.Subjects = append(record.Subjects, decide.Subject{ID: id, Private: f.private})
	}
	return json.Marshal(record)
}
