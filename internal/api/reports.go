package api

import (
	"context"

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
	switch {
	case r.Subject != "":
		q.Role = events.RoleSubject
		q.ID, err = l.ParseIdentity(r.Subject)
	case r.Recipient != "":
		q.Role = events.RoleRecipient
		q.ID, err = l.ParseIdentity(r.Recipient)
	default:
		q.Role = events.RoleController
		q.ID, err = decide.Controller(l.IdentityRules(), l.Origin())
	}
	return q, err
}

type reportInput struct {
	Wait        string `query:"wait" enum:"none,published" default:"published" doc:"published: first wait until everything accepted so far is published"`
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

// WrittenReport answers that a report was written.
type WrittenReport struct {
	ID       string `json:"id" doc:"fetch it as /v1/reports/ID"`
	Role     string `json:"role" enum:"subject,recipient,controller"`
	About    string `json:"about" doc:"whom it is about, as the verifier wants it named"`
	Entries  int    `json:"entries"`
	Size     uint64 `json:"size" doc:"leaves under the report's checkpoint"`
	Sentence string `json:"sentence" doc:"what its own check said"`
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
	name, err := s.Files.Put(report.File)
	if err != nil {
		return nil, s.problem(err)
	}
	return &writtenOutput{Location: "/v1/reports/" + name, Body: WrittenReport{
		ID: name, Role: about.Role.String(), About: about.ID.String(), Entries: len(report.Verdict.Entries), Size: report.Verdict.Size, Sentence: report.Verdict.Sentence,
	}}, nil
}

type fileOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s *server) report(_ context.Context, in *struct {
	ID string `path:"id" doc:"the id that writing the report answered"`
}) (*fileOutput, error) {
	b, err := s.Files.Get(in.ID)
	if err != nil {
		return nil, s.problem(err)
	}
	return &fileOutput{"application/octet-stream", b}, nil
}
