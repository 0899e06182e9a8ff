package events

import "slices"

// Reason is why data is shared: a situation of the privacy statement.
type Reason string

// The statement's eleven reasons, and the extensions beyond it.
const (
	Consent               Reason = "consent"
	CompleteTransaction   Reason = "complete_transaction"
	ProvideProduct        Reason = "provide_product"
	AffiliateOrSubsidiary Reason = "affiliate_subsidiary"
	VendorOnBehalf        Reason = "vendor_on_behalf"
	RequiredByLaw         Reason = "required_by_law"
	LegalProcess          Reason = "legal_process"
	ProtectCustomers      Reason = "protect_customers"
	ProtectLives          Reason = "protect_lives"
	ProductSecurity       Reason = "product_security"
	ProtectRights         Reason = "protect_rights_property"

	OrganisationAdministrator Reason = "organisation_administrator"
	SubjectDirected           Reason = "subject_directed"
	CorporateTransaction      Reason = "corporate_transaction"
	Research                  Reason = "research"
	PublicInterestHealth      Reason = "public_interest_health"
	AdvertisingPartner        Reason = "advertising_partner"
)

var precisions = []string{"instant", "day", "month"}

// categories say what a recipient is to the controller.
var categories = []string{
	"affiliate", "subsidiary", "processor", "subprocessor", "service_provider", "contractor",
	"independent_controller", "joint_controller", "third_party", "org_administrator", "law_enforcement",
	"court", "regulator", "intelligence", "health_oversight", "litigant", "professional_adviser", "payment",
	"advertising", "researcher", "individual_named_by_subject", "emergency_service", "public_unspecified",
}

// productAreas are the parts of the product that the statement speaks of.
var productAreas = []string{
	"account", "enterprise_developer", "productivity_communications", "search_ai", "operating_system",
	"entertainment", "health", "sites_cookies",
}

// sealBases are what an order to keep a record under seal can rest on.
var sealBases = []string{
	BasisUS2705a, "us_2705b", "us_3486", "us_nsl", "us_fisa", "hipaa_written", BasisHIPAAOral, "court_protective_order",
	"eu_art23_national", "uk_tipping_off", "other",
}

// Terms returns the enumerations by the field that takes a value of one, such as
// recipient.category.
func Terms() map[string][]string {
	all := map[string][]string{}
	for field, values := range terms {
		all[field] = slices.Clone(values)
	}
	return all
}

// terms are the enumerations a recorded value must come from. Values are only
// ever added.
var terms = map[string][]string{
	"reasons": {
		string(Consent), string(CompleteTransaction), string(ProvideProduct), string(AffiliateOrSubsidiary),
		string(VendorOnBehalf), string(RequiredByLaw), string(LegalProcess), string(ProtectCustomers),
		string(ProtectLives), string(ProductSecurity), string(ProtectRights), string(OrganisationAdministrator),
		string(SubjectDirected), string(CorporateTransaction), string(Research), string(PublicInterestHealth),
		string(AdvertisingPartner),
	},
	"occurred.precision": precisions,
	"series.precision":   precisions,
	"onward.precision":   precisions,
	"recipient.category": categories,
	"relationship.was":   categories,
	"relationship.is":    categories,
	"recipient.role":     {"controller", "joint_controller", "processor"},
	"data.kind":          {"content", "metadata"},
	"cpra.class": {
		"sold", "shared_cross_context", "business_purpose", "service_provider", "contractor",
		"third_party_directed_by_consumer", "exempt",
	},
	"conveyance.medium":       {"api", "file", "ehr", "email", "portal", "paper", "oral", "device", "other"},
	"conveyance.recurrence":   {"once", "daily", "weekly", "monthly", "continuous"},
	"provenance.method":       {"written", "electronic", "microfilm"},
	"context.account":         {"personal", "org_administered", "both"},
	"context.product_area":    productAreas,
	"scope.product_area":      productAreas,
	"provenance.grade":        {"native", "system_log", "attested_legacy", "reconstructed"},
	"amendment.kind":          {"correct", "supplement"},
	"amendment.changed":       shareFields[:len(shareFields)-1], // all but the extent
	"retraction.ground":       {"recorded_in_error", "did_not_happen", "duplicate", "wrong_person"},
	"retraction.scope":        {"whole", "part"},
	"dispute.by":              {"subject", "recipient"},
	"dispute.ground":          {"not_me", "did_not_happen", "inaccurate", "no_consent", "not_permitted", "other"},
	"resolution.outcome":      {"upheld", "upheld_in_part", "rejected", "withdrawn"},
	"acknowledgement.outcome": {"received", "not_received", "corrected", "restricted", "erased"},
	"choice.method":           {"form", "settings", "written", "oral", "signal", "other"},
	"step.kind":               {StepSealed, StepSupplemented, StepExtended, StepReviewed, StepProposed, StepLifted, StepLapsed},
	"order.basis":             sealBases,
	"unsealing.basis":         sealBases,
	"order.form":              {"written", "oral"},
	"unsealing.end":           {StepLifted, StepLapsed},
	"closure.action":          {"erase", "rotate"},
	"closure.ground": {
		"request_of_the_person", "retention_over", "consent_withdrawn", "unlawful", "legal_obligation",
		"copy_left", "key_exposed",
	},
	"transfer.mechanism": {
		"none_domestic", "adequacy", "safe_harbor", "privacy_shield_eu", "privacy_shield_ch", "dpf_eu", "dpf_uk",
		"dpf_ch", "scc_2001", "scc_2004", "scc_2010", "scc_2021_m1", "scc_2021_m2", "scc_2021_m3", "scc_2021_m4",
		"uk_idta", "uk_addendum", "bcr_c", "bcr_p", "code", "certification", "public_instrument",
		"adhoc_authorised", "art48_agreement", "art49_a", "art49_b", "art49_c", "art49_d", "art49_e", "art49_f",
		"art49_g", "art49_compelling", "appi_equivalent", "appi_consent", "appi_system",
	},
}
