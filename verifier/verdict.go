package verifier

import (
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Verdict is what a report proved, in the order a reader wants it: a sentence,
// the entries, the checks, and what was not shown.
type Verdict struct {
	Pinned      bool // the reader brought a trust file; if not, nobody vouches for anything here
	Origin      string
	Role        events.Role
	IDs         []string // as the rules spell them
	Size        uint64
	StateTimeMS uint64
	// Of the cosigners that the trust file pins: whether witnesses and auditors must be
	// among them, in every ledger of the chain, and since when the quorum had seen the
	// last state and none newer, in POSIX seconds; 0 without a quorum.
	Witnessed, Audited bool
	SeenAt             uint64
	Enrolled           bool // something stands under one of the names, now or before
	Copy               bool // inclusion only: it says nothing of what is not shown
	Closed             bool // the ledger ended, and Successor goes on if it names one
	Successor          string
	Chain              int // ledgers, if there are more than one
	Extends            []Checkpoint
	Filter             *Filter
	Filtered           uint64 // entries proven and not shown
	Sentence           string
	Limit              string // the limiting sentence; always shown with Sentence
	Names              []ShownName
	Entries            []ShownEntry
	Checks             []Check
	NotShown           []string
	Statement          Statement // by the operator; proven by nothing
	// Open are the sequences that go on, with their handles: secrets, shown to nobody.
	Open []OpenSequence `json:"-"`
}

// Check is one thing that was checked and held.
type Check struct{ Name, Detail string }

// ShownName is what a ledger holds under one name.
type ShownName struct {
	ID        string
	Origin    string
	Sequences []ShownSequence `json:",omitempty"`
}

// ShownSequence is one generation of a name.
type ShownSequence struct {
	Number  uint64
	BeganMS uint64
	EndedMS uint64 `json:",omitempty"` // 0 if it goes on
	Ended   string `json:",omitempty"` // erased or rotated
	Primary string `json:",omitempty"` // of an alias: the name it stands for
	Entries uint64
}

// ShownEntry is the content of an entry, from opened commitments only.
type ShownEntry struct {
	Number  uint64 // from 0, among those that are shown
	Index   uint64
	ID      events.ID
	TimeMS  uint64
	Event   events.Event
	Private *events.Private
	Later   bool // it says that it happened later than it was recorded
	// About is the number of the earlier entry that this one is about, such as the
	// share that it amends or retracts; nil if it stands for itself.
	About *uint64 `json:",omitempty"`
	// Header is the leaf that holds what was recorded, if the party's own leaf, Index,
	// continues that one; ID is its event's, too.
	Header *uint64 `json:",omitempty"`
	// Sealed says since when the record was under seal, if it was until now.
	Sealed *ShownSeal `json:",omitempty"`
	Name   string     `json:",omitempty"` // under which it stands, if not the first that was asked for
	Origin string     `json:",omitempty"` // of its ledger, if not the last of the chain
}

// ShownSeal is where and when a record was recorded that was under seal since.
type ShownSeal struct {
	Index  uint64 // its leaf
	TimeMS uint64
}

func (s *sequence) shown() ShownSequence {
	out := ShownSequence{Number: s.number, BeganMS: s.timeMS, Primary: s.primary.String(), Entries: s.count}
	if s.closed != nil {
		out.EndedMS, out.Ended = s.closed.timeMS, reasonWord(s.closed.reason)
	}
	return out
}

func reasonWord(reason uint8) string {
	if reason == ClosedErased {
		return "erased"
	}
	return "rotated"
}

func day(ms uint64) string { return time.UnixMilli(int64(ms)).UTC().Format(time.DateOnly) }

func minute(ms uint64) string {
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02 15:04 UTC")
}
