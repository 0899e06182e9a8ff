package events

// DisclosureAcknowledged is what a recipient says of a share: that it came, or
// what was done with it since.
type DisclosureAcknowledged struct {
	Acknowledgement Acknowledgement `json:"acknowledgement"`
}

// Acknowledgement is a recipient's answer.
type Acknowledgement struct {
	Outcome   string `cbor:"outcome" json:"outcome" doc:"received, not_received, corrected, restricted or erased"`
	At        string `cbor:"at" json:"at" doc:"RFC 3339 time in UTC of the answer"`
	Reference string `cbor:"reference,omitempty" json:"reference,omitempty" doc:"the recipient's own reference; nothing of a person"`
}

// Type implements [Event].
func (*DisclosureAcknowledged) Type() string { return TypeDisclosureAcknowledged }

func (d *DisclosureAcknowledged) groups() []group {
	return []group{{"acknowledgement", &d.Acknowledgement, true}}
}

// OnwardReported says that a recipient passed on what it had received.
type OnwardReported struct {
	Onward    Onward     `json:"onward"`
	Recipient Recipient  `json:"recipient" doc:"who received the data from the recipient"`
	Reasons   []Reason   `json:"reasons"`
	Data      SharedData `json:"data"`
	Transfer  *Transfer  `json:"transfer,omitempty"`
}

// Onward says who passed data on, and when.
type Onward struct {
	By        string `cbor:"by" json:"by,omitempty" doc:"id of the recipient that passed it on; left out: the share's"`
	At        string `cbor:"at" json:"at" doc:"RFC 3339 time in UTC"`
	Precision string `cbor:"precision,omitempty" json:"precision,omitempty" doc:"instant (default), day or month"`
}

// Type implements [Event].
func (*OnwardReported) Type() string { return TypeOnwardReported }

func (o *OnwardReported) groups() []group {
	return []group{
		{"onward", &o.Onward, true},
		{"recipient", &o.Recipient, true},
		{"reasons", &o.Reasons, true},
		{"data", &o.Data, true},
		{"transfer", &o.Transfer, o.Transfer != nil},
	}
}
