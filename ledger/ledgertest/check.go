package ledgertest

import (
	"bytes"
	"encoding/json"
	"math/bits"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/verifier"
)

// Check publishes and then audits everything the ledger stored, and the reports
// about its parties.
func (l *Ledger) Check(t testing.TB) {
	t.Helper()
	for l.Publish(t).Size < l.Status().Accepted { // somebody records meanwhile
	}
	a := l.CheckStored(t)
	if got := l.Status(); int(got.Foreign) != l.Foreign || got.Accepted < uint64(len(a.leaves)) {
		t.Fatalf("the ledger says %+v of %d leaves, %d of them foreign", got, len(a.leaves), l.Foreign)
	}
	a.reports(l.Running.Ledger, l.MaxReports)
}

// CheckStored audits stream, log and checkpoints without asking the ledger,
// which may have stopped.
func (l *Ledger) CheckStored(t testing.TB) *Audit {
	t.Helper()
	secrets, err := l.Keys.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := &Audit{t: t, parts: l.Parts, model: l.Model, secrets: secrets, labels: map[events.Hash]place{}}
	a.stream()
	if a.foreign != l.Foreign {
		t.Fatalf("%d events of the stream are foreign, not %d", a.foreign, l.Foreign)
	}
	a.states()
	a.windows()
	a.log()
	a.checkpoints()
	a.tiles()
	a.sequences()
	a.continuations()
	a.modelled()
	a.generations()
	return a
}

// Audit is one reading of everything a ledger stored.
type Audit struct {
	t       testing.TB
	parts   *Parts
	model   *Model
	secrets *keystore.Secrets

	recorded []events.Recorded
	entries  [][]byte
	leaves   []*events.Leaf
	stored   []*events.Stored
	rules    *events.Rules
	foreign  int
	labels   map[events.Hash]place
	hashes   []tlog.Hash
	parties  []party

	published uint64 // size of the last checkpoint
	// continued counts the continuations of each header, by its index.
	continued map[uint64]uint64
	told      map[who]map[uint64]said // what the model knows to concern each party
	header    *keystore.Opened        // the header that was opened last
	headerAt  uint64
}

type place struct{ index, slot int }

type party struct {
	keystore.Party
	entries []place
}

func (a *Audit) fatal(at int, format string, args ...any) {
	a.t.Helper()
	a.t.Fatalf("leaf %d: "+format, append([]any{at}, args...)...)
}

// stream reads every event: ours and well formed, or foreign.
func (a *Audit) stream() {
	a.t.Helper()
	var timeMS uint64
	for e, err := range a.parts.Store.Read(a.t.Context(), ledger.Stream(ID), 0, esdb.All) {
		if err != nil {
			a.t.Fatal(err)
		}
		i := len(a.leaves)
		if e.Revision != uint64(i) {
			a.fatal(i, "it has revision %d", e.Revision)
		}
		entry, leaf, stored := a.leaf(e, timeMS)
		if i == 0 {
			if a.rules, err = events.ParseRules(stored.Body); err != nil {
				a.t.Fatal(err)
			}
		}
		if leaf.TimeMS < timeMS || leaf.TimeMS%a.rules.GrainMS != 0 {
			a.fatal(i, "its time is %d after %d", leaf.TimeMS, timeMS)
		}
		timeMS = leaf.TimeMS
		a.recorded, a.entries = append(a.recorded, e), append(a.entries, entry)
		a.leaves, a.stored = append(a.leaves, leaf), append(a.stored, stored)
		more, err := tlog.StoredHashes(int64(i), entry, a)
		if err != nil {
			a.t.Fatal(err)
		}
		a.hashes = append(a.hashes, more...)
	}
}

func (a *Audit) leaf(e events.Recorded, timeMS uint64) ([]byte, *events.Leaf, *events.Stored) {
	a.t.Helper()
	if !a.secrets.Ours(e) {
		a.foreign++
		leaf := &events.Leaf{Kind: events.KindForeign, TimeMS: timeMS, Body: events.ForeignBody(e)}
		return leaf.Marshal(), leaf, nil
	}
	stored, leaf, err := events.ParseStored(e.Data)
	if err != nil {
		a.fatal(len(a.leaves), "%v", err)
	}
	return stored.Leaf, leaf, stored
}

// ReadHashes implements tlog.HashReader.
func (a *Audit) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = a.hashes[x]
	}
	return out, nil
}

func (a *Audit) root(size uint64) events.Hash {
	a.t.Helper()
	h, err := tlog.TreeHash(int64(size), a)
	if err != nil {
		a.t.Fatal(err)
	}
	return events.Hash(h)
}

