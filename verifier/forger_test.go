package verifier_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	vrf "filippo.io/mostly-harmless/vrf-r255"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/verifier"
)

// forger is a whole ledger as its operator could run it: he holds every key,
// writes what he likes into leaves, index and reports, and signs it all. Left
// alone it is honest; each test tells one lie and keeps the rest, signatures
// included, consistent. Everything follows from fixed seeds.
type forger struct {
	t      testing.TB
	origin string
	stream string
	vrf    *vrf.PrivateKey
	log    *signer
	report *signer
	rules  []byte
	older  [][]byte // versions of the rules before
	// What it continues.
	predecessor  []byte
	predecessors []string

	timeMS uint64
	leaves [][]byte
	events map[uint64]*written // by index
	labels []index.Entry       // of every entry so far
	prev   events.Hash         // leaf hash of the last state leaf
	random uint64

	// Lies.
	alterState func(*events.State)  // of each state leaf from here on
	unindexed  map[events.Hash]bool // labels left out of the index
	checkpoint func(string) string  // text that is signed as the checkpoint
}

// written is what the operator remembers of an event.
type written struct {
	id     events.ID
	typ    string
	seed   events.Hash
	fields []events.Field
	slots  []mark
}

// mark is one labelled slot of an event.
type mark struct {
	label   events.Hash
	opening events.Hash
	content []byte
}

// party is somebody with a sequence, as the operator shows it in a report: one
// generation, and those before it.
type party struct {
	role    events.Role
	id      events.Identity
	number  uint64
	handle  events.Hash
	enrol   spot
	enrols  bool // shown as enrolled
	entries []spot
	primary *party // of an alias
	close   *spot
	reason  uint8
	before  *party
}

// gens are the party's generations that are shown, oldest first.
func (p *party) gens() (all []*party) {
	for ; p != nil; p = p.before {
		if p.enrols {
			all = append(all, p)
		}
	}
	slices.Reverse(all)
	return all
}

type spot struct {
	index uint64
	slot  uint16
}

const (
	minute    = 60_000
	genesisMS = 1_790_000_000_000 - 1_790_000_000_000%minute
)

func newForger(t testing.TB) *forger {
	t.Helper()
	const origin = "ledger.example/2026"
	f := &forger{
		t: t, origin: origin, stream: "sharetrail-2026", rules: events.DefaultRules().Marshal(), timeMS: genesisMS,
		log: newSigner(t, origin, 1), report: newSigner(t, origin+"/report", 2), vrf: newVRF(t, 3),
		events: map[uint64]*written{}, unindexed: map[events.Hash]bool{},
	}
	f.state()
	return f
}

// newVRF makes a VRF key of a small number.
func newVRF(t testing.TB, n byte) *vrf.PrivateKey {
	t.Helper()
	k, err := vrf.NewPrivateKey(append([]byte{n, 0xA5}, make([]byte, 30)...))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signer signs notes and names its own key.
type signer struct {
	note.Signer
	vkey string
}

func newSigner(t testing.TB, name string, n byte) *signer {
	t.Helper()
	const ed25519Alg = 1
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	pub := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	id := sha256.Sum256(slices.Concat([]byte(name+"\n"), []byte{ed25519Alg}, pub))
	hash := binary.BigEndian.Uint32(id[:])
	spell := func(b []byte) string {
		return fmt.Sprintf("%s+%08x+%s", name, hash, base64.StdEncoding.EncodeToString(append([]byte{ed25519Alg}, b...)))
	}
	s, err := note.NewSigner("PRIVATE+KEY+" + spell(seed))
	if err != nil {
		t.Fatal(err)
	}
	return &signer{s, spell(pub)}
}

// draw gives the next of the forger's pseudo-random values.
func (f *forger) draw() events.Hash {
	f.random++
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("forger"), f.random))
}

func (f *forger) next() uint64 { return uint64(len(f.leaves)) }

func (f *forger) append(l *events.Leaf) uint64 {
	f.leaves = append(f.leaves, l.Marshal())
	return f.next() - 1
}

