package ui

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// recordForm is a share as it was typed, and what is wrong with it.
type recordForm struct {
	Values url.Values
	Wrong  []wrong
}

// wrong is what is wrong with one field of the form.
type wrong struct{ Field, Text string }

// Get returns what was typed into a field.
func (f *recordForm) Get(field string) string { return f.Values.Get(field) }

// Has reports whether a box is ticked.
func (f *recordForm) Has(field, value string) bool { return slices.Contains(f.Values[field], value) }

// Any reports whether something was typed into one of the fields, or is wrong
// with it: what holds them is shown open then.
func (f *recordForm) Any(fields ...string) bool {
	for _, name := range fields {
		if strings.TrimSpace(strings.Join(f.Values[name], "")) != "" || f.Why(name) != "" {
			return true
		}
	}
	return false
}

// Why says what is wrong with a field, or nothing.
func (f *recordForm) Why(field string) string {
	for _, w := range f.Wrong {
		if w.Field == field {
			return w.Text
		}
	}
	return ""
}

func (f *recordForm) fail(field, text string) {
	if f.Why(field) == "" {
		f.Wrong = append(f.Wrong, wrong{field, text})
	}
}

// trimmed returns what was typed, without the space around it and with one kind
// of line end.
func (f *recordForm) trimmed(field string) string {
	return strings.TrimSpace(strings.ReplaceAll(f.Get(field), "\r\n", "\n"))
}

