package index

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// ErrNoMark: the directory holds no version that the caller knows. Discard it and
// build the index anew.
var ErrNoMark = errors.New("the index on disk has no version of use")

// Config says where a Store keeps its files, and which versions it may keep.
type Config struct {
	Dir string // made if it is missing; empty: everything stays in memory
	// Accept says whether the caller knows the version with a mark. The newest is
	// opened before which it knows all. nil: it knows them all.
	Accept func(mark []byte) bool
	// Settled says that no version before the one with this mark will be opened
	// again. nil: none ever will.
	Settled func(mark []byte) bool
	// ReadOnly opens what is there and changes nothing.
	ReadOnly bool

	least uint64          // tests: entries in memory before a generation is written; 0: leastAdded
	step  func(op string) // tests: called after each change to the directory
}

// A generation is written when more than an eighth of the entries, and at least
// leastAdded, came after the last one.
const (
	leastAdded  = 1 << 16
	addedPart   = 8
	movedAtOnce = 1 << 16 // entries that one commit moves to a new generation, or more if it is large itself
)

// Store is an index whose versions are kept in a directory, for one user at a
// time. Versions are made by Tree.Insert and kept by Commit, by one goroutine;
// the trees may be read by many, until Close.
//
// After a crash at any moment the directory opens at a version that was
// committed. Which one depends on what the system had written: the caller inserts
// the rest again.
type Store struct {
	cfg    Config
	tree   *Tree
	mark   []byte
	number uint64 // of the newest log
	base   uint64 // generation that is in use, 0 for none
	log    *os.File
	end    int64   // of the log's last commit
	unkept []Entry // committed, and not in the log because writing failed
	kept   uint64  // entries in the newest generation
	job    *job    // not nil while a generation is written
	moving *moving // not nil while versions are moved to one
	hold   uint64  // size below which no generation is tried again after a failure
	cut    string  // what was wrong with the logs, if anything
}

// job is a writing that is under way.
type job struct {
	*writing
	tmp      string
	done     chan error // capacity 1
	finished bool
}

// Open returns the store in a directory, at the newest version that is accepted.
// Files that were changed give ErrDamaged, files of another ledger's time
// ErrNoMark: see Discard.
func Open(cfg Config) (*Store, error) {
	if cfg.least == 0 {
		cfg.least = leastAdded
	}
	if cfg.step == nil {
		cfg.step = func(string) {}
	}
	s := &Store{cfg: cfg, tree: Empty()}
	if cfg.Dir == "" {
		return s, nil
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	return s, nil
}

// Tree is the newest version.
func (s *Store) Tree() *Tree { return s.tree }

// Mark is what the caller noted of it, nil if the index is empty and new.
func (s *Store) Mark() []byte { return s.mark }

// Cut says what of the directory was not used because it was torn or changed, ""
// if nothing was.
func (s *Store) Cut() string { return s.cut }

// Commit makes next the newest version, which Tree returns from now on, perhaps
// with its entries elsewhere. next must be the last version with these entries
// inserted, in any number of steps. The mark is the caller's, of at most 64 KiB.
//
// After ErrDuplicate or ErrDamaged the store is of no more use: close it, and
// after ErrDamaged discard it. Any other error is one of writing: the version is
// committed all the same, lacks on disk what could not be written, and a later
// Commit tries again.
func (s *Store) Commit(next *Tree, entries []Entry, mark []byte) error {
	if next.after != s.tree.after {
		// It was made of a version whose entries may lie in a file that is not ours
		// any more.
		again, err := s.tree.Insert(entries)
		if err != nil {
			return err
		}
		next = again
	}
	if next.size != s.tree.size+uint64(len(entries)) || len(mark) > maxMark {
		return fmt.Errorf("committing %d labels after %d with %d: %w", next.size, s.tree.size, len(entries), errMoved)
	}
	s.tree, s.mark = &Tree{root: next.root, size: next.size, kept: next.kept, after: next.after + 1}, mark
	if s.cfg.Dir == "" || s.cfg.ReadOnly {
		return nil
	}
	return errors.Join(s.append(entries), s.advance(uint64(len(entries))))
}

// append writes a commit to the log.
func (s *Store) append(entries []Entry) error {
	if len(s.unkept) > 0 {
		entries = append(s.unkept, entries...)
		s.unkept = entries
	}
	c := commit{entries: entries, size: s.tree.size, root: s.tree.Root(), mark: s.mark}
	b := c.marshal()
	if _, err := s.log.WriteAt(b, s.end); err != nil {
		s.unkept = entries
		return fmt.Errorf("writing the index's log: %w", err)
	}
	s.end += int64(len(b))
	s.unkept = nil
	s.cfg.step("append")
	return nil
}

// advance does the next step from one generation to the next, if there is one. It
// is longer after a longer commit: the generation must be in use before it is too old.
func (s *Store) advance(committed uint64) error {
	switch {
	case s.moving != nil:
		tree, done, err := s.moving.step(s.tree, max(movedAtOnce, 4*committed))
		if err != nil {
			return err
		}
		if s.tree = tree; done {
			s.moving = nil
		}
		return nil
	case s.job != nil:
		// Whoever commits much at once is faster than the disk, and waits for it: what is
		// not in a file is in memory.
		since := s.tree.size - s.job.tree.size
		return s.settle(committed >= movedAtOnce && since > s.tree.size/addedPart)
	case len(s.unkept) == 0 && s.tree.size-s.kept > max(s.cfg.least, s.tree.size/addedPart) && s.tree.size >= s.hold:
		return s.begin()
	}
	return nil
}

// begin writes a generation of the newest version in the background. What is
// committed from now on goes to the next log.
func (s *Store) begin() error {
	number := s.number + 1
	s.hold = s.tree.size + s.cfg.least // if this fails, not again at once
	log, err := s.createLog(number)
	if err != nil {
		return err
	}
	w, err := s.create(number)
	if err != nil {
		return errors.Join(err, log.Close(), os.Remove(s.path(number, "log")))
	}
	old := s.log
	s.log, s.number, s.end = log, number, logHeaderBytes
	s.job = w
	go func() { w.done <- w.write() }()
	return old.Close()
}

// create makes the temporary file of a generation.
func (s *Store) create(number uint64) (*job, error) {
	tmp := s.path(number, "tmp")
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("writing the index: %w", err)
	}
	s.cfg.step("create generation")
	w := &writing{tree: s.tree, mark: s.mark, number: number, slot: s.tree.kept.free(), file: f, abort: new(atomic.Bool)}
	return &job{writing: w, tmp: tmp, done: make(chan error, 1)}, nil
}