// entry appends an event with its marks in the first slots and decoys in the
// rest.
func (f *forger) entry(typ string, fields []events.Field, marks ...mark) uint64 {
	f.t.Helper()
	f.timeMS += minute
	w := &written{typ: typ, seed: f.draw(), fields: fields, slots: marks}
	id := f.draw()
	copy(w.id[:], id[:])
	width := 2
	for width < len(marks) {
		width *= 2
	}
	for len(w.slots) < width {
		decoy := f.draw()
		w.slots = append(w.slots, mark{label: decoy, opening: f.draw(), content: decoy[:]})
	}
	body, err := events.NewBody(w.seed, events.FieldWidth, fields)
	if err != nil {
		f.t.Fatal(err)
	}
	l := &events.Leaf{
		Kind: events.KindEntry, TimeMS: f.timeMS, Body: body.Root(), Blob: f.draw(),
		Event: events.CommitEvent(events.Opening(w.seed, 0), w.id, typ, f.stream),
	}
	for _, m := range w.slots {
		l.Slots = append(l.Slots, events.Slot{Label: m.label, Commit: events.CommitSlot(m.opening, m.content)})
	}
	at := f.append(l)
	for k, m := range w.slots {
		value := verifier.IndexValue(at, uint16(k), events.LeafHash(f.leaves[at]))
		f.labels = append(f.labels, index.Entry{Label: m.label, Value: value})
	}
	f.events[at] = w
	return at
}

// state appends a state leaf over everything before it.
func (f *forger) state() uint64 {
	f.t.Helper()
	tree := f.index()
	s := &events.State{
		Covered: f.next(), MapRoot: tree.Root(), MapEntries: tree.Len(), VRFKey: events.Hash(f.vrf.PublicKey().Bytes()),
		RulesHash: events.RulesHash(f.rules), PrevState: f.prev,
	}
	if f.next() == 0 {
		s.Predecessor = f.predecessor
	}
	if f.alterState != nil {
		f.alterState(s)
	}
	at := f.append(&events.Leaf{Kind: events.KindState, TimeMS: f.timeMS, Ext: s.Marshal()})
	f.prev = events.LeafHash(f.leaves[at])
	return at
}

// index is the tree over all labels, but for those the forger hides.
func (f *forger) index(hidden ...events.Hash) *index.Tree {
	f.t.Helper()
	var shown []index.Entry
	for _, e := range f.labels {
		if !f.unindexed[e.Label] && !slices.Contains(hidden, e.Label) {
			shown = append(shown, e)
		}
	}
	tree, err := index.Empty().Insert(shown)
	if err != nil {
		f.t.Fatal(err)
	}
	return tree
}

// Parties.

func (f *forger) party(role events.Role, id string) *party {
	f.t.Helper()
	canonical, err := events.ParseIdentity(events.DefaultRules().Identities, id)
	if err != nil {
		f.t.Fatal(err)
	}
	return &party{role: role, id: canonical, handle: f.draw()}
}

// next is the party's next generation.
func (f *forger) successor(p *party) *party {
	return &party{role: p.role, id: p.id, number: p.number + 1, handle: f.draw(), before: p}
}

// close ends a party's generation, and those of its aliases, and returns the marks
// of the event.
func (f *forger) closeMarks(reason uint8, parties ...*party) (marks []mark) {
	for _, p := range parties {
		if p.primary == nil {
			marks = append(marks, f.entryMark(p, uint64(len(p.entries))))
		}
		out := f.vrf.Prove(events.VRFInput(events.CloseContext, f.origin, p.role, p.id, p.number)).Hash()
		label, opening := events.VRFLabel(out)
		c := &events.SlotContent{Kind: events.SlotClose, Role: p.role, Number: &p.number, Reason: &reason}
		marks = append(marks, mark{label, opening, c.Marshal()})
	}
	return marks
}

func (f *forger) close(reason uint8, parties ...*party) uint64 {
	marks := f.closeMarks(reason, parties...)
	at := f.entry(events.TypeClosed, []events.Field{}, marks...)
	slot := uint16(0)
	for _, p := range parties {
		if p.primary == nil {
			p.entries = append(p.entries, spot{at, slot})
			slot++
		}
		p.close, p.reason = &spot{at, slot}, reason
		slot++
	}
	return at
}

