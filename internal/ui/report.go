package ui

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/verifier"
)

type askPage struct {
	page
	Typed string
	Wrong string
}

// askReport asks whom the report is about.
func (s *site) askReport(v *visit) {
	if !api.Allowed(v.actor.Role, "write-report") {
		_, err := v.v.WriteReport(v.r.Context(), "") // so that the refusal is the interface's own
		s.refuse(v, err)
		return
	}
	s.render(v.w, http.StatusOK, "ask", &askPage{page: pageOf(v.session, "Report about a person", "report")})
}

// writeReport has a report written. The page that shows it has an address of its
// own, which says nothing: whom it is about stays in the session.
func (s *site) writeReport(v *visit) {
	typed := v.r.PostFormValue("subject")
	written, err := v.v.WriteReport(v.r.Context(), person(typed))
	var problem *api.ProblemError
	if errors.As(err, &problem) && len(problem.Errors) > 0 {
		text := sentence(problem.Errors[0].Rule + "; " + problem.Errors[0].Next)
		if person(typed) == "" {
			text = "Say whom the report is about. Write an address such as ada@example.com."
		}
		p := &askPage{pageOf(v.session, "Report about a person", "report"), typed, text}
		p.Failed = true
		s.render(v.w, http.StatusUnprocessableEntity, "ask", p)
		return
	}
	if err != nil {
		s.refuse(v, err)
		return
	}
	v.keepReport(s.cookie(v.r, sessionCookie), written.ID, person(typed))
	http.Redirect(v.w, v.r, "/report/"+written.ID, http.StatusSeeOther)
}

type reportPage struct {
	page
	ID          string
	Verdict     *verifier.Verdict
	Refuted     string
	Holders     []holder
	Times       uint64 // that data was given, retracted records left out
	Retracted   int
	Entries     []shownEntry
	AsOf        string
	Fingerprint string
	Bytes       int
}

// report shows a written report, checked against the trust file that the ledger
// hands out.
func (s *site) report(v *visit) {
	id := v.r.PathValue("id")
	subject, known := v.subjectOf(s.cookie(v.r, sessionCookie), id)
	if !known {
		s.say(v.w, v.session, http.StatusNotFound, "Ask for this report again",
			"Whom a report is about is kept for as long as you are signed in, and nowhere else. Open “Report about a person” and write the name again.")
		return
	}
	file, err := v.v.Report(v.r.Context(), id)
	if err != nil {
		s.refuse(v, err)
		return
	}
	pins, err := v.v.Trust(v.r.Context())
	if err != nil {
		s.refuse(v, err)
		return
	}
	trust, err := verifier.ParseTrust(pins)
	if err != nil {
		s.refuse(v, fmt.Errorf("reading the trust file: %w", err))
		return
	}
	p := &reportPage{page: pageOf(v.session, "Report about a person", "report"), ID: id, Fingerprint: trust.Fingerprint(), Bytes: len(file)}
	verdict, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, subject), trust)
	if err != nil {
		p.Refuted, p.Failed = err.Error(), true
		s.render(v.w, http.StatusOK, "report", p)
		return
	}
	p.fill(verdict)
	s.render(v.w, http.StatusOK, "report", p)
}

func (p *reportPage) fill(v *verifier.Verdict) {
	all := tell(v.Entries)
	p.Verdict, p.AsOf, p.Holders = v, minute(v.StateTimeMS), holders(all)
	for _, one := range all {
		if one.retracted {
			p.Retracted++
		}
	}
	for _, h := range p.Holders {
		p.Times += h.Times
	}
	for _, e := range v.Entries {
		p.Entries = append(p.Entries, showEntry(e))
		if word := fates[e.Event.Type()]; word != "" && e.About != nil && *e.About < e.Number {
			about := &p.Entries[*e.About]
			about.Fates = append(about.Fates, fate{word, e.Number + 1})
		}
	}
}

// reportFile hands out the file, under a name that names nobody.
func (s *site) reportFile(v *visit) {
	file, err := v.v.Report(v.r.Context(), v.r.PathValue("id"))
	if err != nil {
		s.refuse(v, err)
		return
	}
	download(v.w, "report-"+v.r.PathValue("id")[:8]+".sharetrail", "application/octet-stream", file)
}
