package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/verifier"
)

// ErrCorrupt says that the stream contradicts itself, the keystore, the log or
// the last checkpoint. The ledger stops; nothing is repaired by guessing.
var ErrCorrupt = errors.New("the ledger contradicts itself")

// state is what the writer knows: a fold of the stream. The fields are guarded
// by Ledger.mu; only the writer goroutine changes them.
type state struct {
	next      uint64 // revision of the next event
	timeMS    uint64 // of the last leaf
	rules     *events.Rules
	rulesDoc  []byte
	genesis   events.Hash              // leaf hash of leaf 0
	prevState events.Hash              // leaf hash of the last state leaf
	tree      *index.Tree              // every label covered by the last state leaf
	pending   map[events.Hash]struct{} // labels since then
	grower    grower                   // the index with those labels, in the making
	snapshots map[uint64]*snapshot     // by size, from the published one on
	shown     uint64                   // the published size
	sequences map[keystore.PartyID]*sequence
	parties   map[partyKey]keystore.PartyID
	expected  map[events.Hash]keystore.PartyID // each party's next entry label
	indices   map[events.ID]uint64             // events of ours, by id
	deeds     map[uint64][]deed                // what later events did to a record, by its index
	owners    owners                           // whose slots are in each event
	foreign   uint64
	claimed   []claim // the slots of parties in the last event
}

// claim is a slot with the party it is of and that party's number for it.
type claim struct {
	party  keystore.PartyID
	number uint64
	at     place
}

type partyKey struct {
	role events.Role
	id   events.Identity
}

// sequence is a party's generation: where its entries lie.
type sequence struct {
	handle  events.Hash
	enrol   place
	entries []place
}

type place struct {
	index uint64
	slot  uint16
}

// snapshot is the state of the index under a state leaf.
type snapshot struct {
	tree     *index.Tree
	leaf     []byte
	timeMS   uint64
	rulesDoc []byte
}

func newState() *state {
	return &state{
		tree:      index.Empty(),
		grower:    grower{tree: index.Empty()},
		pending:   map[events.Hash]struct{}{},
		snapshots: map[uint64]*snapshot{},
		sequences: map[keystore.PartyID]*sequence{},
		parties:   map[partyKey]keystore.PartyID{},
		expected:  map[events.Hash]keystore.PartyID{},
		indices:   map[events.ID]uint64{},
		deeds:     map[uint64][]deed{},
	}
}

// Identities and Enrolled let decisions read the state (decide.State).
func (s *state) Identities() []events.IdentityRule { return s.rules.Identities }

// Enrolled implements decide.State.
func (s *state) Enrolled(role events.Role, id events.Identity) bool {
	_, ok := s.parties[partyKey{role, id}]
	return ok
}

// Known implements decide.State.
func (s *state) Known(id events.ID) bool {
	_, ok := s.indices[id]
	return ok
}

// leafOf returns the leaf of a recorded event: the one stored in it if the
// event is ours, else the one that says something foreign stands there.
func leafOf(secrets *keystore.Secrets, e events.Recorded, prevTimeMS uint64) (entry []byte, leaf *events.Leaf, stored *events.Stored) {
	if secrets.Ours(e) {
		if stored, leaf, err := events.ParseStored(e.Data); err == nil {
			return stored.Leaf, leaf, stored
		}
	}
	leaf = &events.Leaf{Kind: events.KindForeign, TimeMS: prevTimeMS, Body: events.ForeignBody(e)}
	return leaf.Marshal(), leaf, nil
}

// labelled reports whether a label stands in a leaf, covered or not.
func (s *state) labelled(label events.Hash) bool {
	if _, ok := s.pending[label]; ok {
		return true
	}
	_, ok := s.tree.Lookup(label)
	return ok
}

// lookup finds the party that an enrolment label belongs to.
type lookup func(context.Context, events.Hash) (keystore.Party, bool, error)

