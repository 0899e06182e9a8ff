package api

import (
	"context"
	"errors"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/verifier"
)

// ReportRequest names whom a report is about: a person, a recipient, or whoever
// runs the ledger. One of the three.
type ReportRequest struct {
	Subject    string `json:"subject,omitempty" doc:"a person, namespace:local, such as email:ada@example.com"`
	Recipient  string `json:"recipient,omitempty" doc:"a recipient: everything that it received, and what was recorded about it"`
	Controller bool   `json:"controller,omitempty" doc:"the controller's own register: the statements, taxonomies and profiles it published"`

	Names           []string      `json:"names,omitempty" maxItems:"20" doc:"further names of the same party, each of which the report then shows or proves absent"`
	Filter          *ReportFilter `json:"filter,omitempty" doc:"which entries are shown in full; the others stay proven, and open only what the filter read"`
	SinceCheckpoint string        `json:"since_checkpoint,omitempty" doc:"a signed checkpoint that somebody kept; the report proves that nothing of it was changed"`
	ForThirdParties bool          `json:"for_third_parties,omitempty" doc:"a copy to hand on: it shows what is in the log, and leaves out what would let its holder follow later entries"`
}

// ReportFilter is which entries a report shows in full. All conditions that are
// given hold; a list holds if one of its values does.
type ReportFilter struct {
	Since      string   `json:"since,omitempty" doc:"first day, YYYY-MM-DD, on which it may have happened"`
	Until      string   `json:"until,omitempty" doc:"last day, YYYY-MM-DD"`
	Recipients []string `json:"recipients,omitempty" maxItems:"100" doc:"who received it, namespace:local"`
	Kinds      []string `json:"kinds,omitempty" maxItems:"100" doc:"categories of recipients, such as law_enforcement"`
	Reasons    []string `json:"reasons,omitempty" maxItems:"100" doc:"reasons, such as consent"`
	Categories []string `json:"categories,omitempty" maxItems:"100" doc:"categories of data"`
	Types      []string `json:"types,omitempty" maxItems:"100" doc:"types of records, such as DisclosureRecorded"`
}

// filter is the filter as the report holds it.
func (f *ReportFilter) filter(l *ledger.Ledger) (*verifier.Filter, error) {
	if f == nil {
		return nil, nil
	}
	out := &verifier.Filter{
		Version: verifier.FilterVersion, Since: f.Since, Until: f.Until, Recipients: []string{},
		Kinds: f.Kinds, Reasons: f.Reasons, Categories: f.Categories, Types: f.Types,
	}
	for _, text := range f.Recipients {
		id, err := l.ParseIdentity(text)
		if err != nil {
			var field *events.FieldError
			if errors.As(err, &field) {
				return nil, &events.FieldError{Field: "filter.recipients", Rule: field.Rule, Next: field.Next}
			}
			return nil, err
		}
		out.Recipients = append(out.Recipients, id.String())
	}
	for _, list := range []*[]string{&out.Recipients, &out.Kinds, &out.Reasons, &out.Categories, &out.Types} {
		*list = slices.Compact(slices.Sorted(slices.Values(*list)))
	}
	if out.IsZero() {
		return nil, nil
	}
	for _, typ := range out.Types {
		if _, err := events.Decode(typ, nil); err != nil {
			return nil, &events.FieldError{Field: "filter.types", Rule: "names a type of record that there is not", Next: "use one such as DisclosureRecorded"}
		}
	}
	for field, list := range map[string][]string{"recipient.category": out.Kinds, "reasons": out.Reasons} {
		for _, v := range list {
			if !slices.Contains(events.Terms()[field], v) {
				name := map[string]string{"recipient.category": "filter.kinds", "reasons": "filter.reasons"}[field]
				return nil, &events.FieldError{Field: name, Rule: "has a value that is none of " + field, Next: "use one such as " + events.Terms()[field][0]}
			}
		}
	}
	if out.Valid() != nil {
		return nil, &events.FieldError{Field: "filter", Rule: "must have days as YYYY-MM-DD, since not after until, and up to 100 values in a list", Next: "correct it"}
	}
	return out, nil
}

