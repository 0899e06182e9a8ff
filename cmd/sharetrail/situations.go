package main

import (
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// demoSubject is the person whose report the demo writes.
const demoSubject = "email:ada@example.com"

// situation is a share of the demo, with the key that makes recording it again
// harmless.
type situation struct {
	key   string
	title string
	share api.Record
}

// sketch is what tells one situation from another. All names are samples.
type sketch struct {
	key, title  string
	reasons     []events.Reason
	to          events.Recipient
	purpose     string
	basis       string
	area        string
	data        []string
	kind        string
	sensitivity []string
	transfer    *events.Transfer
	private     events.Private // about Ada
	others      []decide.Subject
}

// situations are the eleven reasons for which the privacy statement says
// personal data is shared, each as it may happen to one person.
func situations(now time.Time) []situation {
	var out []situation
	for i, s := range sketches {
		day := now.UTC().AddDate(0, 0, i-len(sketches)).Truncate(24 * time.Hour)
		share := events.DisclosureRecorded{
			Occurred: events.Occurred{At: day.Format(time.RFC3339), Precision: "day"},
			Reasons:  s.reasons, Purposes: []string{s.purpose}, LegalBases: []string{s.basis}, Recipient: s.to,
			Data:     events.SharedData{Categories: s.data, Kind: s.kind, Sensitivity: s.sensitivity},
			Context:  events.Context{ProductArea: s.area, Account: "personal"},
			Promise:  events.Promise{Statement: "privacy-statement/2017-01"},
			Transfer: s.transfer, Provenance: events.Provenance{Grade: "native"},
		}
		people := append([]decide.Subject{{ID: demoSubject, Private: s.private}}, s.others...)
		out = append(out, situation{s.key, s.title, api.Record{DisclosureRecorded: share, Subjects: people}})
	}
	return out
}

func sample(id, name, country, category string) events.Recipient {
	return events.Recipient{ID: "org:" + id, LegalName: name, Country: country, Category: category}
}

func about(description string) events.Private { return events.Private{Description: description} }

var sketches = []sketch{
	{key: "demo-consent", title: "with her consent: step counts to a fitness coach",
		reasons: []events.Reason{events.Consent}, to: sample("lakeside-fitness", "Lakeside Fitness (sample)", "NL", "independent_controller"),
		purpose: "coaching she asked for", basis: "GDPR 9(2)(a)", area: "health", data: []string{"step count", "heart rate"}, sensitivity: []string{"health"},
		private: events.Private{Description: "steps and heart rate of last week", Consent: "consent of 2 May, in the app"}},
	{key: "demo-transaction", title: "to complete a transaction: a card payment",
		reasons: []events.Reason{events.CompleteTransaction}, to: sample("northwind-payments", "Northwind Payments (sample)", "IE", "payment"),
		purpose: "payment processing", basis: "GDPR 6(1)(b)", area: "entertainment", data: []string{"name", "billing address", "card token"},
		private: about("billing address and card token of order 1070"),
		others:  []decide.Subject{{ID: "email:grace@example.com", Private: about("billing address and card token of order 1071")}}},
	{key: "demo-product", title: "to provide a product: a parcel with a new keyboard",
		reasons: []events.Reason{events.ProvideProduct}, to: sample("contoso-parcels", "Contoso Parcels (sample)", "DE", "service_provider"),
		purpose: "delivery", basis: "GDPR 6(1)(b)", area: "operating_system", data: []string{"name", "postal address"},
		private: about("name and address for the parcel of order 1070")},
	{key: "demo-affiliate", title: "with a subsidiary: one account for both services",
		reasons: []events.Reason{events.AffiliateOrSubsidiary}, to: sample("fabrikam-games", "Fabrikam Games (sample)", "US", "subsidiary"),
		purpose: "sign-in to its games", basis: "GDPR 6(1)(f)", area: "account", data: []string{"display name", "email address"},
		transfer: &events.Transfer{From: "IE", To: "US", Mechanism: "bcr_c", Safeguard: "binding corporate rules"},
		private:  about("display name and email address at the first sign-in")},
	{key: "demo-vendor", title: "with a vendor working for us: customer support",
		reasons: []events.Reason{events.VendorOnBehalf, events.ProvideProduct}, to: sample("tailspin-support", "Tailspin Support Services (sample)", "IN", "processor"),
		purpose: "customer support", basis: "GDPR 28", area: "operating_system", data: []string{"name", "email address", "device model"},
		transfer: &events.Transfer{From: "IE", To: "IN", Mechanism: "scc_2021_m2", Safeguard: "standard contractual clauses, module two"},
		private:  about("support case 88, opened by you")},
	{key: "demo-law", title: "required by law: an invoice to the tax office",
		reasons: []events.Reason{events.RequiredByLaw}, to: sample("sample-tax-office", "Sample Tax Office", "IE", "regulator"),
		purpose: "value added tax", basis: "GDPR 6(1)(c)", area: "entertainment", data: []string{"name", "invoice"},
		private: about("invoice of order 1070")},
	{key: "demo-legal-process", title: "legal process: a court order",
		reasons: []events.Reason{events.LegalProcess}, to: sample("sample-district-court", "Sample District Court", "IE", "court"),
		purpose: "criminal investigation", basis: "GDPR 6(1)(c)", area: "account", data: []string{"subscriber record", "sign-in times"}, kind: "metadata",
		private: events.Private{Description: "subscriber record and sign-in times of October", LegalRequest: "order 4711 of the court"}},
	{key: "demo-customers", title: "to protect customers: a fraud ring is named to other stores",
		reasons: []events.Reason{events.ProtectCustomers}, to: sample("fourth-coffee-fraud-desk", "Fourth Coffee Fraud Desk (sample)", "FR", "third_party"),
		purpose: "preventing fraud", basis: "GDPR 6(1)(f)", area: "account", data: []string{"email address"},
		private: about("your address was abused by somebody else as a sender of spam")},
	{key: "demo-lives", title: "to protect lives: a location to the coast guard",
		reasons: []events.Reason{events.ProtectLives}, to: sample("sample-coast-guard", "Sample Coast Guard", "IE", "emergency_service"),
		purpose: "rescue", basis: "GDPR 6(1)(d)", area: "search_ai", data: []string{"last known location"}, kind: "metadata",
		private: about("the phone's location at the time of the emergency call")},
	{key: "demo-security", title: "product security: a sign-in attack is analysed",
		reasons: []events.Reason{events.ProductSecurity}, to: sample("woodgrove-security", "Woodgrove Security (sample)", "DE", "processor"),
		purpose: "finding the attackers", basis: "GDPR 6(1)(f)", area: "productivity_communications", data: []string{"ip address", "sign-in times"}, kind: "metadata",
		private: about("sign-in attempts of 3 November against your account")},
	{key: "demo-rights", title: "to protect rights: a forged licence key goes to counsel",
		reasons: []events.Reason{events.ProtectRights}, to: sample("alder-and-birch", "Alder and Birch, Solicitors (sample)", "IE", "professional_adviser"),
		purpose: "pursuing the seller", basis: "GDPR 6(1)(f)", area: "enterprise_developer", data: []string{"name", "licence key"},
		private: about("the key you bought in good faith, and from whom")},
}
