package index

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"

	"github.com/sharetrail/sharetrail/events"
)

// A log holds what was committed after a generation, so that a start has only
// that to insert:
//
//	opaque magic[56]; uint64 number; uint64 size; opaque root[32]; uint32 crc;    of the version it begins with
//	for each commit:
//	  uint32 length; uint32 crc;                          of what follows
//	  uint32 n; Entry entries[n]; uint64 size; opaque root[32]; opaque mark[]
//
// It is not synced: the index follows from the stream, and what a crash takes is
// inserted again. Where the log is torn or was changed, it ends. The root of its
// last commit must be the one that its entries give.
const (
	logHeaderBytes = headerBytes + 8 + 32 + 4
	commitMinimum  = 4 + 8 + 32
)

var (
	logMagic   = [magicBytes]byte([]byte("sharetrail/index/v1 log of what came since             \n\x00"[:magicBytes]))
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errTorn    = errors.New("the log ends here")
)

func logHeader(number uint64, t *Tree) []byte {
	b := binary.BigEndian.AppendUint64(logMagic[:], number)
	b = binary.BigEndian.AppendUint64(b, t.size)
	root := t.Root()
	b = append(b, root[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// commit is what one version has more than the one before.
type commit struct {
	entries []Entry
	size    uint64
	root    events.Hash
	mark    []byte
}

func (c *commit) marshal() []byte {
	n := commitMinimum + len(c.entries)*entryBytes + len(c.mark)
	b := make([]byte, 8, 8+n)
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.entries)))
	for i := range c.entries {
		b = append(append(b, c.entries[i].Label[:]...), c.entries[i].Value[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, c.size)
	b = append(append(b, c.root[:]...), c.mark...)
	binary.BigEndian.PutUint32(b, uint32(n))
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

func parseCommit(b []byte) (c commit, err error) {
	if len(b) < commitMinimum {
		return c, errTorn
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; n*entryBytes+40 > uint64(len(b)) || uint64(len(b))-n*entryBytes-40 > maxMark {
		return c, errTorn
	}
	c.entries = appendEntries(make([]Entry, 0, n), b[:n*entryBytes])
	b = b[n*entryBytes:]
	c.size, c.root, c.mark = binary.BigEndian.Uint64(b), events.Hash(b[8:40]), b[40:]
	return c, nil
}

// logReader reads the commits of one log. Everything that is not one ends it.
type logReader struct {
	in    *bufio.Reader
	left  uint64 // bytes of the file
	size  uint64 // of the version so far
	end   int64  // of the last commit
	whole bool   // nothing follows it
}

// openLog begins the log of a number, which must follow on a version. Any other
// file gives errTorn.
func openLog(f *os.File, number, size uint64, root events.Hash) (*logReader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return readLog(f, uint64(info.Size()), number, size, root)
}

func readLog(in io.Reader, length, number, size uint64, root events.Hash) (*logReader, error) {
	r := &logReader{in: bufio.NewReaderSize(in, 1<<16), left: length, size: size}
	var header [logHeaderBytes]byte
	if err := r.fill(header[:]); err != nil {
		return nil, err
	}
	if string(header[:]) != string(logHeader(number, &Tree{size: size, root: &node{hash: root}})) {
		return nil, errTorn
	}
	r.end = logHeaderBytes
	return r, nil
}

func (r *logReader) fill(b []byte) error {
	if uint64(len(b)) > r.left {
		return errTorn
	}
	r.left -= uint64(len(b))
	_, err := io.ReadFull(r.in, b)
	if err := readError(err); err == nil || !errors.Is(err, ErrDamaged) {
		return err
	}
	return errTorn
}

// next returns the next commit, or errTorn where there is none.
func (r *logReader) next() (commit, error) {
	if r.left == 0 {
		r.whole = true
		return commit{}, errTorn
	}
	var head [8]byte
	if err := r.fill(head[:]); err != nil {
		return commit{}, err
	}
	n := uint64(binary.BigEndian.Uint32(head[:]))
	if n > r.left {
		return commit{}, errTorn
	}
	b := make([]byte, n)
	if err := r.fill(b); err != nil {
		return commit{}, err
	}
	if crc32.Checksum(b, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return commit{}, errTorn
	}
	c, err := parseCommit(b)
	if err == nil && c.size != r.size+uint64(len(c.entries)) {
		err = errTorn
	}
	if err == nil {
		r.size = c.size
		r.end += int64(8 + n)
	}
	return c, err
}
