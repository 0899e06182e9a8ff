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
}

func newModel() *Model {
	return &Model{shares: map[uint64]ledger.Command{}, others: map[uint64]decide.Planned{}, byKey: map[string]uint64{}}
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