// query is what a report has to prove.
func (r *ReportRequest) query(l *ledger.Ledger) (q verifier.Query, err error) {
	named := 0
	for _, given := range []bool{r.Subject != "", r.Recipient != "", r.Controller} {
		if given {
			named++
		}
	}
	if named != 1 {
		return q, &events.FieldError{Field: "body", Rule: "must name one of subject, recipient and controller", Next: "name whom the report is about"}
	}
	var id events.Identity
	switch {
	case r.Subject != "":
		q.Role = events.RoleSubject
		id, err = l.ParseIdentity(r.Subject)
	case r.Recipient != "":
		q.Role = events.RoleRecipient
		id, err = l.ParseIdentity(r.Recipient)
	default:
		q.Role = events.RoleController
		id, err = decide.Controller(l.IdentityRules(), l.Origin())
	}
	if err != nil {
		return q, err
	}
	q.IDs, q.Since, q.Copy = []events.Identity{id}, r.SinceCheckpoint, r.ForThirdParties
	for _, text := range r.Names {
		id, err := l.ParseIdentity(text)
		if err != nil || q.Role == events.RoleController {
			return q, &events.FieldError{Field: "names", Rule: "must be further names of the same person or recipient, namespace:local", Next: "correct it, or leave it out"}
		}
		q.IDs = append(q.IDs, id)
	}
	q.Filter, err = r.Filter.filter(l)
	return q, err
}

type reportInput struct {
	Wait        string `query:"wait" enum:"none,published" default:"published" doc:"published: first wait until everything accepted so far is published"`
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

// WrittenReport answers that a report was written.
type WrittenReport struct {
	ID       string   `json:"id" doc:"fetch it as /v1/reports/ID"`
	Role     string   `json:"role" enum:"subject,recipient,controller"`
	About    string   `json:"about" doc:"whom it is about, as the verifier wants it named"`
	Names    []string `json:"names,omitempty" doc:"further names that it was asked for by"`
	Filtered uint64   `json:"filtered,omitempty" doc:"entries that are proven and not shown"`
	Entries  int      `json:"entries"`
	Size     uint64   `json:"size" doc:"leaves under the report's checkpoint"`
	Sentence string   `json:"sentence" doc:"what its own check said"`
}

type writtenOutput struct {
	Location string `header:"Location" doc:"where the report is"`
	Body     WrittenReport
}

func (s *server) writeReport(ctx context.Context, in *reportInput) (*writtenOutput, error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	var body ReportRequest
	if p := s.shape(in.RawBody, s.subject, &body); p != nil {
		return nil, p
	}
	about, err := body.query(s.Ledger)
	if err != nil {
		return nil, s.problem(err)
	}
	if status := s.Ledger.Status(); in.Wait == "published" && status.Accepted > 0 {
		if _, err := s.Ledger.WaitPublished(ctx, status.Accepted-1); err != nil {
			return nil, s.problem(err)
		}
	}
	report, err := s.Reports.Write(ctx, about)
	if err != nil {
		return nil, s.problem(err)
	}
	name, err := s.Files.Put(ctx, about.Role, about.IDs, report.File)
	if err != nil {
		return nil, s.problem(err)
	}
	var names []string
	for _, id := range about.IDs[1:] {
		names = append(names, id.String())
	}
	return &writtenOutput{Location: "/v1/reports/" + name, Body: WrittenReport{
		ID: name, Role: about.Role.String(), About: about.IDs[0].String(), Names: names, Filtered: report.Verdict.Filtered, Entries: len(report.Verdict.Entries), Size: report.Verdict.Size, Sentence: report.Verdict.Sentence,
	}}, nil
}

type fileOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s *server) report(ctx context.Context, in *struct {
	ID string `path:"id" doc:"the id that writing the report answered"`
}) (*fileOutput, error) {
	b, err := s.Files.Get(ctx, in.ID)
	if err != nil {
		return nil, s.problem(err)
	}
	return &fileOutput{"application/octet-stream", b}, nil
}
