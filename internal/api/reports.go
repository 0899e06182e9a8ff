package api

import (
	"context"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// ReportRequest names whom a report is about.
type ReportRequest struct {
	Subject string `json:"subject" doc:"namespace:local, such as email:ada@example.com"`
}

type reportInput struct {
	Wait        string `query:"wait" enum:"none,published" default:"published" doc:"published: first wait until everything accepted so far is published"`
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

// WrittenReport answers that a report was written.
type WrittenReport struct {
	ID       string `json:"id" doc:"fetch it as /v1/reports/ID"`
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
	id, err := s.Ledger.ParseIdentity(body.Subject)
	if err != nil {
		return nil, s.problem(err)
	}
	if status := s.Ledger.Status(); in.Wait == "published" && status.Accepted > 0 {
		if _, err := s.Ledger.WaitPublished(ctx, status.Accepted-1); err != nil {
			return nil, s.problem(err)
		}
	}
	report, err := s.Reports.Write(ctx, verifier.Query{Role: events.RoleSubject, ID: id})
	if err != nil {
		return nil, s.problem(err)
	}
	name, err := s.Files.Put(report.File)
	if err != nil {
		return nil, s.problem(err)
	}
	return &writtenOutput{Location: "/v1/reports/" + name, Body: WrittenReport{
		ID: name, Entries: len(report.Verdict.Entries), Size: report.Verdict.Size, Sentence: report.Verdict.Sentence,
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