func (f *recordForm) lines(field string) (out []string) {
	for line := range strings.Lines(f.trimmed(field)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// required are the fields a share cannot do without, and what to say.
var required = []wrong{
	{"recipient", "Say who received the data. Choose from the address book, or write an id such as org:contoso-parcels."},
	{"reasons", "Say why. Tick at least one reason."},
	{"date", "Say when the data was shared. Give the day."},
	{"data", "Say what was shared. Tick a kind of data, or write one."},
	{"subjects", "Say whom it concerns. Write one person a line, such as ada@example.com."},
	{"statement", "Say which version of the privacy statement was in force."},
}

// share makes the share of what was typed. Whether it may be recorded is for the
// ledger to say; here is said only what is missing, or cannot be read as a field.
func (f *recordForm) share(ctx context.Context, v1 *api.Client) (api.Record, error) {
	for _, r := range required {
		if !f.Any(r.Field) && !(r.Field == "data" && f.Any("other_data")) {
			f.fail(r.Field, r.Text)
		}
	}
	share := events.DisclosureRecorded{
		Occurred:   f.occurred(),
		Purposes:   f.lines("purposes"),
		LegalBases: f.lines("legal_bases"),
		Data: events.SharedData{
			Categories:  append(slices.Clone(f.Values["data"]), f.lines("other_data")...),
			Sensitivity: f.lines("sensitivity"),
		},
		Promise:    events.Promise{Statement: f.trimmed("statement")},
		Provenance: events.Provenance{Grade: "native"},
	}
	for _, r := range f.Values["reasons"] {
		share.Reasons = append(share.Reasons, events.Reason(r))
	}
	private := events.Private{
		Description: f.trimmed("description"), Reference: f.trimmed("reference"),
		Consent: f.trimmed("consent"), LegalRequest: f.trimmed("legal_request"), Evidence: f.evidence(),
	}
	record := api.Record{DisclosureRecorded: share, Subjects: []decide.Subject{}}
	for _, line := range f.lines("subjects") {
		record.Subjects = append(record.Subjects, decide.Subject{ID: person(line), Private: private})
	}
	var err error
	record.Recipient, err = f.recipient(ctx, v1)
	return record, err
}

// person reads whom somebody means: an address or a number needs no namespace.
func person(typed string) string {
	switch typed = strings.TrimSpace(typed); {
	case strings.Contains(typed, ":"):
		return typed
	case strings.Contains(typed, "@"):
		return "email:" + typed
	case strings.HasPrefix(typed, "+"):
		return "phone:" + typed
	}
	return typed
}

var (
	dayFormat  = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	timeFormat = regexp.MustCompile(`^\d{2}:\d{2}(:\d{2})?$`)
)

// occurred reads day and time. Without a time the day is all that is known.
func (f *recordForm) occurred() events.Occurred {
	o := events.Occurred{LateReason: f.trimmed("late_reason")}
	day, clock := f.trimmed("date"), f.trimmed("time")
	if day == "" {
		return o
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil || !dayFormat.MatchString(day) {
		f.fail("date", "This is not a day. Write it like 2026-11-22.")
		return o
	}
	if clock == "" {
		o.At, o.Precision = day+"T00:00:00Z", "day"
		return o
	}
	if !timeFormat.MatchString(clock) {
		f.fail("time", "This is not a time. Write it like 14:30, in UTC, or leave it empty.")
		return o
	}
	if len(clock) == len("14:30") {
		clock += ":00"
	}
	o.At = day + "T" + clock + "Z"
	return o
}

func (f *recordForm) evidence() []events.Evidence {
	hash, size, kind := f.trimmed("evidence_sha256"), f.trimmed("evidence_size"), f.trimmed("evidence_type")
	if hash == "" && size == "" && kind == "" {
		return nil
	}
	n, err := strconv.ParseUint(size, 10, 64)
	if err != nil {
		f.fail("evidence_size", "Give the file's length in bytes, as a number.")
	}
	return []events.Evidence{{SHA256: strings.ToLower(hash), Size: n, MediaType: kind}}
}

// recipient looks up who is meant, and takes from the form what the address book
// does not say.
func (f *recordForm) recipient(ctx context.Context, v1 *api.Client) (events.Recipient, error) {
	typed := f.trimmed("recipient")
	if i := strings.LastIndex(typed, "org:"); i >= 0 {
		typed = strings.TrimSpace(typed[i:])
	}
	known := api.BookEntry{ID: typed}
	if typed != "" {
		entry, found, err := lookUp(ctx, v1, typed)
		switch {
		case err != nil:
			return events.Recipient{}, err
		case found:
			known = entry
		case !strings.HasPrefix(typed, "org:"):
			f.fail("recipient", "The address book has nobody of this name. Choose an entry of the list, or write a new id such as org:contoso-parcels and fill in the details below.")
		}
	}
	r := events.Recipient{ID: known.ID, LegalName: known.LegalName, Address: known.Address, Contact: known.Contact, Country: known.Country, Category: known.Category}
	for _, typed := range []struct {
		to    *string
		field string
	}{
		{&r.LegalName, "recipient_name"}, {&r.Address, "recipient_address"}, {&r.Contact, "recipient_contact"},
		{&r.Country, "recipient_country"}, {&r.Category, "recipient_category"}, {&r.Role, "recipient_role"},
	} {
		if text := f.trimmed(typed.field); text != "" {
			*typed.to = text
		}
	}
	r.Country = strings.ToUpper(r.Country)
	for _, missing := range []struct{ text, field, say string }{
		{r.LegalName, "recipient_name", "The address book does not have this recipient. Write its legal name."},
		{r.Country, "recipient_country", "The address book does not say in which country the recipient is. Write its code, such as DE."},
		{r.Category, "recipient_category", "The address book does not say what kind of recipient this is. Choose one."},
	} {
		if typed != "" && missing.text == "" && f.Why("recipient") == "" {
			f.fail(missing.field, missing.say)
		}
	}
	return r, nil
}

// maxBook is how many entries of the address book are offered while typing. All
// can be named by their ids.
const maxBook = 3000

// book returns the address book, up to maxBook entries.
func book(ctx context.Context, v1 *api.Client) (all []api.BookEntry, err error) {
	for after := ""; len(all) < maxBook; {
		page, err := v1.Recipients(ctx, after, 1000)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Entries...)
		if after = page.Next; after == "" {
			break
		}
	}
	return all, nil
}

// lookUp finds an entry of the address book by its id, or by a name that only one
// has.
func lookUp(ctx context.Context, v1 *api.Client, typed string) (entry api.BookEntry, found bool, err error) {
	if strings.HasPrefix(typed, "org:") {
		entry, err = v1.Recipient(ctx, typed)
		var problem *api.ProblemError
		if errors.As(err, &problem) && problem.Status == http.StatusNotFound {
			return entry, false, nil
		}
		return entry, err == nil, err
	}
	all, err := book(ctx, v1)
	for _, e := range all {
		if !strings.EqualFold(e.LegalName, typed) {
			continue
		}
		if found {
			return e, false, nil
		}
		entry, found = e, true
	}
	return entry, found, err
}

// formFields says beside which field of the form a problem of /v1 belongs.
var formFields = []struct{ path, field string }{
	{"recipient.legal_name", "recipient_name"}, {"recipient.country", "recipient_country"}, {"recipient.category", "recipient_category"},
	{"recipient.contact", "recipient_contact"}, {"recipient.address", "recipient_address"}, {"recipient.role", "recipient_role"}, {"recipient", "recipient"},
	{"reasons", "reasons"}, {"purposes", "purposes"}, {"legal_bases", "legal_bases"},
	{"occurred.late_reason", "late_reason"}, {"occurred", "date"}, {"data.sensitivity", "sensitivity"}, {"data", "data"},
	{"subjects.description", "description"}, {"subjects.reference", "reference"}, {"subjects.consent", "consent"},
	{"subjects.legal_request", "legal_request"}, {"subjects.evidence.size", "evidence_size"},
	{"subjects.evidence.media_type", "evidence_type"}, {"subjects.evidence", "evidence_sha256"}, {"subjects", "subjects"},
	{"promise", "statement"}, {"Idempotency-Key", "key"},
}

var subjectNumber = regexp.MustCompile(`^subjects\[(\d+)\]`)

// refused puts what /v1 refuses beside the fields. It reports whether it could.
func (f *recordForm) refused(p *api.Problem) bool {
	for _, e := range p.Errors {
		text := sentence(e.Rule + "; " + e.Next)
		if m := subjectNumber.FindStringSubmatch(e.Field); m != nil {
			i, err := strconv.Atoi(m[1])
			if lines := f.lines("subjects"); err == nil && i < len(lines) {
				text = fmt.Sprintf("Line %d: %s", i+1, text)
			}
		}
		field := fieldOf(e.Field)
		if field == "key" && p.Status == http.StatusConflict {
			text = "It was recorded already, with other content than is here now. Nothing was recorded this time. For another share open “Record a share” again; to correct the first, ask counsel to amend it."
		}
		f.fail(field, text)
	}
	return len(p.Errors) > 0
}

func fieldOf(path string) string {
	for _, to := range formFields {
		if rest, ok := strings.CutPrefix(path, to.path); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return to.field
		}
	}
	return "form"
}
