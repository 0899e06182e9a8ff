package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/sharetrail/sharetrail/ledger/index"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
)

// Config says which ledger is audited.
type Config struct {
	Trust *verifier.Trust
	// Dir keeps the index, how far the audit is and the last checkpoint: one process
	// at a time.
	Dir string
	// Progress is called now and then with how many leaves of how many were read;
	// nil means never.
	Progress func(done, total uint64)

	atOnce int // tests: labels that are inserted at once; 0: what is best
}

// Auditor audits one log, as it grows. Its methods may be called concurrently.
type Auditor struct {
	cfg Config

	mu     sync.Mutex
	labels *index.Store
	lock   *os.File
	at     *position
	last   verifier.Checkpoint // that was found whole; never before what labels and at may have lost in a crash
}

// Found counts what was found whole.
type Found struct {
	Origin  string `json:"origin"`
	Leaves  uint64 `json:"leaves"`
	New     uint64 `json:"new"`    // of them, those that were not audited before
	Labels  uint64 `json:"labels"` // in the index, decoys included
	States  uint64 `json:"states"`
	Foreign uint64 `json:"foreign"` // events in the stream that are not the ledger's
	TimeMS  uint64 `json:"time_ms"` // of the last state leaf: what the ledger says
}

// Open goes on with the audit in a directory, or begins one.
func Open(cfg Config) (*Auditor, error) {
	a := &Auditor{cfg: cfg}
	if err := a.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the audit in %s: %w", cfg.Dir, err), a.close())
	}
	return a, nil
}

func (a *Auditor) open() (err error) {
	if a.lock, err = lockDir(a.cfg.Dir); err != nil {
		return err
	}
	if a.last, err = readLast(a.cfg.Dir, a.cfg.Trust.Origin); err != nil {
		return err
	}
	dir := filepath.Join(a.cfg.Dir, "index")
	a.labels, err = index.Open(index.Config{Dir: dir})
	if errors.Is(err, index.ErrDamaged) || errors.Is(err, index.ErrNoMark) { // all is read again
		if err = index.Discard(dir); err == nil {
			a.labels, err = index.Open(index.Config{Dir: dir})
		}
	}
	if err != nil {
		return err
	}
	a.at, err = parsePosition(a.labels.Mark(), a.cfg.Trust.Genesis)
	return err
}

func (a *Auditor) close() (err error) {
	if a.labels != nil {
		err = a.labels.Close()
	}
	if a.lock != nil {
		err = errors.Join(err, a.lock.Close())
	}
	return err
}

// Close gives the directory back.
func (a *Auditor) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.close()
}

// Size is how many leaves were found whole and kept.
func (a *Auditor) Size() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at.edge.Size()
}

// Audit replays what a checkpoint of this ledger has beyond what was audited
// before, and demands that it continues that. The checkpoint's signature must have
// been checked. A *Fault says that the log is at fault; after any other error it
// may be tried again.
func (a *Auditor) Audit(ctx context.Context, source tiles.Source, c verifier.Checkpoint) (Found, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := max(a.at.edge.Size(), a.last.Size)
	if c.Size == 0 {
		return Found{}, fault(0, "a checkpoint of nothing was signed")
	}
	for _, known := range []verifier.Checkpoint{a.last, {Size: a.at.edge.Size(), Root: a.at.edge.Root()}} {
		if err := continues(ctx, source, known, c); err != nil {
			return Found{}, err
		}
	}
	tree, read := &tiles.Tree{Source: source, Size: c.Size, Root: c.Root}, new(levels)
	if c.Size > a.at.edge.Size() {
		var err error
		if read, err = a.replay(ctx, tree); err != nil {
			return Found{}, err
		}
	}
	if c != a.last {
		// Leaves that an earlier run took may stand under tiles that it found at fault,
		// or did not come to: what counts is what was whole last.
		if err := read.from(ctx, tree, a.last.Size/tiles.Width); err != nil {
			return Found{}, err
		}
		if err := read.check(ctx, tree); err != nil {
			return Found{}, err
		}
		if err := writeLast(a.cfg.Dir, c); err != nil {
			return Found{}, err
		}
		a.last = c
	}
	return Found{
		Origin: c.Origin, Leaves: c.Size, New: c.Size - before, Labels: a.labels.Tree().Len(),
		States: a.at.states, Foreign: a.at.foreign, TimeMS: a.at.timeMS,
	}, nil
}

// ErrOlder says that a checkpoint is a right one from before what was audited: of an
// older copy of the log, or one that came late.
var ErrOlder = errors.New("older than what was audited")

// continues demands that a checkpoint and what was audited before are of one
// history, which the tiles of the larger one show. Where they are not shown any more,
// the log was rolled back.
func continues(ctx context.Context, source tiles.Source, known, c verifier.Checkpoint) error {
	small, large := known, c
	if c.Size < known.Size {
		small, large = c, known
	}
	if small.Size == 0 {
		return nil
	}
	edge, err := (&tiles.Tree{Source: source, Size: large.Size, Root: large.Root}).EdgeAt(ctx, small.Size)
	unshown := errors.Is(err, fs.ErrNotExist) || errors.Is(err, tiles.ErrRefuted)
	switch {
	case unshown && c.Size < known.Size:
		return &Fault{c.Size, fmt.Sprintf("the checkpoint has fewer leaves than the %d that were audited before, and the tiles are not those of so many", known.Size),
			"if this is an older copy of the log, name the newest one; if it is not, " + nextEvidence}
	case small.Size == large.Size && small.Root != large.Root:
		return fault(c.Size, "the checkpoint has another root than the one audited before at this size: the ledger has shown two histories")
	case unshown:
		return &Fault{small.Size, fmt.Sprintf("the tiles do not show what the checkpoint is made of there (%v)", err), nextAgain}
	case err != nil:
		return err
	case edge.Root() != small.Root:
		return fault(small.Size, "the checkpoint does not continue what was audited before: the ledger has shown two histories")
	case c.Size < known.Size:
		return fmt.Errorf("the checkpoint of %d leaves is %w, %d leaves; name the newest copy of the log", c.Size, ErrOlder, known.Size)
	}
	return nil
}

// ErrNone says that a source shows no checkpoint.
var ErrNone = errors.New("there is no checkpoint: nothing was published yet, or this is not where a log is")

// Read reads the checkpoint that a source shows, as its note, and checks its
// signature.
func Read(ctx context.Context, source tiles.Source, trust *verifier.Trust) (verifier.Checkpoint, []byte, error) {
	b, err := tiles.ReadCheckpoint(ctx, source)
	if errors.Is(err, fs.ErrNotExist) {
		return verifier.Checkpoint{}, nil, ErrNone
	}
	if err != nil {
		return verifier.Checkpoint{}, nil, err
	}
	c, err := verifier.OpenCheckpoint(b, trust.Origin, trust.Log)
	if err != nil {
		return verifier.Checkpoint{}, nil, &Fault{0, "the checkpoint is not signed by the log in the trust file", "check that both are of the same ledger; if they are, " + nextEvidence}
	}
	return c, b, nil
}
