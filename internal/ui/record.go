package ui

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
)

type recordPage struct {
	page
	Form       *recordForm
	Book       []api.BookEntry
	Reasons    []worded
	Others     []worded
	Data       []string
	Categories []string
	Roles      []string
}

// Label names a field in the list of what is wrong.
func (p *recordPage) Label(field string) string { return fieldLabels[field] }

var fieldLabels = map[string]string{
	"recipient": "Recipient", "recipient_name": "Legal name", "recipient_country": "Country", "recipient_category": "Kind of recipient",
	"recipient_contact": "Contact", "recipient_address": "Address", "recipient_role": "Acting as",
	"reasons": "Why", "date": "When", "time": "Time", "late_reason": "Why it is recorded late", "data": "What was shared", "sensitivity": "Special categories",
	"subjects": "Whom it concerns", "description": "Description", "statement": "Privacy statement", "purposes": "Purposes", "legal_bases": "Legal bases",
	"reference": "Your reference", "consent": "Consent", "legal_request": "Legal request",
	"evidence_sha256": "SHA-256", "evidence_size": "Size", "evidence_type": "Media type", "key": "This form", "form": "The share",
}

// newRecord shows an empty form, with a key of its own.
func (s *site) newRecord(v *visit) {
	s.showRecord(v, http.StatusOK, &recordForm{Values: url.Values{
		"key": {uuid.NewString()}, "statement": {v.lastStatement()},
	}})
}

func (s *site) showRecord(v *visit, status int, form *recordForm) {
	p := &recordPage{
		page: pageOf(v.session, "Record a share", "record"), Form: form, Reasons: statementReasons, Others: otherReasons,
		Data: usualData, Categories: events.Terms()["recipient.category"], Roles: events.Terms()["recipient.role"],
	}
	p.Failed = len(form.Wrong) > 0
	var err error
	if p.Book, err = book(v.r.Context(), v.v); err != nil {
		s.refuse(v, err)
		return
	}
	s.render(v.w, status, "record", p)
}

type previewPage struct {
	page
	Fields []pending // the form as it was typed
	Share  shownShare
	People []string
}

// record is the form's one address. Its buttons say what is wanted: to see the
// share as the person will, to change it, or to record it.
func (s *site) record(v *visit) {
	form := &recordForm{Values: v.r.PostForm}
	if form.Get("key") == "" {
		form.Values.Set("key", uuid.NewString())
	}
	step := form.Get("step")
	if step == "change" {
		s.showRecord(v, http.StatusOK, form)
		return
	}
	share, err := form.share(v.r.Context(), v.v)
	if err == nil && len(form.Wrong) == 0 {
		if step == "record" {
			err = s.recordNow(v, form, share)
		} else {
			err = s.preview(v, form, share)
		}
		if err == nil {
			return
		}
	}
	var problem *api.ProblemError
	if errors.As(err, &problem) && form.refused(&problem.Problem) {
		err = nil
	}
	if err != nil {
		s.refuse(v, err)
		return
	}
	s.showRecord(v, http.StatusUnprocessableEntity, form)
}

// preview has the share checked by every rule, and shows it.
func (s *site) preview(v *visit, form *recordForm, share api.Record) error {
	raw, err := json.Marshal(share)
	if err != nil {
		return err
	}
	results, err := v.v.Batch(v.r.Context(), []api.RawLine{{Key: form.Get("key"), Share: raw}}, "accepted", true)
	if err != nil {
		return err
	}
	if p := results[0].Problem; p != nil {
		return &api.ProblemError{Problem: *p}
	}
	if known := results[0].Position; known != nil {
		http.Redirect(v.w, v.r, "/recorded/"+known.ID.String(), http.StatusSeeOther)
		return nil
	}
	p := &previewPage{page: pageOf(v.session, "Check before recording", "record"), Share: showShare(&share.DisclosureRecorded, &share.Subjects[0].Private)}
	for _, one := range share.Subjects {
		p.People = append(p.People, one.ID)
	}
	for name, values := range form.Values {
		if name == "csrf" || name == "step" {
			continue
		}
		for _, value := range values {
			p.Fields = append(p.Fields, pending{name, value})
		}
	}
	slices.SortStableFunc(p.Fields, func(a, b pending) int { return strings.Compare(a.Name, b.Name) })
	s.render(v.w, http.StatusOK, "preview", p)
	return nil
}

// recordNow records the share. The key makes a form that comes twice one share,
// and the redirect makes a reload harmless.
func (s *site) recordNow(v *visit, form *recordForm, share api.Record) error {
	p, err := v.v.Record(v.r.Context(), form.Get("key"), "accepted", share)
	if err != nil {
		return err
	}
	v.keepStatement(share.Promise.Statement)
	http.Redirect(v.w, v.r, "/recorded/"+p.ID.String(), http.StatusSeeOther)
	return nil
}

type recordedPage struct {
	page
	Position api.Position
}

func (s *site) recorded(v *visit) {
	p, err := v.v.Disclosure(v.r.Context(), v.r.PathValue("id"))
	if err != nil {
		s.refuse(v, err)
		return
	}
	s.render(v.w, http.StatusOK, "recorded", &recordedPage{pageOf(v.session, "The share is recorded", "record"), p})
}

// receipt hands out the proof that a share is in the log, once it is published.
func (s *site) receipt(v *visit) {
	file, err := v.v.Receipt(v.r.Context(), v.r.PathValue("id"))
	if err != nil {
		s.refuse(v, err)
		return
	}
	download(v.w, "receipt-"+v.r.PathValue("id")+".tlog-proof", "text/plain; charset=utf-8", file)
}

func download(w http.ResponseWriter, name, contentType string, b []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Write(b) // a reader who has gone needs no file
}
