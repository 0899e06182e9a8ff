package index

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sharetrail/sharetrail/events"
)

// The file of a generation holds the entries of one version, and the hashes of
// its buckets, from which the tree above them is made without reading them:
//
//	opaque magic[56]; uint64 number;
//	Entry entries[size];                                   sorted; label[32] value[32]
//	for each bucket and each missing node beside one, from left to right:
//	  uint8 depth; uint8 count; opaque hash[32] if count > 0
//	opaque mark[];
//	uint64 size; uint64 table_bytes; uint32 mark_bytes; opaque root[32];
//	opaque digest[32];                                     SHA-256 of the number and all after the entries
//
// It is written beside the one in use, given its name when it is complete, and
// never changed.
const (
	headerBytes = 64
	footerBytes = 8 + 8 + 4 + 32 + 32
	magicBytes  = headerBytes - 8
)

var generationMagic = [magicBytes]byte([]byte("sharetrail/index/v1 entries, sorted, and bucket hashes \n\x00"[:magicBytes]))

// maxMark bounds what a caller may have kept beside a version.
const maxMark = 1 << 16

// openGeneration returns the version in a file and what its maker noted of it.
func openGeneration(path string, number uint64) (t *Tree, mark []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the index: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			err = fmt.Errorf("opening the index %s: %w", path, err)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	t, mark, err = parseGeneration(f, info.Size(), number)
	if err != nil {
		return nil, nil, err
	}
	t.kept[0] = &generation{file: f, size: t.size}
	return t, mark, nil
}

// parseGeneration reads all but the entries.
func parseGeneration(f io.ReaderAt, length int64, number uint64) (*Tree, []byte, error) {
	var header [headerBytes]byte
	var footer [footerBytes]byte
	if length < headerBytes+footerBytes {
		return nil, nil, ErrDamaged
	}
	if _, err := f.ReadAt(header[:], 0); err != nil {
		return nil, nil, readError(err)
	}
	if _, err := f.ReadAt(footer[:], length-footerBytes); err != nil {
		return nil, nil, readError(err)
	}
	size, tableBytes := binary.BigEndian.Uint64(footer[:]), binary.BigEndian.Uint64(footer[8:])
	markBytes := uint64(binary.BigEndian.Uint32(footer[16:]))
	root, digest := events.Hash(footer[20:52]), events.Hash(footer[52:])
	room := uint64(length - headerBytes - footerBytes)
	if [magicBytes]byte(header[:]) != generationMagic || binary.BigEndian.Uint64(header[magicBytes:]) != number || size == 0 ||
		markBytes > maxMark || size > room/entryBytes || tableBytes > room || size*entryBytes+tableBytes+markBytes != room {
		return nil, nil, ErrDamaged
	}
	sum := sha256.New()
	sum.Write(header[magicBytes:])
	table := io.NewSectionReader(f, headerBytes+int64(size)*entryBytes, int64(tableBytes))
	r := &tableReader{in: bufio.NewReaderSize(io.TeeReader(table, sum), 1<<16)}
	tree, err := r.read(size)
	if err != nil {
		return nil, nil, err
	}
	mark := make([]byte, markBytes)
	if _, err := f.ReadAt(mark, length-footerBytes-int64(markBytes)); err != nil {
		return nil, nil, readError(err)
	}
	sum.Write(mark)
	sum.Write(footer[:52])
	if !bytes.Equal(sum.Sum(nil), digest[:]) || tree.hash != root {
		return nil, nil, ErrDamaged
	}
	return &Tree{root: tree, size: size}, mark, nil
}

// readError says that a file is shorter than it says itself as ErrDamaged.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrDamaged
	}
	return err
}

// tableReader makes a tree of the buckets' depths and hashes. It accepts the one
// table of a tree only.
type tableReader struct {
	in    *bufio.Reader
	next  uint64 // entries so far
	depth int    // of the bucket or missing node that comes next; -1 after the last
	count int
	hash  events.Hash
}

func (r *tableReader) read(size uint64) (*node, error) {
	if err := r.step(); err != nil {
		return nil, err
	}
	n, _, err := r.node(0)
	if err == nil && (r.depth >= 0 || r.next != size) {
		err = ErrDamaged
	}
	return n, err
}

func (r *tableReader) step() error {
	var head [2]byte
	if _, err := io.ReadFull(r.in, head[:]); err == io.EOF {
		r.depth = -1
		return nil
	} else if err != nil {
		return readError(err)
	}
	r.depth, r.count = int(head[0]), int(head[1])
	if r.count > bucketSize {
		return ErrDamaged
	}
	if r.count == 0 {
		return nil
	}
	_, err := io.ReadFull(r.in, r.hash[:])
	return readError(err)
}

func (r *tableReader) node(depth int) (n *node, count int, err error) {
	switch {
	case r.depth < depth:
		return nil, 0, ErrDamaged
	case r.depth > depth:
		left, low, err := r.node(depth + 1)
		if err != nil {
			return nil, 0, err
		}
		right, high, err := r.node(depth + 1)
		if err != nil {
			return nil, 0, err
		}
		if low+high <= bucketSize {
			return nil, 0, ErrDamaged // it would be a bucket
		}
		return newInner(left, right), low + high, nil
	case r.count > 0:
		n = &node{hash: r.hash, base: newSpan(0, r.next, r.count)}
		count = r.count
		r.next += uint64(count)
	}
	return n, count, r.step()
}

// tableWriter is the inverse.
type tableWriter struct {
	out io.Writer
	sum io.Writer
}

func (w *tableWriter) node(n *node, depth int) error {
	switch {
	case n == nil:
		return w.write([]byte{byte(depth), 0})
	case n.isBucket():
		line := [34]byte{byte(depth), byte(n.base.count() + len(n.added()))}
		copy(line[2:], n.hash[:])
		return w.write(line[:])
	}
	if err := w.node(n.left, depth+1); err != nil {
		return err
	}
	return w.node(n.right, depth+1)
}

func (w *tableWriter) write(b []byte) error {
	w.sum.Write(b)
	_, err := w.out.Write(b)
	return err
}
