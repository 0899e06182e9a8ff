package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/verifier"
)

// Fault says where a ledger contradicts itself first.
type Fault struct {
	Index uint64 // of the first leaf that differs, or the size of a checkpoint
	What  string // what differs from what
	err   error
}

// Error implements error.
func (f *Fault) Error() string {
	s := fmt.Sprintf("verifying leaf %d: %s", f.Index, f.What)
	if f.err != nil {
		s += ": " + f.err.Error()
	}
	return s
}

// Unwrap makes every fault ErrCorrupt.
func (f *Fault) Unwrap() []error { return []error{ErrCorrupt, f.err} }

// Verified counts what Verify has found in order.
type Verified struct {
	Events      uint64 `json:"events"`      // in the stream, each a leaf
	Opened      uint64 `json:"opened"`      // slots that a key of the keystore opened
	Logged      uint64 `json:"logged"`      // size of the log, whose root is ours
	Checkpoints uint64 `json:"checkpoints"` // signed ones, each with our root and edge at its size
	Recorded    uint64 `json:"recorded"`    // events that the state file knows, as they are
	Labels      uint64 `json:"labels"`      // in the label index on disk, each as it should be
	// IndexCut says that the label index on disk ends before what was committed to it,
	// as after a crash, and why. What is there is as it should be, and the next start
	// inserts the rest from the stream.
	IndexCut string `json:"index_cut,omitempty"`
	Tiled    uint64 `json:"tiled"` // leaves whose tiles are those of the stream
	Foreign  uint64 `json:"foreign"`
	// Closed are the closing events: the ends of generations, of erased people and of
	// people who got another key. What an erased person's key opened is not opened,
	// and is whole as bytes all the same.
	Closed uint64 `json:"closed"`
	// Undestroyed are keys of erased people that are in the keystore, because an older
	// copy of it was brought back. The next start destroys them before it serves.
	Undestroyed uint64 `json:"undestroyed"`
}

// Verify recomputes a ledger from its stream and keystore, event by event, and
// compares state.db, the label index, the log and every checkpoint with that. Every slot of a
// party is opened with its key. It changes nothing, reads everything and takes
// about as long as recording did. The ledger should not be running: what is
// recorded meanwhile may be reported as missing.
//
// progress is called after each event with how many were done; nil means never.
//
// A contradiction is a *Fault with the first index that differs; other errors
// say that something could not be read.
func Verify(ctx context.Context, cfg Config, progress func(events uint64)) (Verified, error) {
	if _, err := os.Stat(cfg.State); errors.Is(err, os.ErrNotExist) {
		cfg.State = "" // nothing to compare, and nothing is made
	}
	l, err := newLedger(ctx, cfg)
	if err != nil {
		return Verified{}, err
	}
	defer l.Close()
	if l.file != nil {
		l.file.next = math.MaxUint64 // it takes nothing
	}
	v := &verifying{Ledger: l, progress: progress}
	err = v.openIndexed(cfg.Index)
	if err == nil {
		err = errors.Join(v.verify(ctx), v.indexed.Close())
	}
	if err != nil {
		return v.found, fmt.Errorf("verifying the ledger %s: %w", l.origin, err)
	}
	return v.found, nil
}

type verifying struct {
	*Ledger
	found    Verified
	roots    map[uint64]signable // what must be known of each size that was signed or logged
	logged   uint64
	logRoot  events.Hash
	recorded *recordReader
	indexed  *index.Store                 // the label index on disk; empty if there is none
	leaves   func() ([]byte, error, bool) // of the log; nil if it can only be asked for its root
	tiles    *comparedTiles               // nil if there are to be none
	header   *keystore.Sealed             // of the last continuation
	opens    keystore.EventSecrets        // what opened it
	progress func(events uint64)
}

func (v *verifying) verify(ctx context.Context) error {
	var err error
	var root [32]byte
	if v.logged, root, err = v.trees.Root(ctx); err != nil {
		return fmt.Errorf("asking the log for its root: %w", err)
	}
	v.logRoot, v.sequenced, v.roots = root, newEdge(), map[uint64]signable{}
	v.recorded = v.file.reader(ctx)
	defer v.recorded.stop()
	if log, ok := v.trees.(interface {
		Leaves(ctx context.Context, first, count uint64) iter.Seq2[[]byte, error]
	}); ok && v.logged > 0 {
		next, stop := iter.Pull2(log.Leaves(ctx, 0, v.logged))
		defer stop()
		v.leaves = next
	}
	checkpoints, err := v.readCheckpoints(ctx)
	if err != nil {
		return err
	}
	if err := v.compareTiles(len(checkpoints) > 0); err != nil {
		return err
	}
	for e, err := range v.store.Read(ctx, v.stream, 0, 1<<62) {
		if err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		if err := v.event(ctx, e); err != nil {
			return err
		}
		if v.progress != nil {
			v.progress(v.state.next)
		}
	}
	v.found.Tiled, v.found.IndexCut = v.tiles.size(), v.indexed.Cut()
	v.found.Events, v.found.Foreign, v.found.Undestroyed = v.state.next, v.state.foreign, uint64(len(v.state.doomed))
	if err := v.compare(ctx, checkpoints); err != nil {
		return err
	}
	return v.compareHeld(ctx)
}

