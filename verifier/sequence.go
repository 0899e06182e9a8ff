package verifier

import "github.com/sharetrail/sharetrail/events"

// OpenSequence is a sequence of entries that goes on after a report: with it, the
// party sees in the log itself when the next entry is made, and need ask nobody.
// Whoever has it can link all of the party's entries.
type OpenSequence struct {
	ID     string
	Handle events.Hash
	Next   uint64 // number of the next entry
	Size   uint64 // of the log, below which there is none
}

// goesOn notes a sequence that the report proves up to its checkpoint.
func (s *sequence) goesOn() {
	if s.part.last() {
		s.verdict.Open = append(s.verdict.Open, OpenSequence{s.id.String(), s.handle, s.count, s.checkpoint.Size})
	}
}
