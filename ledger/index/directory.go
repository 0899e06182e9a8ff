package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sharetrail/sharetrail/events"
)

// A directory holds NUMBER.gen, a generation, and NUMBER.log, what came after it;
// while a generation is written, its NUMBER.tmp and the log that will follow on
// it. The highest generation counts, and the logs from its number on, as long as
// each follows on the one before.

func (s *Store) path(number uint64, kind string) string {
	return filepath.Join(s.cfg.Dir, fmt.Sprintf("%08d.%s", number, kind))
}

// parseName reads the name of a file that is ours.
func parseName(name string) (number uint64, kind string, ok bool) {
	digits, kind, _ := strings.Cut(name, ".")
	number, err := strconv.ParseUint(digits, 10, 63)
	ok = err == nil && len(digits) >= 8 && slices.Contains([]string{"gen", "log", "tmp"}, kind)
	return number, kind, ok
}

// list returns the numbers of the files of a kind, in order.
func list(dir, kind string) (numbers []uint64, err error) {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if n, k, ok := parseName(f.Name()); ok && k == kind {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, err
}

// Discard removes every file of an index in a directory, whatever is wrong with
// it. The directory may be missing. The generations go last: what a crash leaves
// is an index that was, not a torn one.
func Discard(dir string) error {
	for _, kind := range []string{"tmp", "log", "gen"} {
		numbers, err := list(dir, kind)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		for _, n := range numbers {
			s := Store{cfg: Config{Dir: dir}}
			if removing := os.Remove(s.path(n, kind)); !errors.Is(removing, os.ErrNotExist) {
				err = errors.Join(err, removing)
			}
		}
		if err != nil {
			return fmt.Errorf("discarding the index: %w", err)
		}
	}
	return nil
}

func (s *Store) open() error {
	if !s.cfg.ReadOnly {
		if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
			return fmt.Errorf("opening the index: %w", err)
		}
	}
	generations, err := list(s.cfg.Dir, "gen")
	if err != nil {
		return fmt.Errorf("opening the index: %w", err)
	}
	if n := len(generations); n > 0 {
		s.base = generations[n-1]
		tree, mark, err := openGeneration(s.path(s.base, "gen"), s.base)
		if err != nil {
			return err
		}
		s.tree, s.mark, s.kept = tree, mark, tree.size
		if !s.accepts(mark) {
			return ErrNoMark
		}
	}
	s.number = s.base
	if err := s.recover(); err != nil {
		return err
	}
	if s.cfg.ReadOnly {
		return nil
	}
	s.sweep()
	return s.openEnd()
}

func (s *Store) accepts(mark []byte) bool { return s.cfg.Accept == nil || s.cfg.Accept(mark) }

// insertAtOnce is how many entries a start gathers before it inserts them: the
// more, the fewer nodes are hashed twice.
const insertAtOnce = 1 << 18

// recover inserts what the logs hold, up to the last commit that is accepted.
func (s *Store) recover() error {
	tree, fresh := s.tree, []Entry(nil)
	size, root := tree.size, tree.Root()
	insert := func() (err error) {
		if tree, err = tree.Insert(fresh); errors.Is(err, ErrDuplicate) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		fresh = fresh[:0]
		return err
	}
	for number := s.base; ; number++ {
		f, err := os.Open(s.path(number, "log"))
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			return fmt.Errorf("opening the index: %w", err)
		}
		r, err := openLog(f, number, size, root)
		if errors.Is(err, errTorn) {
			s.cut = fmt.Sprintf("log %d does not follow on what is before it", number)
			f.Close()
			break
		}
		var c commit
		for err == nil {
			if c, err = r.next(); err != nil {
				break
			}
			if !s.accepts(c.mark) {
				f.Close()
				return errors.Join(insert(), s.recovered(tree, root))
			}
			fresh = append(fresh, c.entries...)
			size, root, s.mark, s.number, s.end = c.size, c.root, c.mark, number, r.end
			if len(fresh) >= insertAtOnce {
				err = insert()
			}
		}
		f.Close()
		if !errors.Is(err, errTorn) {
			return fmt.Errorf("opening the index: %w", err)
		}
		s.number, s.end = number, r.end
		if !r.whole {
			s.cut = fmt.Sprintf("log %d is torn or was changed after %d bytes", number, r.end)
			break
		}
	}
	if err := insert(); err != nil {
		return err
	}
	return s.recovered(tree, root)
}

// recovered takes over the version that a start has made.
func (s *Store) recovered(tree *Tree, root events.Hash) error {
	if tree.Root() != root {
		return fmt.Errorf("the entries of the log do not give its root: %w", ErrDamaged)
	}
	s.tree = tree
	return nil
}

// openEnd opens the newest log behind its last commit.
func (s *Store) openEnd() (err error) {
	if s.end == 0 {
		s.log, err = s.createLog(s.number)
		s.end = logHeaderBytes
		return err
	}
	if s.log, err = os.OpenFile(s.path(s.number, "log"), os.O_RDWR, 0o600); err != nil {
		return fmt.Errorf("opening the index: %w", err)
	}
	if err := s.log.Truncate(s.end); err != nil {
		return fmt.Errorf("opening the index: %w", err)
	}
	s.cfg.step("truncate")
	return nil
}

// createLog makes the log that follows on the newest version.
func (s *Store) createLog(number uint64) (*os.File, error) {
	f, err := os.OpenFile(s.path(number, "log"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("writing the index's log: %w", err)
	}
	s.cfg.step("create log")
	if _, err := f.Write(logHeader(number, s.tree)); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the index's log: %w", err), f.Close())
	}
	s.cfg.step("begin log")
	return f, nil
}

// sweep removes what is of no use: older generations and their logs, logs behind
// the newest that counts, and what a crash left half written. What cannot be
// removed now is tried again at the next start.
func (s *Store) sweep() {
	for _, kind := range []string{"tmp", "log", "gen"} {
		numbers, _ := list(s.cfg.Dir, kind)
		slices.Reverse(numbers) // a log goes before the one that it follows on
		for _, n := range numbers {
			if kind == "tmp" || n < s.base || n > s.number {
				os.Remove(s.path(n, kind))
				s.cfg.step("remove")
			}
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
