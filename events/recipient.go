package events

// RecipientRegistered describes a recipient, before or after the first share.
type RecipientRegistered struct {
	Recipient Recipient `json:"recipient"`
}

// Type implements [Event].
func (*RecipientRegistered) Type() string { return TypeRecipientRegistered }

func (r *RecipientRegistered) groups() []group {
	return []group{{"recipient", &r.Recipient, true}}
}

// Change says since when something about a recipient is different, and why.
type Change struct {
	Effective string `cbor:"effective" json:"effective" doc:"RFC 3339 time in UTC from which it holds"`
	Reason    string `cbor:"reason,omitempty" json:"reason,omitempty"`
}

// RecipientChanged describes a recipient anew. Shares keep their snapshots.
type RecipientChanged struct {
	Recipient Recipient `json:"recipient"`
	Change    Change    `json:"change"`
}

// Type implements [Event].
func (*RecipientChanged) Type() string { return TypeRecipientChanged }

func (r *RecipientChanged) groups() []group {
	return []group{{"recipient", &r.Recipient, true}, {"change", &r.Change, true}}
}

// RecipientsMerged says that one recipient has become part of another. Both keep
// their entries.
type RecipientsMerged struct {
	Merger Merger `json:"merger"`
	Change Change `json:"change"`
}

// Merger names who was merged into whom.
type Merger struct {
	From string `cbor:"from" json:"from" doc:"id of the recipient that ends"`
	Into string `cbor:"into" json:"into" doc:"id of the recipient that goes on"`
}

// Type implements [Event].
func (*RecipientsMerged) Type() string { return TypeRecipientsMerged }

func (r *RecipientsMerged) groups() []group {
	return []group{{"merger", &r.Merger, true}, {"change", &r.Change, true}}
}

// RelationshipChanged says that a recipient stands otherwise to the controller
// than before: an affiliate that was sold, a vendor that was bought.
type RelationshipChanged struct {
	Relationship Relationship `json:"relationship"`
	Change       Change       `json:"change"`
}

// Relationship is what a recipient is to the controller.
type Relationship struct {
	Recipient string `cbor:"recipient" json:"recipient" doc:"id of the recipient"`
	Was       string `cbor:"was" json:"was" doc:"recipient category before"`
	Is        string `cbor:"is" json:"is" doc:"recipient category from then on"`
}

// Type implements [Event].
func (*RelationshipChanged) Type() string { return TypeRelationshipChanged }

func (r *RelationshipChanged) groups() []group {
	return []group{{"relationship", &r.Relationship, true}, {"change", &r.Change, true}}
}

// SubprocessorAdded says that a recipient engages another one (GDPR 28(2)).
type SubprocessorAdded struct {
	Recipient  Recipient  `json:"recipient" doc:"the subprocessor"`
	Change     Change     `json:"change"`
	Engagement Engagement `json:"engagement"`
}

// Engagement says who engages a subprocessor, and for what.
type Engagement struct {
	By      string `cbor:"by" json:"by" doc:"id of the recipient that engages the subprocessor"`
	Purpose string `cbor:"purpose,omitempty" json:"purpose,omitempty"`
}

// Type implements [Event].
func (*SubprocessorAdded) Type() string { return TypeSubprocessorAdded }

func (s *SubprocessorAdded) groups() []group {
	return []group{{"recipient", &s.Recipient, true}, {"change", &s.Change, true}, {"engagement", &s.Engagement, true}}
}

// RecipientsIn returns the ids of the recipients that an event's facts name and
// whose labels it carries; none if the facts name nobody.
func RecipientsIn(e Event) []string {
	switch e := e.(type) {
	case *OnwardReported:
		return []string{e.Onward.By, e.Recipient.ID}
	case *RecipientRegistered:
		return []string{e.Recipient.ID}
	case *RecipientChanged:
		return []string{e.Recipient.ID}
	case *RecipientsMerged:
		return []string{e.Merger.From, e.Merger.Into}
	case *RelationshipChanged:
		return []string{e.Relationship.Recipient}
	case *SubprocessorAdded:
		return []string{e.Engagement.By, e.Recipient.ID}
	case *EventUnsealed:
		if inner, err := e.Record.Event(); err == nil {
			return RecipientsIn(inner)
		}
	}
	if share := ShareIn(e); share != nil {
		return []string{share.Recipient.ID}
	}
	return nil
}
