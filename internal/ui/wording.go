package ui

import (
	"strings"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// worded is a reason in plain words: as a choice for who records, and as an
// answer for the person whose data it is.
type worded struct {
	Reason events.Reason
	Choice string
	Answer string
}

// statementReasons are the eleven reasons of the privacy statement, the common
// ones first.
var statementReasons = []worded{
	{events.VendorOnBehalf, "A supplier works for us and needs the data", "a supplier works for the company and needed the data"},
	{events.ProvideProduct, "To provide a product the person asked for", "to provide a product you asked for"},
	{events.CompleteTransaction, "To complete a transaction, such as a payment", "to complete a transaction of yours"},
	{events.Consent, "The person agreed to it", "you agreed to it"},
	{events.AffiliateOrSubsidiary, "With an affiliate or a subsidiary", "it went to a company of the same group"},
	{events.RequiredByLaw, "The law requires it", "the law requires it"},
	{events.LegalProcess, "A court order, a warrant or another legal process", "an order or another legal process demanded it"},
	{events.ProtectCustomers, "To protect customers, from spam or fraud for example", "to protect customers, from spam or fraud for example"},
	{events.ProtectLives, "To prevent loss of life or serious injury", "to prevent loss of life or serious injury"},
	{events.ProductSecurity, "To keep products secure", "to keep products secure"},
	{events.ProtectRights, "To protect rights or property, in a dispute for example", "to protect the company's rights or property"},
}

// otherReasons go beyond the statement's.
var otherReasons = []worded{
	{events.SubjectDirected, "The person told us to, by signing in elsewhere for example", "you told the company to"},
	{events.OrganisationAdministrator, "The administrator of the person's organisation", "your organisation's administrator has access"},
	{events.CorporateTransaction, "A merger or a sale of assets", "a merger or a sale of assets"},
	{events.Research, "Research", "research"},
	{events.PublicInterestHealth, "Public health", "public health"},
	{events.AdvertisingPartner, "An advertising partner", "it went to an advertising partner"},
}

// answer words a reason for the person.
func answer(r events.Reason) string {
	for _, list := range [][]worded{statementReasons, otherReasons} {
		for _, w := range list {
			if w.Reason == r {
				return w.Answer
			}
		}
	}
	return words(string(r))
}

// usualData are kinds of data to choose from; others can be written.
var usualData = []string{
	"name", "email address", "postal address", "phone number", "date of birth", "payment data", "account data",
	"device data", "usage data", "location", "content of messages", "health data",
}

func words(term string) string { return strings.ReplaceAll(term, "_", " ") }

// when words the time of a share, no more precisely than it was given.
func when(o events.Occurred) string {
	t, err := time.Parse(time.RFC3339, o.At)
	if err != nil {
		return o.At
	}
	switch t = t.UTC(); o.Precision {
	case "day":
		return t.Format("2 January 2006")
	case "month":
		return t.Format("January 2006")
	}
	if t.Second() != 0 || t.Nanosecond() != 0 {
		return t.Format("2 January 2006, 15:04:05.999999999 UTC")
	}
	return t.Format("2 January 2006, 15:04 UTC")
}

func minute(ms uint64) string {
	return time.UnixMilli(int64(ms)).UTC().Format("2 January 2006, 15:04 UTC")
}

// grade words how a record came to be.
func grade(term string) string {
	switch term {
	case "native":
		return "made by whoever shared the data"
	case "system_log":
		return "taken from a system's log"
	case "attested_legacy":
		return "of before this ledger, attested"
	case "reconstructed":
		return "reconstructed afterwards"
	}
	return words(term)
}
