package projections

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

var (
	// ErrMoved says that somebody else has committed since the state was read
	// that a commit builds on. Nothing was written; read the state and begin
	// again.
	ErrMoved = errors.New("another runner moved the read model")

	// ErrOtherLedger says that a store holds the rows of another ledger.
	ErrOtherLedger = errors.New("the store holds the read models of another ledger; name another database or directory")

	// ErrInUse says that a version cannot be removed because it is the active one,
	// or because there is none of this number.
	ErrInUse = errors.New("this version is in use, or there is none; put another one in its place first")
)

// PartyID names a party in rows. It means nothing without the keystore.
type PartyID = keystore.PartyID

// Store keeps read models: any number of versions of each, side by side, each in
// tables of its own, and which one is in use. Versions count from 1.
type Store interface {
	// Open opens or creates a version of the named read model.
	Open(ctx context.Context, name string, version int) (View, error)

	// Versions returns the versions there are, in order, and the one in use: 0
	// if there is none yet.
	Versions(ctx context.Context, name string) (all []int, active int, err error)

	// Activate puts a version in the place of another (0: of none), in one
	// transaction. ErrMoved if not that other one is in use.
	Activate(ctx context.Context, name string, was, version int) error

	// Drop removes a version that is not in use and all its rows.
	Drop(ctx context.Context, name string, version int) error
}

// View is one version of a read model. Each method sees or makes one state of
// it: one transaction, one snapshot.
type View interface {
	Rows
	Entries
	Recipients
	Close() error
}

// Rows is how a projection writes a view.
type Rows interface {
	// State returns how far the view is, and those sequences whose next entry
	// has one of the labels.
	State(ctx context.Context, labels []events.Hash) (State, error)

	// Commit writes everything of c, or nothing. It returns ErrMoved unless the
	// view is as State described it: so two runners fence each other, and a page
	// that is committed twice is refused the second time.
	Commit(ctx context.Context, c *Changes) error
}

// State is what a view knows about its own progress.
type State struct {
	Next      uint64 // the next revision wanted
	Turn      uint64 // grows with every commit, also with one that leaves Next alone
	Sequences []Sequence
	Parked    []Parked
}

// Sequence says which label the next entry of a party will have.
type Sequence struct {
	Party PartyID
	Label events.Hash
	Next  uint64 // number of that entry
}

// Parked is a party whose events wait: all of its entries below Index are in the
// rows, none from there on.
type Parked struct {
	Party PartyID
	Index uint64 // leaf index of the first event that waits
	Class string // what kind of failure it was; one of the Class constants
	Since time.Time
}

// Changes is what one page of events does to a view.
type Changes struct {
	From, Turn uint64 // State.Next and State.Turn that this builds on
	Next       uint64
	Sequences  []Sequence // the new state of those that moved or began
	Parked     []Parked   // parties to be parked, or that wait elsewhere now
	Unparked   []PartyID  // parties that wait no more
	Shredded   []Shredded // whose rows go, after all else of the changes is done
	Additions
}

// Shredded is somebody who was erased.
type Shredded struct {
	Party     PartyID   // of the rows
	Sequences []PartyID // every generation
}

// Additions are the rows that events add. A new kind of row is one more slice
// here, filled by a handler, and one more table in the stores.
type Additions struct {
	Entries    []Entry
	Recipients []Description
}

func (a *Additions) add(more Additions) {
	a.Entries = append(a.Entries, more.Entries...)
	a.Recipients = append(a.Recipients, more.Recipients...)
}

// Entry is one entry of a party, as recorded. But for the party, the number and
// what the party's own slot says, all entries of one event say the same: stores
// may keep it once for the leaf.
type Entry struct {
	Party  PartyID // the root of the person's generations
	Number uint64  // Number of generation and entry

	Index    uint64 // leaf index of the event
	EventID  events.ID
	Type     string // of the event
	Recorded time.Time

	OccurredAt  string
	RecipientID string
	Recipient   string // legal name
	Country     string
	Category    string
	Facts       string // JSON of the event; wrapped under the subject's key if no recipient's opens it

	Record  *uint64 // leaf of the header, if Index continues it; facts and id are its
	About   *uint64 // leaf of the party's earlier record that the entry is about, if any
	Private string  // JSON of the party's own slot, wrapped under the party's key; empty if it has none
}