// fold takes the next event of the stream into the state. An error of lookup
// leaves the state as it was, so that the event can be folded again; any other
// is ErrCorrupt, after which the state is of no use.
func (l *Ledger) fold(ctx context.Context, e events.Recorded, find lookup) error {
	entry, leaf, stored := leafOf(l.secrets, e, l.state.timeMS)
	return l.foldLeaf(ctx, e, leafed{entry, leaf, stored, events.LeafHash(entry)}, find)
}

// leafed is the leaf of an event, read from it or made for it.
type leafed struct {
	entry  []byte // its bytes
	leaf   *events.Leaf
	stored *events.Stored // nil if the event is foreign
	hash   events.Hash
}

// foldLeaf is fold of an event whose leaf is known.
func (l *Ledger) foldLeaf(ctx context.Context, e events.Recorded, as leafed, find lookup) error {
	s, leaf, stored, leafHash := l.state, as.leaf, as.stored, as.hash
	if e.Revision != s.next {
		return fmt.Errorf("folding event %d: %d was expected: %w", e.Revision, s.next, ErrCorrupt)
	}
	if leaf.TimeMS < s.timeMS {
		return fmt.Errorf("folding event %d: it is dated before the one ahead of it: %w", e.Revision, ErrCorrupt)
	}
	if e.Revision == 0 && leaf.Kind != events.KindState {
		return fmt.Errorf("the stream does not begin with this keystore's genesis: restore the keys that belong to it: %w", ErrCorrupt)
	}
	done, err := l.deedOf(ctx, e, leaf, stored)
	if err != nil {
		return fmt.Errorf("folding event %d: %w", e.Revision, err)
	}
	s.claimed = s.claimed[:0]
	switch leaf.Kind {
	case events.KindState:
		err = l.foldState(e, as.entry, leaf, stored)
	case events.KindEntry:
		err = s.foldEntry(ctx, e, leaf, leafHash, find)
	case events.KindForeign:
		s.foreign++
		l.log.Error("foreign event in the ledger's stream", zapIndex(e.Revision))
	}
	if err != nil {
		return fmt.Errorf("folding event %d: %w", e.Revision, err)
	}
	if leaf.Kind != events.KindForeign {
		s.indices[e.ID] = e.Revision
	}
	s.next, s.timeMS = e.Revision+1, leaf.TimeMS
	s.took(done)
	if l.file.wants(e.Revision) {
		l.file.take(newRecord(e, leaf, stored, leafHash, done))
	}
	return nil
}

// foldState merges the labels since the last state and checks that the leaf
// says what they give.
func (l *Ledger) foldState(e events.Recorded, entry []byte, leaf *events.Leaf, stored *events.Stored) error {
	s := l.state
	said, err := events.ParseState(leaf.Ext)
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	if said.VRFKey != l.vrfKey() {
		return fmt.Errorf("the state leaf names another VRF key than the keystore's: %w", ErrCorrupt)
	}
	if e.Revision == 0 || said.RulesHash != events.RulesHash(s.rulesDoc) {
		rules, err := events.ParseRules(stored.Body)
		if err != nil || events.RulesHash(stored.Body) != said.RulesHash {
			return fmt.Errorf("reading the rules document: %w", ErrCorrupt)
		}
		s.rules, s.rulesDoc = rules, stored.Body
	}
	tree := l.built
	if tree == nil {
		if tree, err = s.grower.with(nil); err != nil {
			return fmt.Errorf("%w: %w", err, ErrCorrupt)
		}
	}
	if said.Covered != e.Revision || said.PrevState != s.prevState ||
		said.MapRoot != tree.Root() || said.MapEntries != tree.Len() {
		return fmt.Errorf("the state leaf does not say what the leaves before it give: %w", ErrCorrupt)
	}
	s.tree, s.pending = tree, map[events.Hash]struct{}{}
	s.grower.rest(tree)
	s.prevState = events.LeafHash(entry)
	if e.Revision == 0 {
		s.genesis = s.prevState
	}
	if size := e.Revision + 1; size >= s.shown {
		s.snapshots[size] = &snapshot{tree: tree, leaf: entry, timeMS: leaf.TimeMS, rulesDoc: s.rulesDoc}
	}
	return nil
}

