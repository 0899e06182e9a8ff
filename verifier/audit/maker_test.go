package audit_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
)

const (
	origin = "ledger.example/2026"
	minute = 60_000
)

// made is a log that a test makes leaf by leaf: an operator who can also lie, and
// signs whatever there is.
type made struct {
	dir     string
	writer  *tiles.Writer
	signer  note.Signer
	trust   *verifier.Trust
	rules   []byte
	edge    tiles.Edge
	tree    *index.Tree
	pending []index.Entry
	prev    events.Hash
	timeMS  uint64
	random  uint64
}

// newLog has a genesis, and states state leaves behind perState entries each.
func newLog(t testing.TB, states, perState int) *made {
	t.Helper()
	var vrf events.Hash
	rand.Read(vrf[:])
	m := begin(t, vrf)
	for range states {
		m.entries(t, perState)
		m.state(t, nil)
	}
	return m
}

// begin has a genesis alone, the same for the same VRF key.
func begin(t testing.TB, vrf events.Hash) *made {
	t.Helper()
	return beginUnder(t, vrf, events.DefaultRules())
}

func beginUnder(t testing.TB, vrf events.Hash, rules *events.Rules) *made {
	t.Helper()
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	m := &made{dir: t.TempDir(), signer: signer, tree: index.Empty(), timeMS: 1_790_000_040_000, rules: rules.Marshal()}
	if m.writer, err = tiles.Open(m.dir, 0, m.edge.Root()); err != nil {
		t.Fatal(err)
	}
	rand.Read(m.prev[:8])
	m.random = binary.BigEndian.Uint64(m.prev[:])
	m.prev = events.Hash{}
	m.trust = &verifier.Trust{Suite: 1, Origin: origin, Log: public, VRF: vrf}
	m.writer.AddRules(m.rules)
	m.state(t, nil)
	m.trust.Genesis = m.prev
	return m
}

func (m *made) source() tiles.Dir { return tiles.Dir(m.dir) }

// draw gives 32 bytes that no other call gives.
func (m *made) draw() events.Hash {
	m.random++
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, m.random))
}

// append takes any bytes as the next leaf.
func (m *made) append(entry []byte) events.Hash {
	h := events.LeafHash(entry)
	m.writer.Add(entry, h, true)
	m.edge.Append(h)
	return h
}

// entry appends an entry with these labels.
func (m *made) entry(labels ...events.Hash) {
	leaf := events.Leaf{Kind: events.KindEntry, TimeMS: m.timeMS, Event: m.draw(), Body: m.draw(), Blob: m.draw()}
	for _, l := range labels {
		leaf.Slots = append(leaf.Slots, events.Slot{Label: l, Commit: m.draw()})
	}
	at := m.edge.Size()
	h := m.append(leaf.Marshal())
	for k, l := range labels {
		m.pending = append(m.pending, index.Entry{Label: l, Value: verifier.IndexValue(at, uint16(k), h)})
	}
}

// entries appends entries of two slots.
func (m *made) entries(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		if i%10 == 9 {
			m.timeMS += minute
		}
		m.entry(m.draw(), m.draw())
	}
}

// state appends a state leaf that says what change makes of the truth.
func (m *made) state(t testing.TB, change func(*events.State)) {
	t.Helper()
	tree, err := m.tree.Insert(m.pending)
	if err == nil { // else a lie about labels stands before it
		m.tree = tree
	}
	s := &events.State{
		Covered: m.edge.Size(), MapRoot: m.tree.Root(), MapEntries: m.tree.Len(), VRFKey: m.trust.VRF,
		RulesHash: events.RulesHash(m.rules), PrevState: m.prev,
	}
	if change != nil {
		change(s)
	}
	leaf := events.Leaf{Kind: events.KindState, TimeMS: m.timeMS, Ext: s.Marshal()}
	m.prev, m.pending = m.append(leaf.Marshal()), nil
}

// publish writes the tiles and signs what there is.
func (m *made) publish(t testing.TB) verifier.Checkpoint {
	t.Helper()
	c := verifier.Checkpoint{Origin: origin, Size: m.edge.Size(), Root: m.edge.Root()}
	if err := m.writer.Sync(c.Size, c.Root); err != nil {
		t.Fatal(err)
	}
	if err := m.writer.PutCheckpoint(c.Size, m.sign(t, c)); err != nil {
		t.Fatal(err)
	}
	return c
}

func (m *made) sign(t testing.TB, c verifier.Checkpoint) []byte {
	t.Helper()
	signed, err := note.Sign(&note.Note{Text: c.Format()}, m.signer)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