// vrfOf proves a label of the VRF.
func (f *forger) vrfOf(ctx string, p *party, g uint64) (label events.Hash, proof []byte) {
	pi := f.vrf.Prove(events.VRFInput(ctx, f.origin, p.role, p.id, g))
	label, _ = events.VRFLabel(pi.Hash())
	return label, pi.Bytes()
}

func (f *forger) enrolMark(p *party, g uint64) mark {
	label, _ := f.vrfOf(events.EnrolContext, p, g)
	if p.primary != nil {
		c := &events.SlotContent{Kind: events.SlotAlias, Role: p.role, Number: &g, ID: []byte(p.primary.id)}
		return mark{label, f.draw(), c.Marshal()}
	}
	return mark{label, f.draw(), events.EnrolContent(p.role, g, p.handle, p.id).Marshal()}
}

func (f *forger) entryMark(p *party, i uint64) mark {
	content := events.EntryContent(p.role, i, p.id, nil)
	if p.role == events.RoleSubject {
		content = events.EntryContent(p.role, i, p.id, &events.Private{Description: fmt.Sprintf("case %d", i)})
	}
	return mark{events.EntryLabel(p.handle, i), f.draw(), content.Marshal()}
}

// enrol appends an Enrolled event.
func (f *forger) enrol(parties ...*party) uint64 {
	var marks []mark
	for _, p := range parties {
		marks = append(marks, f.enrolMark(p, p.number))
	}
	return f.enrolAs(events.TypeEnrolled, marks, parties...)
}

func (f *forger) enrolAs(typ string, marks []mark, parties ...*party) uint64 {
	at := f.entry(typ, []events.Field{}, marks...)
	for k, p := range parties {
		p.enrol, p.enrols = spot{at, uint16(k)}, true
	}
	return at
}

// share appends a share that stands under the next label of each party.
func (f *forger) share(d *events.DisclosureRecorded, parties ...*party) uint64 {
	var marks []mark
	for _, p := range parties {
		marks = append(marks, f.entryMark(p, uint64(len(p.entries))))
	}
	return f.shareAs(d.Type(), events.Fields(d), marks, parties...)
}

func (f *forger) shareAs(typ string, fields []events.Field, marks []mark, parties ...*party) uint64 {
	at := f.entry(typ, fields, marks...)
	for k, p := range parties {
		p.entries = append(p.entries, spot{at, uint16(k)})
	}
	return at
}

// Reports.

func (f *forger) trust() *verifier.Trust {
	return &verifier.Trust{
		Suite: 1, Origin: f.origin, Log: f.log.vkey, Policy: verifier.NoQuorum(f.log.vkey),
		VRF: events.Hash(f.vrf.PublicKey().Bytes()), Genesis: events.LeafHash(f.leaves[0]),
		Report: f.report.vkey, Predecessors: append([]string{}, f.predecessors...),
	}
}

// hashes is the log as package tlog stores one.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indices []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indices {
		out = append(out, h[i])
	}
	return out, nil
}

func (f *forger) storage(size uint64) hashes {
	f.t.Helper()
	var h hashes
	for i, leaf := range f.leaves[:size] {
		more, err := tlog.StoredHashes(int64(i), leaf, h)
		if err != nil {
			f.t.Fatal(err)
		}
		h = append(h, more...)
	}
	return h
}

func (f *forger) proven(at, size uint64) verifier.Proven {
	f.t.Helper()
	p := verifier.Proven{Index: at, Leaf: f.leaves[at], Inclusion: verifier.Path{}}
	if at >= size {
		return p
	}
	proof, err := tlog.ProveRecord(int64(size), int64(at), f.storage(size))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, h := range proof {
		p.Inclusion = append(p.Inclusion, events.Hash(h))
	}
	return p
}

