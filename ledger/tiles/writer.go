package tiles

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sharetrail/sharetrail/events"
)

// checkpointName is the file that is written last.
const checkpointName = "checkpoint"

// ErrNotMarked says that a size is not one whose right edge was kept.
var ErrNotMarked = errors.New("the tiles of this size were not kept")

// DifferentError says that a file has other bytes than the ledger's leaves give:
// somebody changed it, or a disk did.
type DifferentError struct {
	Path  string // within the log's directory
	Index uint64 // of the first leaf that differs, or stands under the first hash that does
}

// Error implements error.
func (e *DifferentError) Error() string {
	return fmt.Sprintf("%s differs from the ledger's leaves from leaf %d on", e.Path, e.Index)
}

// Writer writes the tiles of a log that only grows. [Writer.Add] takes leaves in
// order and does no I/O; [Writer.Flush] writes what has become full; [Writer.Sync]
// makes the tiles of one size whole and durable. All methods may be called
// concurrently, Add by one goroutine.
type Writer struct {
	store store // what becomes of a file

	mu      sync.Mutex
	size    uint64
	levels  [][]byte        // hashes of each level that no full tile holds; never written again where they are
	bundle  []byte          // leaves that no full bundle holds, likewise
	pending []file          // full tiles that are not on disk yet
	bytes   int             // of pending
	marks   map[uint64]mark // sizes that may be published
	grown   chan struct{}   // closed and replaced when size grows

	writing sync.Mutex // one flush at a time; taken before mu
	stale   []Tile     // full tiles whose partial ones nobody needs after the next checkpoint
	retired []Tile     // those of the checkpoint before
}

// mark is the right edge at a size. Its slices are never written to.
type mark struct {
	levels [][]byte
	bundle []byte
}

// store is where tiles go: to a directory, or only to a comparison with it.
type store interface {
	// put writes files that are not there. A file that is there must have the same
	// bytes, else a *DifferentError is returned.
	put(files []file) error
}

// file is a file to be written.
type file struct {
	path string
	tile Tile // the zero Tile if it is none
	data []byte
}

func newWriter(s store) *Writer {
	return &Writer{store: s, marks: map[uint64]mark{}, grown: make(chan struct{})}
}

// Size is how many leaves were added, those before Open included.
func (w *Writer) Size() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size
}

