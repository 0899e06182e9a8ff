package ledger

import (
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
	window    window                   // what stands behind it
	final     *events.State            // what the last leaf of all says, once it is written
	tree      *index.Tree              // every label covered by the last state leaf
	pending   map[events.Hash]struct{} // labels since then
	grower    grower                   // the index with those labels, in the making
	snapshots map[uint64]*snapshot     // by size, from the published one on
	shown     uint64                   // the published size
	sequences map[keystore.PartyID]*sequence
	parties   map[partyKey]keystore.PartyID    // the open generations
	rotated   map[partyKey][]keystore.PartyID  // those before, whose keys are kept
	aliases   map[partyKey]alias               // the open ones
	names     map[partyKey][]events.Identity   // the aliases of a primary identity
	ended     map[events.Hash]place            // labels of what was closed, and of who was erased
	doomed    map[keystore.PartyID]doomed      // erased, and the key is still there
	closings  uint64                           // closing events and aliases so far: decisions about people hold until the next
	expected  map[events.Hash]keystore.PartyID // each party's next entry label
	ids       *eventIDs                        // events of ours, those under seal too
	sealed    map[events.ID]uint64             // those under seal
	seals     map[keystore.PartyID]bool        // the parties in whose registers they are
	deeds     map[uint64][]deed                // what later events did to a record, by its index
	requests  []uint64                         // for the end of a generation, that nothing has ended
	owners    owners                           // whose slots are in each event
	spread    spread                           // which events continue others
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
	entries []entryPlace
	closed  *closing // nil while it is open
}

type place struct {
	index uint64
	slot  uint16
}

// entryPlace is a place in eight bytes, in the order of places: an ordinary event
// has two that the state keeps.
type entryPlace uint64

func (p place) packed() entryPlace { return entryPlace(p.index<<16 | uint64(p.slot)) }
func (p entryPlace) unpack() place { return place{uint64(p) >> 16, uint16(p)} }

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
		rotated:   map[partyKey][]keystore.PartyID{},
		aliases:   map[partyKey]alias{},
		names:     map[partyKey][]events.Identity{},
		ended:     map[events.Hash]place{},
		doomed:    map[keystore.PartyID]doomed{},
		expected:  map[events.Hash]keystore.PartyID{},
		ids:       new(eventIDs),
		sealed:    map[events.ID]uint64{},
		seals:     map[keystore.PartyID]bool{},
		deeds:     map[uint64][]deed{},
		spread:    newSpread(),
	}
}

// Identities and Enrolled let decisions read the state (decide.State).
func (s *state) Identities() []events.IdentityRule { return s.rules.Identities }

// Enrolled implements decide.State.
func (s *state) Enrolled(role events.Role, id events.Identity) bool {
	_, ok := s.parties[partyKey{role, id}]
	return ok
}

func (s *state) book() *events.Rules { return s.rules }

// place returns where an event of ours stands, under seal or not.
func (s *state) place(id events.ID) (index uint64, known bool) { return s.ids.get(id) }

// note remembers an event of ours by its id, after its slots were claimed.
func (s *state) note(id events.ID, index uint64) {
	if s.underSeal() {
		s.sealed[id] = index
	}
	s.ids.put(id, index)
}

// underSeal reports whether the event whose slots were just claimed is an entry of
// an authority's register.
func (s *state) underSeal() bool {
	return slices.ContainsFunc(s.claimed, func(c claim) bool { return s.seals[c.party] && s.sequences[c.party].enrol != c.at })
}

// Known implements decide.State.
func (s *state) Known(id events.ID) bool {
	_, ok := s.unsealed(id)
	return ok
}