func (f *forger) signedCheckpoint(size uint64) string {
	f.t.Helper()
	root, err := tlog.TreeHash(int64(size), f.storage(size))
	if err != nil {
		f.t.Fatal(err)
	}
	text := verifier.Checkpoint{Origin: f.origin, Size: size, Root: events.Hash(root)}.Format()
	if f.checkpoint != nil {
		text = f.checkpoint(text)
	}
	return string(signNote(f.t, text, f.log))
}

func signNote(t testing.TB, text string, signers ...note.Signer) []byte {
	t.Helper()
	b, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// write makes the report about parties at the last state leaf. Where a label that
// must be absent is there, it forges: a proof that would hold if the index had not
// the label.
func (f *forger) write(parties ...*party) *verifier.Report {
	f.t.Helper()
	return &verifier.Report{
		Trust: string(f.trust().Canonical()), Parts: []verifier.Evidence{f.part(parties...)},
		Statement: verifier.Statement{GeneratedAt: "2026-11-22T12:00:00Z", Notice: "none"},
	}
}

func (f *forger) part(parties ...*party) verifier.Evidence {
	f.t.Helper()
	size := f.next()
	e := verifier.Evidence{
		Origin: f.origin, Stream: f.stream, Role: parties[0].role.String(),
		Checkpoint: f.signedCheckpoint(size), Rules: f.versions(),
		Genesis: f.proven(0, size), State: f.proven(size-1, size), Names: []verifier.Name{}, Targets: []verifier.Target{},
	}
	for _, p := range parties {
		e.IDs = append(e.IDs, p.id.String())
		e.Names = append(e.Names, f.name(p, size))
	}
	for _, p := range parties {
		if p.primary != nil && !slices.Contains(parties, p.primary) {
			e.Names = append(e.Names, f.name(p.primary, size))
		}
	}
	return e
}

func (f *forger) versions() (docs []string) {
	for _, doc := range f.older {
		docs = append(docs, string(doc))
	}
	return append(docs, string(f.rules))
}

func (f *forger) name(p *party, size uint64) verifier.Name {
	f.t.Helper()
	n := verifier.Name{ID: p.id.String(), Generations: []verifier.Generation{}}
	for i, g := range p.gens() {
		n.Generations = append(n.Generations, f.generation(uint64(i), g, size))
	}
	n.Absences = verifier.NameAbsences(uint64(len(n.Generations)), p.enrols && p.close != nil)
	for i := range n.Absences {
		f.absence(p, &n.Absences[i])
	}
	return n
}

func (f *forger) generation(number uint64, p *party, size uint64) verifier.Generation {
	f.t.Helper()
	label, proof := f.vrfOf(events.EnrolContext, p, p.number)
	w, m := f.events[p.enrol.index], f.events[p.enrol.index].slots[p.enrol.slot]
	g := verifier.Generation{Number: number, Entries: []verifier.Entry{}, Absences: []verifier.Absence{}}
	g.Enrol = &verifier.Enrolment{VRF: proof, Proven: f.proven(p.enrol.index, size), Slot: p.enrol.slot, Member: f.member(label)}
	if p.close != nil {
		label, proof := f.vrfOf(events.CloseContext, p, p.number)
		g.Close = &verifier.Closing{VRF: proof, Proven: f.proven(p.close.index, size), Slot: p.close.slot,
			Content: f.events[p.close.index].slots[p.close.slot].content, Member: f.member(label)}
		if p.reason == verifier.ClosedErased {
			return g
		}
	}
	g.Enrol.Opened = &verifier.Opening{Opening: m.opening, Content: m.content, EventID: w.id, Type: w.typ, Seed: w.seed}
	if p.primary != nil {
		return g
	}
	for i, at := range p.entries {
		g.Entries = append(g.Entries, f.shown(p, uint64(i), at, size))
	}
	g.Absences = verifier.EntryAbsences(uint64(len(g.Entries)))
	for i := range g.Absences {
		f.absence(p, &g.Absences[i])
	}
	return g
}

func (f *forger) shown(p *party, i uint64, at spot, size uint64) verifier.Entry {
	f.t.Helper()
	w := f.events[at.index]
	m := w.slots[at.slot]
	return verifier.Entry{
		Number: i, Proven: f.proven(at.index, size), Slot: at.slot, Member: f.member(events.EntryLabel(p.handle, i)), EventID: w.id, Type: w.typ,
		Opening: &m.opening, Content: m.content, Seed: &w.seed, Fields: events.MarshalFields(w.fields),
	}
}

// hide closes an entry as the filter's language wants it.
func (f *forger) hide(e *verifier.Entry, filter *verifier.Filter) {
	f.t.Helper()
	w := f.events[e.Index]
	body, err := events.NewBody(w.seed, events.FieldWidth, w.fields)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, field := range w.fields {
		if slices.Contains(filter.Reads(e.Type), field.Name) {
			e.Shown = append(e.Shown, verifier.Field{Number: field.Number, Name: field.Name, Value: field.Value,
				Opening: events.Opening(w.seed, field.Number+1), Path: body.Path(field.Number)})
		}
	}
	event := events.Opening(w.seed, 0)
	e.Event, e.Seed, e.Fields = &event, nil, nil
	if len(events.About(e.Type)) == 0 {
		e.Opening, e.Content = nil, nil
	}
}

// member proves a label, or pretends to.
func (f *forger) member(label events.Hash) verifier.Path {
	if _, p, err := f.index().ProveMember(label); err == nil {
		return p.Siblings
	}
	absent, err := f.index().ProveAbsent(label)
	if err != nil {
		f.t.Fatal(err)
	}
	return absent.Siblings
}

func (f *forger) absence(p *party, a *verifier.Absence) {
	f.t.Helper()
	label := events.EntryLabel(p.handle, a.Number)
	switch a.Label {
	case verifier.LabelEnrol:
		label, a.VRF = f.vrfOf(events.EnrolContext, p, a.Number)
	case verifier.LabelClose:
		label, a.VRF = f.vrfOf(events.CloseContext, p, a.Number)
	}
	a.Prove(f.absent(label))
}

func (f *forger) absent(label events.Hash) verifier.AbsenceProof {
	f.t.Helper()
	p, err := f.index(label).ProveAbsent(label)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// sign makes the file.
func (f *forger) sign(r *verifier.Report) []byte {
	f.t.Helper()
	b, err := verifier.FormatReport(r, f.report)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// standard is the ledger that most tests begin with: two subjects and a
// recipient, three shares, two of them about Ada and Grace both.
//
//	0 state · 1 enrolled · 2 share · 3 state · 4 share · 5 share · 6 state
type standard struct {
	*forger
	ada, grace, org *party
}

func newStandard(t testing.TB) *standard {
	t.Helper()
	f := newForger(t)
	s := &standard{forger: f, ada: f.party(events.RoleSubject, adaID),
		grace: f.party(events.RoleSubject, "email:grace@example.com"), org: f.party(events.RoleRecipient, "org:northwind")}
	f.enrol(s.org, s.ada, s.grace)
	f.share(sample(1), s.org, s.ada, s.grace)
	f.state()
	f.share(sample(2), s.org, s.grace, s.ada)
	f.share(sample(3), s.org, s.ada)
	f.state()
	return s
}

const adaID = "email:ada@example.com"

// sample is a share; n tells one from another.
func sample(n int) *events.DisclosureRecorded {
	return &events.DisclosureRecorded{
		Occurred:   events.Occurred{At: fmt.Sprintf("2026-09-%02dT00:00:00Z", n), Precision: "day"},
		Reasons:    []events.Reason{events.VendorOnBehalf, events.ProvideProduct},
		Purposes:   []string{"customer support"},
		LegalBases: []string{"GDPR 28"},
		Recipient: events.Recipient{ID: "org:northwind", LegalName: fmt.Sprintf("Northwind %d (sample)", n),
			Country: "IE", Category: "processor"},
		Data:       events.SharedData{Categories: []string{"name", "email address"}},
		Promise:    events.Promise{Statement: "privacy-statement/2026-01"},
		Transfer:   &events.Transfer{From: "IE", To: "IN", Mechanism: "scc_2021_m2"},
		Provenance: events.Provenance{Grade: "native"},
		Extent:     events.Extent{Subjects: 1},
	}
}