// Await returns once a size was reached.
func (w *Writer) Await(ctx context.Context, size uint64) error {
	for {
		w.mu.Lock()
		have, grown := w.size, w.grown
		w.mu.Unlock()
		if have >= size {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Add takes the next leaf. If the size with it is one to be published, its right edge
// is marked: kept until a greater size is synced. Nobody who awaits a size sees it
// reached and not marked.
func (w *Writer) Add(entry []byte, hash events.Hash, mark bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bundle = AppendEntry(w.bundle, entry)
	if n := w.size / Width; w.size%Width == Width-1 {
		w.full(Tile{Entries, n, Width}, w.bundle)
		w.bundle = nil
	}
	for level := 0; ; level++ {
		if level == len(w.levels) {
			w.levels = append(w.levels, nil)
		}
		tile := append(w.levels[level], hash[:]...)
		if len(tile) < Width*32 {
			w.levels[level] = tile
			break
		}
		w.full(Tile{level, w.size >> (8 * (level + 1)), Width}, tile)
		w.levels[level] = nil
		hash = TileRoot(tile)
	}
	w.size++
	if mark {
		w.mark()
	}
	close(w.grown)
	w.grown = make(chan struct{})
}

func (w *Writer) full(t Tile, data []byte) {
	w.pending = append(w.pending, file{t.Path(), t, data})
	w.bytes += len(data)
}

// mark keeps the right edge of the present size.
func (w *Writer) mark() {
	m := mark{bundle: slices.Clip(w.bundle)}
	for _, tile := range w.levels {
		m.levels = append(m.levels, slices.Clip(tile))
	}
	w.marks[w.size] = m
}

// Pending is how many bytes wait for a Flush.
func (w *Writer) Pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}

// Flush writes the full tiles that wait. After an error they wait still.
func (w *Writer) Flush() error { return w.FlushUnder(math.MaxUint64) }

// FlushUnder writes those of them that hold no leaf beyond a size.
func (w *Writer) FlushUnder(size uint64) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	return w.flush(size, nil)
}

// flush writes what waits under a size and more, as one.
func (w *Writer) flush(size uint64, more []file) error {
	w.mu.Lock()
	pending, bytes := w.pending, 0
	if beyond := slices.IndexFunc(pending, func(f file) bool { return f.tile.Width > 0 && f.tile.end() > size }); beyond >= 0 {
		pending = pending[:beyond]
	}
	for _, f := range pending {
		bytes += len(f.data)
	}
	w.mu.Unlock()
	if err := w.store.put(append(slices.Clip(pending), more...)); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range pending {
		if f.tile.Width > 0 {
			w.stale = append(w.stale, f.tile)
		}
	}
	w.pending = slices.Delete(w.pending, 0, len(pending))
	w.bytes -= bytes
	return nil
}

// Sync returns once the tiles of a marked size are whole and durable, and give
// this root. Marks up to that size are forgotten with the next one. No leaf beyond it
// is written.
func (w *Writer) Sync(size uint64, root events.Hash) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.mu.Lock()
	m, ok := w.marks[size]
	w.mu.Unlock()
	if !ok {
		return fmt.Errorf("size %d: %w", size, ErrNotMarked)
	}
	if edge := edgeOf(size, m.levels); size == 0 || edge.Root() != root {
		return fmt.Errorf("the tiles of size %d have another root than the ledger", size)
	}
	if err := w.flush(size, m.files(size)); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := range w.marks {
		if n < size {
			delete(w.marks, n)
		}
	}
	return nil
}

// files are the partial tiles at a size.
func (m *mark) files(size uint64) []file {
	var out []file
	for _, t := range Edges(size) {
		data := m.bundle
		if t.Level != Entries {
			data = m.levels[t.Level]
		}
		out = append(out, file{t.Path(), t, data})
	}
	return out
}

// RulesPath is where a rules document stands.
func RulesPath(hash events.Hash) string { return "rules/" + hex.EncodeToString(hash[:]) }

// IsRules reports whether a path is that of a rules document.
func IsRules(path string) bool {
	digits, ok := strings.CutPrefix(path, "rules/")
	hash, err := hex.DecodeString(digits)
	return ok && err == nil && len(hash) == len(events.Hash{}) && RulesPath(events.Hash(hash)) == path
}

// AddRules takes a rules document, which whoever checks the leaves needs. It is
// written with the tiles.
func (w *Writer) AddRules(document []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, file{path: RulesPath(events.RulesHash(document)), data: document})
	w.bytes += len(document)
}

// PutCheckpoint shows the checkpoint of a synced size to whoever reads the
// directory. What only readers of much older checkpoints need is removed: partial
// tiles that were full at the checkpoint before.
func (w *Writer) PutCheckpoint(size uint64, note []byte) error {
	d, ok := w.store.(directory)
	if !ok {
		return errors.New("a comparison writes no checkpoint")
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	have, err := os.ReadFile(filepath.Join(string(d), checkpointName))
	if err == nil && string(have) == string(note) {
		return nil
	}
	if err := d.replace(checkpointName, note); err != nil {
		return err
	}
	for _, t := range w.retired {
		if err := d.removePartials(t); err != nil {
			return err
		}
	}
	// A tile that leaves beyond this size made full is not full for its readers.
	w.retired = nil
	w.stale = slices.DeleteFunc(w.stale, func(t Tile) bool {
		full := t.end() <= size
		if full {
			w.retired = append(w.retired, t)
		}
		return full
	})
	return nil
}
