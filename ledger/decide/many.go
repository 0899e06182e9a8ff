package decide

import (
	"bytes"
	"slices"

	"github.com/sharetrail/sharetrail/events"
)

// MaxSubjects is how many people one command may name. They are in memory while
// it is decided and recorded: some 500 bytes each.
const MaxSubjects = 1_000_000

// An event holds its people itself while they are few and what is said of each is
// short. Beyond that it becomes a header, which has the facts and the entries of the
// other parties, and continuations, which have the people.
const (
	maxOneEvent = 450_000 // bytes of slots; beside them the enrolment of all of them fits into an append
	partPeople  = 64      // a continuation's leaf is in the report of each of its people: 4 KiB of it are labels
	maxPart     = 300_000 // bytes of slots of one continuation
)

// Spread divides those of the planned events that do not fit into one. What becomes
// a header keeps whoever is no subject; its Parts have the people, those of whom more
// is said apart, because all slots of an event have one size. rank orders the people
// of the event at a position: it must not tell who they are, and must be the same when
// the command is repeated.
func Spread(planned []Planned, rank func(ordinal int, p Party) events.Hash) []Planned {
	for i := range planned {
		if p := &planned[i]; !fits(p.Parties) && !underSeal(p.Parties) {
			p.Divide(func(party Party) events.Hash { return rank(i, party) })
		}
	}
	return planned
}

// underSeal reports whether parties are concerned under seal: such an event is one, so
// that nothing tells it from a share.
func underSeal(parties []Party) bool {
	return slices.ContainsFunc(parties, func(p Party) bool { return p.Sealed })
}

// fits reports whether one event can hold the parties. It depends on nothing but
// them, so that a repeated command is divided as it was.
func fits(parties []Party) bool {
	size := 0
	for _, p := range parties {
		size = max(size, slotSize(p))
	}
	slots := 2
	for slots < len(parties) {
		slots *= 2
	}
	return slots <= events.MaxSlots && slots*size <= maxOneEvent
}

// slotSize bounds what a party's slot takes in the data of an event: leaf, length,
// part and envelope.
func slotSize(p Party) int {
	const beside = 64 + 2 + 24 + 16 + events.EnvelopeSize
	return beside + events.PaddedSize(ContentSize(p))
}

// ContentSize bounds the content of a party's slot with its opening. Beside the
// identity and the texts that has less than 128 bytes.
func ContentSize(p Party) int {
	n := 128 + len(p.ID)
	if p.Private != nil {
		n += p.Private.Size()
	}
	return n
}

// perPart is how many people whose slots take so many bytes a continuation has.
func perPart(size int) int {
	n := partPeople
	for n > 1 && n*size > maxPart {
		n /= 2
	}
	return n
}

// Divide makes an event a header: its people go to Parts.
func (p *Planned) Divide(rank func(Party) events.Hash) {
	var people, others []Party
	var record *events.Reference
	for _, party := range p.Parties {
		if party.Role != events.RoleSubject {
			others = append(others, party)
			continue
		}
		if party.About != nil {
			record = events.ReferenceTo(party.About.Index, party.About.LeafHash)
			party.About = nil // in its place stands the header
		}
		people = append(people, party)
	}
	p.Parties, p.Parts = others, nil
	p.divide(people, record, rank)
	events.Continue(p.Event, uint64(len(p.Parts)))
}

// Rest divides anew those who are still to be told, when so many continuations are
// recorded. There is one more in any case: the last one says that it is that, even if
// nobody is left for it.
func (p *Planned) Rest(recorded int, people []Party, rank func(Party) events.Hash) {
	var record *events.Reference
	if len(p.Parts) > 0 {
		record = p.Parts[0].Event.(*events.RecordContinued).Record
	}
	p.Parts = make([]Planned, recorded)
	if p.divide(people, record, rank); len(p.Parts) == recorded {
		n := uint64(recorded + 1)
		p.Parts = append(p.Parts, Planned{Event: &events.RecordContinued{Part: events.Part{Number: n, Of: n}, Record: record}})
	}
}

// divide appends Parts for people.
func (p *Planned) divide(all []Party, record *events.Reference, rank func(Party) events.Hash) {
	people := map[int][]ranked{} // by the size of their slots
	for _, party := range all {
		size := slotSize(party)
		people[size] = append(people[size], ranked{rank(party), party})
	}
	var sizes []int
	for size, of := range people {
		sizes = append(sizes, size)
		slices.SortFunc(of, func(a, b ranked) int { return bytes.Compare(a.rank[:], b.rank[:]) })
	}
	slices.Sort(sizes)
	for _, size := range sizes {
		for few := range slices.Chunk(people[size], perPart(size)) {
			parties := make([]Party, len(few))
			for i, r := range few {
				parties[i] = r.party
			}
			e := &events.RecordContinued{Part: events.Part{Number: uint64(len(p.Parts) + 1), People: uint64(len(few))}, Record: record}
			p.Parts = append(p.Parts, Planned{Event: e, Parties: parties})
		}
	}
	for _, part := range p.Parts {
		if e, ok := part.Event.(*events.RecordContinued); ok { // not of those that are recorded
			e.Part.Of = uint64(len(p.Parts))
		}
	}
}

type ranked struct {
	rank  events.Hash
	party Party
}

// Asked returns what a command asks for: not the enrolments, which are needed when
// it is decided first and not again, unless the command is one to enrol somebody.
func Asked(planned []Planned) (asked []Planned) {
	if Alone(planned) {
		return planned
	}
	for i, p := range planned {
		if _, enrols := p.Event.(*events.Enrolled); !enrols || i == 0 {
			asked = append(asked, p)
		}
	}
	return asked
}

// Enrol appends the enrolments that events need, those of a continuation's people in
// an event of their own: its leaf is in the report of each of them. Of an event with
// continuations only the first one is meant, which is appended together with it.
func Enrol(state State, planned []Planned) []Planned {
	if Alone(planned) {
		return planned
	}
	all := slices.Clone(planned)
	known := &enrolledToo{state, map[partyKey]bool{}}
	enrol := func(of ...Planned) {
		for _, p := range enrolling(known, of...)[len(of):] {
			all = append(all, p)
			for _, party := range p.Parties {
				known.too[partyKey{party.Role, party.ID}] = true
			}
		}
	}
	var ordinary []Planned
	for _, p := range planned {
		if _, enrols := p.Event.(*events.Enrolled); enrols {
			for _, party := range p.Parties {
				known.too[partyKey{party.Role, party.ID}] = true
			}
			continue
		}
		if _, part := p.Event.(*events.RecordContinued); part {
			enrol(p)
			continue
		}
		if len(p.Parts) > 0 {
			enrol(p.Parts[0])
		}
		ordinary = append(ordinary, p)
	}
	enrol(ordinary...)
	return all
}

// enrolledToo is a state in which some more are enrolled.
type enrolledToo struct {
	State
	too map[partyKey]bool
}

func (s *enrolledToo) Enrolled(role events.Role, id events.Identity) bool {
	return s.too[partyKey{role, id}] || s.State.Enrolled(role, id)
}
