package ledgertest

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// Recorder is who records in Share.
const Recorder = "till-7"

// Share returns a command to record one share with the named people, who become
// email:<name>@example.com.
func Share(key string, people ...string) ledger.Command {
	subjects := make([]decide.Subject, len(people))
	for i, name := range people {
		subjects[i] = decide.Subject{ID: Email(name), Private: events.Private{Description: "order of " + name}}
	}
	return ledger.Command{Recorder: Recorder, Key: key, Record: &decide.RecordDisclosure{
		Disclosure: events.DisclosureRecorded{
			Occurred:   events.Occurred{At: "2026-01-02T03:04:05Z"},
			Reasons:    []events.Reason{events.CompleteTransaction},
			Purposes:   []string{"payment processing for " + key},
			Recipient:  events.Recipient{ID: "org:northwind", LegalName: "Northwind (sample)", Country: "IE", Category: "payment"},
			Data:       events.SharedData{Categories: []string{"name", "card token"}},
			Promise:    events.Promise{Statement: "privacy-statement/2017-01"},
			Provenance: events.Provenance{Grade: "native"},
		},
		Subjects: subjects,
	}}
}

// Email is the identity of a person in Share.
func Email(name string) string { return "email:" + name + "@example.com" }

// People returns n names beginning with a prefix.
func People(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return names
}

// Model is what a test knows to be recorded. Check wants exactly that.
type Model struct {
	mu     sync.Mutex
	shares map[uint64]ledger.Command // by leaf index
	others map[uint64]decide.Planned // events that are no recorded share, by leaf index
	byKey  map[string]uint64
	// concerns are the primary identities of a share's subjects, as they were then.
	concerns map[uint64][]events.Identity
	ends     []end                               // of generations, in the order of the log
	names    map[events.Identity]events.Identity // primary identities by alias
	closed   map[events.Identity]bool            // who was an alias, or whose generation ended, ever
	gone     map[events.Identity]int             // how often, by an erasure
}

// end is a closing event.
type end struct {
	index  uint64
	person events.Identity
	reason uint8
}

func newModel() *Model {
	return &Model{shares: map[uint64]ledger.Command{}, others: map[uint64]decide.Planned{}, byKey: map[string]uint64{}, names: map[events.Identity]events.Identity{}, concerns: map[uint64][]events.Identity{}, closed: map[events.Identity]bool{}, gone: map[events.Identity]int{}}
}

// Accepted notes an answer to a command, and reports a contradiction with an
// earlier one.
func (m *Model) Accepted(cmd ledger.Command, index uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if first, known := m.byKey[cmd.Key]; known && first != index {
		return fmt.Errorf("key %s was answered with leaf %d, and before with %d", cmd.Key, index, first)
	}
	if other, taken := m.shares[index]; taken && other.Key != cmd.Key {
		return fmt.Errorf("leaf %d was given to the keys %s and %s", index, other.Key, cmd.Key)
	}
	m.byKey[cmd.Key] = index
	if _, known := m.shares[index]; !known { // a repeat may be spelled otherwise
		m.shares[index] = cmd
		for _, s := range cmd.Record.(*decide.RecordDisclosure).Subjects {
			m.concerns[index] = append(m.concerns[index], m.primary(parse(s.ID)))
		}
	}
	return nil
}

// Expect notes what an event must say, and to whom, that is no recorded share. Of
// a party's About only the index counts.
func (m *Model) Expect(index uint64, p decide.Planned) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.others[index] = p
	delete(m.shares, index)
}

// Keys returns how many keys were answered.
func (m *Model) Keys() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.byKey)
}

// TryRecord records a share and notes the answer.
func (l *Ledger) TryRecord(t testing.TB, cmd ledger.Command) (ledger.Accepted, error) {
	t.Helper()
	a, err := l.Record(t.Context(), cmd)
	if err == nil {
		if err := l.Model.Accepted(cmd, a.Index); err != nil {
			t.Error(err)
		}
	}
	return a, err
}

