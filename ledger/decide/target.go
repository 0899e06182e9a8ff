package decide

import (
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// Command asks to record something.
type Command interface {
	// About names the record that the command is about, such as a share that is to
	// be amended; ok is false if it is about none.
	About() (id events.ID, ok bool)
	// Decide says which events follow, or why none. The first one is what the
	// command asks for, whose id follows from the command's key alone. target is
	// what About names, nil if it names nothing.
	Decide(state State, target *Target, now time.Time) ([]Planned, error)
}

// Target is a record that a command is about, with what later events made of it.
type Target struct {
	ID       events.ID
	Index    uint64
	LeafHash events.Hash
	Event    events.Event
	// Share is what the record holds as a share, in its newest version; nil if it is
	// no share.
	Share    *events.DisclosureRecorded
	Versions uint64  // amendments so far
	Parties  []Party // those whom the record still concerns, not to be changed once somebody was looked for
	Ended    string  // what ended it: the type of an event, or empty
	// Progress is how far a series has come.
	Progress events.SeriesProgress
	// Added are the records that added people to this one, each a record of its own.
	Added []*Target
	// Seal is set, and nothing else, if the command is about a seal.
	Seal *Seal

	places map[partyKey]int // of Parties; made when somebody is looked for
}

type partyKey struct {
	role events.Role
	id   events.Identity
}

// whole returns the record and those that added people to it.
func (t *Target) whole() []*Target { return append([]*Target{t}, t.Added...) }

// concerns reports whether the record, or one that added to it, has a subject.
func (t *Target) concerns(id events.Identity) bool {
	return slices.ContainsFunc(t.whole(), func(t *Target) bool {
		_, there := t.find(events.RoleSubject, id)
		return there
	})
}

// Of returns the reference that a slot makes to the record.
func (t *Target) ref() *Reference { return &Reference{Index: t.Index, LeafHash: t.LeafHash} }

// about plans an event about the record for some of its parties.
func (t *Target) about(e events.Event, parties []Party) Planned {
	p := Planned{Event: e}
	for _, party := range parties {
		party.About = t.ref()
		p.Parties = append(p.Parties, party)
	}
	return p
}

// open refuses a target that something has ended, and one of another type than
// an event may be about.
func (t *Target) open(typ string) error {
	if !slices.Contains(events.About(typ), t.Event.Type()) {
		return &events.FieldError{Field: "id", Rule: "names a " + t.Event.Type() + ", which a " + typ + " cannot be about",
			Next: "use the id of the record that is meant"}
	}
	// A closed series gets no more shares; what it told can still be wrong.
	over := t.Ended != "" && (t.Ended != events.TypeSeriesClosed || typ == events.TypeSeriesUpdated || typ == events.TypeSeriesClosed)
	if over {
		return &events.FieldError{Field: "id", Rule: "names a record that a " + t.Ended + " has ended", Next: "record what is true now as a new one"}
	}
	return nil
}

// find returns the record's party with an identity.
func (t *Target) find(role events.Role, id events.Identity) (Party, bool) {
	if t.places == nil {
		t.places = make(map[partyKey]int, len(t.Parties))
		for i, p := range t.Parties {
			t.places[partyKey{p.Role, p.ID}] = i
		}
	}
	i, found := t.places[partyKey{role, id}]
	if !found {
		return Party{}, false
	}
	return t.Parties[i], true
}

func (t *Target) subjects() (n uint64) {
	for _, p := range t.Parties {
		if p.Role == events.RoleSubject {
			n++
		}
	}
	return n
}

// enrolling appends the enrolment of those parties that the ledger does not know. Whom
// an event concerns under seal it enrols not.
func enrolling(state State, planned ...Planned) []Planned {
	var fresh []Party
	counted := map[partyKey]bool{}
	for _, p := range planned {
		for _, party := range p.Parties {
			key := partyKey{party.Role, party.ID}
			if !party.Sealed && !counted[key] && !state.Enrolled(party.Role, party.ID) {
				counted[key] = true
				fresh = append(fresh, Party{Role: party.Role, ID: party.ID})
			}
		}
	}
	if len(fresh) > 0 {
		planned = append(planned, Planned{Event: new(events.Enrolled), Parties: fresh})
	}
	return planned
}

// identity reads the identity in a field of a command.
func identity(state State, field, text string) (events.Identity, error) {
	id, err := events.ParseIdentity(state.Identities(), text)
	if err != nil {
		return "", inField(field, err)
	}
	return id, nil
}

// subjectIn reads the identity of a person: the primary one if an alias is given.
func subjectIn(state State, field, text string) (events.Identity, error) {
	id, err := identity(state, field, text)
	if err != nil {
		return "", err
	}
	return state.Primary(events.RoleSubject, id), nil
}

// recipientIn reads the id of a recipient, and puts it into its one spelling.
func recipientIn(state State, field string, text *string) (Party, error) {
	id, err := identity(state, field, *text)
	if err != nil {
		return Party{}, err
	}
	*text = id.String()
	return Party{Role: events.RoleRecipient, ID: id}, nil
}
