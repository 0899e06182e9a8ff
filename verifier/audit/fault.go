package audit

import "fmt"

// Fault says where a log breaks what it promises, first.
type Fault struct {
	Index uint64 // of the leaf; for a checkpoint, its size
	Rule  string // what does not hold
	Next  string // what to do
}

// Error implements error.
func (f *Fault) Error() string { return fmt.Sprintf("leaf %d: %s; %s", f.Index, f.Rule, f.Next) }

const (
	nextEvidence = "keep this log's tiles and checkpoint as evidence, and tell its operator, its witnesses and other auditors"
	nextAgain    = "read it again; if it stays so, " + nextEvidence
)

func fault(index uint64, rule string, args ...any) *Fault {
	return &Fault{index, fmt.Sprintf(rule, args...), nextEvidence}
}