// states rebuilds the label index and compares every state leaf with it.
func (a *Audit) states() {
	a.t.Helper()
	tree, prev, rules := index.Empty(), events.Hash{}, []byte(nil)
	var batch []index.Entry
	for i, leaf := range a.leaves {
		hash := events.LeafHash(a.entries[i])
		for k, slot := range leaf.Slots {
			if first, twice := a.labels[slot.Label]; twice {
				a.fatal(i, "slot %d repeats the label of %v", k, first)
			}
			a.labels[slot.Label] = place{i, k}
			batch = append(batch, index.Entry{Label: slot.Label, Value: verifier.IndexValue(uint64(i), uint16(k), hash)})
		}
		if i == 0 && leaf.Kind != events.KindState {
			a.fatal(i, "it is no genesis")
		}
		if leaf.Kind != events.KindState {
			continue
		}
		if len(a.stored[i].Body) > 0 {
			rules = a.stored[i].Body
		}
		var err error
		if tree, err = tree.Insert(batch); err != nil {
			a.fatal(i, "%v", err)
		}
		batch = nil
		said, err := events.ParseState(leaf.Ext)
		want := events.State{
			Covered: uint64(i), MapRoot: tree.Root(), MapEntries: tree.Len(), PrevState: prev,
			VRFKey: events.Hash(a.secrets.VRF.PublicKey().Bytes()), RulesHash: events.RulesHash(rules),
		}
		if err != nil || !bytes.Equal(said.Marshal(), want.Marshal()) {
			a.fatal(i, "it says %+v, the leaves before it give %+v (%v)", said, want, err)
		}
		prev = hash
	}
}

// log compares Trillian's leaves and root with the stream's.
func (a *Audit) log() {
	a.t.Helper()
	size, root, err := a.parts.Log.Root(a.t.Context())
	if err != nil || size > uint64(len(a.leaves)) {
		a.t.Fatalf("the log has %d leaves, the stream %d events: %v", size, len(a.leaves), err)
	}
	if size > 0 && events.Hash(root) != a.root(size) {
		a.t.Fatalf("the log's root at %d is not the stream's", size)
	}
	i := 0
	for value, err := range a.parts.Log.Leaves(a.t.Context(), 0, size) {
		if err != nil || !bytes.Equal(value, a.entries[i]) {
			a.fatal(i, "the log has another one: %v", err)
		}
		i++
	}
}

// checkpoints wants growing sizes that end with a state leaf, under the root of
// the stream.
func (a *Audit) checkpoints() {
	a.t.Helper()
	var last uint64
	for e, err := range a.parts.Store.Read(a.t.Context(), ledger.Stream(ID)+"-checkpoints", 0, esdb.All) {
		if err != nil {
			a.t.Fatal(err)
		}
		var data struct {
			Checkpoint string
			Edge       []events.Hash
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			a.t.Fatal(err)
		}
		c, err := verifier.OpenCheckpoint([]byte(data.Checkpoint), Origin, a.secrets.LogVerifier)
		if err != nil || c.Size < last || c.Size > uint64(len(a.leaves)) {
			a.t.Fatalf("checkpoint %d has size %d after %d: %v", e.Revision, c.Size, last, err)
		}
		if a.leaves[c.Size-1].Kind != events.KindState || c.Root != a.root(c.Size) {
			a.t.Fatalf("checkpoint %d signs size %d, which is no state or has another root", e.Revision, c.Size)
		}
		folded := tlog.Hash(data.Edge[len(data.Edge)-1])
		for _, left := range slices.Backward(data.Edge[:len(data.Edge)-1]) {
			folded = tlog.NodeHash(tlog.Hash(left), folded)
		}
		if events.Hash(folded) != c.Root || len(data.Edge) != bits.OnesCount64(c.Size) {
			a.t.Fatalf("checkpoint %d has another edge than its root", e.Revision)
		}
		last = c.Size
	}
	a.published = last
}

