package events

import "fmt"

// FieldError is what a person gets for a value that cannot be recorded: which
// field, which rule, and what to do next. Nothing of the input is stored.
type FieldError struct {
	Field string // path in the input, such as recipient.country
	Rule  string // what the field must be
	Next  string // what to do now
}

// Error implements error.
func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s; %s", e.Field, e.Rule, e.Next) }

func bad(field, rule, next string) error { return &FieldError{field, rule, next} }
