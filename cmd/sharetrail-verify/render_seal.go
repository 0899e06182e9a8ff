package main

import (
	"fmt"
	"io"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// renderUnsealed prints a share that was under seal until now.
func renderUnsealed(w io.Writer, e verifier.ShownEntry, u *events.Unsealed) {
	inner, err := u.Record.Event()
	if err != nil {
		head(w, e, "UNSEALED: the law delayed notice of this until now")
		renderSince(w, e.Sealed)
		renderUnsealing(w, u.Unsealing)
		line(w, "type", u.Record.Type)
		return
	}
	told := e
	told.Event = inner
	renderEntry(w, told)
	line(w, "UNSEALED", "the law delayed notice of this until now")
	renderSince(w, e.Sealed)
	renderUnsealing(w, u.Unsealing)
}

// renderSince prints where and when a record was recorded that was under seal since.
func renderSince(w io.Writer, s *verifier.ShownSeal) {
	if s != nil {
		line(w, "under seal", fmt.Sprintf("since %s, leaf %d", minute(time.UnixMilli(int64(s.TimeMS)).UTC()), s.Index))
	}
}

// renderUnsealing prints under whose order something was sealed, and what ended it.
func renderUnsealing(w io.Writer, u events.Unsealing) {
	line(w, "sealed for", u.Authority)
	line(w, "basis", words(u.Basis))
	line(w, "ended", words(u.End))
	if u.Supplement {
		line(w, "came", "later, under the same seal")
	}
}

// renderSeal prints an entry of a seal register.
func renderSeal(w io.Writer, s *events.SealRecorded) {
	line(w, "step", words(s.Step.Kind))
	line(w, "of seal", s.Step.Seal)
	list(w, "by", s.Step.By, "")
	line(w, "reason", s.Step.Reason)
	if o := s.Order; o != nil {
		line(w, "authority", o.Authority)
		line(w, "basis", words(o.Basis))
		line(w, "form", o.Form)
		line(w, "order", o.Reference)
		line(w, "issued", o.Issued)
	}
	line(w, "until", s.Period.Until)
	line(w, "review", s.Period.Review)
	if s.Record != nil {
		renderInner(w, *s.Record)
	}
}

// renderInner prints a record that is or was under seal.
func renderInner(w io.Writer, r events.SealedRecord) {
	line(w, "record", r.Type)
	e, err := r.Event()
	if err != nil {
		return
	}
	if share := events.ShareIn(e); share != nil {
		line(w, "to", fmt.Sprintf("%s, %s", share.Recipient.LegalName, share.Recipient.Country))
		line(w, "when", when(share.Occurred))
		list(w, "why", reasons(share.Reasons), "not recorded")
		list(w, "what", share.Data.Categories, "not recorded")
		return
	}
	renderFacts(w, e)
}
