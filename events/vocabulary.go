package events

import "slices"

// Terms returns the values that a field with an enumeration may have, such as
// recipient.category; nil for other fields.
func Terms(field string) []string { return slices.Clone(terms[field]) }