// MustRecord is TryRecord that must succeed.
func (l *Ledger) MustRecord(t testing.TB, cmd ledger.Command) ledger.Accepted {
	t.Helper()
	a, err := l.TryRecord(t, cmd)
	if err != nil {
		t.Fatalf("recording %s: %v", cmd.Key, err)
	}
	return a
}

// RepeatAll records every share of the model again, which must change nothing.
func (l *Ledger) RepeatAll(t testing.TB) {
	t.Helper()
	l.Model.mu.Lock()
	shares := maps.Clone(l.Model.shares)
	l.Model.mu.Unlock()
	for index, cmd := range shares {
		a := l.MustRecord(t, cmd)
		if a.Index != index || !a.Repeat {
			t.Errorf("repeating %s gave %+v instead of leaf %d", cmd.Key, a, index)
		}
	}
}

// Erase erases a person, and notes it.
func (l *Ledger) Erase(t testing.TB, key, name string) ledger.Accepted {
	t.Helper()
	return l.end(t, key, name, events.ReasonErased)
}

// Rotate gives a person another key, and notes it.
func (l *Ledger) Rotate(t testing.TB, key, name string) ledger.Accepted {
	t.Helper()
	return l.end(t, key, name, events.ReasonRotated)
}

func (l *Ledger) end(t testing.TB, key, name string, reason uint8) ledger.Accepted {
	t.Helper()
	a, err := l.Record(t.Context(), ledger.Command{Recorder: Recorder, Key: key, Record: &decide.Close{Subject: Email(name), Reason: reason}})
	if err != nil {
		t.Fatalf("ending the generation of %s: %v", name, err)
	}
	l.Model.Ended(a.Index, name, reason)
	return a
}

// Ended notes a closing event.
func (m *Model) Ended(index uint64, name string, reason uint8) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := m.primary(email(name))
	m.others[index] = decide.Planned{Event: new(events.Closed), Parties: []decide.Party{{Role: events.RoleSubject, ID: id}}}
	_, rotated := m.erasedBefore(id)
	m.ends, m.closed[id] = append(m.ends, end{index, id, reason}), true
	if reason == events.ReasonErased {
		m.gone[id] += 1 + rotated // they go together
		maps.DeleteFunc(m.names, func(alias, primary events.Identity) bool {
			if primary == id {
				m.gone[alias]++
			}
			return primary == id
		})
	}
}

// Alias makes a name lead to a person, and notes it.
func (l *Ledger) Alias(t testing.TB, key, name, alias string) ledger.Accepted {
	t.Helper()
	a, err := l.Record(t.Context(), ledger.Command{Recorder: Recorder, Key: key, Record: &decide.AddAlias{Subject: Email(name), Alias: Email(alias)}})
	if err != nil {
		t.Fatalf("making %s an alias of %s: %v", alias, name, err)
	}
	l.Model.mu.Lock()
	defer l.Model.mu.Unlock()
	l.Model.names[email(alias)], l.Model.closed[email(alias)] = email(name), true
	return a
}

func email(name string) events.Identity { return events.Identity("email\x00" + name + "@example.com") }

// primary is called with mu held.
func (m *Model) primary(id events.Identity) events.Identity {
	if p, ok := m.names[id]; ok {
		return p
	}
	return id
}

// erasures returns how many generations under an identity were erased.
func (m *Model) erasures(id events.Identity) int { return m.gone[id] }

// erasedBefore returns the first index from which a person's entries are still
// there, and how many generations of theirs were rotated since.
func (m *Model) erasedBefore(id events.Identity) (first uint64, rotated int) {
	for _, e := range m.ends {
		switch {
		case e.person != id:
		case e.reason == events.ReasonErased:
			first, rotated = e.index+1, 0
		default:
			rotated++
		}
	}
	return first, rotated
}

func parse(text string) events.Identity {
	id, err := events.ParseIdentity(events.DefaultRules().Identities, text)
	if err != nil {
		panic(err)
	}
	return id
}
