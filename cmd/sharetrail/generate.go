package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/internal/rows"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

type generateFlags struct {
	shares, subjects int
	seed             uint64
	gvl              string
}

func generateCommand() *cobra.Command {
	var f generateFlags
	cmd := &cobra.Command{
		Use:   "generate --shares N",
		Short: "Write made-up shares as JSON Lines, the same ones for the same flags",
		Long: `Writes shares for trials and measurements to stdout, one JSON document a line, as
"import jsonl" reads them. Nothing in them is real but, with --gvl, the names of
the recipients.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return generate(cmd.OutOrStdout(), f) },
	}
	cmd.Flags().IntVar(&f.shares, "shares", 1000, "how many shares")
	cmd.Flags().IntVar(&f.subjects, "subjects", 100, "how many people")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "another seed gives other shares")
	cmd.Flags().StringVar(&f.gvl, "gvl", "", "take the recipients from an IAB Global Vendor List `file`")
	return cmd
}

func generate(out io.Writer, f generateFlags) error {
	if f.shares < 0 || f.subjects < 1 {
		return errors.New("generating shares: --shares must be 0 or more and --subjects 1 or more")
	}
	g, err := newGenerator(f)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 1<<16)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for range f.shares {
		if err := enc.Encode(g.share()); err != nil {
			return fmt.Errorf("writing shares: %w", err)
		}
	}
	return w.Flush()
}

// generator makes shares up. It depends on its flags alone.
type generator struct {
	rand       *rand.Rand
	subjects   int
	recipients []events.Recipient
}

func newGenerator(f generateFlags) (*generator, error) {
	g := &generator{rand: rand.New(rand.NewPCG(f.seed, 0x73686172)), subjects: f.subjects}
	countries := []string{"DE", "IE", "IN", "JP", "US", "BR", "FR", "NL"}
	if f.gvl == "" {
		categories := []string{"processor", "affiliate", "payment", "third_party", "advertising", "professional_adviser"}
		for i := range 40 {
			g.recipients = append(g.recipients, events.Recipient{
				ID: fmt.Sprintf("org:sample-%02d", i), LegalName: fmt.Sprintf("Sample Recipient %02d", i),
				Country: countries[i%len(countries)], Category: categories[i%len(categories)],
			})
		}
		return g, nil
	}
	file, err := os.Open(f.gvl)
	if err != nil {
		return nil, fmt.Errorf("reading the vendor list: %w", err)
	}
	defer file.Close()
	list, err := rows.GVL(file)
	if err != nil {
		return nil, err
	}
	for i, v := range list.Vendors {
		// The list does not say where a vendor is; the country is made up.
		r := events.Recipient{ID: v.RecipientID(), LegalName: v.Name, Country: countries[i%len(countries)], Category: "advertising"}
		if r.Validate() == nil {
			g.recipients = append(g.recipients, r)
		}
	}
	if len(g.recipients) == 0 {
		return nil, fmt.Errorf("reading the vendor list: %s names no vendor that can be a recipient", f.gvl)
	}
	return g, nil
}

// situationsOf are reasons with the kinds of data that go with them.
var situationsOf = []struct {
	reason events.Reason
	area   string
	data   []string
}{
	{events.VendorOnBehalf, "productivity_communications", []string{"name", "email address"}},
	{events.CompleteTransaction, "entertainment", []string{"billing address", "card token"}},
	{events.ProvideProduct, "operating_system", []string{"device model", "error report"}},
	{events.AffiliateOrSubsidiary, "account", []string{"name", "email address", "language"}},
	{events.Consent, "health", []string{"step count"}},
	{events.ProductSecurity, "search_ai", []string{"ip address"}},
}

func (g *generator) share() api.Record {
	kind := situationsOf[g.rand.IntN(len(situationsOf))]
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, g.rand.IntN(365))
	s := api.Record{DisclosureRecorded: events.DisclosureRecorded{
		Occurred:  events.Occurred{At: day.Add(time.Duration(g.rand.IntN(86400)) * time.Second).Format(time.RFC3339)},
		Reasons:   []events.Reason{kind.reason},
		Recipient: g.recipients[g.rand.IntN(len(g.recipients))],
		Data:      events.SharedData{Categories: kind.data},
		Context:   events.Context{ProductArea: kind.area, Account: "personal"},
		Promise:   events.Promise{Statement: "privacy-statement/2017-01"}, Provenance: events.Provenance{Grade: "system_log"},
	}}
	people := 1
	if g.rand.IntN(20) == 0 {
		people = 1 + g.rand.IntN(min(5, g.subjects))
	}
	for _, p := range g.some(people) {
		s.Subjects = append(s.Subjects, decide.Subject{
			ID:      fmt.Sprintf("email:person-%06d@example.com", p),
			Private: events.Private{Reference: fmt.Sprintf("ref-%08x", g.rand.Uint32())},
		})
	}
	return s
}

// some draws different people.
func (g *generator) some(n int) []int {
	drawn := map[int]bool{}
	var out []int
	for len(out) < n {
		if p := g.rand.IntN(g.subjects); !drawn[p] {
			drawn[p] = true
			out = append(out, p)
		}
	}
	return out
}
