package verifier

import (
	"fmt"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Verdict is what a report proved, in the order a reader wants it: a sentence,
// the entries, the checks, and what was not shown.
type Verdict struct {
	Pinned      bool // the reader brought a trust file; if not, nobody vouches for anything here
	Origin      string
	Role        events.Role
	ID          string // as the rules spell it
	Size        uint64
	StateTimeMS uint64
	Enrolled    bool
	Sentence    string
	Limit       string // the limiting sentence; always shown with Sentence
	Entries     []ShownEntry
	Checks      []Check
	NotShown    []string
	Statement   Statement // by the operator; proven by nothing
}

// Check is one thing that was checked and held.
type Check struct{ Name, Detail string }

// ShownEntry is the content of an entry, from opened commitments only.
type ShownEntry struct {
	Number  uint64 // from 0
	Index   uint64
	ID      events.ID
	TimeMS  uint64
	Event   events.Event
	Private *events.Private
	Later   bool // it says that it happened later than it was recorded
	// About is the number of the earlier entry that this one is about, such as the
	// share that it amends or retracts; nil if it stands for itself.
	About *uint64 `json:",omitempty"`
}

// conclude words the verdict. It speaks of the time before the state: an entry
// may still be recorded in the state's own minute, after it.
func (v *Verdict) conclude() {
	id := Plain(v.ID)
	before := time.UnixMilli(int64(v.StateTimeMS)).UTC().Format("2006-01-02 15:04 UTC")
	switch {
	case !v.Enrolled:
		v.Sentence = fmt.Sprintf("VERIFIED: the ledger %s holds nothing about %s before %s.", v.Origin, id, before)
	case len(v.Entries) == 1:
		v.Sentence = fmt.Sprintf("VERIFIED: 1 entry about %s in the ledger %s before %s; it is in the log, and the index shows no other.",
			id, v.Origin, before)
	default:
		v.Sentence = fmt.Sprintf("VERIFIED: %d entries about %s in the ledger %s before %s; each is in the log, and the index shows no other.",
			len(v.Entries), id, v.Origin, before)
	}
	v.Limit = "Included; completeness not audited; not witnessed."
	v.NotShown = []string{
		"that an independent auditor replayed the index: the trust file pins none, so a false index would not be noticed here",
		"that independent witnesses saw this checkpoint: the trust file pins none, so another reader could have been shown another history",
		"other names of this party (aliases), erased or rotated sequences, and sealed entries: not in this version of the format",
		"that the times of recording are right: they are the ledger's own clock",
		"that every real share was recorded, or recorded about the right person: no log can show that",
	}
	if !v.Pinned {
		v.Sentence = "Consistent with itself; issuer NOT checked. Pin the ledger's trust file (--trust FILE) and check again."
		v.NotShown = append([]string{"who made this file: it was checked against keys that it brings itself, which anybody can make"}, v.NotShown...)
	}
}
