package events

// Choice is when and how a person chose.
type Choice struct {
	At     string `cbor:"at" json:"at" doc:"RFC 3339 time in UTC"`
	Method string `cbor:"method,omitempty" json:"method,omitempty" doc:"such as form, settings, written, oral"`
}

// Scope is what a person agrees to, or objects to. No categories, or no recipients,
// means any of them.
type Scope struct {
	Purposes    []string `cbor:"purposes" json:"purposes" doc:"what the data may, or may not, be used for"`
	Categories  []string `cbor:"categories,omitempty" json:"categories,omitempty" doc:"kinds of data"`
	Recipients  []string `cbor:"recipients,omitempty" json:"recipients,omitempty" doc:"ids of recipients"`
	ProductArea string   `cbor:"product_area,omitempty" json:"product_area,omitempty"`
	Statement   string   `cbor:"statement,omitempty" json:"statement,omitempty" doc:"version of the privacy statement that was shown"`
	Until       string   `cbor:"until,omitempty" json:"until,omitempty" doc:"RFC 3339 time in UTC at which it ends by itself"`
}

// ConsentGiven is a person's opt-in.
type ConsentGiven struct {
	Choice Choice `json:"choice"`
	Scope  Scope  `json:"scope"`
}

// Type implements [Event].
func (*ConsentGiven) Type() string { return TypeConsentGiven }

func (c *ConsentGiven) groups() []group {
	return []group{{"choice", &c.Choice, true}, {"scope", &c.Scope, true}}
}

// ConsentRefused is a person's opt-out.
type ConsentRefused struct {
	Choice Choice `json:"choice"`
	Scope  Scope  `json:"scope"`
}

// Type implements [Event].
func (*ConsentRefused) Type() string { return TypeConsentRefused }

func (c *ConsentRefused) groups() []group {
	return []group{{"choice", &c.Choice, true}, {"scope", &c.Scope, true}}
}

// ConsentWithdrawn ends a consent because the person says so.
type ConsentWithdrawn struct {
	Choice Choice `json:"choice"`
}

// Type implements [Event].
func (*ConsentWithdrawn) Type() string { return TypeConsentWithdrawn }

func (c *ConsentWithdrawn) groups() []group {
	return []group{{"choice", &c.Choice, true}}
}

// ConsentExpired ends a consent because its time is over.
type ConsentExpired struct {
	Choice Choice `json:"choice"`
}

// Type implements [Event].
func (*ConsentExpired) Type() string { return TypeConsentExpired }

func (c *ConsentExpired) groups() []group {
	return []group{{"choice", &c.Choice, true}}
}