// settle takes a generation into use when it is complete and no older version
// will be asked for.
func (s *Store) settle(wait bool) error {
	j := s.job
	if wait && !j.finished {
		if err := <-j.done; err != nil {
			return s.giveUp(err)
		}
		j.finished = true
	}
	if !j.finished {
		select {
		case err := <-j.done:
			if err != nil {
				return s.giveUp(err)
			}
			j.finished = true
		default:
			return nil
		}
	}
	if !s.settled(j.mark) {
		return nil
	}
	if err := s.install(j); err != nil {
		return s.giveUp(err)
	}
	s.moving = j.moving()
	return nil
}

func (s *Store) settled(mark []byte) bool { return s.cfg.Settled == nil || s.cfg.Settled(mark) }

// moving brings versions to the generation that was written.
func (j *job) moving() *moving {
	return &moving{to: &generation{slot: j.slot, file: j.file, size: j.tree.size}, units: j.units}
}

// install gives a generation its name, and removes what it replaces.
func (s *Store) install(j *job) error {
	s.cfg.step("write generation")
	if err := os.Rename(j.tmp, s.path(j.number, "gen")); err != nil {
		return err
	}
	s.cfg.step("rename")
	if err := syncDir(s.cfg.Dir); err != nil {
		return err
	}
	s.job, s.base, s.kept, s.hold = nil, j.number, j.tree.size, 0
	s.sweep()
	return nil
}

// giveUp leaves everything as it was before a generation was begun, but for the
// new log, which follows on the old one.
func (s *Store) giveUp(err error) error {
	j := s.job
	s.job = nil
	err = errors.Join(err, j.file.Close())
	if removing := os.Remove(j.tmp); removing != nil && !errors.Is(removing, os.ErrNotExist) {
		err = errors.Join(err, removing)
	}
	if errors.Is(err, errAborted) {
		return nil
	}
	return fmt.Errorf("writing the index: %w", err)
}

// Rebuild replaces everything that the store holds by a tree that is in memory.
func (s *Store) Rebuild(t *Tree, mark []byte) error {
	if s.job != nil || s.moving != nil || t.kept != (kept{}) {
		return errMoved
	}
	s.tree, s.mark = &Tree{root: t.root, size: t.size, after: s.tree.after + 1}, mark
	if s.cfg.Dir == "" || s.cfg.ReadOnly || t.size == 0 {
		return nil
	}
	if err := s.begin(); err != nil {
		return err
	}
	if err := <-s.job.done; err != nil {
		return s.giveUp(err)
	}
	j := s.job
	if err := s.install(j); err != nil {
		return s.giveUp(err)
	}
	tree, _, err := j.moving().step(s.tree, 1<<62)
	if err == nil {
		s.tree = tree
	}
	return err
}

// Close closes the files. Trees whose entries lie in them cannot be read any
// more.
func (s *Store) Close() error {
	var err error
	if j := s.job; j != nil {
		j.abort.Store(true)
		if !j.finished {
			err = <-j.done
		}
		if err != nil || !s.settled(j.mark) {
			err = s.giveUp(cmp.Or(err, errAborted))
		} else if err = s.install(j); err == nil {
			err = j.file.Close()
		} else {
			err = s.giveUp(err)
		}
	}
	return errors.Join(err, s.closeFiles())
}

func (s *Store) closeFiles() (err error) {
	if s.log != nil {
		err = s.log.Close()
		s.log = nil
	}
	open := s.tree.kept
	if s.moving != nil {
		open[s.moving.to.slot] = s.moving.to
	}
	for _, g := range open {
		if g != nil {
			err = errors.Join(err, g.file.Close())
		}
	}
	return err
}
