package projectionstest

import (
	"fmt"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/pubsub/pubsubtest"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// Origin and StreamName are those of every Stream.
const (
	Origin     = "sharetrail.example/views"
	StreamName = "sharetrail-views"
)

// Stream writes a ledger's stream without the ledger: enrolments, shares and their
// amendments as a ledger seals them, some thousand times as fast, and events that no ledger
// would write. Log is where they are read.
type Stream struct {
	Log     *pubsubtest.Log
	Keys    *keystore.Store
	Dir     string // of the keystore
	t       testing.TB
	secrets *keystore.Secrets
	next    map[string]uint64 // number of each party's next entry
	parties map[string]keystore.Party
	leaves  []events.Hash
}

// NewStream returns an empty stream with a keystore of its own.
func NewStream(t testing.TB) *Stream {
	t.Helper()
	s := &Stream{Log: pubsubtest.NewLog(), Dir: t.TempDir(), t: t, next: map[string]uint64{}, parties: map[string]keystore.Party{}}
	var err error
	if s.Keys, err = keystore.Open(t.Context(), s.Dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Keys.Close() })
	if err := s.Keys.Create(t.Context(), Origin); err != nil {
		t.Fatal(err)
	}
	if s.secrets, err = s.Keys.Secrets(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Subject is the identity of the person of a name.
func Subject(name string) events.Identity {
	return events.Identity("email\x00" + name + "@example.com")
}

// Recipient is the identity of the recipient of a name.
func Recipient(name string) events.Identity { return events.Identity("org\x00" + name) }

// Enrol gives parties a sequence, by one event.
func (s *Stream) Enrol(role events.Role, names ...string) {
	s.t.Helper()
	var wanted []keystore.Party
	for _, name := range names {
		id := Subject(name)
		if role == events.RoleRecipient {
			id = Recipient(name)
		}
		input := events.VRFInput(events.EnrolContext, Origin, role, id, 0)
		label, _ := events.VRFLabel(s.secrets.VRF.Prove(input).Hash())
		wanted = append(wanted, keystore.Party{Role: role, Identity: id, Label: label})
	}
	added, err := s.Keys.Add(s.t.Context(), wanted...)
	if err != nil {
		s.t.Fatal(err)
	}
	var draws []keystore.Draw
	for i, p := range added {
		s.parties[names[i]] = p
		draws = append(draws, keystore.Draw{
			Key: p.Key, Label: p.Label, Content: events.EnrolContent(p.Role, 0, p.Handle, p.Identity),
		})
	}
	s.append(new(events.Enrolled), draws)
}

// Share records a share of some subjects with a recipient, all of them enrolled,
// and returns its index.
func (s *Stream) Share(recipient string, subjects ...string) uint64 {
	s.t.Helper()
	return s.ShareWith(nil, recipient, subjects...)
}

// ShareWith is Share that first lets change spoil what is sealed for a party.
func (s *Stream) ShareWith(change func(name string, d *keystore.Draw), recipient string, subjects ...string) uint64 {
	s.t.Helper()
	share := s.share(recipient, subjects)
	return s.tell(&share, nil, change, append([]string{recipient}, subjects...))
}

// Amend records an amendment of the share at an index, to the parties of that
// share, and returns its own index.
func (s *Stream) Amend(index uint64, recipient string, subjects ...string) uint64 {
	s.t.Helper()
	amended := &events.DisclosureAmended{
		DisclosureRecorded: s.share(recipient, subjects),
		Amendment:          events.Amendment{Version: 1, Kind: "correct", Reason: "it was otherwise", Changed: []string{"purposes"}},
	}
	return s.tell(amended, &index, nil, append([]string{recipient}, subjects...))
}

// Tell records any event as one about the named parties, and returns its index.
func (s *Stream) Tell(e events.Event, parties ...string) uint64 {
	s.t.Helper()
	return s.tell(e, nil, nil, parties)
}

// share is a share as it would be recorded next.
func (s *Stream) share(recipient string, subjects []string) events.DisclosureRecorded {
	index := s.Log.Append(StreamName)
	return events.DisclosureRecorded{
		Occurred:   events.Occurred{At: time.UnixMilli(int64(index) * 1000).UTC().Format(time.RFC3339)},
		Reasons:    []events.Reason{events.CompleteTransaction},
		Purposes:   []string{fmt.Sprint("purpose of share ", index)},
		Recipient:  events.Recipient{ID: "org:" + recipient, LegalName: recipient + " (sample)", Country: "IE", Category: "payment"},
		Data:       events.SharedData{Categories: []string{"name", "card token"}},
		Promise:    events.Promise{Statement: "privacy-statement/2017-01"},
		Provenance: events.Provenance{Grade: "native"},
		Extent:     events.Extent{Subjects: uint64(len(subjects))},
	}
}

// tell appends an event to the sequences of its parties.
func (s *Stream) tell(e events.Event, about *uint64, change func(string, *keystore.Draw), parties []string) uint64 {
	s.t.Helper()
	index := s.Log.Append(StreamName)
	var draws []keystore.Draw
	for _, name := range parties {
		p := s.parties[name]
		var private *events.Private
		if p.Role == events.RoleSubject {
			private = &events.Private{Description: "order of " + name}
		}
		content := events.EntryContent(p.Role, s.next[name], p.Identity, private)
		if about != nil {
			content = events.AboutContent(p.Role, s.next[name], p.Identity, private, *about, s.leaves[*about])
		}
		d := keystore.Draw{Key: p.Key, Label: events.EntryLabel(p.Handle, s.next[name]), Content: content}
		if change != nil {
			change(name, &d)
		}
		s.next[name]++
		draws = append(draws, d)
	}
	s.append(e, draws)
	return index
}

func (s *Stream) append(e events.Event, draws []keystore.Draw) {
	s.t.Helper()
	index := s.Log.Append(StreamName)
	id := events.ID{byte(index >> 24), byte(index >> 16), byte(index >> 8), byte(index), 15: 1}
	stored, _, err := keystore.Seal(keystore.Draft{
		Origin: Origin, Stream: StreamName, ID: id, TimeMS: index * 60_000, Event: e, Slots: draws,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.leaves = append(s.leaves, events.LeafHash(stored.Leaf))
	data := stored.Marshal()
	s.Log.Append(StreamName, events.Proposed{
		ID: id, Type: e.Type(), Data: data, Metadata: s.secrets.Provenance(index, id, e.Type(), data),
	})
}

// Head returns how many events there are.
func (s *Stream) Head() uint64 { return s.Log.Append(StreamName) }
