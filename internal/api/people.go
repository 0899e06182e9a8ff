package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// Bounds of a share with many people.
const (
	maxPeopleBytes = 256 << 20
	maxPeopleTime  = 10 * time.Minute // to send them
)

// peopleInput takes its body off the wire line by line: what is kept is the people,
// and not the text they came in.
type peopleInput struct {
	Key         string `header:"Idempotency-Key" required:"true" doc:"chosen by you, once for each share; 1 to 255 bytes"`
	ContentType string `header:"Content-Type" hidden:"true"`
	Wait        string `query:"wait" enum:"accepted,published" doc:"what to wait for" default:"accepted"`

	body io.Reader
}

// Resolve implements huma.Resolver.
func (in *peopleInput) Resolve(ctx huma.Context) []error {
	in.body = ctx.BodyReader()
	if err := ctx.SetReadDeadline(time.Now().Add(maxPeopleTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return []error{err}
	}
	return nil
}

func (s *server) registerPeople(api huma.API) {
	people := huma.Operation{
		OperationID: "record-people", Method: http.MethodPost, Path: "/v1/disclosures:people", Tags: []string{"shares"},
		Summary: "Record a share with many people", DefaultStatus: http.StatusCreated,
		Description: fmt.Sprintf("JSON Lines: the share without its subjects on the first line, and a line {\"id\": ...} for each of them, up to %d. ", decide.MaxSubjects) +
			"Those who do not fit into one event are recorded in continuations of it, a few at a time, while others record too. " +
			"The answer comes when all are. If it does not come, repeat the request with the same key and content: it goes on where it was.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}},
		Errors:      []int{400, 408, 409, 413, 415, 422, 500, 503, 507},
	}
	huma.Register(api, people, s.recordPeople)
	s.alone = takes[events.DisclosureRecorded](api, api.OpenAPI().Paths[people.Path].Post, "application/jsonl", "application/x-ndjson")
	s.person = takes[decide.Subject](api, &huma.Operation{RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{}}}, "application/json")
}

func (s *server) recordPeople(ctx context.Context, in *peopleInput) (*positionOutput, error) {
	if p := mediaType(in.ContentType, "application/jsonl", "application/x-ndjson"); p != nil {
		return nil, p
	}
	cmd, p := s.readPeople(in.body)
	if p != nil {
		return nil, p
	}
	accepted, err := s.Ledger.Record(ctx, command(ctx, in.Key, cmd))
	if err != nil {
		return nil, s.problem(err)
	}
	return s.recorded(ctx, accepted, in.Wait)
}

// readPeople reads a share and its people. What is wrong is named with its line.
func (s *server) readPeople(body io.Reader) (*decide.RecordDisclosure, *Problem) {
	limited := &io.LimitedReader{R: body, N: maxPeopleBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 64<<10), maxRowBytes)
	cmd := new(decide.RecordDisclosure)
	n := 0
	for lines.Scan() {
		n++
		if len(cmd.Subjects) == decide.MaxSubjects {
			return nil, newProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("a share has at most %d people; add the others to it afterwards", decide.MaxSubjects))
		}
		var p *Problem
		if n == 1 {
			p = s.shape(lines.Bytes(), s.alone, &cmd.Disclosure)
		} else {
			var subject decide.Subject
			p = s.shape(lines.Bytes(), s.person, &subject)
			cmd.Subjects = append(cmd.Subjects, subject)
		}
		if p != nil {
			return nil, inLine(n, p)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, newProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("line %d has more than %d bytes; shorten it", n+1, maxRowBytes))
	case limited.N == 0:
		return nil, newProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("a share and its people have at most %d bytes; shorten what is said of each, or add some of them afterwards", maxPeopleBytes))
	case err != nil:
		return nil, newProblem(http.StatusRequestTimeout, "the people did not arrive whole; send them again, with the same key")
	case n == 0:
		return nil, newProblem(http.StatusBadRequest, "", FieldProblem{"body", "is empty", "send the share on the first line, and its people on the following ones"})
	}
	return cmd, nil
}

// inLine says in which line of a body a document is wrong.
func inLine(n int, p *Problem) *Problem {
	for i := range p.Errors {
		p.Errors[i].Field = fmt.Sprintf("line %d: %s", n, p.Errors[i].Field)
	}
	return newProblem(p.Status, "", p.Errors...)
}