// ByEvent returns one entry of each event, by its leaf, for the rows that say what
// all entries of the event say.
func ByEvent(all []Entry) []*Entry {
	var one []*Entry
	seen := map[uint64]bool{}
	for i := range all {
		if e := &all[i]; !seen[e.Index] {
			seen[e.Index] = true
			one = append(one, e)
		}
	}
	return one
}

// Description is what a recipient was like according to some events.
type Description struct {
	Party     PartyID          `json:"-"`
	Recipient events.Recipient `json:"recipient"`
	// Described is the last leaf that gave this description as the recipient was
	// then; nil if events only repeated it, or only named the recipient.
	Described *uint64 `json:"described,omitempty" doc:"last leaf that gave this description as of then"`
	Usage
}

// Digest tells descriptions apart, in a store's key.
func (d *Description) Digest() events.Hash {
	text, err := events.MarshalJSON(d.Recipient)
	if err != nil {
		panic(err) // strings only
	}
	return sha256.Sum256(text)
}

// Usage says when and how often a description was used.
type Usage struct {
	FirstIndex uint64    `json:"first_index"`
	LastIndex  uint64    `json:"last_index"`
	First      time.Time `json:"first" doc:"when the first event was recorded"`
	Last       time.Time `json:"last" doc:"when the last event was recorded"`
	Shares     uint64    `json:"shares" doc:"a series is one share, a possible share none"`
	Subjects   uint64    `json:"subjects" doc:"people concerned, counted once for each share"`
}

// Entries is how entries are read.
type Entries interface {
	// Entries returns up to q.Limit entries of a party in the order of their
	// numbers, as recorded.
	Entries(ctx context.Context, q EntryQuery) (EntryPage, error)
}

// EntryQuery asks for entries of a party.
type EntryQuery struct {
	Party PartyID
	Kind  Kind   // empty: all
	From  uint64 // the first number wanted
	Limit int
	UpTo  uint64 // nothing that a later leaf says
	Later bool   // also what became of them
	Own   bool   // of the identity alone: none if it is an alias, whose entries are another's
}

// EntryPage is an answer from one snapshot.
type EntryPage struct {
	Next    uint64  // the revision that the snapshot wanted next
	Parked  *Parked // set if the party is parked: entries are missing
	Entries []Entry

	// Later are the party's entries that are about some of Entries, or about one of
	// these again, in no order. There may be some about others, and some twice.
	Later []Entry
}

// Recipients is how the register of recipients is read.
type Recipients interface {
	// Recipients returns the description that was given last of up to q.Limit
	// recipients, in the order of their ids, with the usage of all descriptions.
	Recipients(ctx context.Context, q RecipientQuery) (RecipientPage, error)

	// Descriptions returns all descriptions of one recipient, by first use.
	Descriptions(ctx context.Context, party PartyID) ([]Description, error)

	// Totals sums up by the country and the category that each share named.
	Totals(ctx context.Context) (next uint64, totals []Total, err error)
}

// RecipientQuery asks for recipients.
type RecipientQuery struct {
	After    string // id of the last one seen; empty for the first page
	Limit    int
	Country  string // empty: all
	Category string // empty: all
}

// RecipientPage is an answer from one snapshot.
type RecipientPage struct {
	Next       uint64 // the revision that the snapshot wanted next
	Parked     int    // recipients that are parked: shares of theirs are missing
	Recipients []Description
	// Standing are the entries of KindStanding of these recipients, in no order;
	// there may be some of others, and some twice.
	Standing []Entry
}

// Total is what went to the recipients of one category in one country.
type Total struct {
	Country    string `json:"country"`
	Category   string `json:"category"`
	Recipients uint64 `json:"recipients"`
	Shares     uint64 `json:"shares"`
	Subjects   uint64 `json:"subjects"`
}