// event folds one event, which checks it against everything before it, opens
// what the keystore opens of it, and compares what the state file says of it.
func (v *verifying) event(ctx context.Context, e events.Recorded) error {
	timeMS := v.state.timeMS
	_, about, data := leafOf(v.secrets, e, timeMS)
	done, err := v.deedOf(ctx, e, about, data)
	if err != nil {
		return &Fault{e.Revision, "what it is about cannot be read", err}
	}
	if err := v.fold(ctx, e, v.keys.Enrolment); err != nil {
		return &Fault{e.Revision, "the event does not follow from those before it", err}
	}
	entry, leaf, stored := leafOf(v.secrets, e, timeMS)
	hash := events.LeafHash(entry)
	if err := v.sequenced.append(hash, leaf.TimeMS); err != nil {
		return fmt.Errorf("growing the tree: %w", err)
	}
	if err := v.tiles.add(entry, hash, v.sequenced.root); err != nil {
		return err
	}
	if size := v.sequenced.size(); size == v.logged || leaf.Kind == events.KindState {
		v.roots[size] = signable{size, v.sequenced.root(), v.sequenced.hashes()}
	}
	for n := range v.state.snapshots { // nobody proves anything under them
		delete(v.state.snapshots, n)
	}
	if leaf.Kind == events.KindEntry {
		if err := v.open(ctx, e, leaf, stored); err != nil {
			return &Fault{e.Revision, "a key of the keystore does not open what is its", err}
		}
	}
	if leaf.Kind == events.KindState {
		if err := v.compareIndex(e.Revision); err != nil {
			return err
		}
	}
	want := newRecord(e, leaf, stored, hash, done)
	got, found, err := v.recorded.next()
	if err != nil {
		return &Fault{e.Revision, "the state file (state.db) cannot be read; delete it, and the next start folds it again", err}
	}
	if found && done == nil && len(events.About(e.Type)) > 0 && leaf.Kind == events.KindEntry {
		// Whoever could tell was erased since; what it did concerns nobody any more.
		want.done, want.flags = got.done, want.flags|got.flags&recordAbout
	}
	if leaf.Kind == events.KindEntry && e.Type == events.TypeClosed {
		v.found.Closed++
	}
	if found && got.kind() != events.KindForeign && leaf.Kind == events.KindForeign {
		return &Fault{e.Revision, "the event in the stream (events.db) was changed after it was recorded; restore it from its backup", nil}
	}
	if found && !bytes.Equal(got.appendTo(nil), want.appendTo(nil)) {
		return &Fault{e.Revision, "the state file (state.db) says something else of it than the stream", nil}
	}
	if found {
		v.found.Recorded++
	}
	if v.leaves == nil || e.Revision >= v.logged {
		return nil
	}
	if there, err, ok := v.leaves(); !ok || err != nil || !bytes.Equal(there, entry) {
		return &Fault{e.Revision, "the log (log.db) does not have the stream's leaf", err}
	}
	return nil
}

// open opens every slot of an event whose party is known, after the event was
// folded: the label must be that party's in this place.
func (v *verifying) open(ctx context.Context, e events.Recorded, leaf *events.Leaf, stored *events.Stored) error {
	sealed := &keystore.Sealed{Recorded: e, Origin: v.origin, Stored: stored, Leaf: leaf}
	for _, c := range v.state.claimed {
		party, err := v.keys.ByID(ctx, c.party)
		if err != nil {
			return err
		}
		opened, err := sealed.Open(c.at.slot, party.Key)
		if err != nil {
			return err
		}
		want := events.EntryContent(party.Role, c.number, party.Identity, opened.Content.Private)
		want.TargetIndex, want.TargetLeaf = opened.Content.TargetIndex, opened.Content.TargetLeaf
		switch {
		case e.Type == events.TypeRecordContinued:
			if err := v.continuation(ctx, e.Revision, opened); err != nil {
				return err
			}
			want.Kind = events.SlotContinuation
		case events.UnsealedIn(opened.Event) != nil:
			want.Kind, want.TargetSlot = events.SlotUnseal, opened.Content.TargetSlot
		}
		if e.Type == events.TypeEnrolled {
			want = events.EnrolContent(party.Role, party.Generation, party.Handle, party.Identity)
		}
		if !bytes.Equal(want.Marshal(), opened.Slot) {
			return fmt.Errorf("slot %d says something else than its label", c.at.slot)
		}
		v.found.Opened++
	}
	if _, under := v.state.sealed[e.ID]; !under {
		return nil
	}
	keys, err := v.keys.SealKeys(ctx, e.ID)
	if err != nil {
		return err
	}
	slots, err := sealed.OpenSealed(keys)
	v.found.Opened += uint64(len(slots))
	return err
}

