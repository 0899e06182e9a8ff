package index

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/sharetrail/sharetrail/events"
)

// unitDepth is the depth of the subtrees that move to a new generation as one.
const unitDepth = 8

// syncBytes is how much is written between two calls of fsync: few enough that
// another file's fsync does not wait for long.
const syncBytes = 8 << 20

var errAborted = errors.New("aborted")

// unit is a subtree of the version that a generation was written of.
type unit struct {
	node  *node
	path  events.Hash // its first depth bits
	depth int
	first uint64 // number of its first entry in the new file
}

// writing is the making of a generation's file from a version. It has a goroutine
// to itself.
type writing struct {
	tree   *Tree
	mark   []byte
	number uint64
	slot   int
	file   *os.File
	units  []unit
	abort  *atomic.Bool

	out      *bufio.Writer
	old      *bufio.Reader // the entries of the generation before, in order
	read     uint64        // of them
	written  uint64        // entries
	unsynced int
	buf      []byte
}

func (w *writing) write() error {
	w.out = bufio.NewWriterSize(w.file, 1<<18)
	for _, g := range w.tree.kept {
		if g != nil {
			w.old = bufio.NewReaderSize(io.NewSectionReader(g.file, headerBytes, int64(g.size)*entryBytes), 1<<18)
		}
	}
	header := binary.BigEndian.AppendUint64(generationMagic[:], w.number)
	if _, err := w.out.Write(header); err != nil {
		return err
	}
	if err := w.descend(w.tree.root, events.Hash{}, 0); err != nil {
		return err
	}
	if w.written != w.tree.size {
		return fmt.Errorf("%d entries instead of %d", w.written, w.tree.size)
	}
	sum := sha256.New()
	sum.Write(header[magicBytes:])
	counted := &counter{to: w.out}
	if err := (&tableWriter{counted, sum}).node(w.tree.root, 0); err != nil {
		return err
	}
	footer := binary.BigEndian.AppendUint64(nil, w.tree.size)
	footer = binary.BigEndian.AppendUint64(footer, counted.n)
	footer = binary.BigEndian.AppendUint32(footer, uint32(len(w.mark)))
	footer = append(footer, w.tree.root.hash[:]...)
	sum.Write(w.mark)
	sum.Write(footer)
	for _, b := range [][]byte{w.mark, footer, sum.Sum(nil)} {
		if _, err := w.out.Write(b); err != nil {
			return err
		}
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	return w.file.Sync()
}

// descend writes the entries of each unit.
func (w *writing) descend(n *node, path events.Hash, depth int) error {
	switch {
	case n == nil:
		return nil
	case n.isBucket() || depth == unitDepth:
		if w.abort.Load() {
			return errAborted
		}
		w.units = append(w.units, unit{n, path, depth, w.written})
		return w.entries(n)
	}
	if err := w.descend(n.left, path, depth+1); err != nil {
		return err
	}
	path[depth/8] |= 1 << (7 - depth%8)
	return w.descend(n.right, path, depth+1)
}

// entries writes those of a subtree, unchecked: the hashes above them come along,
// so what was damaged stays so.
func (w *writing) entries(n *node) error {
	if n == nil {
		return nil
	}
	if !n.isBucket() {
		if err := w.entries(n.left); err != nil {
			return err
		}
		return w.entries(n.right)
	}
	var room, merged [bucketSize]Entry
	base := room[:0]
	if c := n.base.count(); c > 0 {
		if n.base.first() != w.read {
			return fmt.Errorf("entry %d instead of %d", n.base.first(), w.read)
		}
		var raw [bucketSize * entryBytes]byte
		if _, err := io.ReadFull(w.old, raw[:c*entryBytes]); err != nil {
			return readError(err)
		}
		base = appendEntries(base, raw[:c*entryBytes])
		w.read += uint64(c)
	}
	w.buf = w.buf[:0]
	for _, e := range mergeInto(merged[:0], base, n.added()) {
		w.buf = append(append(w.buf, e.Label[:]...), e.Value[:]...)
	}
	w.written += uint64(len(w.buf) / entryBytes)
	if _, err := w.out.Write(w.buf); err != nil {
		return err
	}
	if w.unsynced += len(w.buf); w.unsynced < syncBytes {
		return nil
	}
	w.unsynced = 0
	return errors.Join(w.out.Flush(), w.file.Sync())
}

type counter struct {
	to io.Writer
	n  uint64
}

func (c *counter) Write(b []byte) (int, error) {
	c.n += uint64(len(b))
	return c.to.Write(b)
}
