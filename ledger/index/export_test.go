package index

import (
	"bufio"
	"bytes"
	"io"

	"github.com/sharetrail/sharetrail/events"
)

// Small returns a configuration under which few entries make a generation, and
// step is called after each change to the directory.
func (c Config) Small(least uint64, step func(op string)) Config {
	c.least, c.step = least, step
	return c
}

// Wait returns when a generation that is being written is complete.
func (s *Store) Wait() error {
	if s.job == nil || s.job.finished {
		return nil
	}
	err := <-s.job.done
	s.job.done <- err
	return err
}

// Busy reports whether the store is between two generations.
func (s *Store) Busy() bool { return s.job != nil || s.moving != nil }

// ParseTable reads a generation's table alone.
func ParseTable(b []byte) (*Tree, uint64, error) {
	var size uint64
	for rest := b; len(rest) >= 2; {
		size += uint64(rest[1])
		n := 2
		if rest[1] > 0 {
			n = 34
		}
		rest = rest[min(n, len(rest)):]
	}
	r := &tableReader{in: bufio.NewReader(bytes.NewReader(b))}
	n, err := r.read(size)
	return &Tree{root: n, size: size}, size, err
}

// Table is the inverse of ParseTable.
func Table(t *Tree) []byte {
	var b bytes.Buffer
	if err := (&tableWriter{&b, io.Discard}).node(t.root, 0); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// ReadCommits reads the commits of a log that follows on size labels, and returns
// their bytes.
func ReadCommits(b []byte, size uint64) (again []byte, err error) {
	header := logHeader(1, &Tree{size: size, root: &node{}})
	r, err := readLog(bytes.NewReader(append(header, b...)), uint64(len(header)+len(b)), 1, size, events.Hash{})
	if err != nil {
		return nil, err
	}
	for {
		c, err := r.next()
		if err != nil {
			break
		}
		again = append(again, c.marshal()...)
	}
	return again, nil
}