// sequences wants each party's labels to stand behind its enrolment, numbered
// without a gap and in order, and nothing else but decoys beside them.
func (a *Audit) sequences() {
	a.t.Helper()
	known := make([]int, len(a.leaves))
	for p, err := range a.parts.Keys.Parties(a.t.Context()) {
		if err != nil {
			a.t.Fatal(err)
		}
		last, enrolled := a.labels[p.Label]
		for i := uint64(0); ; i++ {
			at, found := a.labels[events.EntryLabel(p.Handle, i)]
			if !found {
				a.absent(p, i)
				break
			}
			if !enrolled || at.index <= last.index {
				a.fatal(at.index, "entry %d of party %d stands before the one ahead of it", i, p.ID)
			}
			known[at.index]++
			last = at
			if i == 0 {
				a.parties = append(a.parties, party{Party: p})
			}
			mine := &a.parties[len(a.parties)-1]
			mine.entries = append(mine.entries, at)
		}
		if enrolled {
			known[a.labels[p.Label].index]++
		}
	}
	for i, leaf := range a.leaves {
		if leaf.Kind == events.KindEntry && a.recorded[i].Type == events.TypeCover {
			if known[i] != 0 || len(leaf.Slots) < 2 || bits.OnesCount(uint(len(leaf.Slots))) != 1 {
				a.fatal(i, "it is a cover of %d slots, for %d parties", len(leaf.Slots), known[i])
			}
			continue
		}
		if leaf.Kind == events.KindEntry {
			keys, err := a.parts.Keys.SealKeys(a.t.Context(), a.recorded[i].ID)
			if err != nil {
				a.fatal(i, "%v", err)
			}
			known[i] += len(keys) // people under seal, who are in no sequence
		}
		if leaf.Kind == events.KindEntry && len(a.model.ends) > 0 { // not everybody in it is known any more
			if len(leaf.Slots) < known[i] || bits.OnesCount(uint(len(leaf.Slots))) != 1 {
				a.fatal(i, "it has %d slots for %d parties", len(leaf.Slots), known[i])
			}
			continue
		}
		if leaf.Kind == events.KindEntry && len(leaf.Slots) != max(2, 1<<bits.Len(uint(known[i]-1))) {
			a.fatal(i, "it has %d slots for %d parties", len(leaf.Slots), known[i])
		}
	}
}

// absent wants no entry behind a gap.
func (a *Audit) absent(p keystore.Party, from uint64) {
	a.t.Helper()
	for i := range uint64(4) {
		if at, found := a.labels[events.EntryLabel(p.Handle, from+i)]; found {
			a.fatal(at.index, "entry %d of party %d stands behind a gap", from+i, p.ID)
		}
	}
}

// modelled wants exactly the events of the model in the stream, and the enrolments
// that they need.
func (a *Audit) modelled() {
	a.t.Helper()
	told := 0
	for i, e := range a.recorded {
		if e.Type == events.TypeEnrolled || e.Type == events.TypeRecordContinued || e.Type == events.TypeCover || a.leaves[i].Kind != events.KindEntry {
			continue
		}
		told++
		_, share := a.model.shares[uint64(i)]
		other, known := a.model.others[uint64(i)]
		if !(share && e.Type == events.TypeDisclosureRecorded) && !(known && e.Type == events.ClearType(other.Event)) {
			a.fatal(i, "nobody was told of this %s", e.Type)
		}
	}
	if want := len(a.model.shares) + len(a.model.others); told != want {
		a.t.Fatalf("the stream has %d events of %d", told, want)
	}
}

// forgotten wants an event that nobody's key opens to come with an erasure: whose it
// was cannot be told.
func (a *Audit) forgotten(at int) {
	a.t.Helper()
	if len(a.model.closed) == 0 {
		a.fatal(at, "it is nobody's")
	}
}

// continuations opens one slot of each, which names what it continues: an event
// before it that the model knows, as its next part.
func (a *Audit) continuations() {
	a.t.Helper()
	a.continued = map[uint64]uint64{}
	owner := map[int]*party{}
	slots := map[int]int{}
	for i := range a.parties {
		for _, at := range a.parties[i].entries {
			owner[at.index], slots[at.index] = &a.parties[i], at.slot
		}
	}
	for i, e := range a.recorded {
		if e.Type != events.TypeRecordContinued || a.leaves[i].Kind != events.KindEntry {
			continue
		}
		sealed, err := keystore.Parse(Origin, e)
		if err != nil {
			a.fatal(i, "%v", err)
		}
		if owner[i] == nil {
			a.forgotten(i)
			continue
		}
		opened, err := sealed.Open(uint16(slots[i]), owner[i].Key)
		if err != nil {
			a.fatal(i, "%v", err)
		}
		header := *opened.Content.TargetIndex
		part := opened.Event.(*events.RecordContinued).Part
		if a.continued[header]++; len(a.model.closed) > 0 {
			a.continued[header] = part.Number // those before may be nobody's
		}
		if header >= uint64(i) || events.LeafHash(a.entries[header]) != events.Hash(opened.Content.TargetLeaf) || part.Number != a.continued[header] {
			a.fatal(i, "it is part %d, and the next of leaf %d would be %d", part.Number, header, a.continued[header])
		}
		if of, err := keystore.Parse(Origin, a.recorded[header]); err != nil {
			a.fatal(i, "%v", err)
		} else if _, err := of.OpenHeader(opened.Target); err != nil {
			a.fatal(i, "%v", err)
		}
	}
}