// foldEntry notes the labels of an entry and finds the parties whose they are.
func (s *state) foldEntry(ctx context.Context, e events.Recorded, leaf *events.Leaf, leafHash events.Hash, find lookup) error {
	if s.rules == nil {
		return fmt.Errorf("an entry before the genesis: %w", ErrCorrupt)
	}
	enrolled, err := s.enrolledBy(ctx, e, leaf, find)
	if err != nil {
		return err
	}
	for k, slot := range leaf.Slots {
		if _, twice := s.pending[slot.Label]; twice {
			return fmt.Errorf("slot %d carries a label that was used before: %w", k, ErrCorrupt)
		}
		at := place{e.Revision, uint16(k)}
		s.pending[slot.Label] = struct{}{}
		s.grower.add(index.Entry{Label: slot.Label, Value: verifier.IndexValue(at.index, at.slot, leafHash)})
		if s.claimLabel(slot.Label, at) {
			continue
		}
		if party, ok := enrolled[slot.Label]; ok {
			s.enrol(party, at)
		}
	}
	if err := s.grower.step(); err != nil {
		return fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	return nil
}

// enrolledBy finds the parties that an event enrols, before anything is changed.
func (s *state) enrolledBy(ctx context.Context, e events.Recorded, leaf *events.Leaf, find lookup) (map[events.Hash]keystore.Party, error) {
	if e.Type != events.TypeEnrolled {
		return nil, nil
	}
	enrolled := map[events.Hash]keystore.Party{}
	for _, slot := range leaf.Slots {
		party, found, err := find(ctx, slot.Label)
		if err != nil {
			return nil, err
		}
		if found {
			enrolled[slot.Label] = party
		}
	}
	if len(enrolled) == 0 {
		// Keys are durable before the enrolment is appended, so they were there.
		return nil, fmt.Errorf("%w: %w", keystore.ErrNoParty, ErrCorrupt)
	}
	return enrolled, nil
}

// claimLabel gives a label that a party's next entry has to that party.
func (s *state) claimLabel(label events.Hash, at place) bool {
	id, ok := s.expected[label]
	if ok {
		seq := s.sequences[id]
		delete(s.expected, label)
		s.claimed = append(s.claimed, claim{id, uint64(len(seq.entries)), at})
		seq.entries = append(seq.entries, at)
		s.expected[events.EntryLabel(seq.handle, uint64(len(seq.entries)))] = id
	}
	return ok
}

func (s *state) enrol(p keystore.Party, at place) {
	s.claimed = append(s.claimed, claim{p.ID, p.Generation, at})
	s.sequences[p.ID] = &sequence{handle: p.Handle, enrol: at}
	s.parties[partyKey{p.Role, p.Identity}] = p.ID
	s.expected[events.EntryLabel(p.Handle, 0)] = p.ID
}

// entryAt returns the party's entry in an event, if it has one there.
func (s *sequence) entryAt(revision uint64) (place, bool) {
	i, found := slices.BinarySearchFunc(s.entries, revision, func(at place, revision uint64) int {
		return cmp.Compare(at.index, revision)
	})
	if !found {
		return place{}, false
	}
	return s.entries[i], true
}

// upTo returns the entries in the first size leaves. The slice only ever grows,
// so what is returned may be read while the writer goes on.
func (s *sequence) upTo(size uint64) []place {
	n, _ := slices.BinarySearchFunc(s.entries, size, func(at place, size uint64) int {
		return cmp.Compare(at.index, size)
	})
	return s.entries[:n:n]
}
