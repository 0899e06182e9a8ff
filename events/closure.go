package events

import "time"

// Closure is the wish to end a person's generation. It takes two: who asks is not
// who confirms.
type Closure struct {
	Action string `cbor:"action" json:"action" doc:"erase or rotate"`
	Ground string `cbor:"ground" json:"ground" doc:"why"`
	At     string `cbor:"at" json:"at" doc:"RFC 3339 time in UTC at which it was asked for"`
	Until  string `cbor:"until" json:"until" doc:"RFC 3339 time in UTC after which it cannot be confirmed any more"`
	By     string `cbor:"by" json:"by" doc:"who asked, by a pseudonym that only the ledger can make"`
}

// ClosureRequested asks for the end of a person's generation: their erasure, or
// another key and handle. It is confirmed by the closing event itself.
type ClosureRequested struct {
	Closure Closure `json:"closure"`
}

// Type implements [Event].
func (*ClosureRequested) Type() string { return TypeClosureRequested }

func (c *ClosureRequested) groups() []group {
	return []group{{"closure", &c.Closure, true}}
}

// Declining ends a request without doing what it asks for.
type Declining struct {
	At     string `cbor:"at" json:"at" doc:"RFC 3339 time in UTC"`
	Reason string `cbor:"reason" json:"reason" doc:"why, in words that say nothing of a person"`
}

// ClosureDeclined says that a request is not granted, or was taken back.
type ClosureDeclined struct {
	Declining Declining `json:"declining"`
}

// Type implements [Event].
func (*ClosureDeclined) Type() string { return TypeClosureDeclined }

func (c *ClosureDeclined) groups() []group {
	return []group{{"declining", &c.Declining, true}}
}

// Validate implements [Validatable].
func (c *ClosureRequested) Validate(now time.Time) error {
	v := &validator{}
	v.term("closure.action", c.Closure.Action, true)
	v.term("closure.ground", c.Closure.Ground, true)
	v.moment("closure.at", c.Closure.At, now)
	v.date("closure.until", c.Closure.Until)
	v.span("closure.until", c.Closure.At, c.Closure.Until)
	v.pseudonym("closure.by", c.Closure.By)
	return v.err
}

// Validate implements [Validatable].
func (c *ClosureDeclined) Validate(now time.Time) error {
	v := &validator{}
	v.moment("declining.at", c.Declining.At, now)
	v.text("declining.reason", c.Declining.Reason, true)
	return v.err
}

func (v *validator) pseudonym(field, s string) {
	v.hex(field, s, 16, "must be a pseudonym in 32 lower-case hexadecimal digits", "leave it out: the ledger fills it in")
}