// continuation wants a continuation to name the header that its id follows from, and
// to hold what opens it.
func (v *verifying) continuation(ctx context.Context, at uint64, opened *keystore.Opened) error {
	c := opened.Content
	if c.TargetIndex == nil || !slices.Contains(v.state.continuations(*c.TargetIndex), at) {
		return errors.New("a slot names another event than the one that it continues")
	}
	if v.header == nil || v.header.Revision != *c.TargetIndex {
		var err error
		if v.header, err = v.sealedAt(ctx, *c.TargetIndex); err != nil {
			return err
		}
	}
	if events.Hash(c.TargetLeaf) != events.LeafHash(v.header.Stored.Leaf) {
		return errors.New("a slot names another leaf than the event's that it continues")
	}
	if v.opens != opened.Target {
		if _, err := v.header.OpenHeader(opened.Target); err != nil {
			return err
		}
		v.opens = opened.Target
	}
	return nil
}

// compare compares the log and the checkpoints with our roots.
func (v *verifying) compare(ctx context.Context, checkpoints []checkpointEvent) error {
	if _, more, err := v.recorded.next(); err != nil || more {
		return &Fault{v.state.next, "the state file knows an event that the stream does not have", err}
	}
	for _, data := range checkpoints {
		c, err := verifier.OpenCheckpoint([]byte(data.Checkpoint), v.origin, v.secrets.LogVerifier)
		if err != nil {
			return &Fault{0, "a checkpoint is not signed by this ledger", err}
		}
		ours, ok := v.roots[c.Size]
		if !ok || ours.root != c.Root || !slices.Equal(ours.edge, data.Edge) {
			return &Fault{c.Size, "the checkpoint of this size has another root or edge than the stream", nil}
		}
		v.found.Checkpoints++
	}
	if v.logged > v.state.next {
		return &Fault{v.state.next, "the log has more leaves than the stream has events", nil}
	}
	if v.found.Labels < v.indexed.Tree().Len() {
		return &Fault{coveredBy(v.indexed.Mark()), "the label index (index) is of a state leaf that the stream does not have" + rebuildIndex, nil}
	}
	if v.logged > 0 && v.roots[v.logged].root != v.logRoot {
		return &Fault{v.logged, "the log (log.db) has the stream's leaves and another root", nil}
	}
	v.found.Logged = v.logged
	return v.tiles.compare(v)
}

// readCheckpoints returns all checkpoints before the stream is read, so that one
// that is published meanwhile is not one too many.
func (v *verifying) readCheckpoints(ctx context.Context) (all []checkpointEvent, err error) {
	for e, err := range v.store.Read(ctx, v.checkpoints(), 0, 1<<62) {
		if err != nil {
			return nil, fmt.Errorf("reading the checkpoints: %w", err)
		}
		var data checkpointEvent
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return nil, &Fault{e.Revision, "the checkpoint event of this revision cannot be read", err}
		}
		all = append(all, data)
	}
	return all, nil
}

// recordReader reads the records of a state file one by one.
type recordReader struct {
	pull func() (run, error, bool)
	stop func()
	rest []byte
	rec  record
}

// reader begins at the first event. A nil file has no records.
func (f *stateFile) reader(ctx context.Context) *recordReader {
	if f == nil {
		return &recordReader{pull: func() (run, error, bool) { return run{}, nil, false }, stop: func() {}}
	}
	pull, stop := iter.Pull2(f.runs(ctx, math.MaxInt64))
	return &recordReader{pull: pull, stop: stop}
}

func (r *recordReader) next() (*record, bool, error) {
	for len(r.rest) == 0 {
		run, err, ok := r.pull()
		if !ok || err != nil {
			return nil, false, err
		}
		r.rest = run.records
	}
	var err error
	r.rest, err = r.rec.parse(r.rest)
	return &r.rec, err == nil, err
}