// unsealed finds an event of ours that is not under seal.
func (s *state) unsealed(id events.ID) (index uint64, known bool) {
	if _, under := s.sealed[id]; under {
		return 0, false
	}
	return s.ids.get(id)
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
func (s *state) labelled(label events.Hash) (bool, error) {
	if _, ok := s.pending[label]; ok {
		return true, nil
	}
	_, ok, err := s.tree.Lookup(label)
	return ok, err
}

// lookup finds what the keystore has under an enrolment label.
type lookup func(context.Context, events.Hash) (keystore.Enrolment, bool, error)

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
	if s.final != nil {
		return fmt.Errorf("folding event %d: it stands after the leaf that ended the ledger: %w", e.Revision, ErrCorrupt)
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
	ending, err := l.endingOf(ctx, e.Type, leaf)
	if err != nil {
		return fmt.Errorf("folding event %d: %w", e.Revision, err)
	}
	if leaf.Kind == events.KindEntry && e.Type == events.TypeRecordContinued && !l.continues(e.ID) {
		return fmt.Errorf("folding event %d: it continues no event that awaits it: %w", e.Revision, ErrCorrupt)
	}
	s.claimed = s.claimed[:0]
	switch leaf.Kind {
	case events.KindState:
		err = l.foldState(e, as.entry, leaf, stored)
	case events.KindEntry:
		err = l.unsound(s.foldEntry(ctx, e, leaf, leafHash, find))
	case events.KindForeign:
		s.foreign++
		l.log.Error("foreign event in the ledger's stream", zapIndex(e.Revision))
	}
	if err != nil {
		return fmt.Errorf("folding event %d: %w", e.Revision, err)
	}
	if leaf.Kind != events.KindForeign {
		s.note(e.ID, e.Revision)
	}
	if leaf.Kind == events.KindEntry && e.Type == events.TypeClosed {
		var labels []events.Hash
		for _, slot := range leaf.Slots {
			labels = append(labels, slot.Label)
		}
		s.close(e.Revision, labels, ending)
	}
	s.spread.newest = e.ID
	s.next, s.timeMS = e.Revision+1, leaf.TimeMS
	if leaf.Kind == events.KindEntry && e.Type == events.TypeClosureRequested {
		s.requests = append(s.requests, e.Revision)
	}
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
			return fmt.Errorf("%w: %w", l.unsound(err), ErrCorrupt)
		}
	}
	if said.Covered != e.Revision || said.PrevState != s.prevState ||
		said.MapRoot != tree.Root() || said.MapEntries != tree.Len() {
		return fmt.Errorf("the state leaf does not say what the leaves before it give: %w", ErrCorrupt)
	}
	if s.tree, err = l.keepLabels(tree, s.grower.all, e.Revision); err != nil {
		return fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	s.pending = map[events.Hash]struct{}{}
	s.grower.rest(s.tree)
	s.prevState = events.LeafHash(entry)
	s.window = window{state: e.Revision, timeMS: leaf.TimeMS, began: l.gridPoint()}
	if said.Final {
		s.final = said
	}
	if e.Revision == 0 {
		s.genesis = s.prevState
	}
	if size := e.Revision + 1; size >= s.shown {
		s.snapshots[size] = &snapshot{tree: s.tree, leaf: entry, timeMS: leaf.TimeMS, rulesDoc: s.rulesDoc}
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
	s.window.entries++
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
		if enrolment, ok := enrolled[slot.Label]; ok {
			s.enrolled(enrolment, slot.Label, at)
		}
	}
	if err := s.grower.step(); err != nil {
		return fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	return nil
}

// enrolledBy finds the parties that an event enrols, before anything is changed.
func (s *state) enrolledBy(ctx context.Context, e events.Recorded, leaf *events.Leaf, find lookup) (map[events.Hash]keystore.Enrolment, error) {
	if e.Type != events.TypeEnrolled {
		return nil, nil
	}
	enrolled := map[events.Hash]keystore.Enrolment{}
	for _, slot := range leaf.Slots {
		enrolment, found, err := find(ctx, slot.Label)
		if err != nil {
			return nil, err
		}
		if found {
			enrolled[slot.Label] = enrolment
		}
	}
	if len(enrolled) == 0 {
		// Keys are durable before the enrolment is appended, and leave a tombstone.
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
		seq.entries = append(seq.entries, at.packed())
		s.expected[events.EntryLabel(seq.handle, uint64(len(seq.entries)))] = id
	}
	return ok
}

// enrolled takes in what stands under an enrolment label.
func (s *state) enrolled(e keystore.Enrolment, label events.Hash, at place) {
	switch {
	case e.Party != nil:
		s.enrol(*e.Party, at)
	case e.Alias != nil:
		s.alias(*e.Alias, at)
	default:
		s.ended[label] = at
	}
}

func (s *state) enrol(p keystore.Party, at place) {
	s.claimed = append(s.claimed, claim{p.ID, p.Generation, at})
	s.sequences[p.ID] = &sequence{handle: p.Handle, enrol: at}
	s.parties[partyKey{p.Role, p.Identity}] = p.ID
	s.expected[events.EntryLabel(p.Handle, 0)] = p.ID
	if p.Role == events.RoleAuthority {
		s.seals[p.ID] = true
	}
}

// entryAt returns the party's entry in an event, if it has one there.
func (s *sequence) entryAt(revision uint64) (place, bool) {
	i, _ := slices.BinarySearch(s.entries, place{index: revision}.packed())
	if i == len(s.entries) || s.entries[i].unpack().index != revision {
		return place{}, false
	}
	return s.entries[i].unpack(), true
}

// upTo returns the entries in the first size leaves. The slice only ever grows,
// so what is returned may be read while the writer goes on.
func (s *sequence) upTo(size uint64) []entryPlace {
	n, _ := slices.BinarySearch(s.entries, place{index: size}.packed())
	return s.entries[:n:n]
}
