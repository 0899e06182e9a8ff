package events

// Document is a text that the controller binds itself to, by its digest.
type Document struct {
	Version   string `cbor:"version" json:"version" doc:"name of the version, as shares name it, such as privacy-statement/2017-01"`
	Effective string `cbor:"effective" json:"effective" doc:"RFC 3339 time in UTC from which it is in force"`
	SHA256    string `cbor:"sha256" json:"sha256" doc:"64 lower-case hexadecimal digits"`
	Size      uint64 `cbor:"size" json:"size" doc:"bytes"`
	MediaType string `cbor:"media_type" json:"media_type" doc:"such as text/plain"`
	Language  string `cbor:"language,omitempty" json:"language,omitempty" doc:"BCP 47 tag, such as en or pt-BR"`
	Title     string `cbor:"title,omitempty" json:"title,omitempty"`
	URL       string `cbor:"url,omitempty" json:"url,omitempty" doc:"where the public finds it"`
}

// StatementPublished puts a version of the privacy statement into force. It stands
// in the controller's own register, whose completeness can be proven like that of
// a person's report.
type StatementPublished struct {
	Document Document `json:"document"`
}

// Type implements [Event].
func (*StatementPublished) Type() string { return TypeStatementPublished }

func (s *StatementPublished) groups() []group {
	return []group{{"document", &s.Document, true}}
}

// TaxonomyReleased puts a version of the reasons and product areas into force.
type TaxonomyReleased struct {
	Document Document `json:"document"`
}

// Type implements [Event].
func (*TaxonomyReleased) Type() string { return TypeTaxonomyReleased }

func (t *TaxonomyReleased) groups() []group {
	return []group{{"document", &t.Document, true}}
}

// ProfileReleased puts a version of a regime profile into force.
type ProfileReleased struct {
	Document Document `json:"document"`
}

// Type implements [Event].
func (*ProfileReleased) Type() string { return TypeProfileReleased }

func (p *ProfileReleased) groups() []group {
	return []group{{"document", &p.Document, true}}
}
